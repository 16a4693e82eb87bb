// Every symbol with every other: which move together, and in what groups.

import { useEffect, useRef, useState } from "react";
import { type Clustering, MOST_BY_TRADES, MOST_CUT, USUAL_CUT } from "../api.gen";
import { Dendrogram, SLIDER, widest } from "../chart/dendrogram";
import { Heatmap } from "../chart/heatmap";
import { carried } from "../lib/destinations";
import { age, fixed, missingShare, unknownWords } from "../lib/format";
import { useTab } from "../lib/hooks";
import { type Cell, routeOf, STRENGTH } from "../lib/matrix";
import { shortNames } from "../lib/names";
import { leadingOf, RETURNS_WARNING } from "../lib/statistics";
import { clock, intervalMs } from "../lib/time";
import { changeView, go, MATRICES, type MatrixOf, usePlace } from "../lib/url";
import { useZone } from "../ui/clock";
import { Hint } from "../ui/hint";
import { MetricHint, useCatalogue } from "../ui/metric-hint";
import { Notice, TableSkeleton } from "../ui/notice";
import type { Screen } from "../ui/screen";
import { WithSide } from "../ui/side";
import { request } from "../wire/client";
import { useConfig, useFreshness, useLink } from "../wire/context";
import { isCurrent, type LateLeg } from "../wire/freshness";
import { type Polled, usePolled } from "../wire/polled";

const LEAST_MS = 1_000;

const OF: Record<MatrixOf, { word: string; metric: string }> = {
  returns: { word: "Returns", metric: "correlation" },
  prices: { word: "Prices", metric: "correlation_levels" },
  trades: { word: "Trades", metric: "correlation_hy" },
};

function CorrelationScreen({ tf, window }: { tf: string; window: number }) {
  const { view } = usePlace();
  const config = useConfig();
  const stepMs = intervalMs(tf) ?? 1_000;
  const leading = leadingMatrix(stepMs, config.symbols.length);
  const of = view.of ?? leading;
  const [draft, setDraft] = useState<number>(); // while the slider is held
  const cut = draft ?? view.cut ?? USUAL_CUT;
  const fresh = useFreshness([], stepMs);
  const polled = usePolled<Clustering>({
    picture: ["clusters"],
    key: [of, tf, window, cut],
    ask: (signal) => request("GET /clustering", { query: { of, interval: tf, window, cut } }, signal),
    stepMs,
    leastMs: LEAST_MS,
    needs: "rest",
  });
  useTab("Correlation", fresh.state === "down");
  const open = (cell: Cell) => {
    const route = polled.data && routeOf(polled.data.matrix, cell, config);
    if (route) go({ route, view: carried({ ...view, tf, w: window }) });
  };
  const isOld = !isCurrent(fresh.state) || polled.failure !== undefined;
  const isGone = useLink().phase !== "open"; // then nobody knows what was traded
  return (
    <div className="flex h-full min-h-0 flex-col">
      <MatrixBar {...{ of, leading, polled, stepMs }} />
      <WithSide
        label="Clusters"
        main={<Matrix polled={polled} late={fresh.late} {...{ isOld, isGone }} onOpen={open} />}
      >
        {polled.data ? (
          <div data-old={isOld} className="data-[old=true]:opacity-80 data-[old=true]:saturate-25">
            <Clusters
              clustering={polled.data}
              cut={cut}
              onCut={setDraft}
              onSettle={() => {
                changeView({ cut: cut === USUAL_CUT ? undefined : cut }, true);
                setDraft(undefined);
              }}
            />
          </div>
        ) : null}
      </WithSide>
    </div>
  );
}

/** The number from trades leads below a minute, where it can be had: of so many symbols the server compares trades. */
export const leadingMatrix = (stepMs: number, symbols: number): MatrixOf =>
  leadingOf(stepMs).metric === OF.trades.metric && symbols <= MOST_BY_TRADES ? "trades" : "returns";

interface BarProps {
  of: MatrixOf;
  leading: MatrixOf;
  polled: Polled<Clustering>;
  stepMs: number;
}

