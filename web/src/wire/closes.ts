// When to ask again for what is computed once a bar: at the close of bars, on the market's own clock.

import { useEffect, useState } from "react";
import type { Status } from "../api.gen";
import { useHub } from "./context";

/** Time of the newest trade of anything that is watched. */
export const newestTradeMs = (status: Status): number | undefined =>
  status.symbols.reduce<number | undefined>(
    (newest, { last_trade_ms: at }) => (at !== null && at > (newest ?? Number.NEGATIVE_INFINITY) ? at : newest),
    undefined,
  );

/** Says, of each time it is shown, whether a bar has closed since it last said so; at most every `leastMs`. */
export class Closes {
  private bar: number | undefined;
  private saidMs = 0;

  constructor(
    private readonly stepMs: number,
    private readonly leastMs: number,
  ) {}

  isDue(marketMs: number | undefined, nowMs: number): boolean {
    if (marketMs === undefined) return false;
    const bar = Math.floor(marketMs / this.stepMs);
    const isFirst = this.bar === undefined;
    if (bar === this.bar || (!isFirst && nowMs - this.saidMs < this.leastMs)) return false;
    this.bar = bar;
    this.saidMs = nowMs;
    return !isFirst;
  }
}

/** Rises after bars have closed: at most every `leastMs`, and not while nobody looks at the page. */
export function useCloses(stepMs: number, leastMs: number): number {
  const hub = useHub();
  const [count, setCount] = useState(0);
  useEffect(() => {
    const closes = new Closes(stepMs, leastMs);
    const look = () => {
      const received = hub.status.value;
      if (!received || document.hidden) return;
      if (closes.isDue(newestTradeMs(received.status), hub.nowMs())) setCount((before) => before + 1);
    };
    look();
    return hub.status.subscribe(look);
  }, [hub, stepMs, leastMs]);
  return count;
}
