import { NumberField } from "@base-ui/react/number-field";
import { type ReactNode, useEffect, useState } from "react";
import { WINDOW_LEAST, WINDOW_MOST } from "../api.gen";
import type { Terms } from "../lib/methods";
import { changeView } from "../lib/url";
import { useConfig } from "../wire/context";
import { Clock } from "./clock";
import { FeedChip } from "./feed-chip";
import { ChevronIcon } from "./icons";
import { MethodButton } from "./method-button";

interface Props {
  title: string;
  tf: string | undefined; // undefined on screens that have no interval
  window: number | undefined;
  terms: Terms | undefined; // of a pair
  symbols: readonly string[];
  stepMs: number;
  onPick: () => void;
  onPickMethod: () => void;
  onPickZone: () => void;
  onHelp: () => void;
}

export function ContextBar(props: Props) {
  const { title, tf, window, terms, symbols, stepMs, onPick, onPickMethod, onPickZone, onHelp } = props;
  return (
    <header className="flex min-h-9 flex-wrap items-center gap-x-3 gap-y-1 border-line border-b bg-panel px-3 py-1 max-wide:gap-x-1.5 max-wide:px-2 sm:col-start-2">
      <button
        type="button"
        onClick={onPick}
        title="Find a pair or a symbol ( / )"
        className="flex h-6 items-center gap-2 rounded border border-line bg-raised px-2 font-semibold text-[13px] hover:border-edge"
      >
        {title}
        <ChevronIcon />
      </button>
      {tf === undefined ? null : <Intervals current={tf} />}
      {window === undefined ? null : <WindowField value={window} />}
      {terms === undefined || window === undefined ? null : (
        <MethodButton {...{ terms, window }} onPick={onPickMethod} />
      )}
      <div className="ml-auto flex flex-wrap items-center justify-end gap-x-2 gap-y-1">
        <FeedChip symbols={symbols} stepMs={stepMs} />
        <Clock onPickZone={onPickZone} />
        <button
          type="button"
          onClick={onHelp}
          aria-label="Keyboard shortcuts"
          title="Keyboard shortcuts (?)"
          className="size-6 rounded border border-line bg-raised text-dim hover:text-fg"
        >
          ?
        </button>
      </div>
    </header>
  );
}

export const chooseInterval = (tf: string) => changeView({ tf, bars: undefined, at: undefined });

function Intervals({ current }: { current: string }) {
  const { intervals } = useConfig();
  return (
    <fieldset className="flex overflow-hidden rounded border border-line" aria-label="Interval">
      {intervals.map((tf) => (
        <button
          key={tf}
          type="button"
          aria-pressed={tf === current}
          onClick={() => chooseInterval(tf)}
          className="num h-6 min-w-9 px-2 text-dim hover:text-fg aria-pressed:bg-edge aria-pressed:text-fg"
        >
          {tf}
        </button>
      ))}
    </fieldset>
  );
}

/** Bars in the window of the statistics. */
function WindowField({ value }: { value: number }): ReactNode {
  const [draft, setDraft] = useState<number | null>(value);
  useEffect(() => setDraft(value), [value]);
  return (
    <NumberField.Root
      value={draft}
      min={WINDOW_LEAST}
      max={WINDOW_MOST}
      step={10}
      largeStep={100}
      onValueChange={setDraft}
      onValueCommitted={(next) => (next === null ? setDraft(value) : changeView({ w: next }))}
      className="flex h-6 items-center gap-1.5"
    >
      <span className="caption max-wide:hidden">window</span>
      <NumberField.Group className="flex h-6 items-center rounded border border-line bg-raised focus-within:border-edge">
        <NumberField.Decrement className="h-full w-5 text-dim hover:text-fg">−</NumberField.Decrement>
        <NumberField.Input
          aria-label="Window in bars"
          className="num h-full w-11 bg-transparent text-center outline-none"
        />
        <NumberField.Increment className="h-full w-5 text-dim hover:text-fg">+</NumberField.Increment>
      </NumberField.Group>
    </NumberField.Root>
  );
}
