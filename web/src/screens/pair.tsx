import { ChartPanel } from "../chart/chart-panel";
import { pairLayers, Z_THRESHOLD } from "../chart/layers";
import { pairLegends, tone } from "../chart/legend";
import type { PairColumn } from "../chart/points";
import { HedgeScatter } from "../chart/scatter";
import { pairTable } from "../chart/table-view";
import { DASH, fixed, missingShare, pairName, signed } from "../lib/format";
import { useTab } from "../lib/hooks";
import { reasonText, valueText, warmUp } from "../lib/quantity";
import { intervalMs } from "../lib/time";
import { usePlace } from "../lib/url";
import { Legs } from "../ui/legs";
import { MetricHint, useCatalogue } from "../ui/metric-hint";
import { MetricsTable } from "../ui/metrics-table";
import { Cell, Strip } from "../ui/strip";
import { type Shown, useFreshness, useTopicState } from "../wire/context";
import { isCurrent } from "../wire/freshness";
import type { Topic } from "../wire/hub";
import { readSignal } from "./signal";

interface Props {
  y: string;
  x: string;
  tf: string;
  window: number;
  shown: Shown;
  decimals: (symbol: string) => number;
}

export function PairScreen({ y, x, tf, window, shown, decimals }: Props) {
  const { topic, isPending } = shown;
  const stepMs = intervalMs(tf) ?? 1_000;
  const state = useTopicState(topic);
  const fresh = useFreshness([y, x], stepMs);
  const current = isCurrent(fresh.state) && !isPending;
  const metrics = state?.metrics ?? {};
  const z = state?.pair?.spread_z.at(-1) ?? undefined;
  const name = pairName(y, x);
  const yDecimals = decimals(y);
  const xDecimals = decimals(x);
  useTab(tabTitle(name, z, fresh.state), fresh.state === "down");
  const warming = warmUp("z", metrics.spread_z, stepMs);
  return (
    <div className="flex h-full min-h-0 flex-col">
      <SignalStrip {...{ y, x, topic, decimals }} isCurrent={current} />
      <div className="flex min-h-0 flex-1">
        <ChartPanel
          picture={`pair ${y} ${x}`}
          label={`${name}: prices, spread, z and correlation, ${tf} bars`}
          summary={summary(name, tf, window, z, state?.pair?.correlation.at(-1), fresh.why)}
          topic={topic}
          isPending={isPending}
          stepMs={stepMs}
          build={pairLayers(yDecimals)}
          legends={pairLegends({ y, x, tf, window, yDecimals, xDecimals })}
          table={pairTable(y, x, yDecimals, xDecimals)}
          isTable={usePlace().view.view === "table"}
          fresh={fresh.state}
          paneNote={warming ? { pane: 2, text: warming } : undefined}
        />
        <aside className="hidden w-66 shrink-0 overflow-y-auto border-line border-l bg-panel lg:block">
          <MetricsTable
            title={`Pair · ${window} bars`}
            scope="pair"
            metrics={metrics}
            decimals={yDecimals}
            isCurrent={current}
          />
          <HedgeScatter topic={topic} window={window} y={y} x={x} decimals={{ y: yDecimals, x: xDecimals }} />
          <Legs title="Legs" symbols={[y, x]} stepMs={stepMs} decimals={decimals} />
        </aside>
      </div>
    </div>
  );
}

function tabTitle(name: string, z: number | undefined, state: string): string {
  if (state === "down" || state === "stale") return `${state} · ${name}`;
  return z === undefined ? name : `z ${signed(z, 2)} ${name}`;
}

function summary(
  name: string,
  tf: string,
  window: number,
  z: number | undefined,
  correlation: number | null | undefined,
  why: string,
): string {
  const level = z === undefined ? "not known yet" : signed(z, 2);
  return `${name}, ${tf} bars: z of the spread over ${window} bars is ${level}, correlation of returns ${fixed(correlation, 2)}. ${why}`;
}

interface StripProps {
  y: string;
  x: string;
  topic: Topic | undefined;
  decimals: (symbol: string) => number;
  isCurrent: boolean;
}

function SignalStrip({ y, x, topic, decimals, isCurrent }: StripProps) {
  const state = useTopicState(topic);
  const catalogue = useCatalogue("pair");
  const metrics = state?.metrics ?? {};
  const pair = state?.pair;
  const last = (column: PairColumn) => pair?.[column].at(-1);
  const z = last("spread_z") ?? undefined;
  const signal = readSignal(z, Z_THRESHOLD, isCurrent);
  // From the newest row of the series, so that strip and chart always say the same.
  const metric = (name: PairColumn) => ({
    value: valueText(name, last(name), metrics[name]?.unit, decimals(y)),
    hint: <MetricHint info={catalogue.get(name)} quantity={metrics[name]} />,
  });
  const zQuantity = metrics.spread_z;
  return (
    <Strip label="Signal" isCurrent={isCurrent}>
      <Cell wide name={y} value={fixed(last("y"), decimals(y))} detail="last y" />
      <Cell wide name={x} value={fixed(last("x"), decimals(x))} detail="last x" />
      <Cell name="beta" {...metric("beta")} detail="y per x, logs" />
      <Cell name="spread" {...metric("spread")} detail="y − α − β x" />
      <Cell
        name="z"
        {...metric("spread_z")}
        tone={isCurrent && z !== undefined && Math.abs(z) >= Z_THRESHOLD ? tone(-z) : "text-fg"}
        detail={reasonText(zQuantity) || signal.distance}
      />
      <Cell
        wide
        name="signal"
        value={signal.text}
        tone={signal.tone}
        detail="open bar included"
        hint={
          <p>
            z beyond ±{Z_THRESHOLD}: the spread is stretched. Above, it is expected to fall (short spread); below, to
            rise.
          </p>
        }
      />
      <Cell name="correlation" {...metric("correlation")} detail="of returns" />
      <Cell
        name="n"
        value={zQuantity ? fixed(zQuantity.n, 0) : DASH}
        detail={zQuantity ? `of ${fixed(zQuantity.window, 0)}` : ""}
      />
      <Cell
        name="missing"
        value={missingShare(zQuantity?.missing)}
        tone={zQuantity && zQuantity.missing > 0 ? "text-short" : "text-fg"}
        detail="of the trades"
        hint={<p>Share of the trades of the window that the exchange numbered and the tape does not hold.</p>}
      />
    </Strip>
  );
}
