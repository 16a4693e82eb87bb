// How the tests of a pair are set out: which figures stand together, and the words for what they say.

import {
  type Condition,
  HEALTH_WINDOWS,
  type PairHealth,
  type Quantity,
  type Rejection,
  TRADES_LEAD_BELOW_MS,
} from "../api.gen";
import { duration, fixed, percent, probability, signed } from "./format";
import { quantityText } from "./quantity";

export type Metrics = Readonly<Record<string, Quantity>>;

export interface Line {
  metric: string;
  text?: (metrics: Metrics) => string; // instead of the plain value
  detail?: (metrics: Metrics) => string; // in small print below it
}

export interface Group {
  title: string;
  remarkOf?: string; // metric whose remark is shown in sight, because it warns of the whole group
  verdict?: string; // of the whole group
  lines: readonly Line[];
}

export const numberOf = (metrics: Metrics, name: string): number | undefined => {
  const value = metrics[name]?.value;
  return typeof value === "number" ? value : undefined;
};

const two = (name: string) => (metrics: Metrics) => signed(numberOf(metrics, name), 2);

/** Critical values: the usual one, and the stricter and the laxer one in small print. */
const critical = (name: string): Line => ({
  metric: `${name}:level=5`,
  text: (metrics) => `${signed(numberOf(metrics, `${name}:level=5`), 2)} at 5 %`,
  detail: (metrics) =>
    [1, 10].map((level) => `${signed(numberOf(metrics, `${name}:level=${level}`), 2)} at ${level} %`).join(", "),
});

/** From the low end to the high end; an end that cannot be given is open. */
export function interval(low: string | undefined, high: string | undefined, unit = ""): string {
  if (low === undefined && high === undefined) return "";
  if (high === undefined) return `95 %: ${low}${unit} to no end`;
  return `95 %: ${low ?? "…"} to ${high}${unit}`;
}

const between = (low: string, high: string, decimals: number, unit = "") => {
  return (metrics: Metrics) => {
    const [from, to] = [numberOf(metrics, low), numberOf(metrics, high)];
    const text = (value: number | undefined) => (value === undefined ? undefined : fixed(value, decimals));
    return interval(text(from), text(to), unit);
  };
};

/** What the two-directional test of Engle and Granger says. */
const REJECTIONS: Record<Rejection, string> = {
  at_1_percent: "Cointegrated: walks that go apart are rejected at 1 %.",
  at_5_percent: "Cointegrated: walks that go apart are rejected at 5 %.",
  at_10_percent: "Doubtful: rejected at 10 %, not at 5 %.",
  not_rejected: "No cointegration is shown in this window.",
};

const RANKS: Record<number, string> = {
  0: "No combination of the two returns.",
  1: "One combination of the two returns.",
  2: "Two combinations of the two return, as for a third of sound pairs.",
};

/** What is read of the tests besides their numbers. */
export interface Read {
  rejection: Rejection | null;
  rank?: number | undefined; // by Johansen
}

/** `x_on_y` with the names of the legs. */
export const direction = (word: Quantity["value"] | undefined, y: string, x: string): string =>
  word === "y_on_x" ? `${y} on ${x}` : word === "x_on_y" ? `${x} on ${y}` : "";

export const statisticsOf = (y: string, x: string, { rejection, rank }: Read): readonly Group[] => [
  {
    title: "Cointegration",
    ...(rejection && { verdict: REJECTIONS[rejection] }),
    lines: [
      { metric: "coint_p" },
      { metric: "coint_t", text: two("coint_t") },
      critical("coint_crit"),
      { metric: "coint_direction", text: (metrics) => direction(metrics.coint_direction?.value, y, x) },
      { metric: "coint_lags" },
      { metric: "spike_bars", text: (metrics) => fixed(numberOf(metrics, "spike_bars"), 0) },
    ],
  },
  {
    title: "Does the spread return?",
    lines: [
      {
        metric: "half_life",
        text: (metrics) =>
          `${quantityText("half_life", metrics.half_life, 0)} · ${quantityText("half_life_ms", metrics.half_life_ms, 0)}`,
        detail: between("half_life_low", "half_life_high", 0, " bars"),
      },
      { metric: "half_life_ar1", text: (metrics) => quantityText("half_life_ar1", metrics.half_life_ar1, 0) },
      {
        metric: "variance_ratio",
        text: (metrics) => fixed(numberOf(metrics, "variance_ratio"), 2),
        detail: (metrics) => `p ${probability(numberOf(metrics, "variance_ratio_p"))}`,
      },
      {
        metric: "hurst",
        text: (metrics) => fixed(numberOf(metrics, "hurst"), 2),
        detail: between("hurst_low", "hurst_high", 2),
      },
      { metric: "cusum", text: (metrics) => `${fixed(numberOf(metrics, "cusum"), 2)} of its 5 % line` },
      { metric: "cusum_naive", text: (metrics) => fixed(numberOf(metrics, "cusum_naive"), 2) },
    ],
  },
  {
    title: "Johansen",
    ...(rank !== undefined && { verdict: RANKS[rank] ?? "" }),
    lines: [{ metric: "johansen_rank" }, { metric: "johansen_trace", text: two("johansen_trace") }],
  },
  {
    title: "Naive ADF",
    remarkOf: "spread_adf_p",
    lines: [
      { metric: "spread_adf_p" },
      { metric: "spread_adf_stat", text: two("spread_adf_stat") },
      critical("spread_adf_crit"),
      { metric: "spread_adf_lags" },
    ],
  },
  {
    title: "Hedge ratio",
    remarkOf: "beta_stderr",
    lines: [
      { metric: "beta" },
      { metric: "beta_stderr", text: (metrics) => `± ${fixed(numberOf(metrics, "beta_stderr"), 4)}` },
      { metric: "beta_t", text: two("beta_t") },
      { metric: "beta_p" },
    ],
  },
];

