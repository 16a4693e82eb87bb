import { clock, localZone, resolveZone, UTC, zoneLabel } from "../lib/time";
import { changeView, usePlace } from "../lib/url";
import { useHub, useNow } from "../wire/context";
import { ChevronIcon } from "./icons";

/** The zone of this page: every clock, axis and table follows it. */
export const useZone = (): string => resolveZone(usePlace().view.tz);

/** UTC and back to where we were: the named zone, or the browser's. */
export function toggleZone(setting: string | undefined): void {
  changeView({ tz: resolveZone(setting) === UTC ? "local" : undefined });
}

export function Clock({ onPickZone }: { onPickZone: () => void }) {
  useNow();
  const setting = usePlace().view.tz;
  const zone = resolveZone(setting);
  const now = useHub().serverNowMs();
  return (
    <div className="flex h-6 items-center rounded border border-line bg-raised">
      <button
        type="button"
        onClick={() => toggleZone(setting)}
        title={zone === UTC ? `Show local time, ${localZone()} (z)` : "Show UTC (z)"}
        className="num flex h-full items-center gap-1.5 px-2"
      >
        <time>{clock(now, zone)}</time>
        <span className="text-dim">{zoneLabel(zone, now)}</span>
      </button>
      <button
        type="button"
        onClick={onPickZone}
        aria-label="Choose a time zone"
        className="flex h-full w-6 items-center justify-center border-line border-l text-dim hover:text-fg"
      >
        <ChevronIcon />
      </button>
    </div>
  );
}
