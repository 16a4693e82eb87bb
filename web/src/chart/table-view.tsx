// The same rows as figures: for screen readers, for exact reading, for copying.

import { useEffect, useState } from "react";
import type { BarColumns, PairColumns } from "../api.gen";
import { compact, fixed, missingOf, percent, signed } from "../lib/format";
import type { Prices } from "../lib/methods";
import { spreadText } from "../lib/quantity";
import { dateTime } from "../lib/time";
import { useTopicState, useTopicValue } from "../wire/context";
import type { Topic, TopicState } from "../wire/state";

const ROWS = 200;
const REFRESH_MS = 1_000;

export interface Table {
  times: (state: TopicState) => readonly number[];
  columns: readonly (readonly [title: string, cell: (state: TopicState, row: number) => string])[];
}

export function symbolTable(decimals: number): Table {
  const of = (pick: (bars: BarColumns, row: number) => string) => (state: TopicState, row: number) =>
    state.bars ? pick(state.bars, row) : "";
  return {
    times: (state) => state.bars?.open_time_ms ?? [],
    columns: [
      ["Open", of((bars, row) => fixed(bars.open[row], decimals))],
      ["High", of((bars, row) => fixed(bars.high[row], decimals))],
      ["Low", of((bars, row) => fixed(bars.low[row], decimals))],
      ["Close", of((bars, row) => fixed(bars.close[row], decimals))],
      ["VWAP of bar", of((bars, row) => fixed(bars.vwap[row], decimals))],
      ["Volume", of((bars, row) => compact(bars.volume[row]))],
      ["Bought", of((bars, row) => percent((bars.buy_volume[row] ?? 0) / (bars.volume[row] || Number.NaN), 0))],
      ["Trades", of((bars, row) => fixed(bars.trades[row], 0))],
      ["Missing", of((bars, row) => missingOf(bars.missing[row], bars.missing_reason?.[row]))],
      ["State", of((bars, row) => bars.status[row] ?? "")],
    ],
  };
}

export function pairTable(y: string, x: string, prices: Prices, yDecimals: number, xDecimals: number): Table {
  const of = (pick: (pair: PairColumns, row: number) => string) => (state: TopicState, row: number) =>
    state.pair ? pick(state.pair, row) : "";
  return {
    times: (state) => state.pair?.open_time_ms ?? [],
    columns: [
      [y, of((pair, row) => fixed(pair.y[row], yDecimals))],
      [x, of((pair, row) => fixed(pair.x[row], xDecimals))],
      ["Beta", of((pair, row) => fixed(pair.beta[row], 4))],
      ["Alpha", of((pair, row) => signed(pair.alpha[row], 4))],
      ["Spread", of((pair, row) => spreadText(pair.spread[row], prices, yDecimals))],
      ["z", of((pair, row) => signed(pair.spread_z[row], 2))],
      ["Correlation of returns", of((pair, row) => fixed(pair.correlation[row], 3))],
    ],
  };
}

interface RowProps {
  state: TopicState;
  table: Table;
  zone: string;
  row: number;
}

const Row = ({ state, table, zone, row }: RowProps) => (
  <tr className="border-line/60 border-t">
    <td className="num h-6 px-3">{dateTime(table.times(state)[row] as number, zone)}</td>
    {table.columns.map(([title, cell]) => (
      <td key={title} className="num h-6 px-3 text-right">
        {cell(state, row)}
      </td>
    ))}
  </tr>
);

/** The row that still changes: with all else on the page, not once a second. */
function Newest({ topic, table, zone }: { topic: Topic; table: Table; zone: string }) {
  const state = useTopicState(topic);
  const row = state ? table.times(state).length - 1 : -1;
  return state && row >= 0 ? <Row {...{ state, table, zone, row }} /> : null;
}

export function TableView({ topic, table, zone, label }: { topic: Topic; table: Table; zone: string; label: string }) {
  const [, refresh] = useState(0);
  useEffect(() => {
    const timer = setInterval(() => refresh((count) => count + 1), REFRESH_MS);
    return () => clearInterval(timer);
  }, []);
  useTopicValue(topic, (now) => table.times(now).at(-1)); // a new row moves all others
  const { state } = topic;
  const times = table.times(state);
  const older = Array.from({ length: Math.max(0, Math.min(ROWS, times.length) - 1) }, (_, i) => times.length - 2 - i);
  return (
    <section className="h-full overflow-auto" aria-label={label}>
      <table className="w-full border-collapse">
        <caption className="sr-only">
          {label}, the newest {older.length + 1} rows
        </caption>
        <thead className="sticky top-0 bg-panel text-dim">
          <tr>
            <th scope="col" className="h-7 px-3 text-left font-normal">
              Opened ({zone})
            </th>
            {table.columns.map(([title]) => (
              <th key={title} scope="col" className="h-7 px-3 text-right font-normal">
                {title}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          <Newest {...{ topic, table, zone }} />
          {older.map((row) => (
            <Row key={times[row]} {...{ state, table, zone, row }} />
          ))}
        </tbody>
      </table>
    </section>
  );
}
