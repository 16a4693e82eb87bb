import { type KeyboardEvent, type ReactNode, useId } from "react";

export interface Tab<Name extends string> {
  name: Name;
  title: string;
  content: ReactNode;
}

interface Props<Name extends string> {
  label: string;
  tabs: readonly Tab<Name>[];
  current: Name;
  onChoose: (name: Name) => void;
}

/** Several contents in the place of one; only the chosen one exists. */
export function SideTabs<Name extends string>({ label, tabs, current, onChoose }: Props<Name>) {
  const id = useId();
  const at = Math.max(
    0,
    tabs.findIndex(({ name }) => name === current),
  );
  const move = (event: KeyboardEvent<HTMLElement>) => {
    const steps = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    if (steps === undefined) return;
    event.preventDefault();
    const next = (at + steps + tabs.length) % tabs.length;
    onChoose((tabs[next] as Tab<Name>).name);
    (event.currentTarget.children[next] as HTMLElement).focus();
  };
  return (
    <>
      <div
        role="tablist"
        aria-label={label}
        onKeyDown={move}
        className="sticky top-0 z-10 col-span-full flex border-line border-b bg-panel"
      >
        {tabs.map(({ name, title }, i) => (
          <button
            key={name}
            id={`${id}-${name}`}
            type="button"
            role="tab"
            aria-selected={i === at}
            aria-controls={`${id}-content`}
            tabIndex={i === at ? 0 : -1}
            onClick={() => onChoose(name)}
            className="h-7 flex-1 border-transparent border-b-2 text-dim hover:text-fg aria-selected:border-long aria-selected:text-fg"
          >
            {title}
          </button>
        ))}
      </div>
      <div
        role="tabpanel"
        id={`${id}-content`}
        aria-labelledby={`${id}-${tabs[at]?.name}`}
        className="col-span-full max-wide:grid max-wide:grid-cols-2 max-wide:items-start max-wide:[&>table:first-child]:row-span-3"
      >
        {tabs[at]?.content}
      </div>
    </>
  );
}
