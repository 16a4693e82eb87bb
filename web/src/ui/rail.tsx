import { placeTo, SCREENS, type ScreenName } from "../lib/destinations";
import { usePlace } from "../lib/url";
import { useConfig } from "../wire/context";
import { CorrelationIcon, Logo, PairIcon, SymbolIcon, SystemIcon, TapeIcon } from "./icons";
import { Link } from "./link";

const ICONS: Record<ScreenName, () => React.JSX.Element> = {
  pair: PairIcon,
  symbol: SymbolIcon,
  correlation: CorrelationIcon,
  tape: TapeIcon,
  system: SystemIcon,
};

export function Rail() {
  const place = usePlace();
  const config = useConfig();
  return (
    <nav aria-label="Screens" className="row-span-full flex w-15 flex-col border-line border-r bg-panel">
      <div className="flex h-9 items-center justify-center border-line border-b">
        <Logo />
      </div>
      {SCREENS.map(({ name, title, key }) => {
        const Icon = ICONS[name];
        return (
          <Link
            key={name}
            to={placeTo(name, place, config)}
            aria-current={place.route.screen === name ? "page" : undefined}
            title={`${title} (${key})`}
            className="flex h-13 flex-col items-center justify-center gap-0.5 border-transparent border-l-2 pr-0.5 text-dim hover:text-fg aria-[current=page]:border-long aria-[current=page]:bg-raised aria-[current=page]:text-fg"
          >
            <Icon />
            <span className="text-[10px] leading-3">{title}</span>
          </Link>
        );
      })}
    </nav>
  );
}
