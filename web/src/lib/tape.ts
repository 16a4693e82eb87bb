// What the tape holds and what it lacks, in words. Pure.

import type { BackfillStatus, DayLetGo, GapReason, Obstacle, TapeGap, TapeSymbol, TapeTotals } from "../api.gen";
import { age, bytes, DASH, fixed, milliseconds } from "./format";
import { clock, dateTime } from "./time";

const plural = (count: number, one: string, many = `${one}s`) => `${fixed(count, 0)} ${count === 1 ? one : many}`;

export interface Verdict {
  title: string;
  detail: string;
}

/** The whole tape in a line. */
export function verdict({ state, ids, ids_missing, gaps_open }: TapeTotals): Verdict {
  switch (state) {
    case "incomplete":
      return { title: `${plural(ids_missing, "id")} missing`, detail: `in ${plural(gaps_open, "gap")}` };
    case "empty":
      return { title: "empty", detail: "no trade yet" };
    case "complete":
      return { title: "complete", detail: `${plural(ids, "id")}, none missing` };
  }
}

const REASONS: Record<GapReason, string> = {
  start: "nobody was listening",
  history: "nobody was listening yet",
  restart: "nobody was listening",
  log_damaged: "the newest rows of the open day could not be read",
  unwatched: "it was not watched",
  disconnected: "the connection was lost",
  skipped: "the exchange skipped it",
  recording: "missing in the recording",
  disk_queue_full: "the disk did not keep up",
  file_damaged: "a sealed file was damaged",
  import: "outside the tape, imported",
  never_recorded: "never recorded",
  archive_hole: "a hole in the archive file",
  not_a_trade: "no trades have these ids",
  let_go: "too old to be kept",
  refused: "told in rows that cannot be true",
};

const OBSTACLES: Record<Obstacle, string> = {
  too_old_for_rest: "too old for REST, waits for its daily file",
  not_served_by_rest: "the exchange does not give these ids out",
  no_archive_file: "no daily file",
  importing: "being imported",
  not_imported: "not in any imported file",
  not_in_archive: "the official archive does not have them either",
  id_implausible: "refused: an id too far from its neighbours",
  not_finite: "refused: a price or size is no number",
  size_too_small: "refused: a size below 1e-8",
  time_implausible: "refused: a time that cannot be",
  side_unreadable: "refused: who was the maker is not readable",
};

/** How the ids came to be missing. */
export const reasonWords = (reason: GapReason): string => REASONS[reason];

/** A length of time down to milliseconds: most holes are short, and most are filled quickly. */
export const brief = (lengthMs: number): string => (lengthMs < 1_000 ? milliseconds(lengthMs) : age(lengthMs));

/** What is being done about a gap, or why nothing can be done. */
export function fateWords(
  { obstacle, closed_ms, found_ms, looked_ms }: Pick<TapeGap, "obstacle" | "closed_ms" | "found_ms" | "looked_ms">,
  zone: string,
): string {
  if (closed_ms !== null) return `closed after ${brief(closed_ms - found_ms)}`;
  if (obstacle === null) return "being filled";
  return OBSTACLES[obstacle] + (looked_ms === null ? "" : `, last looked for ${dateTime(looked_ms, zone)}`);
}

/** How long something stays on the tape. */
export const keptWords = (days: number | null): string => (days === null ? "for ever" : plural(days, "day"));

/** What was imported or uploaded of a symbol. */
export function importedWords({ imported, imported_bars }: Pick<TapeSymbol, "imported" | "imported_bars">): string {
  if (imported === null || imported_bars === null) return DASH;
  if (imported_bars > 0 && imported === 0) return plural(imported_bars, "bar");
  return fixed(imported, 0);
}

/** Whether anything of a symbol was imported, or may have been. */
export const hasImports = ({ imported, imported_bars }: Pick<TapeSymbol, "imported" | "imported_bars">): boolean =>
  imported !== 0 || imported_bars !== 0;

/** What was found when all of a symbol was last verified; nothing to say when nothing was. */
export const differences = ({ verified_differences: found }: Pick<TapeSymbol, "verified_differences">): string =>
  found ? plural(found, "difference") : "";

/** The times around a gap; the day is said once when both are of the same. */
export function timeSpan(afterMs: number | null, beforeMs: number | null, zone: string): string {
  if (afterMs === null && beforeMs === null) return "at an unknown time";
  if (afterMs === null) return `before ${dateTime(beforeMs as number, zone)}`;
  const start = dateTime(afterMs, zone);
  if (beforeMs === null) return `after ${start}`;
  const end = dateTime(beforeMs, zone);
  const isSameDay = start.slice(0, -8) === end.slice(0, -8);
  return `${start} – ${isSameDay ? clock(beforeMs, zone) : end}`;
}

/** How many of the closed gaps are listed, when the server has left older ones out. */
export function leftOut(gaps: readonly TapeGap[], { gaps_open, gaps_closed }: TapeTotals): string {
  const rest = gaps_open + gaps_closed - gaps.length;
  return rest > 0 ? `${plural(rest, "older one")} not listed` : "";
}

type Weight = Pick<BackfillStatus, "weight_used" | "weight_allowed" | "weight_limit">;

/** The minute's request weight as parts of the exchange's limit, from 0 to 1. */
export function weightParts({ weight_used, weight_allowed, weight_limit }: Weight): { used: number; allowed: number } {
  const part = (weight: number) => (weight_limit > 0 ? Math.min(1, Math.max(0, weight / weight_limit)) : 0);
  return { used: part(weight_used), allowed: part(weight_allowed) };
}

/** `trades of 2026-11-20, 12.3 MB, on 27 Nov 2026 04:10:00` */
export const madeRoomWords = ({ kind, day, file_bytes, at_ms }: DayLetGo, zone: string): string =>
  `${kind} of ${day}, ${bytes(file_bytes)}, on ${dateTime(at_ms, zone)}`;