export const TRADE_LINES: readonly Line[] = [
  { metric: "correlation_hy" },
  { metric: "correlation_hy_naive" },
  { metric: "correlation" },
  { metric: "correlation_levels" },
];

export const OF_TRADES = "correlation_hy";

/** The correlation that leads: below a minute that of the trades, for bars that short tear moves of one time apart. */
export const leadingOf = (stepMs: number): { metric: string; of: string } =>
  stepMs < TRADES_LEAD_BELOW_MS ? { metric: OF_TRADES, of: "of trades" } : { metric: "correlation", of: "of returns" };

/** What is said beside correlations of returns below a minute. */
export const RETURNS_WARNING =
  "Of bars below a minute: too low, for two moves of one moment often fall into different bars (Epps effect). The number from trades is free of it.";

/** The condition as it is drawn: a sign besides the colour. */
export const CONDITIONS: Record<Condition, { sign: string; tone: string }> = {
  cointegrated: { sign: "✓", tone: "text-ok" },
  weakening: { sign: "~", tone: "text-vwap" },
  broken: { sign: "✕", tone: "text-short" },
  not_shown: { sign: "○", tone: "text-dim" },
  unrelated: { sign: "∥", tone: "text-dim" },
  unknown: { sign: "?", tone: "text-dim" },
};

export const conditionText = ({ condition }: PairHealth): string => condition.replaceAll("_", " ");

/** How much speaks against a pair, or, where nothing does, how much of its past is not on the tape yet. */
export function doubtsText({ condition, doubts, windows }: PairHealth): string {
  if (doubts > 0) return doubts === 1 ? "1 doubt" : `${fixed(doubts, 0)} doubts`;
  if (windows < HEALTH_WINDOWS)
    return `${fixed(windows, Number.isInteger(windows) ? 0 : 1)} of ${HEALTH_WINDOWS} windows`;
  return condition === "unknown" ? "could not be tested" : "no doubts";
}

/** What is known besides the word: what the window can see, since when, how often, and what was before. */
export function healthRemarks(health: PairHealth, stepMs: number, time: (ms: number) => string): string[] {
  const remarks: string[] = [];
  const { as_of_ms: read, visible_half_life: visible, since_ms: since, held_until_ms: until } = health;
  // Its p is that of the reading; the one of the newest bar stands in the table of the test.
  if (read !== null) remarks.push(`Read at ${time(read)}, once in a twentieth of the window.`);
  if (visible !== null) {
    const bars =
      visible < 1 ? "less than a bar" : `up to ${fixed(visible, 0)} bars (${duration((visible * stepMs) / 1000)})`;
    remarks.push(`This window would have seen a half-life of ${bars} in 4 of 5 cases.`);
  }
  if (since !== null && health.condition !== "unknown") {
    const share = percent(health.shares[health.condition] ?? 0, 0);
    const began = health.is_since_before ? "Since before" : "Since";
    remarks.push(`${began} ${time(since)}; ${share} of the last four windows.`);
  }
  if (until !== null) remarks.push(`It was cointegrated until ${time(until)}.`);
  return remarks;
}

/** `1m × 240` */
export const suggestionText = ({ suggestion }: PairHealth): string =>
  suggestion ? `${suggestion.interval} × ${fixed(suggestion.window, 0)}` : "";
