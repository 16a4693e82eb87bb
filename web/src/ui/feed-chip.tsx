// Source and freshness: in sight on every screen, whatever happens.

import { age } from "../lib/format";
import { useFreshness, useStatus } from "../wire/context";
import { type Freshness, type FreshState, isNow } from "../wire/freshness";
import { Hint } from "./hint";

const STATES: Record<FreshState, { word: string; dot: string; text: string }> = {
  connecting: { word: "connecting", dot: "bg-dim", text: "text-dim" },
  waiting: { word: "no trade yet", dot: "bg-dim", text: "text-dim" },
  live: { word: "live", dot: "bg-ok", text: "text-ok" },
  late: { word: "late", dot: "bg-short", text: "text-short" },
  stale: { word: "stale", dot: "bg-short", text: "text-short" },
  down: { word: "down", dot: "bg-fault", text: "text-fault" },
  finished: { word: "replay ended", dot: "bg-replay", text: "text-replay" },
  tape: { word: "nothing received", dot: "bg-dim", text: "text-dim" },
};

const SOURCES = {
  live: { word: undefined, tone: "" },
  simulator: { word: "Simulated", tone: "border-short text-short" },
  replay: { word: "Replay", tone: "border-replay text-replay" },
  tape: { word: "Tape", tone: "border-replay text-replay" },
} as const;

/** The name of the leg that is silent, before the word for it; of several, how many they are. */
export const whichLate = (late: Freshness["late"]): string =>
  late.length === 0 ? "" : late.length === 1 ? `${late[0]?.symbol} ` : `${late.length} `;

export function FeedChip({ symbols, stepMs }: { symbols: readonly string[]; stepMs: number }) {
  const received = useStatus();
  const fresh = useFreshness(symbols, stepMs);
  const look = STATES[fresh.state];
  const source = received?.status.source;
  const mark = source && SOURCES[source.kind];
  return (
    <div className="flex items-center gap-2">
      {mark?.word ? (
        <span className={`caption rounded border px-1.5 font-semibold ${mark.tone}`}>{mark.word}</span>
      ) : (
        <span className="hidden truncate text-dim xl:inline">{source?.label}</span>
      )}
      <Hint
        content={
          <div className="space-y-1">
            <p>{fresh.why}</p>
            {source ? <p className="text-dim">Source: {source.label}</p> : null}
          </div>
        }
      >
        <button
          type="button"
          data-feed={fresh.state}
          data-late={fresh.late.map(({ symbol }) => symbol).join(" ")}
          className="flex h-6 items-center gap-1.5 rounded border border-line bg-raised px-2"
        >
          <span className={`size-2 rounded-full ${look.dot}`} />
          <span className={look.text}>
            {isNow(fresh.state) || fresh.state === "stale" ? `${whichLate(fresh.late)}${look.word}` : look.word}
          </span>
          {fresh.ageMs === undefined ? null : (
            <span className="num min-w-11 text-right text-dim">{age(fresh.ageMs)}</span>
          )}
        </button>
      </Hint>
    </div>
  );
}
