import { Dialog } from "@base-ui/react/dialog";
import { shortcuts } from "../lib/keys";
import type { Screen } from "./screen";

interface Props {
  screens: readonly Screen[];
  open: boolean;
  onClose: () => void;
}

export function Help({ screens, open, onClose }: Props) {
  return (
    <Dialog.Root open={open} onOpenChange={(next) => !next && onClose()}>
      <Dialog.Portal>
        <Dialog.Backdrop className="fixed inset-0 z-40 bg-black/60" />
        <Dialog.Viewport className="fixed inset-0 z-50 flex items-center justify-center p-4">
          <Dialog.Popup className="w-full max-w-md rounded-lg border border-edge bg-panel p-4 shadow-2xl shadow-black">
            <div className="mb-3 flex items-center justify-between">
              <Dialog.Title className="font-semibold text-[14px]">Keyboard</Dialog.Title>
              <Dialog.Close className="rounded px-2 py-1 text-dim hover:text-fg">Close</Dialog.Close>
            </div>
            <dl className="grid grid-cols-[auto_1fr] gap-x-6 gap-y-1.5">
              {shortcuts(screens).map(([keys, what]) => (
                <div key={keys} className="contents">
                  <dt className="num text-dim">{keys}</dt>
                  <dd>{what}</dd>
                </div>
              ))}
            </dl>
          </Dialog.Popup>
        </Dialog.Viewport>
      </Dialog.Portal>
    </Dialog.Root>
  );
}
