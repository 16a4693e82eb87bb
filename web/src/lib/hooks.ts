import { useEffect, useState } from "react";

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

const ICONS = { good: "/app/favicon.svg", fault: "/app/favicon-down.svg" };

/** The title and the icon of the tab carry the state, for when the page is not in sight. */
export function useTab(title: string, isFault: boolean): void {
  useEffect(() => {
    document.title = `${title} · pairscope`;
  }, [title]);
  useEffect(() => {
    const icon = document.querySelector<HTMLLinkElement>('link[rel="icon"]');
    if (icon) icon.href = isFault ? ICONS.fault : ICONS.good;
  }, [isFault]);
}
