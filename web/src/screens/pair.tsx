import { type PairSignal, Z_THRESHOLD } from "../api.gen";
import { ChartPanel } from "../chart/chart-panel";
import { pairLayers } from "../chart/layers";
import { pairLegends, tone } from "../chart/legend";
import type { PairColumn } from "../chart/points";
import { HedgeScatter } from "../chart/scatter";
import { pairTable } from "../chart/table-view";
import { fixed, missingShare, signed } from "../lib/format";
import { useTab } from "../lib/hooks";
import { partsOf, type Terms } from "../lib/methods";
import { pairName } from "../lib/names";
import { quantityText, reasonText, valueText, warmUp } from "../lib/quantity";
import { CONDITIONS, conditionText, doubtsText, leadingOf, suggestionText } from "../lib/statistics";
import { intervalMs } from "../lib/time";
import { changeView, SIDE_TABS, type SideTab, usePlace } from "../lib/url";
import { Legs } from "../ui/legs";
import { useCatalogue } from "../ui/metric-hint";
import { MetricsTable } from "../ui/metrics-table";
import type { Screen } from "../ui/screen";
import { WithSide } from "../ui/side";
import { SideTabs } from "../ui/side-tabs";
import { Cell, Strip } from "../ui/strip";
import { type Shown, useConfig, useFreshness, usePart, useTopicState, useTopicValue } from "../wire/context";
import { type Freshness, isCurrent, isNow, silence, silenceOf, wasHeard } from "../wire/freshness";
import { NO_METRICS, type Topic, type TopicState } from "../wire/state";
import { pairTopic } from "../wire/topic";
import { Statistics, Trades, usePairTests } from "./pair-tests";
import { mutedText, readSignal } from "./signal";

interface Props {
  y: string;
  x: string;
  tf: string;
  window: number;
  terms: Terms;
  shown: Shown;
  decimals: (symbol: string) => number;
}

function PairScreen({ y, x, tf, window, terms, shown, decimals }: Props) {
  const { topic, isPending } = shown;
  const stepMs = intervalMs(tf) ?? 1_000;
  const metrics = useTopicValue(topic, (state) => state.metrics) ?? NO_METRICS;
  const fresh = useFreshness([y, x], stepMs);
  const current = isCurrent(fresh.state) && !isPending;
  const name = pairName(y, x, useConfig());
  const yDecimals = decimals(y);
  const xDecimals = decimals(x);
  const isKnown = useTopicValue(topic, (state) => state.phase === "ready") === true;
  const { view, side = SIDE_TABS[0] } = usePlace().view;
  const tests = usePairTests({ y, x, tf, window, terms }, stepMs, isKnown && side !== SIDE_TABS[0]);
  const warming = warmUp("z", metrics.spread_z, stepMs);
  return (
    <div className="flex h-full min-h-0 flex-col">
      <PairTab name={name} topic={topic} fresh={fresh} />
      <SignalStrip
        {...{ y, x, topic, terms, yDecimals, xDecimals, stepMs, fresh }}
        isCurrent={current}
        isSignal={current && isNow(fresh.state)}
      />
      <WithSide
        label="Statistics, hedge and legs"
        main={
          <ChartPanel
            picture={["pair", y, x, ...partsOf(terms).slice(1)].join(" ")}
            label={`${name}: prices, spread, z and correlation, ${tf} bars`}
            summary={(state) => `${describe(state, name, tf, window, stepMs)} ${fresh.why}`}
            topic={topic}
            isPending={isPending}
            stepMs={stepMs}
            build={pairLayers(yDecimals, terms.prices)}
            legends={pairLegends({ y, x, tf, window, prices: terms.prices, yDecimals, xDecimals, stepMs })}
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
                  <PairLegs {...{ topic, y, x, stepMs, decimals }} />
                </>
              ),
            },
            {
              name: "statistics",
              title: "Statistics",
              content: <Statistics polled={tests} {...{ topic, y, x, stepMs }} isCurrent={current} />,
            },
            {
              name: "trades",
              title: "Trades",
              content: <Trades polled={tests} {...{ topic, y, x }} isCurrent={current} />,
            },
          ]}
        />
      </WithSide>
    </div>
  );
}

const newest = (state: TopicState, column: PairColumn) => state.pair?.[column].at(-1) ?? undefined;

function PairLegs({
  topic,
  y,
  x,
  ...about
}: { topic: Topic | undefined; y: string; x: string; stepMs: number } & Pick<Props, "decimals">) {
  const lastY = useTopicValue(topic, (state) => newest(state, "y"));
  const lastX = useTopicValue(topic, (state) => newest(state, "x"));
  return <Legs title="Legs" symbols={[y, x]} price={(symbol) => (symbol === y ? lastY : lastX)} {...about} />;
}

/** The tab says what the strip says: no z of a leg that is silent, and why a stretched one is no signal. */
function PairTab({ name, topic, fresh }: { name: string; topic: Topic | undefined; fresh: Freshness }) {
  const z = useTopicValue(topic, (state) => newest(state, "spread_z"));
  const signal = useTopicValue(topic, (state) => state.signal);
  useTab(titleOf(name, z, signal, fresh), fresh.state === "down");
  return null;
}

export function titleOf(
  name: string,
  z: number | undefined,
  signal: PairSignal | undefined,
  { state, late }: Pick<Freshness, "state" | "late">,
): string {
  if (state === "down") return name;
  if (state === "stale" || state === "late") {
    const who = late.map(({ symbol }) => symbol).join(", ");
    return `${who}${who && " "}${state} · ${name}`;
  }
  if (z === undefined) return name;
  const why = Math.abs(z) >= Z_THRESHOLD ? mutedText(signal) : "";
  return why ? `z ${signed(z, 2)}, ${why} · ${name}` : `z ${signed(z, 2)} ${name}`;
}

