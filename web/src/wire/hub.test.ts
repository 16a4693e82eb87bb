import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { backoffMs } from "./connection";
import { Hub } from "./hub";
import { bar, type FakeSocket, fakeSurroundings, momentOf, pairSnapshot, pastRow, snapshot } from "./testing";

const TOPIC = "symbol:BTCUSDT:1s";

function start() {
  const surroundings = fakeSurroundings();
  const hub = new Hub("ws://test/ws", 500, surroundings.around);
  hub.connection.start();
  const socket = () => surroundings.sockets.at(-1) as FakeSocket;
  const advance = (ms: number) => {
    surroundings.time.now += ms;
    vi.advanceTimersByTime(ms);
  };
  return { hub, socket, advance, ...surroundings };
}

const subscriptions = (socket: FakeSocket) =>
  socket.sent.filter((message) => (message as { topic: string }).topic === TOPIC);

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

describe("subscriptions", () => {
  it("are sent once for many users, and taken back with the last of them", () => {
    const { hub, socket } = start();
    socket().onopen?.();
    const first = hub.acquire(TOPIC);
    const second = hub.acquire(TOPIC);
    expect(first).toBe(second);
    expect(subscriptions(socket())).toEqual([{ op: "sub", topic: TOPIC, limit: 500, updates: "changes" }]);
    hub.release(first);
    expect(subscriptions(socket())).toHaveLength(1);
    hub.release(second);
    expect(subscriptions(socket()).at(-1)).toEqual({ op: "unsub", topic: TOPIC });
  });

  it("made before the line is open are sent when it opens", () => {
    const { hub, socket } = start();
    hub.acquire(TOPIC);
    expect(socket().sent).toEqual([]);
    socket().onopen?.();
    expect(subscriptions(socket())).toHaveLength(1);
  });

  it("are repeated from the last number when a number is missing, once, until the answer", () => {
    const { hub, socket } = start();
    socket().onopen?.();
    const topic = hub.acquire(TOPIC);
    socket().hear(snapshot(TOPIC, 7, [1]));
    socket().hear(bar(TOPIC, 9, 3));
    socket().hear(bar(TOPIC, 10, 4));
    expect(subscriptions(socket()).slice(1)).toEqual([
      { op: "sub", topic: TOPIC, limit: 500, updates: "changes", since: 7 },
    ]);
    expect(hub.holes).toBe(1);
    for (const seq of [8, 9, 10]) socket().hear(bar(TOPIC, seq, seq - 6));
    expect(topic.state.seq).toBe(10);
  });

  it("are asked for again when the answer to a hole never comes", () => {
    const { hub, socket, advance } = start();
    socket().onopen?.();
    hub.acquire(TOPIC);
    socket().hear(snapshot(TOPIC, 7, [1]));
    socket().hear(bar(TOPIC, 9, 3));
    advance(5_001);
    socket().hear(bar(TOPIC, 10, 4));
    expect(subscriptions(socket())).toHaveLength(3);
  });
});

describe("a lost line", () => {
  it("keeps what is known, comes back by itself and resumes from the last number", () => {
    const { hub, socket, sockets, advance } = start();
    socket().onopen?.();
    const topic = hub.acquire(TOPIC);
    socket().hear(snapshot(TOPIC, 7, [1, 2]));
    socket().onclose?.();
    expect(hub.connection.link.value.phase).toBe("down");
    expect(topic.state.bars?.close).toEqual([1, 2]);
    advance(backoffMs(0, 0.5));
    expect(sockets).toHaveLength(2);
    socket().onopen?.();
    expect(subscriptions(socket())).toEqual([{ op: "sub", topic: TOPIC, limit: 500, updates: "changes", since: 7 }]);
  });

  it("is noticed when nothing is heard for long", () => {
    const { hub, socket, advance } = start();
    socket().onopen?.();
    const first = socket();
    advance(9_000);
    expect(first.isClosed).toBe(true);
    expect(hub.connection.link.value.phase).not.toBe("open");
  });

  it("is one outage from its beginning, however many attempts fail", () => {
    const { hub, socket, time, advance } = start();
    socket().onopen?.();
    const lostMs = time.now;
    socket().onclose?.();
    for (let attempt = 0; attempt < 3; attempt++) {
      advance(backoffMs(attempt, 0.5));
      socket().onclose?.();
    }
    expect(hub.connection.link.value).toMatchObject({ phase: "down", sinceMs: lostMs });
  });

  it("can be tried again at once", () => {
    const { hub, socket, sockets, advance } = start();
    socket().onopen?.();
    socket().onclose?.();
    hub.connection.retryNow();
    expect(sockets).toHaveLength(2);
    advance(60_000);
    expect(sockets.length).toBeLessThan(20);
  });

  it("waits longer after each attempt that brought nothing, up to a bound, and never in step with others", () => {
    expect([0, 1, 2, 10].map((attempt) => backoffMs(attempt, 1))).toEqual([500, 1000, 2000, 15_000]);
    expect(backoffMs(3, 0)).toBe(backoffMs(3, 1) / 2);
  });
});

