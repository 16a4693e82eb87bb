import { placeTo } from "../lib/destinations";
import { usePlace } from "../lib/url";
import { useConfig } from "../wire/context";
import { Icon, Logo } from "./icons";
import { Link } from "./link";
import type { Screen } from "./screen";

export function Rail({ screens }: { screens: readonly Screen[] }) {
  const place = usePlace();
  const config = useConfig();
  return (
    <nav
      aria-label="Screens"
      className="order-last flex border-line border-t bg-panel sm:order-none sm:row-span-full sm:w-17 sm:flex-col sm:border-t-0 sm:border-r"
    >
      <div className="hidden h-9 items-center justify-center border-line border-b sm:flex">
        <Logo />
      </div>
      {screens.map((screen) => {
        const { name, title, key, icon } = screen;
        return (
          <Link
            key={name}
            to={placeTo(screen, place, config)}
            aria-current={place.route.screen === name ? "page" : undefined}
            title={`${title} (${key})`}
            className="flex h-12 flex-1 flex-col items-center justify-center gap-0.5 border-transparent border-t-2 sm:h-13 sm:flex-none sm:border-t-0 sm:border-l-2 sm:pr-0.5 text-dim hover:text-fg aria-[current=page]:border-long aria-[current=page]:bg-raised aria-[current=page]:text-fg"
          >
            <Icon>{icon}</Icon>
            <span className="text-[10px] leading-3">{title}</span>
          </Link>
        );
      })}
    </nav>
  );
}
