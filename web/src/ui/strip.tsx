import { memo, type ReactNode } from "react";
import type { MetricInfo, Quantity } from "../api.gen";
import { type Signal, useSignal, useTold } from "../lib/signal";
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

/** One figure. Its texts change with each trade; the button around them and its hint stay. */
export const Cell = memo(function Cell(props: CellProps) {
  const { info, quantity, note, wide = false, onClick } = props;
  const told = useTold(props);
  return <Frame {...{ told, wide }} isHinted={Boolean(info || quantity || note)} isActive={onClick !== undefined} />;
});

interface FrameProps {
  told: Signal<CellProps>;
  wide: boolean;
  isHinted: boolean;
  isActive: boolean;
}

const Frame = memo(function Frame({ told, wide, isHinted, isActive }: FrameProps) {
  return (
    <Hint content={isHinted ? <CellHint told={told} /> : null}>
      <button
        type="button"
        onClick={() => told.value.onClick?.()}
        className={`flex h-13 min-w-max flex-1 ${isActive ? "cursor-pointer" : "cursor-default"} flex-col items-start justify-center border-line border-r px-2 text-left wide:px-3 ${wide ? "basis-24" : "basis-14"}`}
      >
        <Texts told={told} />
      </button>
    </Hint>
  );
});

function CellHint({ told }: { told: Signal<CellProps> }) {
  const { info, quantity, note, more } = useSignal(told);
  return info || quantity ? <MetricHint info={info} quantity={quantity} more={more} /> : note;
}

function Texts({ told }: { told: Signal<CellProps> }) {
  const { name, value, detail, tone = "text-fg", isLate = false } = useSignal(told);
  return (
    <>
      <span className="caption">{name}</span>
      <span className={`value num text-[15px] leading-5 ${tone}`}>{value}</span>
      <span className={`num text-[10px] leading-3 ${isLate ? "text-short" : "text-dim"}`}>{detail || "\u00a0"}</span>
    </>
  );
}