describe("the server's clock", () => {
  it("is what the last ping says, carried on by ours", () => {
    const { hub, socket, time } = start();
    socket().onopen?.();
    socket().hear({ type: "ping", now_ms: 5_000_000 });
    time.now += 250;
    expect(hub.serverNowMs()).toBe(5_000_250);
  });
});

describe("jobs", () => {
  const asked = (socket: FakeSocket) =>
    socket.sent.filter((message) => (message as { topic: string }).topic === "jobs");

  it("are followed once for many users, again after a lost line, and until the last of them", () => {
    const { hub, socket, advance } = start();
    socket().onopen?.();
    expect(asked(socket())).toEqual([]);
    const first = hub.followJobs();
    const second = hub.followJobs();
    expect(asked(socket())).toEqual([{ op: "sub", topic: "jobs" }]);
    const jobs = { jobs: [], waiting: 0, waiting_limit: 20, refused: 0, done: 1, failed: 0, cancelled: 0 };
    socket().hear({ type: "jobs", topic: "jobs", seq: 1, jobs });
    expect(hub.jobs.value).toEqual(jobs);
    const before = socket();
    before.onclose?.();
    advance(60_000);
    socket().onopen?.();
    expect(socket()).not.toBe(before);
    expect(asked(socket())).toEqual([{ op: "sub", topic: "jobs" }]);
    first();
    expect(asked(socket())).toHaveLength(1);
    second();
    expect(asked(socket()).at(-1)).toEqual({ op: "unsub", topic: "jobs" });
  });
});

describe("a row that is over", () => {
  const PAIR = "pair:ETHUSDT:BTCUSDT:1s:10:ols";

  function followed() {
    const started = start();
    started.socket().onopen?.();
    const topic = started.hub.acquire(PAIR);
    started.socket().hear(pairSnapshot(PAIR, 7, 3));
    const z = () => [topic.state.metrics.spread_z?.value, topic.state.pair?.spread_z?.at(-1)];
    return { ...started, topic, z };
  }

  it("is shown together with the moment that follows it, however late that comes", () => {
    const { socket, advance, topic, z } = followed();
    socket().hear(pastRow(3, 8, 1, 1.8));
    socket().hear({ type: "ping", now_ms: 0 });
    advance(3_000);
    expect(z()).toEqual([0.5, 0.5]);
    const shown: unknown[] = [];
    topic.version.subscribe(() => shown.push(z()));
    socket().hear(momentOf(3, 8, 2, 2.5));
    expect(shown).toEqual([[2.5, 2.5]]);
    expect(topic.state.pair?.spread_z).toEqual([1.8, 2.5]);
  });

  it("is let go with its line: the next one tells it again", () => {
    const { socket, advance, z } = followed();
    socket().hear(pastRow(3, 8, 1, 1.8));
    socket().onclose?.();
    advance(60_000);
    socket().onopen?.();
    expect(socket().sent).toContainEqual({ op: "sub", topic: PAIR, limit: 500, updates: "changes", since: 7 });
    socket().hear(momentOf(3, 7, 1, 0.7));
    expect(z()).toEqual([0.7, 0.7]);
  });
});
