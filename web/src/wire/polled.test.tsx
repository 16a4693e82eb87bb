// @vitest-environment happy-dom

import { QueryClient, QueryClientProvider } from "@tanstack/react-query";
import { act } from "react";
import { createRoot } from "react-dom/client";
import { beforeAll, describe, expect, it } from "vitest";
import type { Config, Status } from "../api.gen";
import { type Part, WireProvider } from "./context";
import { Hub } from "./hub";
import { type Polled, PREPARING, usePolled } from "./polled";
import { fakeSurroundings } from "./testing";

beforeAll(() => {
  (globalThis as { IS_REACT_ACT_ENVIRONMENT?: boolean }).IS_REACT_ACT_ENVIRONMENT = true;
});

/** A component that polls, a market that is moved by hand, and answers that are prepared. */
function mount(isWanted = true) {
  const { around, time } = fakeSurroundings();
  const hub = new Hub("ws://test/ws", 500, around);
  const answers: (string | Error)[] = [];
  const asked: string[] = [];
  let seen: Polled<string> | undefined;
  const Probe = ({ picture, window }: { picture: string; window: number }) => {
    seen = usePolled({
      picture: [picture],
      key: [window],
      ask: async () => {
        asked.push(`${picture} ${window}`);
        const next = answers.shift() ?? "?";
        if (next instanceof Error) throw next;
        return next;
      },
      stepMs: 1_000,
      leastMs: 5_000,
      needs: "tests",
      isWanted,
    });
    return null;
  };
  const root = createRoot(document.createElement("div"));
  const queries = new QueryClient();
  const settle = () => act(() => new Promise((done) => setTimeout(done, 5)));
  const show = async (picture: string, window: number) => {
    act(() =>
      root.render(
        <QueryClientProvider client={queries}>
          <WireProvider hub={hub} config={{} as Config}>
            <Probe {...{ picture, window }} />
          </WireProvider>
        </QueryClientProvider>,
      ),
    );
    await settle();
  };
  const trade = async (seconds: number, preparing: Part[] = []) => {
    time.now += seconds * 1_000;
    const status = { symbols: [{ last_trade_ms: time.now }], kernels: { preparing } } as unknown as Status;
    act(() => hub.status.set({ status, receivedMs: time.now }));
    await settle();
  };
  return { show, trade, answers, asked, seen: () => seen };
}

describe("what is polled", () => {
  it("is asked for at once, and again after bars have closed, but not with each of them", async () => {
    const { show, trade, answers, asked, seen } = mount();
    answers.push("first", "second");
    await trade(0);
    await show("ETH/BTC", 300);
    expect(seen()).toMatchObject({ data: "first", isOther: false, failure: undefined });
    await trade(1);
    expect(asked).toHaveLength(1);
    await trade(5);
    expect(seen()?.data).toBe("second");
    expect(asked).toHaveLength(2);
  });

  it("stays when a request fails, says why, and is new again with the next that does not", async () => {
    const { show, trade, answers, seen } = mount();
    answers.push("first", new Error("busy"), "third");
    await trade(0);
    await show("ETH/BTC", 300);
    await trade(6);
    expect(seen()).toMatchObject({ data: "first", failure: "busy" });
    await trade(6);
    expect(seen()).toMatchObject({ data: "third", failure: undefined });
  });

  it("stays while other parameters are asked for, but never under the name of something else", async () => {
    const { show, trade, answers, seen } = mount();
    answers.push("first", "second", "third");
    await trade(0);
    await show("ETH/BTC", 300);
    const pending = show("ETH/BTC", 600);
    expect(seen()).toMatchObject({ data: "first", isOther: true });
    await pending;
    const other = show("SOL/BTC", 300);
    expect(seen()?.data).toBeUndefined();
    await other;
  });

  it("is not asked for while the server prepares what it needs, and says so, and comes when that is there", async () => {
    const { show, trade, answers, asked, seen } = mount();
    answers.push("first", "second");
    await show("ETH/BTC", 300);
    expect(asked).toEqual([]); // what the server has is not known before its first status
    await trade(0, ["tests", "rest"]);
    await trade(6, ["tests", "rest"]);
    expect(asked).toEqual([]);
    expect(seen()).toMatchObject({ data: undefined, failure: PREPARING, isPreparing: true });
    await trade(6, ["rest"]);
    expect(seen()).toMatchObject({ data: "first", failure: undefined, isPreparing: false });
    await trade(6, ["tests"]); // the server was started again, by another version
    expect(seen()).toMatchObject({ data: "first", failure: PREPARING });
    expect(asked).toHaveLength(1);
  });

  it("is not asked for while it is not wanted", async () => {
    const { show, trade, asked } = mount(false);
    await trade(0);
    await show("ETH/BTC", 300);
    await trade(6);
    expect(asked).toEqual([]);
  });
});
