// What is computed of a pair once a bar: its tests, and what its trades say.

import type { EppsColumns, LeadLagCurve, PairAnswer, PairHealth, Quantity } from "../api.gen";
import { Curve } from "../chart/curve";
import { duration, fixed, probability, signed } from "../lib/format";
import { partsOf, type Terms } from "../lib/methods";
import { shortNames } from "../lib/names";
import { inWords } from "../lib/quantity";
import {
  CONDITIONS,
  conditionText,
  healthRemarks,
  type Metrics,
  numberOf,
  OF_TRADES,
  statisticsOf,
  suggestionText,
  TRADE_LINES,
} from "../lib/statistics";
import { clock } from "../lib/time";
import { changeView } from "../lib/url";
import { useZone } from "../ui/clock";
import { FigureGroup, Figures, Footing } from "../ui/figures";
import { request } from "../wire/client";
import { useConfig, useTopicValue } from "../wire/context";
import { type Polled, usePolled } from "../wire/polled";
import { NO_METRICS, type Topic } from "../wire/state";

const LEAST_MS = 5_000;
const MOST_SPIKES = 5; // that are named; the figures say how many there are

export interface PairScale {
  y: string;
  x: string;
  tf: string;
  window: number;
  terms: Terms;
}

export const usePairTests = (
  { y, x, tf, window, terms }: PairScale,
  stepMs: number,
  isWanted: boolean,
): Polled<PairAnswer> =>
  usePolled({
    picture: ["pair", y, x],
    key: [tf, window, ...partsOf(terms)],
    ask: (signal) => {
      const query = { y, x, interval: tf, window, ...terms, tests: true, limit: 1 };
      return request("GET /analytics/pair", { query }, signal);
    },
    stepMs,
    leastMs: LEAST_MS,
    needs: "tests",
    isWanted,
  });

interface Props {
  topic: Topic | undefined;
  polled: Polled<PairAnswer>;
  y: string;
  x: string;
  isCurrent: boolean;
  stepMs: number;
}

const dimmed = (polled: Polled<PairAnswer>, isCurrent: boolean) =>
  polled.isOther ? "opacity-50" : polled.failure || !isCurrent ? "saturate-25 opacity-80" : "";

/** The metrics of the tests; what the whole page shows is what the page shows, not what the tests were asked with. */
function useMetrics(polled: Polled<PairAnswer>, topic: Topic | undefined): Metrics {
  const live = useTopicValue(topic, (state) => state.metrics);
  const tested = polled.data?.metrics;
  if (!tested) return NO_METRICS;
  return polled.isOther ? tested : { ...tested, ...live };
}

/** What figures rest on, and of them the share that is missing as the strip has it. */
const footing = (metrics: Metrics, name: string): Quantity | undefined => {
  const [own, strip] = [metrics[name], metrics.spread_z];
  return own && strip ? { ...own, missing: strip.missing, missing_reason: strip.missing_reason ?? null } : own;
};

export function Statistics({ topic, polled, y, x, isCurrent, stepMs }: Props) {
  const metrics = useMetrics(polled, topic);
  const [nameY = y, nameX = x] = shortNames([y, x], useConfig());
  const rejection = polled.data?.tests?.rejection ?? null;
  return (
    <div className="col-span-full" data-tests={polled.failure ? "stale" : polled.data ? "ready" : "loading"}>
      <Footing polled={polled} quantity={footing(metrics, "coint_p")} />
      <div className={`max-wide:columns-2 ${dimmed(polled, isCurrent)}`}>
        <Health {...{ topic, polled, stepMs }} />
        {polled.data
          ? statisticsOf(nameY, nameX, { rejection, rank: numberOf(metrics, "johansen_rank") }).map((group) => (
              <FigureGroup key={group.title} group={group} metrics={metrics} />
            ))
          : null}
      </div>
    </div>
  );
}

function Health({ topic, polled, stepMs }: Pick<Props, "topic" | "polled" | "stepMs">) {
  const told = useTopicValue(topic, (state) => state.health); // as the strip has it
  const tests = polled.data?.tests;
  const zone = useZone();
  const time = (ms: number) => clock(ms, zone);
  if (!tests) return null;
  const { spikes } = tests;
  const health = told ?? tests.health;
  const { sign, tone } = CONDITIONS[health.condition];
  const replaced = spikes.y.length + spikes.x.length;
  return (
    <section aria-label="Health" className="border-line border-y px-3 py-1.5">
      <h3 className={`font-semibold text-[14px] leading-5 ${tone}`}>
        {sign} {conditionText(health)}
      </h3>
      {health.reasons.length === 0 ? <p className="text-dim">Nothing speaks against it.</p> : null}
      <ul>
        {health.reasons.map((reason) => (
          <li key={reason}>· {reason}</li>
        ))}
      </ul>
      {healthRemarks(health, stepMs, time).map((remark) => (
        <p key={remark} className="text-dim">
          {remark}
        </p>
      ))}
      {replaced > 0 ? (
        <p className="text-dim">
          Tested without {replaced === 1 ? "one spike bar" : `${replaced} spike bars`}:{" "}
          {[...spikes.y, ...spikes.x].slice(0, MOST_SPIKES).map(time).join(", ")}
          {replaced > MOST_SPIKES ? " …" : ""}
        </p>
      ) : null}
      <Instead health={health} />
    </section>
  );
}

