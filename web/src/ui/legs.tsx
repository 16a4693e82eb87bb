import { age, DASH, fixed } from "../lib/format";
import { useNow, useStatus } from "../wire/context";
import { ageOf, limits } from "../wire/freshness";

interface Props {
  title: string;
  symbols: readonly string[];
  stepMs: number;
  decimals: (symbol: string) => number;
  price: (symbol: string) => number | null | undefined; // what the rest of the screen shows
}

/** Each leg by itself: which of the two is late, and what is missing of it. */
export function Legs({ title, symbols, stepMs, decimals, price }: Props) {
  const received = useStatus();
  const now = useNow();
  const known = received?.status.symbols ?? [];
  const rows = symbols.flatMap((symbol) => known.filter((row) => row.symbol === symbol));
  const { lateMs } = limits(stepMs);
  return (
    <table className="w-full border-collapse border-line border-t">
      <caption className="caption h-7 px-3 text-left leading-7">{title}</caption>
      <thead className="text-dim">
        <tr>
          <th scope="col" className="px-3 text-left font-normal">
            <span className="sr-only">Symbol</span>
          </th>
          <th scope="col" className="pr-2 text-right font-normal">
            last
          </th>
          <th scope="col" className="pr-2 text-right font-normal">
            age
          </th>
          <th scope="col" className="pr-3 text-right font-normal" title="trade ids not on the tape">
            lost
          </th>
        </tr>
      </thead>
      <tbody>
        {rows.map((row) => {
          const ageMs = received ? ageOf(received.status, row, Math.max(0, now - received.receivedMs)) : undefined;
          const isLate = received?.status.source.kind !== "tape" && (ageMs === undefined || ageMs > lateMs);
          return (
            <tr key={row.symbol} data-late={isLate} className="border-line/60 border-t">
              <th scope="row" className="h-6 px-3 text-left font-normal">
                {row.symbol}
              </th>
              <td className="num pr-2 text-right">{fixed(price(row.symbol), decimals(row.symbol))}</td>
              <td className={`num pr-2 text-right ${isLate ? "text-short" : "text-dim"}`}>
                {ageMs === undefined ? DASH : age(ageMs)}
              </td>
              <td className={`num pr-3 text-right ${row.ids_missing > 0 ? "text-short" : "text-dim"}`}>
                {fixed(row.ids_missing, 0)}
              </td>
            </tr>
          );
        })}
      </tbody>
    </table>
  );
}
