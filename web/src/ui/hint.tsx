import { Tooltip } from "@base-ui/react/tooltip";
import type { ReactElement, ReactNode } from "react";

/** Shows `content` when `children` (one element that takes focus) is pointed at or focused. */
export function Hint({ content, children }: { content: ReactNode; children: ReactElement }) {
  if (!content) return children;
  return (
    <Tooltip.Root>
      <Tooltip.Trigger render={children} />
      <Tooltip.Portal>
        <Tooltip.Positioner sideOffset={6} className="z-40">
          <Tooltip.Popup className="max-w-80 rounded border border-edge bg-raised px-2.5 py-2 text-fg shadow-lg shadow-black/50">
            {content}
          </Tooltip.Popup>
        </Tooltip.Positioner>
      </Tooltip.Portal>
    </Tooltip.Root>
  );
}
