// @vitest-environment happy-dom

import { act } from "react";
import { createRoot } from "react-dom/client";
import { beforeAll, describe, expect, it } from "vitest";
import type { Config } from "../api.gen";
import { type Shown, useShownTopic, WireProvider } from "./context";
import { Hub } from "./hub";
import { type FakeSocket, fakeSurroundings, snapshot } from "./testing";

beforeAll(() => {
  (globalThis as { IS_REACT_ACT_ENVIRONMENT?: boolean }).IS_REACT_ACT_ENVIRONMENT = true;
});

function mount() {
  const { around, sockets } = fakeSurroundings();
  const hub = new Hub("ws://test/ws", 500, around);
  hub.connection.start();
  const socket = sockets[0] as FakeSocket;
  socket.onopen?.();
  const root = createRoot(document.createElement("div"));
  let shown: Shown | undefined;
  const Probe = ({ name, picture }: { name: string; picture: string }) => {
    shown = useShownTopic(name, picture);
    return null;
  };
  const show = (name: string, picture: string) =>
    act(() =>
      root.render(
        <WireProvider hub={hub} config={{} as Config}>
          <Probe name={name} picture={picture} />
        </WireProvider>,
      ),
    );
  const hear = (name: string) => act(() => socket.hear(snapshot(name, 1, [1])));
  const seen = () => ({ name: shown?.topic?.name, isPending: shown?.isPending });
  return { show, hear, seen, unmount: () => act(() => root.unmount()), socket };
}

describe("the shown topic", () => {
  it("stays the former one while another interval of the same picture is loading", () => {
    const { show, hear, seen } = mount();
    show("symbol:BTCUSDT:1s", "BTCUSDT");
    hear("symbol:BTCUSDT:1s");
    expect(seen()).toEqual({ name: "symbol:BTCUSDT:1s", isPending: false });
    show("symbol:BTCUSDT:1m", "BTCUSDT");
    expect(seen()).toEqual({ name: "symbol:BTCUSDT:1s", isPending: true });
    hear("symbol:BTCUSDT:1m");
    expect(seen()).toEqual({ name: "symbol:BTCUSDT:1m", isPending: false });
  });

  it("never shows one symbol under the name of another", () => {
    const { show, hear, seen } = mount();
    show("symbol:BTCUSDT:1s", "BTCUSDT");
    hear("symbol:BTCUSDT:1s");
    show("symbol:ETHUSDT:1s", "ETHUSDT");
    expect(seen()).toEqual({ name: "symbol:ETHUSDT:1s", isPending: true });
  });

  it("is unsubscribed when nobody looks any more", () => {
    const { show, unmount, socket } = mount();
    show("symbol:BTCUSDT:1s", "BTCUSDT");
    unmount();
    expect(socket.sent.at(-1)).toEqual({ op: "unsub", topic: "symbol:BTCUSDT:1s" });
  });
});
