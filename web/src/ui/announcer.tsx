import { useEffect, useRef, useState } from "react";
import { useFreshness } from "../wire/context";

const QUIET_MS = 5_000;

/** Tells a screen reader when freshness changes: politely, and not more than once in five seconds. */
export function Announcer({ symbols, stepMs }: { symbols: readonly string[]; stepMs: number }) {
  const { state, late } = useFreshness(symbols, stepMs);
  const sentence = late.length ? `${late.map(({ symbol }) => symbol).join(", ")}: ${state}.` : `Data is ${state}.`;
  const [said, setSaid] = useState("");
  const lastMs = useRef(0);
  useEffect(() => {
    const wait = Math.max(0, lastMs.current + QUIET_MS - Date.now());
    const timer = setTimeout(() => {
      lastMs.current = Date.now();
      setSaid(sentence);
    }, wait);
    return () => clearTimeout(timer);
  }, [sentence]);
  return (
    <p aria-live="polite" className="sr-only">
      {said}
    </p>
  );
}
