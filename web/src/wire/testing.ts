// Tools for tests: rows as the wire writes them, and a socket that is moved by hand.

import type { BarColumns, PairColumns, Quantity, ServerMessage } from "../api.gen";
import type { Surroundings } from "./connection";

const filled = <T>(times: readonly number[], value: T): T[] => times.map(() => value);

/** Bars at these seconds; the close is the second itself. */
export function barsAt(times: readonly number[], status: BarColumns["status"][number] = "closed"): BarColumns {
  return {
    open_time_ms: times.map((time) => time * 1000),
    open: [...times],
    high: [...times],
    low: [...times],
    close: [...times],
    volume: filled(times, 2),
    quote_volume: times.map((time) => 2 * time),
    buy_volume: filled(times, 1),
    vwap: [...times],
    trades: filled(times, 1),
    missing: filled(times, 0),
    continuity: filled(times, "proved"),
    missing_reason: filled(times, null),
    status: filled(times, status),
    source: filled(times, "live"),
  };
}

export function pairAt(times: readonly number[], z: number | null = 0.5): PairColumns {
  return {
    open_time_ms: times.map((time) => time * 1000),
    y: filled(times, 2),
    x: filled(times, 1),
    beta: filled(times, z === null ? null : 1),
    alpha: filled(times, z === null ? null : 0),
    spread: filled(times, z),
    spread_z: filled(times, z),
    correlation: filled(times, z),
  };
}

export const metric = (value: number): Quantity => ({
  value,
  unit: "1",
  window: 10,
  n: 10,
  as_of_ms: 0,
  missing: 0,
  reason: null,
});

export const snapshot = (topic: string, seq: number, times: readonly number[]): ServerMessage => ({
  type: "symbol_snapshot",
  topic,
  seq,
  symbol: "BTCUSDT",
  interval: "1s",
  bars: barsAt(times),
  metrics: {},
});

export const bar = (
  topic: string,
  seq: number,
  time: number,
  status: BarColumns["status"][number] = "closed",
): ServerMessage => ({
  type: "symbol_bar",
  topic,
  seq,
  bar: barsAt([time], status),
});

const PAIR_METRICS = ["beta", "alpha", "spread", "spread_z", "correlation"];

/** A pair at these seconds, the last of them open, whose changes come under `of`. */
export const pairSnapshot = (
  topic: string,
  seq: number,
  of: number,
  times: readonly number[] = [1],
  more: Readonly<Record<string, Quantity>> = {},
): Extract<ServerMessage, { type: "pair_snapshot" }> => ({
  type: "pair_snapshot",
  topic,
  seq,
  y: "ETHUSDT",
  x: "BTCUSDT",
  interval: "1s",
  window: 10,
  method: "ols",
  prices: "log",
  intercept: true,
  remarks: [],
  y_bars: barsAt(times, "open"),
  series: { ...pairAt(times), carried: filled(times, 0) },
  metrics: { ...Object.fromEntries(PAIR_METRICS.map((name) => [name, metric(0.5)])), ...more },
  of,
  health: null,
  of_trades: null,
  signal: { side: "flat", muted: "unjudged", late: [] },
});

/** The row of a second that is over, and the moment that the server sends with it. */
export const pastRow = (of: number, seq: number, second: number, z: number): ServerMessage => ({
  type: "pair",
  of,
  seq,
  open_time_ms: second * 1000,
  status: "closed",
  x: 1,
  y: 2,
  row: { beta: 1, alpha: 0, spread: z, spread_z: z, correlation: z },
});

export const momentOf = (of: number, seq: number, second: number, z: number): ServerMessage => ({
  type: "pair",
  of,
  seq,
  open_time_ms: second * 1000,
  x: 1,
  y: 2,
  values: [1, 0, z, z, z],
});

/** A WebSocket without a network: the test opens, speaks and closes, and reads what was sent. */
export class FakeSocket {
  onopen: (() => void) | null = null;
  onmessage: ((event: { data: string }) => void) | null = null;
  onclose: (() => void) | null = null;
  readonly sent: unknown[] = [];
  isClosed = false;

  send(text: string): void {
    this.sent.push(JSON.parse(text));
  }

  close(): void {
    this.isClosed = true;
  }

  hear(message: ServerMessage): void {
    this.onmessage?.({ data: JSON.stringify(message) });
  }
}

/** Surroundings whose clock is `time.now` and whose chance is one half. */
export function fakeSurroundings() {
  const sockets: FakeSocket[] = [];
  const time = { now: 1_000_000 };
  const around: Surroundings = {
    open: () => {
      const socket = new FakeSocket();
      sockets.push(socket);
      return socket as unknown as WebSocket;
    },
    now: () => time.now,
    random: () => 0.5,
    soon: (work) => work(),
  };
  return { sockets, time, around };
}
