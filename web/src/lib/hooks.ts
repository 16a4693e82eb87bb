import { useEffect, useLayoutEffect, useState } from "react";
import { BASE } from "./url";

/** True once `flag` has been true for `delayMs`: what comes and goes quickly is not shown at all. */
export function useSettled(flag: boolean, delayMs: number): boolean {
  const [settled, setSettled] = useState(false);
  useEffect(() => {
    if (!flag) {
      setSettled(false);
      return;
    }
    const timer = setTimeout(() => setSettled(true), delayMs);
    return () => clearTimeout(timer);
  }, [flag, delayMs]);
  return flag && settled;
}

// The icon of a fault is in the page itself: when it is needed, the server may be gone.
const FAULT_ICON = `data:image/svg+xml,${encodeURIComponent(
  '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 32 32"><rect width="32" height="32" rx="7" fill="#11151d"/>' +
    '<path d="M5 22c5 0 6-12 11-12s6 8 11 8M5 14c5 0 6 8 11 8s6-12 11-12" fill="none" stroke="#5b6675" ' +
    'stroke-width="3" stroke-linecap="round"/><circle cx="23" cy="23" r="7" fill="#e5484d"/></svg>',
)}`;
const ICONS = { good: `${BASE}/favicon.svg`, fault: FAULT_ICON };

/** The title and the icon of the tab carry the state, for when the page is not in sight. */
export function useTab(title: string, isDown: boolean): void {
  // With the rest of the page, so that the tab says what the page says.
  useLayoutEffect(() => {
    document.title = `${isDown ? "down · " : ""}${title} · pairscope`;
  }, [title, isDown]);
  useEffect(() => {
    const icon = document.querySelector<HTMLLinkElement>('link[rel="icon"]');
    if (icon) icon.href = isDown ? ICONS.fault : ICONS.good;
  }, [isDown]);
}
