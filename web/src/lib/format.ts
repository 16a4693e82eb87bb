// Numbers as people read them. Pure; nothing here knows where a number came from.

import type { MissingReason } from "../api.gen";

export const DASH = "—";
const MINUS = "−";

const formats = new Map<number, Intl.NumberFormat>();

function grouped(decimals: number): Intl.NumberFormat {
  let format = formats.get(decimals);
  if (!format) {
    format = new Intl.NumberFormat("en-US", { minimumFractionDigits: decimals, maximumFractionDigits: decimals });
    formats.set(decimals, format);
  }
  return format;
}

export type Maybe = number | null | undefined;

const absent = (value: Maybe): value is null | undefined => value == null || !Number.isFinite(value);

/** Fixed decimals, thousands separators, a true minus, and no negative zero. */
export function fixed(value: Maybe, decimals: number): string {
  if (absent(value)) return DASH;
  const text = grouped(decimals).format(Math.abs(value));
  const isZero = !/[1-9]/.test(text);
  return value < 0 && !isZero ? MINUS + text : text;
}

/** As `fixed`, with a sign in front of everything but zero. */
export function signed(value: Maybe, decimals: number): string {
  const text = fixed(value, decimals);
  return !absent(value) && value > 0 && /[1-9]/.test(text) ? `+${text}` : text;
}

const SCALES: [number, string][] = [
  [1e12, "T"],
  [1e9, "B"],
  [1e6, "M"],
  [1e3, "k"],
];

/** Three or four significant digits and a scale: `1.23 M`. */
export function compact(value: Maybe): string {
  if (absent(value)) return DASH;
  const size = Math.abs(value);
  // 999,950 would round up to "1,000 k": take the next scale from where rounding crosses it.
  const scale = SCALES.find(([factor]) => size >= factor * 0.99995);
  if (!scale) return fixed(value, size >= 100 || size === 0 ? 0 : size >= 10 ? 1 : size >= 0.1 ? 2 : 4);
  const scaled = value / scale[0];
  return `${fixed(scaled, Math.abs(scaled) >= 100 ? 1 : 2)} ${scale[1]}`;
}

/** `digits` significant digits, without exponent: for numbers of unknown size. */
export function significant(value: Maybe, digits: number): string {
  if (absent(value)) return DASH;
  if (value === 0) return "0";
  const decimals = digits - 1 - Math.floor(Math.log10(Math.abs(value)));
  return fixed(value, Math.min(Math.max(decimals, 0), 10));
}

export const percent = (share: Maybe, decimals = 1): string =>
  absent(share) ? DASH : `${fixed(share * 100, decimals)} %`;

/** A probability: what is next to nothing is not written as nothing. */
export const probability = (value: Maybe): string => (!absent(value) && value < 0.001 ? "<0.001" : fixed(value, 3));

/** A small relative difference in basis points. */
export const basisPoints = (value: Maybe, decimals = 2): string =>
  absent(value) ? DASH : `${signed(value * 1e4, decimals)} bp`;

/** A share that is missing: zero is plain, less than a tenth of a per cent is not rounded away. */
export function missingShare(share: Maybe): string {
  if (absent(share)) return DASH;
  if (share === 0) return "0 %";
  return share < 0.001 ? "<0.1 %" : percent(share);
}

const UNKNOWN: Record<MissingReason, string> = {
  no_trade_ids: "these bars know no trade ids",
  sampled: "trades were polled",
  listening_began: "the data begin inside a bar",
  listening_ended: "the data end inside a bar",
  gap_across_bars: "a gap that is not filled yet crosses its borders",
  no_trades: "there are no trades",
};

/** Why it is not known how much is missing. */
export const unknownWords = (reason: MissingReason): string => UNKNOWN[reason];

/** A share that is missing, or that it is not known and why. */
export function missingOf(share: Maybe, reason: MissingReason | null | undefined): string {
  if (!absent(share) || !reason) return missingShare(share);
  return `unknown: ${unknownWords(reason)}`;
}

const BYTES = ["B", "kB", "MB", "GB", "TB"];

export function bytes(value: Maybe): string {
  if (absent(value)) return DASH;
  const power = value < 1000 ? 0 : Math.min(Math.floor(Math.log10(value) / 3), BYTES.length - 1);
  const scaled = value / 1000 ** power;
  return `${fixed(scaled, power === 0 || scaled >= 100 ? 0 : 1)} ${BYTES[power]}`;
}

/** A length of time in the two units that matter: `46 s`, `3 min 5 s`, `2 h 10 min`, `3 d 4 h`. */
export function duration(seconds: Maybe): string {
  if (absent(seconds)) return DASH;
  const whole = Math.max(0, Math.round(seconds));
  if (whole < 60) return `${whole} s`;
  const units: [number, string][] = [
    [86400, "d"],
    [3600, "h"],
    [60, "min"],
    [1, "s"],
  ];
  const first = units.findIndex(([size]) => whole >= size);
  const [size, name] = units[first] as [number, string];
  const [nextSize, nextName] = units[first + 1] as [number, string];
  const rest = Math.floor((whole % size) / nextSize);
  return `${Math.floor(whole / size)} ${name}${rest ? ` ${rest} ${nextName}` : ""}`;
}

/** How old something is: tenths while it is young, then as a duration. */
export function age(milliseconds: Maybe): string {
  if (absent(milliseconds)) return DASH;
  const seconds = Math.max(0, milliseconds) / 1000;
  return seconds < 9.95 ? `${seconds.toFixed(1)} s` : duration(seconds);
}

export const milliseconds = (value: Maybe): string =>
  absent(value) ? DASH : `${fixed(value, Math.abs(value) < 10 ? 1 : 0)} ms`;

const DAY_MS = 86_400_000;

/** How late trades arrive; none for a recording of another day, whose times cannot be compared with ours. */
export function lag(value: Maybe): string {
  if (absent(value) || Math.abs(value) > DAY_MS) return DASH;
  return value < 10_000 ? milliseconds(value) : duration(value / 1000);
}
