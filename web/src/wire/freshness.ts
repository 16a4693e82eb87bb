// How far what is shown can be trusted to be now.

import type { Status, SymbolStatus } from "../api.gen";
import { age } from "../lib/format";
import type { Link } from "./connection";
import type { ReceivedStatus } from "./hub";

export type FreshState = "connecting" | "waiting" | "live" | "late" | "stale" | "down" | "finished" | "tape";

export interface Freshness {
  state: FreshState;
  ageMs: number | undefined; // since the last trade of the older leg arrived at the server
  why: string; // one sentence, for people
}

export interface Limits {
  lateMs: number;
  staleMs: number;
}

/** Two bars late, but never sooner than 3 s nor later than 10 s: the open bar moves with each trade. */
export function limits(intervalMs: number): Limits {
  const lateMs = Math.min(Math.max(2 * intervalMs, 3_000), 10_000);
  return { lateMs, staleMs: Math.max(10_000, 2 * lateMs) };
}

/** Values in these states are drawn in full colour: they are as new as what is looked at. */
export const isCurrent = (state: FreshState): boolean => isNow(state) || state === "tape";

/** Values in these states may be read as a signal. */
export const isNow = (state: FreshState): boolean => state === "live" || state === "late";

/** Freshness of what is computed from `symbols` (of everything watched, when there is none). */
export function freshness(
  link: Link,
  received: ReceivedStatus | undefined,
  symbols: readonly string[],
  intervalMs: number,
  nowMs: number,
): Freshness {
  if (link.phase !== "open") {
    if (!link.everOpen) return { state: "connecting", ageMs: undefined, why: "Connecting to pairscope." };
    return { state: "down", ageMs: nowMs - link.sinceMs, why: "The connection to pairscope is lost." };
  }
  if (!received) return { state: "connecting", ageMs: undefined, why: "Waiting for the first status." };
  const { status } = received;
  const carriedMs = nowMs - received.receivedMs; // time passed since the status was true
  const oldest = oldestLeg(status, symbols, carriedMs);
  if (status.source.kind === "tape") {
    return { state: "tape", ageMs: undefined, why: "A tape is looked at: nothing is received." };
  }
  if (status.source.finished || status.feed.state === "finished") {
    return { state: "finished", ageMs: oldest.ageMs, why: "The replay has played to its end." };
  }
  if (status.feed.state === "down") {
    const cause = status.feed.last_error ?? "the exchange cannot be reached";
    return { state: "down", ageMs: oldest.ageMs, why: `No feed: ${cause}.` };
  }
  if (status.feed.state === "connecting") {
    return { state: "connecting", ageMs: oldest.ageMs, why: "The feed is connecting to its source." };
  }
  return byAge(status, oldest, limits(intervalMs));
}

interface Oldest {
  symbol: string;
  ageMs: number | undefined;
}

function oldestLeg(status: Status, symbols: readonly string[], carriedMs: number): Oldest {
  const rows = status.symbols.filter((row) => symbols.length === 0 || symbols.includes(row.symbol));
  const ages = rows.map((row) => ({ symbol: row.symbol, ageMs: ageOf(status, row, carriedMs) }));
  const pick = symbols.length === 0 ? youngest : eldest;
  return ages.reduce<Oldest>((best, next) => pick(best, next), ages[0] ?? { symbol: "", ageMs: undefined });
}

export function ageOf(status: Status, row: SymbolStatus, carriedMs: number): number | undefined {
  return row.received_ms === null ? undefined : Math.max(0, status.now_ms - row.received_ms) + carriedMs;
}

const eldest = (a: Oldest, b: Oldest): Oldest =>
  b.ageMs === undefined || (a.ageMs !== undefined && b.ageMs > a.ageMs) ? b : a;
const youngest = (a: Oldest, b: Oldest): Oldest =>
  a.ageMs === undefined || (b.ageMs !== undefined && b.ageMs < a.ageMs) ? b : a;

function byAge(status: Status, { symbol, ageMs }: Oldest, { lateMs, staleMs }: Limits): Freshness {
  if (ageMs === undefined) return { state: "waiting", ageMs, why: `No trade of ${symbol || "any symbol"} yet.` };
  const quiet = `No trade of ${symbol} for ${age(ageMs)}.`;
  if (ageMs > staleMs) return { state: "stale", ageMs, why: quiet };
  if (status.feed.state === "stale") return { state: "stale", ageMs, why: "The source sends nothing." };
  if (ageMs > lateMs) return { state: "late", ageMs, why: quiet };
  return { state: "live", ageMs, why: `Last trade ${age(ageMs)} ago.` };
}
