import { memo } from "react";
import type { MetricInfo, Quantity } from "../api.gen";
import { baseName, flagText, quantityText, reasonText, titleOf } from "../lib/quantity";
import { type Signal, useSignal, useTold } from "../lib/signal";
import { Hint } from "./hint";
import { MetricHint, useCatalogue } from "./metric-hint";

interface Props {
  title: string;
  scope: MetricInfo["scope"];
  metrics: Readonly<Record<string, Quantity>>;
  decimals: number;
  isCurrent: boolean;
}

/** Every metric the server gives, in its order. */
export const MetricsTable = memo(function MetricsTable({ title, scope, metrics, decimals, isCurrent }: Props) {
  const catalogue = useCatalogue(scope);
  return (
    <table className="w-full border-collapse">
      <caption className="caption h-7 px-3 text-left leading-7">{title}</caption>
      <tbody>
        {Object.entries(metrics).map(([name, quantity]) => (
          <Row key={name} {...{ name, quantity, catalogue, decimals, isCurrent }} />
        ))}
      </tbody>
    </table>
  );
});

interface RowProps {
  name: string;
  quantity: Quantity;
  catalogue: ReadonlyMap<string, MetricInfo>;
  decimals: number;
  isCurrent: boolean;
}

function Row({ name, quantity, catalogue, decimals, isCurrent }: RowProps) {
  const told = useTold(quantity);
  return (
    <tr className="border-line/60 border-t">
      <Heading {...{ name, catalogue, told }} />
      <td className={`num h-6 pr-3 text-right ${isCurrent ? "" : "text-dim"}`}>
        {quantity.flags ? <Flags quantity={quantity} /> : null}
        {quantity.value === null ? <Absent quantity={quantity} /> : quantityText(name, quantity, decimals)}
      </td>
    </tr>
  );
}

interface HeadingProps {
  name: string;
  catalogue: ReadonlyMap<string, MetricInfo>;
  told: Signal<Quantity>;
}

/** It stays while the value changes. */
const Heading = memo(function Heading({ name, catalogue, told }: HeadingProps) {
  return (
    <th scope="row" className="p-0 text-left font-normal">
      <Hint content={<RowHint info={catalogue.get(baseName(name))} told={told} />}>
        <button type="button" className="min-h-6 w-full cursor-help px-3 text-left text-dim">
          {titleOf(name, catalogue)}
        </button>
      </Hint>
    </th>
  );
});

const RowHint = ({ info, told }: { info: MetricInfo | undefined; told: Signal<Quantity> }) => (
  <MetricHint info={info} quantity={useSignal(told)} />
);

/** What is to be known of a value, beside it. */
const Flags = ({ quantity }: { quantity: Quantity }) => (
  <span className="whitespace-normal pr-2 font-sans text-[11px] text-dim">{flagText(quantity)}</span>
);

/** Why there is no value, in the place of the value. */
export const Absent = ({ quantity }: { quantity: Quantity }) => (
  <span className="whitespace-normal font-sans text-[11px] text-dim">{reasonText(quantity)}</span>
);
