// Figures with their names, for columns that are narrow: each explained by the catalogue, each with its reason when absent.

import type { Quantity } from "../api.gen";
import { missingOf } from "../lib/format";
import { baseName, flagText, quantityText, restsOn, titleOf } from "../lib/quantity";
import type { Group, Line, Metrics } from "../lib/statistics";
import { clock } from "../lib/time";
import type { Polled } from "../wire/polled";
import { useZone } from "./clock";
import { Hint } from "./hint";
import { MetricHint, useCatalogue } from "./metric-hint";
import { Absent } from "./metrics-table";

export function FigureGroup({ group, metrics }: { group: Group; metrics: Metrics }) {
  const catalogue = useCatalogue("pair");
  const remark = group.remarkOf && catalogue.get(group.remarkOf)?.remark;
  const { verdict } = group;
  return (
    <section aria-label={group.title} className="border-line border-b pb-1">
      <h3 className="caption px-3 pt-1 leading-6">{group.title}</h3>
      {verdict ? <p className="px-3 pb-1">{verdict}</p> : null}
      {remark ? <p className="px-3 pb-1 text-[11px] text-short leading-4">{remark}</p> : null}
      <Figures title={group.title} lines={group.lines} metrics={metrics} />
    </section>
  );
}

/** The title of a figure without what stands over the whole group already: `p-value` under `Cointegration`. */
export function under(group: string, title: string): string {
  const isRepeated = title.startsWith(`${group} `) && !title.startsWith(`${group} of `);
  const rest = isRepeated ? title.slice(group.length + 1) : title;
  return rest.charAt(0).toUpperCase() + rest.slice(1);
}

export function Figures({ title, lines, metrics }: { title: string; lines: readonly Line[]; metrics: Metrics }) {
  const catalogue = useCatalogue("pair");
  return (
    <table className="w-full border-collapse">
      <caption className="sr-only">{title}</caption>
      <tbody>
        {lines.map((line) => (
          <tr key={line.metric}>
            <th scope="row" className="p-0 text-left align-top font-normal">
              <Hint
                content={<MetricHint info={catalogue.get(baseName(line.metric))} quantity={metrics[line.metric]} />}
              >
                <button type="button" className="min-h-5 w-full cursor-help pl-3 text-left text-dim leading-5">
                  {under(title, titleOf(baseName(line.metric), catalogue))}
                </button>
              </Hint>
            </th>
            <td className="pr-3 text-right align-top leading-5">
              <Value line={line} metrics={metrics} />
            </td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}

function Value({ line, metrics }: { line: Line; metrics: Metrics }) {
  const quantity = metrics[line.metric];
  if (!quantity) return null;
  if (quantity.value === null) return <Absent quantity={quantity} />;
  return (
    <>
      <span className="num whitespace-nowrap">{line.text?.(metrics) ?? quantityText(line.metric, quantity, 2)}</span>
      {line.detail ? (
        <span className="num block whitespace-nowrap text-[11px] text-dim leading-4">{line.detail(metrics)}</span>
      ) : null}
      {quantity.flags ? <span className="block text-[11px] text-dim leading-4">{flagText(quantity)}</span> : null}
    </>
  );
}

/** What the figures rest on and of when they are; and, when the newest request failed, that they are old. */
export function Footing<T>({ polled, quantity }: { polled: Polled<T>; quantity: Quantity | undefined }) {
  const zone = useZone();
  return (
    <div className="px-3 py-1.5 text-[11px] text-dim leading-4">
      {quantity ? (
        <p>
          {restsOn(quantity)}
          {quantity.as_of_ms === null ? "" : `, as of ${clock(quantity.as_of_ms, zone)}`}, missing{" "}
          {missingOf(quantity.missing, quantity.missing_reason)}
        </p>
      ) : null}
      {polled.isOther ? <p role="status">Recomputing…</p> : null}
      {polled.failure ? (
        <p role="status" className={polled.isPreparing ? "" : "text-short"}>
          {polled.data ? `Not refreshed since ${clock(polled.receivedMs, zone)}: ` : ""}
          {polled.data || polled.isPreparing ? "" : "Not available: "}
          {polled.failure}
        </p>
      ) : null}
    </div>
  );
}
