// Time in any IANA zone. Data stays in UTC milliseconds; only what is printed is local.

export const UTC = "UTC";

/** The zone a setting means: `UTC`, `local`, or an IANA name; anything else is UTC. */
export function resolveZone(setting: string | undefined): string {
  if (!setting || setting === UTC) return UTC;
  if (setting === "local") return localZone();
  return isZone(setting) ? setting : UTC;
}

export const localZone = (): string => new Intl.DateTimeFormat().resolvedOptions().timeZone || UTC;

export function isZone(name: string): boolean {
  try {
    new Intl.DateTimeFormat("en-US", { timeZone: name });
    return true;
  } catch {
    return false;
  }
}

const formats = new Map<string, Intl.DateTimeFormat>();

function format(zone: string, kind: "clock" | "full"): Intl.DateTimeFormat {
  const key = `${kind} ${zone}`;
  let found = formats.get(key);
  if (!found) {
    const clock = { hour: "2-digit", minute: "2-digit", second: "2-digit", hourCycle: "h23", timeZone: zone } as const;
    const date = { year: "numeric", month: "short", day: "2-digit" } as const;
    found = new Intl.DateTimeFormat("en-GB", kind === "clock" ? clock : { ...date, ...clock });
    formats.set(key, found);
  }
  return found;
}

/** `23:59:59` */
export const clock = (timeMs: number, zone: string): string => format(zone, "clock").format(timeMs);

/** `05 Mar 2024 23:59:59` */
export const dateTime = (timeMs: number, zone: string): string => format(zone, "full").format(timeMs).replace(",", "");

const OFTEN_SEEN_MS = 300 * 86_400_000;

/** The same where there is little room: without the year while it goes without saying, else without the seconds. */
export function shortDateTime(timeMs: number, nowMs: number, zone: string): string {
  const [day, month, year, time = ""] = dateTime(timeMs, zone).split(" ");
  return Math.abs(timeMs - nowMs) < OFTEN_SEEN_MS
    ? `${day} ${month} ${time}`
    : `${day} ${month} ${year} ${time.slice(0, -3)}`;
}

/** Seconds to add to UTC for wall time in `zone`, as a function of Unix seconds. */
export function zoneOffset(zone: string): (time: number) => number {
  if (zone === UTC) return () => 0;
  const parts = new Intl.DateTimeFormat("en-US", {
    timeZone: zone,
    hourCycle: "h23",
    year: "numeric",
    month: "numeric",
    day: "numeric",
    hour: "numeric",
    minute: "numeric",
    second: "numeric",
  });
  const cache = new Map<number, number>(); // offsets change only on quarter hours
  return (time) => {
    const quarter = Math.floor(time / 900);
    let offset = cache.get(quarter);
    if (offset === undefined) {
      const wall: Record<string, number> = {};
      for (const part of parts.formatToParts(quarter * 900_000)) wall[part.type] = Number(part.value);
      const { year = 0, month = 1, day, hour, minute, second } = wall;
      offset = Date.UTC(year, month - 1, day, hour, minute, second) / 1000 - quarter * 900;
      cache.set(quarter, offset);
    }
    return offset;
  };
}

/** `UTC` or `Berlin +02:00`: short enough to stand beside every clock. */
export function zoneLabel(zone: string, timeMs: number): string {
  if (zone === UTC) return UTC;
  const minutes = Math.round(zoneOffset(zone)(Math.floor(timeMs / 1000)) / 60);
  const pad = (value: number) => String(value).padStart(2, "0");
  const size = Math.abs(minutes);
  const city = zone.split("/").at(-1)?.replaceAll("_", " ");
  return `${city} ${minutes < 0 ? "−" : "+"}${pad(Math.floor(size / 60))}:${pad(size % 60)}`;
}

const UNITS_MS: Record<string, number> = { s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 };

/** Length of a bar interval such as `5m`, in milliseconds; undefined for what is no interval. */
export function intervalMs(interval: string): number | undefined {
  const match = /^([1-9]\d{0,5})([smhd])$/.exec(interval);
  return match ? Number(match[1]) * (UNITS_MS[match[2] as string] as number) : undefined;
}
