// A value that can be watched: the smallest thing React's useSyncExternalStore can read.

import { useLayoutEffect, useState, useSyncExternalStore } from "react";

export class Signal<T> {
  private readonly listeners = new Set<() => void>();

  constructor(private current: T) {}

  get value(): T {
    return this.current;
  }

  set(next: T): void {
    if (Object.is(next, this.current)) return;
    this.current = next;
    for (const listener of this.listeners) listener();
  }

  readonly subscribe = (listener: () => void): (() => void) => {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  };

  readonly get = (): T => this.current;
}

export const useSignal = <T>(signal: Signal<T>): T => useSyncExternalStore(signal.subscribe, signal.get);

/**
 * A value as something that can be handed down and never changes itself: what stands between here and the text that
 * shows it, such as a tool-tip with all that belongs to it, is not drawn again with each trade.
 */
export function useTold<T>(value: T): Signal<T> {
  const [told] = useState(() => new Signal(value));
  useLayoutEffect(() => told.set(value));
  return told;
}
