// The figures of the bar under the crosshair, or of the newest one, in the corner of each pane.

import type { ReactNode } from "react";
import type { BarColumns, PairColumns } from "../api.gen";
import { basisPoints, compact, DASH, fixed, missingOf, missingShare, signed } from "../lib/format";
import { VWAP } from "../lib/indicators";
import type { Prices } from "../lib/methods";
import { spreadText } from "../lib/quantity";
import { useSignal } from "../lib/signal";
import { leadingOf } from "../lib/statistics";
import { lowerBound } from "../wire/columns";
import { useTopicState } from "../wire/context";
import type { Topic, TopicState } from "../wire/state";
import type { LiveChart } from "./live-chart";

/** What a legend may read: the tables, and the row in each that belongs to the time looked at; -1 when there is none. */
export interface Looked {
  state: TopicState;
  bars: BarColumns;
  bar: number;
  pair: PairColumns | undefined;
  row: number;
  timeMs: number | undefined; // under the crosshair; undefined for the newest
}

export type LegendOf = (looked: Looked) => ReactNode;

export const rowAt = (times: readonly number[] | undefined, timeMs: number | undefined): number => {
  if (!times) return -1;
  if (timeMs === undefined) return times.length - 1;
  const at = lowerBound(times, timeMs);
  return times[at] === timeMs ? at : -1;
};

interface Props {
  live: LiveChart;
  topic: Topic;
  legends: readonly LegendOf[];
  isStale: boolean;
  mark: ReactNode; // under the first of them
}

export function Legends({ live, topic, legends, isStale, mark }: Props) {
  const state = useTopicState(topic);
  const cursor = useSignal(live.cursor);
  const tops = useSignal(live.paneTops);
  const axis = useSignal(live.axisWidth);
  if (!state?.bars) return null;
  const { bars, pair } = state;
  const looked: Looked = {
    state,
    bars,
    bar: rowAt(bars.open_time_ms, cursor),
    pair,
    row: rowAt(pair?.open_time_ms, cursor),
    timeMs: cursor,
  };
  return legends.map((legend, pane) => (
    <div
      // biome-ignore lint/suspicious/noArrayIndexKey: panes have no other identity, and their order never changes
      key={pane}
      className={`num pointer-events-none absolute left-2 z-10 flex flex-wrap gap-x-3 text-[11px] text-dim ${isStale ? "saturate-25" : ""}`}
      style={{
        top: (tops[pane] ?? 0) + 5,
        right: axis + 8,
        visibility: tops[pane] === undefined ? "hidden" : "visible",
      }}
    >
      {legend(looked)}
      {pane === 0 ? mark : null}
    </div>
  ));
}

export function Figure({ name, tone = "text-fg", children }: { name: string; tone?: string; children: string }) {
  return (
    <span>
      {name} <span className={tone}>{children}</span>
    </span>
  );
}

export const Title = ({ children }: { children: string }) => (
  <span className="font-semibold font-sans text-fg">{children}</span>
);

/** Blue for up, orange for down, and a sign for those who see neither. */
export const tone = (value: number | null | undefined): string =>
  value ? (value > 0 ? "text-long" : "text-short") : "text-fg";

function Candle({ bars, bar, decimals }: { bars: BarColumns; bar: number; decimals: number }) {
  const open = bars.open[bar];
  const close = bars.close[bar];
  if (open === undefined || close === undefined) return <span>no trade</span>;
  const change = close / open - 1;
  const price = (value: number | undefined) => fixed(value, decimals);
  return (
    <>
      <Figure name="O">{price(open)}</Figure>
      <Figure name="H">{price(bars.high[bar])}</Figure>
      <Figure name="L">{price(bars.low[bar])}</Figure>
      <Figure name="C" tone={tone(change)}>
        {price(close)}
      </Figure>
      <Figure name="Δ" tone={tone(change)}>
        {basisPoints(change, 1)}
      </Figure>
    </>
  );
}

