import type { ComponentProps, MouseEvent } from "react";
import { addressOf, go, type Place } from "../lib/url";

/** A real link (it can be copied and opened in a tab) that does not load the page again. */
export function Link({ to, ...rest }: { to: Place } & Omit<ComponentProps<"a">, "href" | "onClick">) {
  const follow = (event: MouseEvent) => {
    if (event.button !== 0 || event.metaKey || event.ctrlKey || event.shiftKey || event.altKey) return;
    event.preventDefault();
    go(to);
  };
  return <a {...rest} href={addressOf(to)} onClick={follow} />;
}
