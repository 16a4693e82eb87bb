import type { PairAnswer } from "../api.gen";
import { ChartPanel } from "../chart/chart-panel";
import { pairLayers } from "../chart/layers";
import { pairLegends, tone } from "../chart/legend";
import type { PairColumn } from "../chart/points";
import { HedgeScatter } from "../chart/scatter";
import { Z_THRESHOLD } from "../chart/series";
import { pairTable } from "../chart/table-view";
import { fixed, missingShare, pairName, signed } from "../lib/format";
import { useTab } from "../lib/hooks";
import { partsOf, type Terms } from "../lib/methods";
import { reasonText, valueText, warmUp } from "../lib/quantity";
import { CONDITIONS, conditionText, suggestionText } from "../lib/statistics";
import { intervalMs } from "../lib/time";
import { changeView, SIDE_TABS, type SideTab, usePlace } from "../lib/url";
import { Legs } from "../ui/legs";
import { useCatalogue } from "../ui/metric-hint";
import { MetricsTable } from "../ui/metrics-table";
import { WithSide } from "../ui/side";
import { SideTabs } from "../ui/side-tabs";
import { Cell, Strip } from "../ui/strip";
import { type Shown, useFreshness, useTopicState, useTopicValue } from "../wire/context";
import { type FreshState, isCurrent, isNow } from "../wire/freshness";
import type { Topic } from "../wire/hub";
import type { Polled } from "../wire/polled";
import { NO_METRICS, type TopicState } from "../wire/topic";
import { Statistics, Trades, usePairTests } from "./pair-tests";
import { readSignal } from "./signal";

interface Props {
  y: string;
  x: string;
  tf: string;
  window: number;
  terms: Terms;
  shown: Shown;
  decimals: (symbol: string) => number;
}

export function PairScreen({ y, x, tf, window, terms, shown, decimals }: Props) {
  const { topic, isPending } = shown;
  const stepMs = intervalMs(tf) ?? 1_000;
  const metrics = useTopicValue(topic, (state) => state.metrics) ?? NO_METRICS;
  const fresh = useFreshness([y, x], stepMs);
  const current = isCurrent(fresh.state) && !isPending;
  const name = pairName(y, x);
  const yDecimals = decimals(y);
  const xDecimals = decimals(x);
  const isKnown = useTopicValue(topic, (state) => state.phase === "ready") === true;
  const tests = usePairTests({ y, x, tf, window, terms }, stepMs, isKnown);
  const { view, side = SIDE_TABS[0] } = usePlace().view;
  const warming = warmUp("z", metrics.spread_z, stepMs);
  return (
    <div className="flex h-full min-h-0 flex-col">
      <PairTab name={name} topic={topic} state={fresh.state} />
      <SignalStrip
        {...{ y, x, topic, tests, terms, yDecimals, xDecimals }}
        isCurrent={current}
        isSignal={current && isNow(fresh.state)}
      />
      <WithSide
        label="Statistics, hedge and legs"
        main={
          <ChartPanel
            picture={["pair", y, x, ...partsOf(terms).slice(1)].join(" ")}
            label={`${name}: prices, spread, z and correlation, ${tf} bars`}
            summary={(state) => `${describe(state, name, tf, window)} ${fresh.why}`}
            topic={topic}
            isPending={isPending}
            stepMs={stepMs}
            build={pairLayers(yDecimals, terms.prices)}
            legends={pairLegends({ y, x, tf, window, prices: terms.prices, yDecimals, xDecimals })}
            table={pairTable(y, x, terms.prices, yDecimals, xDecimals)}
            isTable={view === "table"}
            fresh={fresh.state}
            paneNote={warming ? { pane: 2, text: warming } : undefined}
          />
        }
      >
        <SideTabs<SideTab>
          label="About the pair"
          current={side}
          onChoose={(name) => changeView({ side: name === SIDE_TABS[0] ? undefined : name }, true)}
          tabs={[
            {
              name: "live",
              title: "Live",
              content: (
                <>
                  <MetricsTable
                    title={`Pair · ${window} bars`}
                    scope="pair"
                    metrics={metrics}
                    decimals={yDecimals}
                    isCurrent={current}
                  />
                  <HedgeScatter
                    {...{ topic, window, y, x }}
                    prices={terms.prices}
                    decimals={{ y: yDecimals, x: xDecimals }}
                  />
                  <Legs title="Legs" symbols={[y, x]} stepMs={stepMs} decimals={decimals} />
                </>
              ),
            },
            {
              name: "statistics",
              title: "Statistics",
              content: <Statistics polled={tests} {...{ y, x, stepMs }} isCurrent={current} />,
            },
            { name: "trades", title: "Trades", content: <Trades polled={tests} {...{ y, x }} isCurrent={current} /> },
          ]}
        />
      </WithSide>
    </div>
  );
}

