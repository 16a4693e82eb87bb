import { useEffect, useState } from "react";
import { ChartPanel } from "../chart/chart-panel";
import { indicatorColumns, indicatorLegends } from "../chart/indicator-legend";
import { symbolLayers } from "../chart/layers";
import { symbolLegends, tone } from "../chart/legend";
import { symbolTable } from "../chart/table-view";
import { basisPoints, fixed } from "../lib/format";
import { useTab } from "../lib/hooks";
import { type Indicator, metricOf, parseIndicators, VWAP } from "../lib/indicators";
import { quantityText, reasonText } from "../lib/quantity";
import { intervalMs } from "../lib/time";
import { usePlace } from "../lib/url";
import { Footing } from "../ui/figures";
import { IndicatorBar } from "../ui/indicator-bar";
import { Legs } from "../ui/legs";
import { useCatalogue } from "../ui/metric-hint";
import { MetricsTable } from "../ui/metrics-table";
import type { Screen } from "../ui/screen";
import { WithSide } from "../ui/side";
import { Cell, Strip } from "../ui/strip";
import { request } from "../wire/client";
import { type Shown, useConfig, useFreshness, usePart, useTopicState, useTopicValue } from "../wire/context";
import { type Freshness, type FreshState, isCurrent, silence, wasHeard } from "../wire/freshness";
import { PREPARING, usePolled } from "../wire/polled";
import { followSeries } from "../wire/series";
import { NO_METRICS, type Topic, type TopicState } from "../wire/state";
import { symbolTopic } from "../wire/topic";

interface Props {
  symbol: string;
  tf: string;
  shown: Shown;
  decimals: (symbol: string) => number;
}

function SymbolScreen({ symbol, tf, shown, decimals }: Props) {
  const { topic, isPending } = shown;
  const { window } = useConfig();
  const stepMs = intervalMs(tf) ?? 1_000;
  const metrics = useTopicValue(topic, (state) => state.metrics) ?? NO_METRICS;
  const fresh = useFreshness([symbol], stepMs);
  const current = isCurrent(fresh.state) && !isPending;
  const places = decimals(symbol);
  const { view, ind } = usePlace().view;
  const shownIndicators = parseIndicators(ind);
  const isKnown = useTopicValue(topic, (state) => state.phase === "ready") === true;
  const lastClose = useTopicValue(topic, (state) => state.bars?.close.at(-1));
  const failure = useSeries(topic, symbol, tf, shownIndicators);
  const catalogue = useCatalogue("symbol");
  const indicators = indicatorLegends(shownIndicators, catalogue, places, window);
  const [priceLegend, ...otherLegends] = symbolLegends(symbol, tf, places, window);
  const table = symbolTable(places);
  const price = (state: TopicState) => fixed(state.bars?.close.at(-1), places);
  return (
    <div className="flex h-full min-h-0 flex-col">
      <SymbolTab {...{ symbol, topic, price }} state={fresh.state} />
      <PriceStrip {...{ symbol, topic, places, fresh }} isCurrent={current} />
      <WithSide
        label="Statistics and tape"
        main={
          <div className="flex min-h-0 min-w-0 flex-1 flex-col">
            <IndicatorBar shown={shownIndicators} failure={failure} />
            <ChartPanel
              picture={`symbol ${symbol} ${ind}`}
              label={`${symbol}: price and volume, ${tf} bars`}
              summary={(state) => `${symbol}, ${tf} bars: last price ${price(state)}. ${fresh.why}`}
              topic={topic}
              isPending={isPending}
              stepMs={stepMs}
              build={symbolLayers(places, shownIndicators)}
              legends={[
                (looked) => (
                  <>
                    {priceLegend?.(looked)}
                    {indicators.over(looked)}
                  </>
                ),
                ...otherLegends,
                ...indicators.panes,
              ]}
              table={{ ...table, columns: [...table.columns, ...indicatorColumns(shownIndicators, catalogue, places)] }}
              isTable={view === "table"}
              fresh={fresh.state}
            />
          </div>
        }
      >
        <MetricsTable
          title={`Statistics · ${window} bars of ${tf}`}
          scope="symbol"
          metrics={metrics}
          decimals={places}
          isCurrent={current}
        />
        <Fitted {...{ symbol, tf, window, stepMs, isKnown }} decimals={places} isCurrent={current} />
        <Legs title="Tape" symbols={[symbol]} price={() => lastClose} stepMs={stepMs} decimals={decimals} />
      </WithSide>
    </div>
  );
}

