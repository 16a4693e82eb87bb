import { ChartPanel } from "../chart/chart-panel";
import { symbolLayers } from "../chart/layers";
import { symbolLegends, tone } from "../chart/legend";
import { symbolTable } from "../chart/table-view";
import { basisPoints, fixed } from "../lib/format";
import { useTab } from "../lib/hooks";
import { quantityText, reasonText } from "../lib/quantity";
import { intervalMs } from "../lib/time";
import { usePlace } from "../lib/url";
import { Legs } from "../ui/legs";
import { useCatalogue } from "../ui/metric-hint";
import { MetricsTable } from "../ui/metrics-table";
import { WithSide } from "../ui/side";
import { Cell, Strip } from "../ui/strip";
import { type Shown, useConfig, useFreshness, useTopicState, useTopicValue } from "../wire/context";
import { type FreshState, isCurrent } from "../wire/freshness";
import type { Topic } from "../wire/hub";
import { NO_METRICS, type TopicState } from "../wire/topic";

interface Props {
  symbol: string;
  tf: string;
  shown: Shown;
  decimals: (symbol: string) => number;
}

export function SymbolScreen({ symbol, tf, shown, decimals }: Props) {
  const { topic, isPending } = shown;
  const { window } = useConfig();
  const stepMs = intervalMs(tf) ?? 1_000;
  const metrics = useTopicValue(topic, (state) => state.metrics) ?? NO_METRICS;
  const fresh = useFreshness([symbol], stepMs);
  const current = isCurrent(fresh.state) && !isPending;
  const places = decimals(symbol);
  const price = (state: TopicState) => fixed(state.bars?.close.at(-1), places);
  return (
    <div className="flex h-full min-h-0 flex-col">
      <SymbolTab {...{ symbol, topic, price }} state={fresh.state} />
      <PriceStrip {...{ symbol, topic, places }} isCurrent={current} />
      <WithSide
        label="Statistics and tape"
        main={
          <ChartPanel
            picture={`symbol ${symbol}`}
            label={`${symbol}: price and volume, ${tf} bars`}
            summary={(state) => `${symbol}, ${tf} bars: last price ${price(state)}. ${fresh.why}`}
            topic={topic}
            isPending={isPending}
            stepMs={stepMs}
            build={symbolLayers(places, window)}
            legends={symbolLegends(symbol, tf, places, window)}
            table={symbolTable(places)}
            isTable={usePlace().view.view === "table"}
            fresh={fresh.state}
          />
        }
      >
        <MetricsTable
          title={`Statistics · ${window} bars of ${tf}`}
          scope="symbol"
          metrics={metrics}
          decimals={places}
          isCurrent={current}
        />
        <Legs title="Tape" symbols={[symbol]} stepMs={stepMs} decimals={decimals} />
      </WithSide>
    </div>
  );
}

interface TabProps {
  symbol: string;
  topic: Topic | undefined;
  price: (state: TopicState) => string;
  state: FreshState;
}

function SymbolTab({ symbol, topic, price, state }: TabProps) {
  const last = useTopicValue(topic, price);
  const isOld = state === "down" || state === "stale";
  useTab(isOld ? `${state} · ${symbol}` : last === undefined ? symbol : `${last} ${symbol}`, state === "down");
  return null;
}

const CELLS: readonly (readonly [metric: string, name: string, detail: string])[] = [
  ["price_z", "z of price", ""],
  ["vwap", "VWAP", "volume-weighted"],
  ["min_price", "low", "lowest close"],
  ["max_price", "high", "highest close"],
  ["volatility_annual", "volatility", "a year"],
  ["order_flow", "order flow", "bought − sold"],
  ["quote_volume", "turnover", ""],
];

interface StripProps {
  symbol: string;
  topic: Topic | undefined;
  places: number;
  isCurrent: boolean;
}

function PriceStrip({ symbol, topic, places, isCurrent }: StripProps) {
  const state = useTopicState(topic);
  const catalogue = useCatalogue("symbol");
  const metrics = state?.metrics ?? NO_METRICS;
  const closes = state?.bars?.close ?? [];
  const change = (closes.at(-1) ?? Number.NaN) / (closes.at(-2) ?? Number.NaN) - 1;
  return (
    <Strip label="Price" isCurrent={isCurrent}>
      <Cell
        wide
        name={symbol}
        value={fixed(closes.at(-1), places)}
        tone={isCurrent ? tone(change) : undefined}
        detail={`${basisPoints(change)} last bar`}
        info={catalogue.get("last_price")}
        quantity={metrics.last_price}
      />
      {CELLS.filter(([metric]) => metric in metrics).map(([metric, name, detail]) => (
        <Cell
          key={metric}
          name={name}
          value={quantityText(metric, metrics[metric], places)}
          detail={reasonText(metrics[metric]) || detail}
          info={catalogue.get(metric)}
          quantity={metrics[metric]}
        />
      ))}
    </Strip>
  );
}