const newest = (state: TopicState, column: PairColumn) => state.pair?.[column].at(-1) ?? undefined;

function PairTab({ name, topic, state }: { name: string; topic: Topic | undefined; state: FreshState }) {
  const z = useTopicValue(topic, (topicState) => newest(topicState, "spread_z"));
  const isOld = state === "down" || state === "stale";
  useTab(isOld ? `${state} · ${name}` : z === undefined ? name : `z ${signed(z, 2)} ${name}`, state === "down");
  return null;
}

function describe(state: TopicState, name: string, tf: string, window: number): string {
  const z = newest(state, "spread_z");
  const level = z === undefined ? "not known yet" : signed(z, 2);
  const correlation = fixed(newest(state, "correlation"), 2);
  return `${name}, ${tf} bars: z of the spread over ${window} bars is ${level}, correlation of returns ${correlation}.`;
}

interface StripProps {
  y: string;
  x: string;
  topic: Topic | undefined;
  tests: Polled<PairAnswer>;
  terms: Terms;
  yDecimals: number;
  xDecimals: number;
  isCurrent: boolean;
  isSignal: boolean; // of now, not of a tape
}

function SignalStrip({ y, x, topic, tests, terms, yDecimals, xDecimals, isCurrent, isSignal }: StripProps) {
  const state = useTopicState(topic);
  const catalogue = useCatalogue("pair");
  const metrics = state?.metrics ?? NO_METRICS;
  const last = (column: PairColumn) => state && newest(state, column);
  const z = last("spread_z");
  const signal = readSignal(z, Z_THRESHOLD, isSignal);
  // From the newest row of the series, so that strip and chart always say the same.
  const metric = (name: PairColumn) => ({
    value: valueText(name, last(name), metrics[name]?.unit, yDecimals),
    info: catalogue.get(name),
    quantity: metrics[name],
  });
  const { n, window, missing } = metrics.spread_z ?? {};
  return (
    <Strip label="Signal" isCurrent={isCurrent}>
      <Cell wide name={y} value={fixed(last("y"), yDecimals)} detail="last y" />
      <Cell wide name={x} value={fixed(last("x"), xDecimals)} detail="last x" />
      <Cell name="beta" {...metric("beta")} detail={terms.prices === "level" ? "x per y, units" : "y per x, logs"} />
      <Cell name="spread" {...metric("spread")} detail={terms.intercept ? "y − α − β x" : "y − β x"} />
      <Cell
        name="z"
        {...metric("spread_z")}
        tone={isCurrent && z !== undefined && Math.abs(z) >= Z_THRESHOLD ? tone(-z) : "text-fg"}
        detail={reasonText(metrics.spread_z) || signal.distance}
      />
      <Cell wide name="signal" value={signal.text} tone={signal.tone} detail="open bar included" note={SIGNAL_NOTE} />
      <Cell name="correlation" {...metric("correlation")} detail="of returns" />
      <HealthCell tests={tests} />
      <Cell name="n" value={fixed(n, 0)} detail={window === undefined ? "" : `of ${fixed(window, 0)}`} />
      <Cell
        name="missing"
        value={missingShare(missing)}
        tone={missing ? "text-short" : "text-fg"}
        detail="of trades"
        note="Share of the trades of the window that the exchange numbered and the tape does not hold."
      />
    </Strip>
  );
}

function HealthCell({ tests: { data, failure, isOther, isPreparing } }: { tests: Polled<PairAnswer> }) {
  const info = useCatalogue("pair").get("health");
  const health = data?.tests?.health;
  const isKnown = health !== undefined && !failure && !isOther;
  const suggestion = isKnown ? health.suggestion : null;
  return (
    <Cell
      name="health"
      value={health ? conditionText(health) : "—"}
      tone={isKnown ? CONDITIONS[health.condition].tone : "text-dim"}
      detail={
        failure
          ? isPreparing
            ? "being prepared"
            : "not refreshed"
          : suggestion && health
            ? `show ${suggestionText(health)}`
            : health && `${health.reasons.length || "no"} ${health.reasons.length === 1 ? "doubt" : "doubts"}`
      }
      info={info}
      quantity={data?.metrics.health}
      more={health?.reasons.join("; ")}
      onClick={suggestion ? () => changeView({ tf: suggestion.interval, w: suggestion.window }) : undefined}
    />
  );
}

const SIGNAL_NOTE =
  `z beyond ±${Z_THRESHOLD}: the spread is stretched. Above, it is expected to fall (short spread);` +
  " below, to rise (long spread).";
