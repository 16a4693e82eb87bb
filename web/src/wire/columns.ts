// A table kept as columns of equal length, sorted by open time, that grows at its end and is cut at its start.

export interface Columns {
  open_time_ms: number[];
}

/** What a row did to the table: `recent` changed one of the last rows in place, `reset` more than can be drawn singly. */
export type Change = "none" | "tail" | "recent" | "reset";

/** A bar closes when the next has begun: such rows are drawn again one by one, not the whole table with each close. */
export const RECENT_ROWS = 20;

export const TRIM_ABOVE = 6_000;
export const TRIM_TO = 5_000;

const names = <C extends Columns>(columns: C) => Object.keys(columns) as (keyof C)[];
const cells = (columns: Columns, name: PropertyKey) =>
  (columns as unknown as Record<PropertyKey, unknown[]>)[name] ?? [];

/** Put one row (columns of length one) in its place, in the table itself. An empty row changes nothing. */
export function putRow<C extends Columns>(table: C, row: C): Change {
  const time = row.open_time_ms[0];
  if (time === undefined) return "none";
  const times = table.open_time_ms;
  const at = lowerBound(times, time);
  const known = times[at] === time;
  const wasLast = at >= times.length - (known ? 1 : 0);
  for (const name of names(table)) cells(table, name).splice(at, known ? 1 : 0, cells(row, name)[0]);
  if (wasLast) return "tail";
  return known && at >= times.length - RECENT_ROWS ? "recent" : "reset";
}

/** Cut the start when the table has grown too long; says whether it did. */
export function trim(table: Columns, above = TRIM_ABOVE, to = TRIM_TO): boolean {
  const excess = table.open_time_ms.length - to;
  if (table.open_time_ms.length <= above) return false;
  for (const name of names(table)) cells(table, name).splice(0, excess);
  return true;
}

/** Index of the first time not before `time`. */
export function lowerBound(times: readonly number[], time: number): number {
  let low = 0;
  let high = times.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((times[middle] as number) < time) low = middle + 1;
    else high = middle;
  }
  return low;
}
