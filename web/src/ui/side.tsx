import { type ReactNode, useId, useState } from "react";
import { ChevronIcon } from "./icons";

interface Props {
  label: string; // what the column holds, for the button that brings it up on a narrow page
  main: ReactNode;
  children: ReactNode;
}

/** The column beside the main picture. Where the page is too narrow for both it lies below, behind a button. */
export function WithSide({ label, main, children }: Props) {
  const id = useId();
  const [isOpen, setOpen] = useState(false);
  return (
    <div className="flex min-h-0 flex-1 flex-col wide:flex-row">
      {main}
      <button
        type="button"
        aria-expanded={isOpen}
        aria-controls={id}
        onClick={() => setOpen(!isOpen)}
        className="group flex h-6 shrink-0 items-center gap-2 border-line border-t bg-panel px-3 text-dim hover:text-fg wide:hidden"
      >
        <span className="rotate-180 group-aria-expanded:rotate-0">
          <ChevronIcon />
        </span>
        {label}
      </button>
      <aside
        id={id}
        aria-label={label}
        data-open={isOpen}
        className="max-h-1/2 shrink-0 grid-cols-2 items-start overflow-y-auto border-line border-t bg-panel max-wide:data-[open=false]:hidden max-wide:data-[open=true]:grid wide:max-h-none wide:w-80 wide:border-t-0 wide:border-l max-wide:[&>table:first-child]:row-span-3"
      >
        {children}
      </aside>
    </div>
  );
}
