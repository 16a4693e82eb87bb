import { useState } from "react";
import type { MetricInfo } from "../api.gen";
import {
  barsWanted,
  INDICATOR_NAMES,
  type Indicator,
  kindOf,
  periodOf,
  toggled,
  withPeriod,
  writeIndicators,
} from "../lib/indicators";
import { wantsMore } from "../lib/methods";
import { changeView } from "../lib/url";
import { useConfig } from "../wire/context";
import { Hint } from "./hint";
import { MetricHint, useCatalogue } from "./metric-hint";

const show = (shown: readonly Indicator[]) => changeView({ ind: writeIndicators(shown) }, true);

/** Which indicators are on the chart, and over how many bars; kept in the address. */
export function IndicatorBar({ shown, failure }: { shown: readonly Indicator[]; failure: string | undefined }) {
  const catalogue = useCatalogue("symbol");
  const { window } = useConfig(); // of what is live of a symbol
  return (
    <fieldset
      aria-label="Indicators"
      className="flex min-h-8 shrink-0 flex-wrap items-center gap-1.5 border-line border-b bg-panel px-2 py-1"
    >
      {INDICATOR_NAMES.map((name) => {
        const info = catalogue.get(kindOf(name).metric);
        const on = shown.find((each) => each.name === name);
        return (
          <span
            key={name}
            data-on={on !== undefined}
            className="flex h-6 shrink-0 items-center rounded border border-line data-[on=true]:border-edge data-[on=true]:bg-raised"
          >
            <Hint content={info && <MetricHint info={info} quantity={undefined} />}>
              <button
                type="button"
                aria-pressed={on !== undefined}
                onClick={() => show(toggled(shown, name))}
                className="h-full whitespace-nowrap px-2 text-dim hover:text-fg aria-pressed:text-fg"
              >
                {info?.title ?? name}
              </button>
            </Hint>
            {on && periodOf(info) ? <Period indicator={on} shown={shown} info={info as MetricInfo} /> : null}
            {on ? <Wants text={wantsMore(barsWanted(info, on), window)} /> : null}
          </span>
        );
      })}
      {failure ? (
        <p role="status" className="min-w-0 truncate text-short" title={failure}>
          {failure}
        </p>
      ) : null}
    </fieldset>
  );
}

/** That the window is too short for what was before it to be forgotten. */
const Wants = ({ text }: { text: string | undefined }) =>
  text ? (
    <span data-doubt className="h-full whitespace-nowrap border-short border-l px-1.5 text-[11px] text-short leading-6">
      {text}
    </span>
  ) : null;

interface PeriodProps {
  indicator: Indicator;
  shown: readonly Indicator[];
  info: MetricInfo;
}

function Period({ indicator, shown, info }: PeriodProps) {
  const parameter = periodOf(info);
  const usual = Number(parameter?.default);
  const current = indicator.period ?? usual;
  const [draft, setDraft] = useState<string>();
  const least = parameter?.low ?? 1;
  const most = parameter?.high ?? 10_000;
  const commit = () => {
    const period = Number(draft);
    setDraft(undefined);
    if (draft === undefined || !Number.isInteger(period) || period < least || period > most) return;
    show(withPeriod(shown, indicator.name, period === usual ? undefined : period));
  };
  return (
    <input
      type="number"
      aria-label={`${info.title}: period in bars`}
      min={least}
      max={most}
      value={draft ?? current}
      onChange={(event) => setDraft(event.target.value)}
      onBlur={commit}
      onKeyDown={(event) => event.key === "Enter" && commit()}
      className="num h-full w-11 border-line border-l bg-transparent px-1 text-center [appearance:textfield] [&::-webkit-inner-spin-button]:appearance-none"
    />
  );
}
