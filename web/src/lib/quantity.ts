// A metric as text: decimals by its unit, and words for why it has none.

import type { Flag, MetricInfo, Quantity, Reason } from "../api.gen";
import { basisPoints, compact, DASH, duration, fixed, percent, probability, signed, significant } from "./format";
import type { Prices } from "./methods";

type Write = (value: number, decimals: number) => string;

const plain: Write = (value) => significant(value, 4);

/** Milliseconds below a second, tenths of seconds below ten. */
function timeText(ms: number): string {
  if (Math.abs(ms) < 1_000) return `${fixed(ms, 0)} ms`;
  return Math.abs(ms) < 9_950 ? `${fixed(ms / 1_000, 1)} s` : duration(ms / 1_000);
}

/** A spread: of logarithms in basis points, of prices with their decimals. */
export const spreadText = (value: number | null | undefined, prices: Prices, decimals: number): string =>
  prices === "level" ? (value == null ? DASH : signed(value, decimals)) : basisPoints(value);

type Unit = Quantity["unit"];

const BY_UNIT: Record<Unit, Write> = {
  price: fixed,
  ln: (value) => basisPoints(value),
  "ln per bar": (value) => `${fixed(value * 1e4, 2)} bp`,
  "ln per year": (value) => percent(value, 1),
  "y per x": (value) => fixed(value, 4),
  "units of x per y": (value) => fixed(value, 4),
  base: (value) => compact(value),
  quote: (value) => compact(value),
  trades: (value) => fixed(value, 0),
  bars: (value) => `${fixed(value, value < 10 && !Number.isInteger(value) ? 1 : 0)} ${value === 1 ? "bar" : "bars"}`,
  ms: timeText,
  probability,
  word: plain,
  name: plain,
  "1": (value) => (value !== 0 && Math.abs(value) < 0.01 ? significant(value, 2) : fixed(value, 3)),
};

// Numbers whose unit does not say how they are read.
const BY_NAME: Record<string, Write> = {
  alpha: (value) => signed(value, 4),
  beta: (value) => fixed(value, 4),
  correlation: (value) => fixed(value, 3),
  price_z: (value) => signed(value, 2),
  spread_z: (value) => signed(value, 2),
  adf_stat: (value) => signed(value, 2),
  rsi: (value) => fixed(value, 1),
  johansen_rank: (value) => fixed(value, 0),
  order_flow: (value) => `${signed(value * 100, 1)} %`,
};

// The same of logarithms; of prices they are read as prices are.
const OF_LOGS: Record<string, Write> = {
  spread_std: (value) => `${fixed(value * 1e4, 2)} bp`,
};

type Value = Quantity["value"] | undefined;

const isProbability = (name: string) => /_p(value)?$/.test(name);

/** The name in the catalogue of a metric with parameters: `rsi` of `rsi:period=21`. */
export const baseName = (name: string): string => name.split(":", 1)[0] as string;

/** `RSI (period 21)` */
export function titleOf(name: string, catalogue: ReadonlyMap<string, MetricInfo>): string {
  const base = baseName(name);
  const title = catalogue.get(base)?.title ?? base.replaceAll("_", " ");
  const parameters = name
    .slice(base.length + 1)
    .replaceAll("=", " ")
    .replaceAll(":", ", ");
  return parameters ? `${title} (${parameters})` : title;
}

/** The value of a metric as text; `decimals` are those of the symbol's prices. */
export function valueText(name: string, value: Value, unit: Unit | undefined, decimals: number): string {
  if (value === null || value === undefined) return DASH;
  if (typeof value === "string") return value.toLowerCase().replaceAll("_", " ");
  const base = baseName(name);
  const write =
    BY_NAME[base] ??
    (unit === "price" ? undefined : OF_LOGS[base]) ??
    (isProbability(base) ? probability : undefined) ??
    (unit ? BY_UNIT[unit] : plain);
  return write(value, decimals);
}

export const quantityText = (name: string, quantity: Quantity | undefined, decimals: number): string =>
  valueText(name, quantity?.value, quantity?.unit, decimals);

const REASONS: Record<Reason, string> = {
  too_few_observations: "too few bars yet",
  constant_series: "the price did not move",
  exact_fit: "the line fits exactly",
  collinear: "one series repeats the other",
  gaps: "too many gaps",
  not_mean_reverting: "may not come back at all",
  leg_is_stationary: "a leg returns by itself",
  below_one_bar: "below one bar",
  stale: "no recent trades",
  no_volume: "nothing was traded",
  no_trades: "too few trades",
  no_variance: "the price did not move, or only bounced",
  not_converged: "the fit found no answer",
  uncertain: "the trades do not tell",
  no_arch: "a constant variance is as good",
  no_rival: "no other fit is as likely",
  out_of_range: "the estimate lies outside of its range",
  not_finite: "no finite number",
};

/** A reason of the server in words. */
export const inWords = (reason: Reason | null | undefined): string => (reason ? REASONS[reason] : "not available");

const FLAGS: Record<Flag, string> = {
  no_arch: "a constant variance is as good",
  rival: "another fit is nearly as likely",
  integrated: "good for the next bar only",
  beyond_one: "beyond ±1: an estimate from few changes, or of prices that follow each other",
  ratio_of_quantities: "units of x per y",
  below_one_bar: "shorter than a bar: ask for a shorter interval",
};

export const flagWords = (flag: Flag): string => FLAGS[flag];

/** What is to be known of a value that is there; empty when nothing is. */
export const flagText = (quantity: Quantity | undefined): string => (quantity?.flags ?? []).map(flagWords).join(", ");

/** Why there is no value; empty when there is one. */
export const reasonText = (quantity: Quantity | undefined): string =>
  !quantity || quantity.value !== null ? "" : inWords(quantity.reason);

/** What a number was made from: `299 of 300 bars`, of trades `876 price changes in 300 bars`, of a pair's past its readings. */
export const restsOn = ({ n, window }: Quantity, info?: Pick<MetricInfo, "needs" | "scope">): string => {
  if (info?.needs === "trades") return `${fixed(n, 0)} price changes in ${fixed(window, 0)} bars`;
  if (info?.needs === "history" && info.scope === "pair")
    return `${fixed(n, 0)} readings of ${fixed(window, 0)} bars each`;
  return `${fixed(n, 0)} of ${fixed(window, 0)} bars`;
};

/**
 * What is said while a window fills: `z needs 120 bars: 37/120, ready in about 83 s`. A value that is there before
 * its window is full says on how little it rests.
 */
export function warmUp(name: string, quantity: Quantity | undefined, stepMs: number): string | undefined {
  if (!quantity || quantity.n >= quantity.window) return undefined;
  const { n, window } = quantity;
  const seconds = ((window - n) * stepMs) / 1000;
  const wait = seconds < 120 ? `${Math.round(seconds)} s` : duration(seconds);
  return quantity.value === null
    ? `${name} needs ${window} bars: ${n}/${window}, ready in about ${wait}`
    : `${name} rests on ${n} of ${window} bars, full in about ${wait}`;
}
