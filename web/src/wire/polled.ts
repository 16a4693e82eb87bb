// Answers over REST that are asked for again at the close of bars. What was known stays, also when a request fails.

import { keepPreviousData, useQuery } from "@tanstack/react-query";
import { useEffect } from "react";
import { Refused } from "./client";
import { useCloses } from "./closes";
import { type Part, usePart } from "./context";

const ASK_AGAIN_MS = 2_000;

/** What is said in the place of everything that the server still prepares. */
export const PREPARING =
  "The numeric code for this is compiled once after an installation or an upgrade. It comes by itself.";

const isWarmingUp = (cause: unknown) => cause instanceof Refused && cause.body.code === "warming_up";

export interface Polled<T> {
  data: T | undefined;
  isOther: boolean; // `data` was asked for with other parameters: the new answer is on its way
  failure: string | undefined; // the newest request was refused or lost; `data` is of an earlier one
  isPreparing: boolean; // the server still compiles what it needs: it is asked for when that is there
  receivedMs: number; // when `data` arrived, on the browser's clock
}

interface Asked<T> {
  picture: readonly string[]; // what it is about: another one starts from nothing
  key: readonly unknown[]; // with which parameters: the former answer stays until the new one is there
  ask: (signal: AbortSignal) => Promise<T>;
  stepMs: number;
  leastMs: number;
  needs: Part; // of the server's compiled code
  isWanted?: boolean; // false while it is not known whether the server knows what it is about
}

export function usePolled<T>({ picture, key, ask, stepMs, leastMs, needs, isWanted = true }: Asked<T>): Polled<T> {
  const closes = useCloses(stepMs, leastMs);
  const about = picture.join(" ");
  const part = usePart(needs);
  const isAsked = isWanted && part === "ready";
  const { data, error, failureReason, isPlaceholderData, dataUpdatedAt, refetch } = useQuery<T>({
    queryKey: [about, ...key],
    queryFn: ({ signal }) => ask(signal),
    placeholderData: (previous, query) => (query?.queryKey[0] === about ? keepPreviousData(previous) : undefined),
    enabled: isAsked,
    retry: (_, cause) => isWarmingUp(cause), // otherwise the next bar is soon enough
    retryDelay: ASK_AGAIN_MS,
    staleTime: leastMs,
    gcTime: 60_000,
  });
  useEffect(() => {
    if (closes > 0 && isAsked) refetch({ cancelRefetch: false });
  }, [closes, refetch, isAsked]);
  const isPreparing = part === "preparing" || isWarmingUp(failureReason);
  const failure = isPreparing ? PREPARING : error?.message;
  return { data, isOther: isPlaceholderData, failure, isPreparing, receivedMs: dataUpdatedAt };
}
