// What a z says, in words. What is to be read of it, and why not, the server tells; of old numbers nothing is said.

import type { Muted, PairSignal } from "../api.gen";
import { fixed } from "../lib/format";

export interface Signal {
  text: string;
  tone: string;
  detail: string; // why it is muted
  distance: string;
  isMuted: boolean;
}

const MUTED: Record<Exclude<Muted, "leg_late">, string> = {
  not_now: "not of now",
  unjudged: "health is being read",
  not_shown: "not shown to be a pair",
  broken: "the pair is broken",
  unrelated: "the two are unrelated",
  unknown: "health is unknown",
};

/** Why a signal is muted; empty when it is not. */
export const mutedText = (signal: PairSignal | undefined): string => {
  if (!signal) return MUTED.unjudged;
  if (signal.muted === null) return "";
  if (signal.muted === "leg_late") return `${signal.late.join(" and ")} late`;
  return MUTED[signal.muted];
};

export function readSignal(
  z: number | undefined,
  threshold: number,
  signal: PairSignal | undefined,
  isCurrent: boolean,
): Signal {
  const dim = { tone: "text-dim", isMuted: true };
  if (z === undefined) return { ...dim, text: "—", detail: "", distance: "" };
  const edge = z < 0 ? `−${threshold}` : `+${threshold}`;
  const gap = fixed(Math.abs(Math.abs(z) - threshold), 2);
  const isBeyond = Math.abs(z) >= threshold;
  const distance = isBeyond ? `${gap} beyond ${edge}` : `${gap} to ${edge}`;
  const why = mutedText(signal);
  if (!isCurrent) return { ...dim, text: "not current", detail: signal?.late.length ? why : "", distance };
  if (!isBeyond)
    return { text: "· flat", tone: why ? "text-dim" : "text-fg", detail: why, distance, isMuted: why !== "" };
  if (why) return { ...dim, text: "stretched", detail: `but ${why}`, distance };
  return z > 0
    ? { text: "▼ short spread", tone: "text-short", detail: "", distance, isMuted: false }
    : { text: "▲ long spread", tone: "text-long", detail: "", distance, isMuted: false };
}
