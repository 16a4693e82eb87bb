// What a z says, in words. Of old numbers it says nothing.

import { fixed } from "../lib/format";

export interface Signal {
  text: string;
  tone: string;
  distance: string;
}

export function readSignal(z: number | undefined, threshold: number, isCurrent: boolean): Signal {
  if (z === undefined) return { text: "—", tone: "text-dim", distance: "" };
  const side = z < 0 ? `−${threshold}` : `+${threshold}`;
  const gap = fixed(Math.abs(Math.abs(z) - threshold), 2);
  const isBeyond = Math.abs(z) >= threshold;
  const distance = isBeyond ? `${gap} beyond ${side}` : `${gap} to ${side}`;
  if (!isCurrent) return { text: "not current", tone: "text-dim", distance };
  if (!isBeyond) return { text: "· flat", tone: "text-fg", distance };
  return z > 0
    ? { text: "▼ short spread", tone: "text-short", distance }
    : { text: "▲ long spread", tone: "text-long", distance };
}