function describe(state: TopicState, name: string, tf: string, window: number, stepMs: number): string {
  const z = newest(state, "spread_z");
  const level = z === undefined ? "not known yet" : signed(z, 2);
  const leading = leadingOf(stepMs);
  const correlation = quantityText(leading.metric, state.metrics[leading.metric], 2);
  return `${name}, ${tf} bars: z of the spread over ${window} bars is ${level}, correlation ${leading.of} ${correlation}.`;
}

interface StripProps {
  y: string;
  x: string;
  topic: Topic | undefined;
  terms: Terms;
  yDecimals: number;
  xDecimals: number;
  stepMs: number;
  fresh: Freshness;
  isCurrent: boolean;
  isSignal: boolean; // of now, not of a tape
}

function SignalStrip({ y, x, topic, terms, yDecimals, xDecimals, stepMs, fresh, isCurrent, isSignal }: StripProps) {
  const state = useTopicState(topic);
  const catalogue = useCatalogue("pair");
  const metrics = state?.metrics ?? NO_METRICS;
  const last = (column: PairColumn) => state && newest(state, column);
  const z = last("spread_z");
  const signal = readSignal(z, Z_THRESHOLD, state?.signal, isSignal);
  // Of one moment with the rows of the chart: bar, row, metrics and signal come in one message.
  const metric = (name: string) => ({
    value: valueText(name, metrics[name]?.value, metrics[name]?.unit, yDecimals),
    info: catalogue.get(name),
    quantity: metrics[name],
  });
  const { n, window, missing } = metrics.spread_z ?? {};
  const leading = leadingOf(stepMs);
  const beingRead = useBeingRead();
  const late = new Map(fresh.late.map((leg) => [leg.symbol, leg]));
  const own = (symbol: string) => {
    const leg = late.get(symbol);
    return leg && { detail: silence(leg), isLate: wasHeard([leg]) };
  };
  // What rests on both legs is as old as the older one.
  const ofLegs = silenceOf(fresh.late, 2);
  const isLate = wasHeard(fresh.late);
  return (
    <Strip label="Signal" isCurrent={isCurrent}>
      <Cell wide name={y} value={fixed(last("y"), yDecimals)} detail="last y" {...own(y)} />
      <Cell wide name={x} value={fixed(last("x"), xDecimals)} detail="last x" {...own(x)} />
      <Cell
        name="beta"
        {...metric("beta")}
        detail={ofLegs || (terms.prices === "level" ? "x per y, units" : "y per x, logs")}
        isLate={isLate}
      />
      <Cell
        name="spread"
        {...metric("spread")}
        detail={ofLegs || (terms.intercept ? "y − α − β x" : "y − β x")}
        isLate={isLate}
      />
      <Cell
        name="z"
        {...metric("spread_z")}
        tone={!signal.isMuted && z !== undefined && Math.abs(z) >= Z_THRESHOLD ? tone(-z) : "text-fg"}
        detail={ofLegs || reasonText(metrics.spread_z) || signal.distance}
        isLate={isLate}
      />
      <Cell
        wide
        name="signal"
        value={signal.text}
        tone={signal.tone}
        detail={signal.detail || "open bar included"}
        note={SIGNAL_NOTE}
      />
      <Cell
        name="correlation"
        {...metric(leading.metric)}
        detail={ofLegs || reasonText(metrics[leading.metric]) || (leading.metric in metrics ? leading.of : beingRead)}
        isLate={isLate}
      />
      <HealthCell topic={topic} />
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

/** Said of what comes a few seconds after a page is opened. */
const useBeingRead = (): string => (usePart("tests") === "preparing" ? "being prepared" : "being read");

function HealthCell({ topic }: { topic: Topic | undefined }) {
  const info = useCatalogue("pair").get("health");
  const health = useTopicValue(topic, (state) => state.health);
  const beingRead = useBeingRead();
  const suggestion = health?.suggestion;
  return (
    <Cell
      name="health"
      value={health ? conditionText(health) : "—"}
      tone={health ? CONDITIONS[health.condition].tone : "text-dim"}
      detail={health ? (suggestion ? `show ${suggestionText(health)}` : doubtsText(health)) : beingRead}
      info={info}
      more={health?.reasons.join("; ")}
      onClick={suggestion ? () => changeView({ tf: suggestion.interval, w: suggestion.window }) : undefined}
    />
  );
}

const SIGNAL_NOTE =
  `z beyond ±${Z_THRESHOLD}: the spread is stretched. Above, it is expected to fall (short spread);` +
  " below, to rise (long spread). It is muted while the pair is not shown to be one, and while a leg is silent.";

export const pair: Screen = {
  name: "pair",
  title: "Pair",
  key: "1",
  icon: (
    <>
      <path d="M2 13l4-5 3 3 7-7" />
      <path d="M2 9l4-4 4 8 6-2" opacity=".55" />
    </>
  ),
  takes: 2,
  has: ["interval", "window", "terms"],
  heading: ([y = "", x = ""], config) => pairName(y, x, config),
  topic: ([y = "", x = ""], { tf, window, terms }) => pairTopic(y, x, tf, window, terms),
  View: ({ symbols: [y = "", x = ""], ...shown }) => <PairScreen y={y} x={x} {...shown} />,
};
