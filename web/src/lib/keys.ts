// Keyboard shortcuts: single keys, off while typing and while a dialog is open.

import { useEffect, useRef } from "react";

export type Keymap = Record<string, (() => void) | undefined>;

/** The name of a pressed key in a keymap: `z`, `[`, `mod+k`. */
export function keyName(event: Pick<KeyboardEvent, "key" | "ctrlKey" | "metaKey" | "altKey">): string {
  const key = event.key.length === 1 ? event.key.toLowerCase() : event.key;
  if (event.altKey) return `alt+${key}`;
  return event.ctrlKey || event.metaKey ? `mod+${key}` : key;
}

const isTyping = (target: EventTarget | null) =>
  target instanceof HTMLElement && (target.isContentEditable || /^(INPUT|TEXTAREA|SELECT)$/.test(target.tagName));

// One that fades out is closed: the key after Escape is meant for the screen.
const isDialogOpen = () => document.querySelector('[role="dialog"]:not([data-closed])') !== null;

export function useKeys(keymap: Keymap): void {
  const latest = useRef(keymap);
  useEffect(() => {
    latest.current = keymap;
  });
  useEffect(() => {
    const onKey = (event: KeyboardEvent) => {
      const action = latest.current[keyName(event)];
      if (!action || event.defaultPrevented || isTyping(event.target) || isDialogOpen()) return;
      event.preventDefault();
      action();
    };
    window.addEventListener("keydown", onKey);
    return () => window.removeEventListener("keydown", onKey);
  }, []);
}

type Shortcut = readonly [keys: string, what: string];

const FIND: Shortcut = ["/  or  Ctrl K", "Find a pair or a symbol"];
const ON_SCREENS: readonly Shortcut[] = [
  ["[   ]", "Shorter, longer interval"],
  ["h", "How the hedge of a pair is fitted"],
  ["r", "Back to the live edge"],
  ["f", "Fit everything into sight"],
  ["v", "Table instead of chart, and back"],
  ["z", "UTC or local time"],
  ["← ↑ ↓ →", "Move through a matrix; Enter opens the pair"],
  ["←   →", "Move the data cursor (chart focused; with Shift by 10)"],
  ["Esc", "Close what is open"],
  ["?", "This help"],
];

/** Every shortcut there is, those that lead to screens among them. */
export const shortcuts = (screens: readonly { key: string; title: string }[]): readonly Shortcut[] => [
  FIND,
  ...screens.map(({ key, title }): Shortcut => [key, title]),
  ...ON_SCREENS,
];