/** The interval and window in which the tape shows the pair, one click away. */
function Instead({ health }: { health: PairHealth }) {
  const { suggestion } = health;
  if (!suggestion) return null;
  return (
    <p>
      <button
        type="button"
        className="cursor-pointer underline"
        onClick={() => changeView({ tf: suggestion.interval, w: suggestion.window })}
      >
        Show {suggestionText(health)} bars
      </button>
      : the test of that window finds the pair, p {probability(suggestion.p)}.
    </p>
  );
}

export function Trades({ topic, polled, y, x, isCurrent }: Omit<Props, "stepMs">) {
  const { tests } = polled.data ?? {};
  const metrics = useMetrics(polled, topic);
  return (
    <div className="col-span-full" data-tests={polled.failure ? "stale" : polled.data ? "ready" : "loading"}>
      <Footing polled={polled} quantity={footing(metrics, "correlation")} />
      {tests ? (
        <div className={`border-line border-t max-wide:columns-2 ${dimmed(polled, isCurrent)}`}>
          <LeadLag curve={tests.lead_lag} y={y} x={x} />
          <Epps epps={{ ...tests.epps, hayashi_yoshida: numberOf(metrics, OF_TRADES) ?? null }} />
          <section aria-label="Correlations" className="pb-1">
            <h3 className="caption px-3 pt-1 leading-6">Correlations</h3>
            <Figures title="Correlations" lines={TRADE_LINES} metrics={metrics} />
          </section>
        </div>
      ) : null}
    </div>
  );
}

/** Who moves first, in a sentence. */
export function leadSentence(curve: LeadLagCurve, y: string, x: string): string {
  if (curve.lag_ms === null) return `Who moves first is not known: ${inWords(curve.reason)}.`;
  const sure =
    curve.low_ms === null || curve.high_ms === null
      ? ""
      : ` (95 %: ${signed(curve.low_ms, 0)} to ${signed(curve.high_ms, 0)} ms)`;
  if (curve.leader === null) return `Neither leads: best lag ${signed(curve.lag_ms, 0)} ms${sure}.`;
  const [leader, other] = curve.leader === "x" ? [x, y] : [y, x];
  return `${leader} moves ${fixed(Math.abs(curve.lag_ms), 0)} ms before ${other}${sure}.`;
}

function LeadLag({ curve, y, x }: { curve: LeadLagCurve; y: string; x: string }) {
  return (
    <Curve
      title={`Lead and lag of ${x} over ${y}`}
      summary={leadSentence(curve, y, x)}
      x={curve.lags_ms}
      y={curve.contrasts}
      scale="linear"
      ticks={ends(curve.lags_ms).map((at) => ({ at, text: `${signed(at, 0)} ms` }))}
      format={(value) => fixed(value, 2)}
      mark={curve.lag_ms === null ? undefined : { at: curve.lag_ms, low: curve.low_ms, high: curve.high_ms }}
      read={(i) => `${signed(curve.lags_ms[i], 0)} ms: ${fixed(curve.contrasts[i], 3)}`}
      columns={["Lag, ms", "Contrast"]}
    />
  );
}

/** The first, the middle and the last. */
const ends = (values: readonly number[]): number[] =>
  [...new Set([values[0], values[values.length >> 1], values.at(-1)])].filter((value) => value !== undefined);

export function eppsSentence({ interval_s, correlation, hayashi_yoshida }: EppsColumns): string {
  const known = correlation.findLastIndex((value) => value !== null);
  if (known < 0) return "Too few bars of any length.";
  const first = correlation.findIndex((value) => value !== null);
  const of = (row: number) => `${fixed(correlation[row], 2)} on bars of ${duration(interval_s[row])}`;
  const trades = hayashi_yoshida === null ? "" : `; ${fixed(hayashi_yoshida, 2)} of the trades`;
  return `${of(first)}${known > first ? `, ${of(known)}` : ""}${trades}.`;
}

function Epps({ epps }: { epps: EppsColumns }) {
  const { hayashi_yoshida: trades } = epps;
  return (
    <Curve
      title="Correlation by length of bar (Epps)"
      summary={eppsSentence(epps)}
      x={epps.interval_s}
      y={epps.correlation}
      scale="log"
      ticks={epps.interval_s.map((at) => ({ at, text: duration(at) }))}
      format={(value) => fixed(value, 2)}
      level={trades === null ? undefined : { at: trades, text: `trades ${fixed(trades, 2)}` }}
      read={(i) => `${duration(epps.interval_s[i])}: ${fixed(epps.correlation[i], 3)}, n = ${fixed(epps.n[i], 0)}`}
      columns={["Length of bar", "Correlation"]}
    />
  );
}