/** Said only of bars of which trades are missing or may be, or came after the bar had been closed. */
function Doubts({ bars, bar }: { bars: BarColumns; bar: number }) {
  const missing = bars.missing[bar] ?? 0;
  const unknown = bars.missing_reason?.[bar];
  return (
    <>
      {bars.status[bar] === "revised" ? <span className="text-replay">revised</span> : null}
      {unknown && bars.status[bar] === "partial" ? <span className="text-fault">partial</span> : null}
      {unknown ? <Figure name="missing">{missingOf(null, unknown)}</Figure> : null}
      {missing > 0 ? (
        <Figure name="missing" tone="text-fault">
          {missingShare(missing)}
        </Figure>
      ) : null}
    </>
  );
}

export function symbolLegends(symbol: string, tf: string, decimals: number, window: number): LegendOf[] {
  const price: LegendOf = ({ state: { series }, timeMs, bars, bar }) => (
    <>
      <Title>{`${symbol} · ${tf}`}</Title>
      <Candle bars={bars} bar={bar} decimals={decimals} />
      <Figure name={`VWAP ${window}`} tone="text-vwap">
        {fixed(series?.[VWAP]?.[rowAt(series.open_time_ms, timeMs)], decimals)}
      </Figure>
      <Doubts bars={bars} bar={bar} />
    </>
  );
  const volume: LegendOf = ({ bars, bar }) => {
    const all = bars.volume[bar];
    const bought = bars.buy_volume[bar];
    return (
      <>
        <Title>Volume</Title>
        <Figure name="all">{compact(all)}</Figure>
        <Figure name="bought" tone="text-long">
          {compact(bought)}
        </Figure>
        <Figure name="sold" tone="text-short">
          {compact(all === undefined || bought === undefined ? null : all - bought)}
        </Figure>
        <Figure name="trades">{fixed(bars.trades[bar], 0)}</Figure>
      </>
    );
  };
  return [price, volume];
}

interface PairNames {
  y: string;
  x: string;
  tf: string;
  window: number;
  prices: Prices;
  yDecimals: number;
  xDecimals: number;
  stepMs: number;
}

export function pairLegends({ y, x, tf, window, prices, yDecimals, xDecimals, stepMs }: PairNames): LegendOf[] {
  const closes: LegendOf = ({ bars, bar, pair, row }) => (
    <>
      <Title>{`${y} · ${tf}`}</Title>
      <Candle bars={bars} bar={bar} decimals={yDecimals} />
      <span>
        <svg aria-hidden="true" width="14" height="6" className="mr-1 inline text-dim">
          <path d="M0 3h14" stroke="currentColor" strokeWidth="1.5" />
        </svg>
        {x} <span className="text-fg">{fixed(pair?.x[row], xDecimals)}</span>
      </span>
      <Doubts bars={bars} bar={bar} />
    </>
  );
  const spread: LegendOf = ({ pair, row }) => (
    <>
      <Title>Spread</Title>
      <Figure name="" tone="text-replay">
        {spreadText(pair?.spread[row], prices, yDecimals)}
      </Figure>
      <Figure name="β">{fixed(pair?.beta[row], 4)}</Figure>
      <Figure name="α">{signed(pair?.alpha[row], 4)}</Figure>
    </>
  );
  const z: LegendOf = ({ pair, row }) => (
    <>
      <Title>z of the spread</Title>
      <Figure name={String(window)} tone={tone(-(pair?.spread_z[row] ?? 0))}>
        {pair?.spread_z[row] == null ? DASH : signed(pair.spread_z[row], 2)}
      </Figure>
    </>
  );
  const correlation: LegendOf = ({ pair, row }) => (
    <>
      <Title>Correlation of returns</Title>
      <Figure name={String(window)} tone="text-ok">
        {fixed(pair?.correlation[row], 3)}
      </Figure>
      {leadingOf(stepMs).metric === "correlation" ? null : (
        <span className="font-sans text-short">too low below a minute: see trades</span>
      )}
    </>
  );
  return [closes, spread, z, correlation];
}
