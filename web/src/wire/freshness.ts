// How far what is shown can be trusted to be now.

import { LATE_BARS, LATE_LEAST_MS, LATE_MOST_MS, type Status, type SymbolStatus } from "../api.gen";
import { age } from "../lib/format";
import type { Link } from "./connection";
import type { ReceivedStatus } from "./hub";

export type FreshState = "connecting" | "waiting" | "live" | "late" | "stale" | "down" | "finished" | "tape";

export interface Freshness {
  state: FreshState;
  ageMs: number | undefined; // since the last trade of the older leg arrived at the server
  why: string; // one sentence, for people
  late: readonly LateLeg[]; // which symbols are silent, the one silent for longest first
}

export interface LateLeg {
  symbol: string;
  state: "late" | "stale";
  ageMs: number | undefined; // undefined: nothing was heard of it at all
}

/** `late 4.2 s`; of a symbol that was never heard, that. */
export const silence = ({ state, ageMs }: LateLeg): string =>
  ageMs === undefined ? "no trade yet" : `${state} ${age(ageMs)}`;

/** What is said beside a number that rests on several symbols: which are silent, and the worst of it. */
export function silenceOf(late: readonly LateLeg[], symbols: number): string {
  if (late.length === 0) return "";
  const names = late.map(({ symbol }) => symbol).join(", ");
  if (wasHeard(late)) return `${names} ${late.some(({ state }) => state === "stale") ? "stale" : "late"}`;
  return late.length < symbols ? `${names}: no trade yet` : "no trade yet";
}

/** Whether a silence is one: before its first trade nothing of a symbol has grown old. */
export const wasHeard = (late: readonly LateLeg[]): boolean => late.some(({ ageMs }) => ageMs !== undefined);

export interface Limits {
  lateMs: number;
  staleMs: number;
}

/** Late as the server has it (`late_after_ms`), whatever the interval: the open bar moves with each trade. */
export function limits(intervalMs: number): Limits {
  const lateMs = Math.min(Math.max(LATE_BARS * intervalMs, LATE_LEAST_MS), LATE_MOST_MS);
  return { lateMs, staleMs: Math.max(10_000, 2 * lateMs) };
}

/** Values in these states are drawn in full colour: they are as new as what is looked at. */
export const isCurrent = (state: FreshState): boolean => isNow(state) || state === "tape";

/** Values in these states are of now. */
export const isNow = (state: FreshState): boolean => state === "live" || state === "late";

/** Freshness of what is computed from `symbols` (of everything watched, when there is none). */
export function freshness(
  link: Link,
  received: ReceivedStatus | undefined,
  symbols: readonly string[],
  intervalMs: number,
  nowMs: number,
): Freshness {
  const carriedMs = received ? Math.max(0, nowMs - received.receivedMs) : 0; // since the status was true
  const legs = received ? legsOf(received.status, symbols, carriedMs) : [];
  const late = lateOf(legs, limits(intervalMs));
  const { ageMs } = chosen(legs, late, symbols.length > 0);
  const is = (state: FreshState, why: string, since = ageMs): Freshness => ({ state, ageMs: since, why, late });
  if (link.phase !== "open") {
    if (!link.everOpen) return is("connecting", "Connecting to pairscope.", undefined);
    // What is shown grows older from the last trade on, not from when the line was lost.
    return is("down", "The connection to pairscope is lost.", ageMs ?? nowMs - link.sinceMs);
  }
  if (!received) return is("connecting", "Waiting for the first status.", undefined);
  const { status } = received;
  if (status.source.kind === "tape") {
    return { state: "tape", ageMs: undefined, why: "A tape is looked at: nothing is received.", late: [] };
  }
  if (status.source.finished || status.feed.state === "finished") {
    return is("finished", "The replay has played to its end.");
  }
  if (status.feed.state === "down") {
    return is("down", `No feed: ${status.feed.last_error ?? "the exchange cannot be reached"}.`);
  }
  if (status.feed.state === "connecting") return is("connecting", "The feed is connecting to its source.");
  return byAge(status, legs, late, symbols.length > 0);
}

interface Leg {
  symbol: string;
  ageMs: number | undefined;
}

function legsOf(status: Status, symbols: readonly string[], carriedMs: number): Leg[] {
  // What the exchange does not trade is told by a notice; it is no fault of the feed.
  const isMeant = (symbol: string) =>
    symbols.length === 0 ? !(symbol in (status.exchange?.halted ?? {})) : symbols.includes(symbol);
  return status.symbols
    .filter((row) => isMeant(row.symbol))
    .map((row) => ({ symbol: row.symbol, ageMs: ageOf(status, row, carriedMs) }));
}

export function ageOf(status: Status, row: SymbolStatus, carriedMs: number): number | undefined {
  return row.received_ms === null ? undefined : Math.max(0, status.now_ms - row.received_ms) + carriedMs;
}

/** Those that are silent for too long, the one silent for longest first. */
function lateOf(legs: readonly Leg[], { lateMs, staleMs }: Limits): LateLeg[] {
  const silentMs = ({ ageMs }: Leg) => ageMs ?? Number.POSITIVE_INFINITY;
  return legs
    .filter((leg) => silentMs(leg) > lateMs)
    .sort((a, b) => silentMs(b) - silentMs(a))
    .map(({ symbol, ageMs }) => ({ symbol, ageMs, state: silentMs({ symbol, ageMs }) > staleMs ? "stale" : "late" }));
}

/** Whose age is told: of the legs in question the eldest, of everything the eldest that is late, or the youngest. */
function chosen(legs: readonly Leg[], late: readonly LateLeg[], isOfLegs: boolean): Leg {
  const known = legs.filter(({ ageMs }) => ageMs !== undefined).sort((a, b) => (b.ageMs ?? 0) - (a.ageMs ?? 0));
  const heard = isOfLegs || late.some(({ ageMs }) => ageMs !== undefined) ? known[0] : known.at(-1);
  return heard ?? legs[0] ?? { symbol: "", ageMs: undefined };
}

function byAge(status: Status, legs: readonly Leg[], late: LateLeg[], isOfLegs: boolean): Freshness {
  const { symbol, ageMs } = chosen(legs, late, isOfLegs);
  const never = legs.filter((leg) => leg.ageMs === undefined);
  if (isOfLegs ? never.length > 0 || legs.length === 0 : never.length === legs.length) {
    const name = never[0]?.symbol ?? "any symbol";
    return { state: "waiting", ageMs: undefined, why: `No trade of ${name} yet.`, late };
  }
  const quiet = late
    .map((leg) =>
      leg.ageMs === undefined ? `No trade of ${leg.symbol} yet.` : `No trade of ${leg.symbol} for ${age(leg.ageMs)}.`,
    )
    .join(" ");
  if (status.feed.state === "stale") return { state: "stale", ageMs, why: "The source sends nothing.", late };
  const isStale = late.some((leg) => leg.state === "stale");
  if (late.length) return { state: isStale ? "stale" : "late", ageMs, why: quiet, late };
  return {
    state: "live",
    ageMs,
    why: `Last trade${symbol && isOfLegs ? ` of ${symbol}` : ""} ${age(ageMs)} ago.`,
    late,
  };
}