function MatrixBar({ of, leading, polled, stepMs }: BarProps) {
  const catalogue = useCatalogue("pair");
  const zone = useZone();
  const { matrix } = polled.data ?? {};
  const isTooShort = of === "returns" && leadingOf(stepMs).metric !== OF.returns.metric;
  const warning = of === "prices" ? catalogue.get(OF.prices.metric)?.remark : isTooShort ? RETURNS_WARNING : undefined;
  return (
    <div className="flex min-h-9 shrink-0 flex-wrap items-center gap-x-4 gap-y-1 border-line border-b bg-panel px-3 py-1">
      <fieldset className="flex overflow-hidden rounded border border-line" aria-label="Correlation of">
        {MATRICES.map((each) => (
          <Hint key={each} content={<MetricHint info={catalogue.get(OF[each].metric)} quantity={undefined} />}>
            <button
              type="button"
              aria-pressed={each === of}
              onClick={() => changeView({ of: each === leading ? undefined : each }, true)}
              className="h-6 px-2.5 text-dim hover:text-fg aria-pressed:bg-edge aria-pressed:text-fg"
            >
              {OF[each].word}
            </button>
          </Hint>
        ))}
      </fieldset>
      <Scale />
      {warning ? <p className="text-short">{warning}</p> : null}
      <p className="ml-auto text-dim">
        {matrix ? (
          <>
            {OF[matrix.of].word}, <span className="num">{fixed(matrix.window, 0)}</span> bars of {matrix.interval}, as
            of <span className="num">{clock(matrix.as_of_ms, zone)}</span>
          </>
        ) : null}
        {polled.isOther ? " · recomputing…" : null}
      </p>
      {polled.failure && polled.data ? (
        <p role="status" className="basis-full text-short">
          Not refreshed since <span className="num">{clock(polled.receivedMs, zone)}</span>: {polled.failure}
        </p>
      ) : null}
    </div>
  );
}

const shade = (name: string) => `color-mix(in srgb, var(--color-${name}) ${STRENGTH * 100}%, var(--color-bg))`;
const SHADES = `linear-gradient(90deg, ${shade("short")}, var(--color-bg), ${shade("long")})`;

/** What the colours mean. The number stands in each cell besides. */
const Scale = () => (
  <p className="num flex items-center gap-1.5 text-dim" title="Colour of a cell by its correlation">
    −1
    <span className="h-2.5 w-28 rounded-sm border border-line" style={{ background: SHADES }} />
    +1
  </p>
);

interface MatrixProps {
  polled: Polled<Clustering>;
  late: readonly LateLeg[];
  isOld: boolean;
  isGone: boolean;
  onOpen: (cell: Cell) => void;
}

function Matrix({ polled, late, isOld, isGone, onOpen }: MatrixProps) {
  const holder = useRef<HTMLDivElement>(null);
  const size = useSize(holder);
  return (
    <div
      ref={holder}
      data-matrix={polled.failure ? "stale" : polled.data ? "ready" : "loading"}
      className="relative min-h-0 min-w-0 flex-1 overflow-auto"
    >
      {polled.data && size ? (
        <div
          data-old={isOld}
          className={`mx-auto w-max p-3 data-[old=true]:saturate-25 ${polled.isOther ? "opacity-60" : ""}`}
        >
          <Heatmap clustering={polled.data} size={size} late={late} onOpen={onOpen} />
          {late.length && !isGone ? <Silent late={late} /> : null}
        </div>
      ) : null}
      {!polled.data && polled.failure ? (
        <Notice title={polled.isPreparing ? "Being prepared" : "No correlations"}>{polled.failure}</Notice>
      ) : null}
      {polled.data || polled.failure ? null : <TableSkeleton />}
    </div>
  );
}

