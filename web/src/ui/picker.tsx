// Type to find: one dialog for pairs, symbols, screens and time zones.

import { Autocomplete } from "@base-ui/react/autocomplete";
import { Dialog } from "@base-ui/react/dialog";
import { SearchIcon } from "./icons";

export interface Choice {
  value: string; // unique in the list
  label: string;
  detail: string;
  choose: () => void;
}

/** Every word of the query occurs in the text; case, spaces and slashes do not matter. */
export function matches(text: string, query: string): boolean {
  const plain = text.toLowerCase().replace(/[\s/·_-]+/g, "");
  const words = query.toLowerCase().split(/[\s/·_-]+/);
  return words.every((word) => plain.includes(word));
}

interface Props {
  open: boolean;
  onClose: () => void;
  title: string;
  placeholder: string;
  choices: readonly Choice[];
  isWordy?: boolean; // details are sentences, each below its label
}

export function Picker({ open, onClose, title, placeholder, choices, isWordy = false }: Props) {
  return (
    <Dialog.Root open={open} onOpenChange={(next) => !next && onClose()}>
      <Dialog.Portal>
        <Dialog.Backdrop className="fixed inset-0 z-40 bg-black/60" />
        <Dialog.Viewport className="fixed inset-0 z-50 flex items-start justify-center px-4 pt-[12vh]">
          <Dialog.Popup
            aria-label={title}
            className="flex max-h-[70vh] w-full max-w-md flex-col overflow-hidden rounded-lg border border-edge bg-panel shadow-2xl shadow-black"
          >
            <Autocomplete.Root
              open
              inline
              items={choices}
              itemToStringValue={(choice: Choice) => choice.label}
              filter={(choice: Choice, query: string) => matches(`${choice.label} ${choice.detail}`, query)}
              autoHighlight="always"
              keepHighlight
            >
              <div className="flex h-11 items-center gap-2 border-line border-b px-3 text-dim">
                <SearchIcon />
                <Autocomplete.Input
                  aria-label={title}
                  placeholder={placeholder}
                  className="h-full w-full bg-transparent text-[14px] text-fg outline-none placeholder:text-dim"
                />
              </div>
              <Autocomplete.Empty>
                <p className="p-4 text-dim empty:hidden">Nothing of that name is watched here.</p>
              </Autocomplete.Empty>
              <Autocomplete.List className="min-h-0 flex-1 overflow-y-auto py-1 data-empty:hidden">
                {(choice: Choice) => (
                  <Autocomplete.Item
                    key={choice.value}
                    value={choice}
                    onClick={() => {
                      onClose();
                      choice.choose();
                    }}
                    className={`flex cursor-pointer justify-between px-3 data-highlighted:bg-raised ${isWordy ? "flex-col gap-0.5 py-1.5" : "h-7 items-center gap-4"}`}
                  >
                    <span className="truncate">{choice.label}</span>
                    <span className={`text-dim ${isWordy ? "" : "num truncate"}`}>{choice.detail}</span>
                  </Autocomplete.Item>
                )}
              </Autocomplete.List>
              <p className="flex gap-4 border-line border-t px-3 py-1.5 text-dim">
                <span>↑ ↓ choose</span>
                <span>Enter open</span>
                <span>Esc close</span>
              </p>
            </Autocomplete.Root>
          </Dialog.Popup>
        </Dialog.Viewport>
      </Dialog.Portal>
    </Dialog.Root>
  );
}
