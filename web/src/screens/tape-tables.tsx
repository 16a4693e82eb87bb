// The tape symbol by symbol, and gap by gap.

import { memo, type ReactNode } from "react";
import type { TapeGap, TapeSymbol, TapeTotals } from "../api.gen";
import { carried } from "../lib/destinations";
import { DASH, fixed, lag, percent } from "../lib/format";
import { brief, differences, fateWords, hasImports, importedWords, leftOut, reasonWords, timeSpan } from "../lib/tape";
import { dateTime, shortDateTime, zoneLabel } from "../lib/time";
import { usePlace } from "../lib/url";
import { useZone } from "../ui/clock";
import { Link } from "../ui/link";

type Column = readonly [title: string, side: "left" | "right", note?: string];

interface TableProps {
  caption: ReactNode;
  columns: readonly Column[];
  className: string;
  label: string;
  children: ReactNode;
}

function Table({ caption, columns, className, label, children }: TableProps) {
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be reachable with the keyboard
    <section tabIndex={0} aria-label={label} className={`overflow-auto ${className}`}>
      <table className="w-full border-collapse">
        <caption className="caption h-7 px-3 text-left leading-7">{caption}</caption>
        <thead className="sticky top-0 bg-panel text-dim">
          <tr>
            {columns.map(([title, side, note]) => (
              <th
                key={title}
                scope="col"
                title={note}
                className={`h-6 px-2 font-normal first:sticky first:left-0 first:bg-panel first:pl-3 last:pr-3 ${SIDES[side]}`}
              >
                {title}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>{children}</tbody>
      </table>
    </section>
  );
}

const SIDES = { left: "text-left", right: "text-right" };

const IMPORTED = "imported";

const HOLDINGS: readonly Column[] = [
  ["symbol", "left"],
  ["first", "right", "Time and id of the first trade on the tape"],
  ["last", "right", "Time and id of the last trade on the tape"],
  ["trades", "right"],
  ["back-filled", "right", "Share of the trades that came later than by the socket"],
  [IMPORTED, "right", "Trades, or bars, that were imported or uploaded, and when the first of them may be deleted"],
  ["missing", "right", "Ids that exist and are not on the tape"],
  ["gaps", "right", "Open and closed ones"],
  ["lag", "right", "Median time the newest trades took from the exchange to here"],
  ["verified", "right", "When pairscope verify last compared every id and every bar"],
];

export function HoldingTable({ symbols, nowMs }: { symbols: readonly TapeSymbol[]; nowMs: number }) {
  const isImported = symbols.some(hasImports);
  const columns = isImported ? HOLDINGS : HOLDINGS.filter(([title]) => title !== IMPORTED);
  return (
    <Table label="Symbols" caption="Symbols" columns={columns} className="max-h-1/2 shrink-0 border-line border-b">
      {symbols.map((row) => (
        <Holding key={row.symbol} held={row} nowMs={nowMs} isImported={isImported} />
      ))}
    </Table>
  );
}

interface HoldingProps {
  held: TapeSymbol;
  nowMs: number;
  isImported: boolean; // anything on this tape
}

function Holding({ held, nowMs, isImported }: HoldingProps) {
  const zone = useZone();
  const { symbol, first_ms, first_id, last_ms, last_id, ids_missing, gaps_open, imported_goes_ms, verified_ms } = held;
  const { view } = usePlace();
  return (
    <tr className="border-line/60 border-t">
      <th scope="row" className="sticky left-0 bg-bg pr-2 pl-3 text-left font-normal">
        <Link
          to={{ route: { screen: "symbol", symbols: [symbol] }, view: carried(view) }}
          className="flex h-6 items-center underline-offset-2 hover:underline"
        >
          {symbol}
        </Link>
      </th>
      <End timeMs={first_ms} under={first_id} nowMs={nowMs} />
      <End timeMs={last_ms} under={last_id} nowMs={nowMs} />
      <td className="num px-2 text-right">{fixed(held.trades, 0)}</td>
      <td className="num px-2 text-right">{percent(held.backfilled_share)}</td>
      {isImported ? (
        <td className="num px-2 text-right">
          {importedWords(held)}
          {imported_goes_ms === null ? null : <Under>goes {shortDateTime(imported_goes_ms, nowMs, zone)}</Under>}
        </td>
      ) : null}
      <td className={`num px-2 text-right ${ids_missing ? "text-short" : ""}`}>{fixed(ids_missing, 0)}</td>
      <td className="num px-2 text-right">
        {gaps_open ? <span className="block text-short leading-4">{fixed(gaps_open, 0)} open</span> : null}
        <span className={gaps_open ? "block text-[10px] text-dim leading-3" : ""}>
          {fixed(held.gaps_closed, 0)} closed
        </span>
      </td>
      <td className="num px-2 text-right">{lag(held.lag_ms)}</td>
      {verified_ms === null ? (
        <td className="px-2 pr-3 text-right text-dim">never</td>
      ) : (
        <End timeMs={verified_ms} under={differences(held) || null} nowMs={nowMs} isBad={!!held.verified_differences} />
      )}
    </tr>
  );
}

/** The small line under a figure. */
const Under = ({ children, isBad = false }: { children: ReactNode; isBad?: boolean }) => (
  <span className={`block text-[10px] leading-3 ${isBad ? "text-fault" : "text-dim"}`}>{children}</span>
);

interface EndProps {
  timeMs: number | null;
  under: ReactNode;
  nowMs: number;
  isBad?: boolean;
}

function End({ timeMs, under, nowMs, isBad = false }: EndProps) {
  const zone = useZone();
  return (
    <td
      className="num px-2 py-1 text-right last:pr-3"
      title={timeMs === null ? undefined : `${dateTime(timeMs, zone)} ${zoneLabel(zone, timeMs)}`}
    >
      {timeMs === null ? DASH : shortDateTime(timeMs, nowMs, zone)}
      {under === null ? null : <Under isBad={isBad}>{under}</Under>}
    </td>
  );
}

export function GapTable({ gaps, all }: { gaps: readonly TapeGap[]; all: TapeTotals }) {
  const zone = useZone();
  const columns: readonly Column[] = [
    ["symbol", "left"],
    [`between (${zoneLabel(zone, gaps[0]?.found_ms ?? 0)})`, "left", "Times of the trades before and after the gap"],
    ["length", "right"],
    ["ids", "right"],
    ["why", "left"],
    ["state", "left"],
  ];
  const hidden = leftOut(gaps, all);
  return (
    <Table
      label="Gaps"
      caption={`Gaps · ${fixed(all.gaps_open, 0)} open · ${fixed(all.gaps_closed, 0)} closed${hidden ? ` · ${hidden}` : ""}`}
      columns={gaps.length ? columns : []}
      className="min-h-0 flex-1"
    >
      {gaps.map((gap) => (
        <GapRow key={`${gap.symbol} ${gap.first_id} ${gap.found_ms}`} gap={gap} zone={zone} />
      ))}
      {gaps.length ? null : (
        <tr className="border-line/60 border-t">
          <td className="px-3 py-2 text-dim">
            {all.ids > 0
              ? "No gap has been found: the numbers of the trades follow one another without a hole."
              : "There are no trades, and so no gaps between them."}
          </td>
        </tr>
      )}
    </Table>
  );
}

const GapRow = memo(function GapRow({ gap, zone }: { gap: TapeGap; zone: string }) {
  const { after_ms, before_ms } = gap;
  const isOpen = gap.closed_ms === null;
  return (
    <tr className={`border-line/60 border-t ${isOpen ? "" : "text-dim"}`}>
      <th scope="row" className="sticky left-0 h-6 bg-bg pr-2 pl-3 text-left font-normal">
        {gap.symbol}
      </th>
      <td className="num px-2">{timeSpan(after_ms, before_ms, zone)}</td>
      <td className="num px-2 text-right">
        {after_ms === null || before_ms === null ? DASH : brief(before_ms - after_ms)}
      </td>
      <td className="num px-2 text-right" title={`${gap.first_id} to ${gap.last_id}`}>
        {fixed(gap.ids, 0)}
      </td>
      <td className="min-w-36 px-2">{reasonWords(gap.reason)}</td>
      <td className={`min-w-40 px-2 pr-3 ${isOpen ? "text-short" : ""}`}>
        <span aria-hidden="true">{isOpen ? (gap.obstacle === null ? "◌ " : "✕ ") : "✓ "}</span>
        {fateWords(gap, zone)}
      </td>
    </tr>
  );
});
