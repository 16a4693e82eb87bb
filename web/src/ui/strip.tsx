import { memo, type ReactNode } from "react";
import type { MetricInfo, Quantity } from "../api.gen";
import { Hint } from "./hint";
import { MetricHint } from "./metric-hint";

/** The line of figures over a chart. Values that are not current are dimmed, never taken away. */
export function Strip({ label, isCurrent, children }: { label: string; isCurrent: boolean; children: ReactNode }) {
  return (
    <section
      aria-label={label}
      data-current={isCurrent}
      className="flex min-h-13 shrink-0 flex-wrap border-line border-b bg-panel data-[current=false]:[&_.value]:text-dim"
    >
      {children}
    </section>
  );
}

interface CellProps {
  name: string;
  value: string;
  detail?: string | undefined;
  tone?: string | undefined; // colour class of the value
  info?: MetricInfo | undefined;
  quantity?: Quantity | undefined;
  note?: string; // what the figure means, when no catalogue says it
  more?: string | undefined; // what is to be said of this value
  wide?: boolean;
  isLate?: boolean; // a symbol it is computed from is silent; `detail` names it
  onClick?: (() => void) | undefined;
}

/** One figure; drawn again only when one of its own values changes. */
export const Cell = memo(function Cell(props: CellProps) {
  const {
    name,
    value,
    detail,
    tone = "text-fg",
    info,
    quantity,
    note,
    more,
    wide = false,
    isLate = false,
    onClick,
  } = props;
  const hint = info || quantity ? <MetricHint info={info} quantity={quantity} more={more} /> : note;
  return (
    <Hint content={hint}>
      <button
        type="button"
        onClick={onClick}
        className={`flex h-13 min-w-max flex-1 ${onClick ? "cursor-pointer" : "cursor-default"} flex-col items-start justify-center border-line border-r px-2 text-left wide:px-3 ${wide ? "basis-24" : "basis-14"}`}
      >
        <span className="caption">{name}</span>
        <span className={`value num text-[15px] leading-5 ${tone}`}>{value}</span>
        <span className={`num text-[10px] leading-3 ${isLate ? "text-short" : "text-dim"}`}>{detail || "\u00a0"}</span>
      </button>
    </Hint>
  );
});