/** Rows that rest on prices which nobody has heard lately. */
const Silent = ({ late }: { late: readonly LateLeg[] }) => (
  <p className="w-0 min-w-full pt-2 text-short">
    {late
      .map(({ symbol, ageMs }) =>
        ageMs === undefined ? `No trade of ${symbol} yet` : `No trade of ${symbol} for ${age(ageMs)}`,
      )
      .join("; ")}
    .
  </p>
);

interface ClustersProps {
  clustering: Clustering;
  cut: number;
  onCut: (cut: number) => void;
  onSettle: () => void;
}

function Clusters({ clustering, cut, onCut, onSettle }: ClustersProps) {
  const { matrix, clusters, height } = clustering;
  const short = new Map(shortNames(matrix.symbols, useConfig()).map((name, i) => [matrix.symbols[i], name]));
  const list = (names: readonly string[]) => names.map((name) => short.get(name) ?? name).join(", ");
  const groups = clusters.filter((names) => names.length > 1);
  const alone = clusters.filter((names) => names.length === 1).flat();
  const lost = matrix.symbols.flatMap((name, i) => (matrix.missing[i] ? [[name, matrix.missing[i]] as const] : []));
  const unknown = matrix.symbols.flatMap((name, i) => (matrix.missing_reason[i] ? [name] : []));
  return (
    <>
      <section aria-label="Tree" className="border-line border-b px-3 py-2">
        <label className="block">
          <span className="flex pb-1">
            <span className="caption">cut at distance</span>
            <span className="num ml-auto">{fixed(cut, 2)}</span>
          </span>
          <input
            type="range"
            aria-label="Distance below which symbols form a cluster"
            min={0}
            max={Math.min(MOST_CUT, widest(height))}
            step={0.01}
            value={cut}
            onChange={(event) => onCut(Number(event.target.value))}
            onPointerUp={onSettle}
            onKeyUp={onSettle}
            className="block accent-short"
            style={SLIDER}
          />
        </label>
        <Dendrogram clustering={clustering} cut={cut} />
      </section>
      <section aria-label="Clusters" className="px-3 py-2">
        <h2 className="caption pb-1">
          {groups.length === 0
            ? "No cluster at this cut"
            : groups.length === 1
              ? "1 cluster"
              : `${groups.length} clusters`}
        </h2>
        <ol className="list-inside list-decimal">
          {groups.map((names) => (
            <li key={names.join()} className="py-0.5 marker:text-dim">
              {list(names)}
            </li>
          ))}
        </ol>
        {alone.length ? <p className="pt-1 text-dim">Alone: {list(alone)}</p> : null}
        {lost.length ? (
          <p className="pt-2 text-short">
            Trades are missing: {lost.map(([name, share]) => `${short.get(name)} ${missingShare(share)}`).join(", ")}
          </p>
        ) : null}
        {unknown.length ? (
          <p className="pt-2 text-dim">
            Not known how many trades are missing of {unknown.length === matrix.symbols.length ? "all" : list(unknown)}:{" "}
            {[...new Set(matrix.missing_reason.flatMap((reason) => (reason ? [unknownWords(reason)] : [])))].join("; ")}
            .
          </p>
        ) : null}
      </section>
    </>
  );
}

function useSize(holder: React.RefObject<HTMLElement | null>) {
  const [size, setSize] = useState<{ width: number; height: number }>();
  useEffect(() => {
    const element = holder.current;
    if (!element) return;
    const observer = new ResizeObserver(() => setSize({ width: element.clientWidth, height: element.clientHeight }));
    observer.observe(element);
    return () => observer.disconnect();
  }, [holder]);
  return size;
}

export const correlation: Screen = {
  name: "correlation",
  title: "Correlation",
  key: "3",
  icon: (
    <>
      <path d="M2.5 2.5h13v13h-13zM2.5 6.8h13M2.5 11.2h13M6.8 2.5v13M11.2 2.5v13" />
      <path d="M3 3h3.4v3.4H3zM7.2 7.2h3.6v3.6H7.2zM11.6 11.6H15V15h-3.4z" fill="currentColor" stroke="none" />
    </>
  ),
  takes: 0,
  has: ["interval", "window"],
  View: CorrelationScreen,
};
