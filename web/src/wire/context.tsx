// How components reach the hub: through React's context, so that a test can hand in its own.

import { createContext, type ReactNode, useContext, useEffect, useMemo, useState, useSyncExternalStore } from "react";
import type { Config, JobList, KernelsStatus } from "../api.gen";
import { useSignal } from "../lib/signal";
import type { Link } from "./connection";
import { type Freshness, freshness } from "./freshness";
import type { Hub, ReceivedStatus } from "./hub";
import type { Topic, TopicState } from "./state";

interface Wire {
  hub: Hub;
  config: Config;
}

const WireContext = createContext<Wire | undefined>(undefined);

export function WireProvider({ hub, config, children }: Wire & { children: ReactNode }) {
  const wire = useMemo(() => ({ hub, config }), [hub, config]);
  return <WireContext value={wire}>{children}</WireContext>;
}

function useWire(): Wire {
  const wire = useContext(WireContext);
  if (!wire) throw new Error("a component that needs the wire stands outside WireProvider");
  return wire;
}

export const useHub = (): Hub => useWire().hub;
export const useConfig = (): Config => useWire().config;
export const useLink = (): Link => useSignal(useHub().connection.link);
export const useStatus = (): ReceivedStatus | undefined => useSignal(useHub().status);

/** Long work, as it stands; undefined until it was told. */
export function useJobs(): JobList | undefined {
  const hub = useHub();
  useEffect(() => hub.followJobs(), [hub]);
  return useSignal(hub.jobs);
}

/** A part of the server's compiled code. */
export type Part = KernelsStatus["preparing"][number];

/** Whether the server has a part, or still compiles it; undefined until its first status has come. */
export function usePart(part: Part): "ready" | "preparing" | undefined {
  const kernels = useStatus()?.status.kernels;
  return kernels && (kernels.preparing.includes(part) ? "preparing" : "ready");
}

/** Which topic to show: the one asked for, or, until that has data, the last one of the same picture. */
export interface Shown {
  topic: Topic | undefined;
  isPending: boolean; // what is shown is not, or not yet, what was asked for
}

/**
 * The topic, subscribed while the component is mounted. While another interval or window of the same `picture` is
 * being loaded, the former topic stays as it was, so that nothing that was known goes blank.
 */
export function useShownTopic(name: string | undefined, picture: string): Shown {
  const acquired = useTopic(name);
  const isReady = useTopicValue(acquired, (state) => state.phase !== "loading") === true && acquired !== undefined;
  const [kept, setKept] = useState<{ topic: Topic; picture: string }>();
  const isKept = acquired !== undefined && kept?.topic === acquired;
  if (isReady && !isKept) setKept({ topic: acquired, picture });
  if (isReady) return { topic: acquired, isPending: false };
  return { topic: kept?.picture === picture ? kept.topic : acquired, isPending: name !== undefined };
}

/** The topic of this name; undefined for one render when the name changes. */
function useTopic(name: string | undefined): Topic | undefined {
  const hub = useHub();
  const [topic, setTopic] = useState<Topic>();
  useEffect(() => {
    if (name === undefined) return;
    const acquired = hub.acquire(name);
    setTopic(acquired);
    return () => hub.release(acquired);
  }, [hub, name]);
  return topic?.name === name ? topic : undefined;
}

const nothing = () => () => {};

/** The state of the topic, read again with each of its changes. */
export function useTopicState(topic: Topic | undefined): TopicState | undefined {
  useSyncExternalStore(topic?.version.subscribe ?? nothing, () => topic?.version.value ?? 0);
  return topic?.state;
}

/** One value of the state: the component is drawn again only when that value is another. */
export function useTopicValue<T>(topic: Topic | undefined, select: (state: TopicState) => T): T | undefined {
  return useSyncExternalStore(topic?.version.subscribe ?? nothing, () => topic && select(topic.state));
}

/** The time by which everything on the page ages while nothing arrives; it rises four times a second. */
export const useNow = (): number => useSignal(useHub().clock);

export function useFreshness(symbols: readonly string[], intervalMs: number): Freshness {
  return freshness(useLink(), useStatus(), symbols, intervalMs, useNow());
}