/** Keeps the indicators beside the bars of the topic; says why, when they cannot be had. */
function useSeries(topic: Topic | undefined, symbol: string, tf: string, shown: readonly Indicator[]) {
  const [failure, setFailure] = useState<string>();
  const { max_bars } = useConfig();
  const part = usePart("rest");
  const metrics = [VWAP, ...shown.map(metricOf)].join();
  useEffect(() => {
    setFailure(undefined);
    if (!topic || part !== "ready") return;
    const ask = (from: number | undefined, signal: AbortSignal) =>
      request(
        "GET /analytics/{symbol}/series",
        { path: { symbol }, query: { interval: tf, metrics, limit: max_bars, ...(from && { from }) } },
        signal,
      );
    return followSeries(topic, ask, setFailure);
  }, [topic, symbol, tf, metrics, max_bars, part]);
  return part === "preparing" ? PREPARING : failure && `Indicators are not refreshed: ${failure}`;
}

const FITTED_LEAST_MS = 5_000;

interface FittedProps {
  symbol: string;
  tf: string;
  window: number;
  stepMs: number;
  decimals: number;
  isKnown: boolean;
  isCurrent: boolean;
}

/** What is too dear for every bar: asked for now and then. */
function Fitted({ symbol, tf, window, stepMs, decimals, isKnown, isCurrent }: FittedProps) {
  const catalogue = useCatalogue("symbol");
  const names = [...catalogue.values()].filter(({ cadence }) => cadence !== "bar").map(({ name }) => name);
  const polled = usePolled({
    picture: ["symbol", symbol],
    key: [tf, window, names.join()],
    ask: (signal) =>
      request(
        "GET /analytics/{symbol}",
        { path: { symbol }, query: { interval: tf, window, metrics: names.join() } },
        signal,
      ),
    stepMs,
    leastMs: FITTED_LEAST_MS,
    needs: "rest",
    isWanted: isKnown && names.length > 0,
  });
  const metrics = polled.data?.metrics ?? NO_METRICS;
  return (
    <section aria-label="Tests and fits" className={`border-line border-t ${polled.isOther ? "opacity-50" : ""}`}>
      <MetricsTable
        title="Tests and fits"
        scope="symbol"
        metrics={metrics}
        decimals={decimals}
        isCurrent={isCurrent && !polled.failure}
      />
      {polled.data || polled.failure ? null : <p className="px-3 text-dim">Being computed…</p>}
      {polled.failure ? <Footing polled={polled} quantity={undefined} /> : null}
    </section>
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
  const isLate = state === "stale" || state === "late";
  const isKnown = state !== "down" && last !== undefined;
  useTab(isLate ? `${state} · ${symbol}` : isKnown ? `${last} ${symbol}` : symbol, state === "down");
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
  fresh: Freshness;
  isCurrent: boolean;
}

function PriceStrip({ symbol, topic, places, fresh, isCurrent }: StripProps) {
  const state = useTopicState(topic);
  const catalogue = useCatalogue("symbol");
  const metrics = state?.metrics ?? NO_METRICS;
  const closes = state?.bars?.close ?? [];
  const change = metrics.last_return;
  const moved = typeof change?.value === "number" ? change.value : undefined;
  const [leg] = fresh.late;
  const silent = leg && { detail: silence(leg), isLate: wasHeard([leg]) };
  return (
    <Strip label="Price" isCurrent={isCurrent}>
      <Cell
        wide
        name={symbol}
        value={fixed(closes.at(-1), places)}
        tone={isCurrent ? tone(moved) : undefined}
        detail={`${basisPoints(moved)} last bar`}
        info={catalogue.get("last_price")}
        quantity={metrics.last_price}
        {...silent}
      />
      {CELLS.filter(([metric]) => metric in metrics).map(([metric, name, detail]) => (
        <Cell
          key={metric}
          name={name}
          value={quantityText(metric, metrics[metric], places)}
          detail={reasonText(metrics[metric]) || detail}
          info={catalogue.get(metric)}
          quantity={metrics[metric]}
          {...silent}
        />
      ))}
    </Strip>
  );
}

export const symbol: Screen = {
  name: "symbol",
  title: "Symbol",
  key: "2",
  icon: (
    <>
      <path d="M5 2v3m0 7v4M13 3v2m0 6v3" />
      <rect x="3.2" y="5" width="3.6" height="7" rx=".6" />
      <rect x="11.2" y="5" width="3.6" height="6" rx=".6" />
    </>
  ),
  takes: 1,
  has: ["interval"],
  heading: ([symbol = ""]) => symbol,
  topic: ([symbol = ""], { tf }) => symbolTopic(symbol, tf),
  View: ({ symbols: [symbol = ""], tf, shown, decimals }) => <SymbolScreen {...{ symbol, tf, shown, decimals }} />,
};
