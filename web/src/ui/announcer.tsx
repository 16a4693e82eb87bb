import { useEffect, useRef, useState } from "react";
import { useFreshness } from "../wire/context";

const QUIET_MS = 5_000;

/** Tells a screen reader when freshness changes: politely, and not more than once in five seconds. */
export function Announcer({ symbols, stepMs }: { symbols: readonly string[]; stepMs: number }) {
  const { state } = useFreshness(symbols, stepMs);
  const [said, setSaid] = useState("");
  const lastMs = useRef(0);
  useEffect(() => {
    const wait = Math.max(0, lastMs.current + QUIET_MS - Date.now());
    const timer = setTimeout(() => {
      lastMs.current = Date.now();
      setSaid(`Data is ${state}.`);
    }, wait);
    return () => clearTimeout(timer);
  }, [state]);
  return (
    <p aria-live="polite" className="sr-only">
      {said}
    </p>
  );
}
