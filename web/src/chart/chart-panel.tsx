// A chart with everything around it: legends, the way back to now, and what is said when there is nothing to draw.

import { type KeyboardEvent, type ReactNode, useRef } from "react";
import { useSettled } from "../lib/hooks";
import { useSignal } from "../lib/signal";
import { changeView, go, HOME } from "../lib/url";
import { useZone } from "../ui/clock";
import { ChartSkeleton, Notice } from "../ui/notice";
import { useStatus, useTopicState, useTopicValue } from "../wire/context";
import { type FreshState, isCurrent } from "../wire/freshness";
import { PREPARING } from "../wire/polled";
import type { Topic, TopicState } from "../wire/state";
import { type LegendOf, Legends } from "./legend";
import type { Build, LiveChart } from "./live-chart";
import { type Table, TableView } from "./table-view";
import { useLiveChart } from "./use-live-chart";

const SKELETON_AFTER_MS = 150;

interface Props {
  picture: string;
  label: string;
  summary: (state: TopicState) => string; // the picture in a sentence
  topic: Topic | undefined;
  isPending: boolean; // `topic` is not yet the one asked for
  stepMs: number;
  build: Build;
  legends: readonly LegendOf[];
  table: Table;
  isTable: boolean;
  fresh: FreshState;
  paneNote?: { pane: number; text: string } | undefined;
}

export function ChartPanel(props: Props) {
  const { picture, label, summary, topic, isPending, stepMs, build, isTable, fresh } = props;
  const holder = useRef<HTMLDivElement>(null);
  const zone = useZone();
  const phase = useTopicValue(topic, (state) => state.phase);
  const refusal = useTopicValue(topic, (state) => (state.phase === "refused" ? state.error : undefined));
  const isEmpty = useTopicValue(topic, (state) => state.phase === "ready" && props.table.times(state).length === 0);
  const live = useLiveChart(holder, picture, zone, build, topic, stepMs);
  const isLoading = useSettled(isPending, SKELETON_AFTER_MS);
  const isStale = !isCurrent(fresh) && fresh !== "connecting" && fresh !== "waiting";

  const moveCursor = (event: KeyboardEvent) => {
    const steps = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    if (steps === undefined) return;
    event.preventDefault();
    live?.moveCursor(event.shiftKey ? steps * 10 : steps);
  };

  return (
    <figure aria-label={label} className="relative min-h-0 min-w-0 flex-1" data-phase={isPending ? "loading" : phase}>
      <Summary topic={topic} summary={summary} />
      <div
        ref={holder}
        role="application"
        aria-label={`${label}: arrow keys read single bars`}
        tabIndex={isTable ? -1 : 0}
        onKeyDown={moveCursor}
        className={`chart-focus absolute inset-0 transition-opacity duration-150 ${isLoading ? "opacity-50" : ""} ${isStale ? "saturate-25" : ""} ${isTable ? "invisible" : ""}`}
      />
      {live && topic && !isTable ? <Overlay {...props} live={live} topic={topic} isStale={isStale} /> : null}
      {isTable && topic ? (
        <div className="absolute inset-0 bg-bg">
          <TableView topic={topic} table={props.table} zone={zone} label={label} />
        </div>
      ) : null}
      {isLoading ? <Loading live={live} /> : null}
      {isEmpty ? (
        <Cover>
          {fresh === "tape" ? (
            <Notice title="The tape has nothing of this">Choose another interval, or another symbol.</Notice>
          ) : (
            <Notice title="Waiting for the first trade">
              It will appear here by itself as soon as the market moves.
            </Notice>
          )}
        </Cover>
      ) : null}
      {phase === "preparing" && !isPending ? (
        <Cover>
          <Notice title="Being prepared">{PREPARING}</Notice>
        </Cover>
      ) : null}
      {refusal ? (
        <Cover>
          <Notice title={refusal.message} action={<HomeButton />}>
            {refusal.cure}
          </Notice>
        </Cover>
      ) : null}
    </figure>
  );
}

/** Read, not seen: it says what the picture says. */
function Summary({ topic, summary }: Pick<Props, "topic" | "summary">) {
  const state = useTopicState(topic);
  return <figcaption className="sr-only">{state ? summary(state) : ""}</figcaption>;
}

const Cover = ({ children }: { children: ReactNode }) => <div className="absolute inset-0 z-20 bg-bg">{children}</div>;

const HomeButton = () => (
  <button
    type="button"
    onClick={() => go({ route: HOME, view: {} })}
    className="mt-2 h-7 rounded border border-edge bg-raised px-3 hover:border-dim"
  >
    Open the first pair
  </button>
);

/** First there is nothing: a skeleton. Later there is the old curve: it stays, under a note. */
function Loading({ live }: { live: LiveChart | undefined }) {
  if (!live?.hasDrawn) {
    return (
      <Cover>
        <ChartSkeleton />
      </Cover>
    );
  }
  return (
    <p
      role="status"
      className="absolute top-8 left-1/2 z-20 -translate-x-1/2 rounded border border-edge bg-raised px-3 py-1"
    >
      Recomputing…
    </p>
  );
}

function Overlay({
  live,
  topic,
  legends,
  isStale,
  paneNote,
}: Props & { live: LiveChart; topic: Topic; isStale: boolean }) {
  const atEdge = useSignal(live.atEdge);
  const tops = useSignal(live.paneTops);
  const axis = useSignal(live.axisWidth);
  return (
    <>
      <Legends live={live} topic={topic} legends={legends} isStale={isStale} mark={<SourceMark />} />
      {isStale ? (
        <div
          aria-hidden="true"
          className="hatched pointer-events-none absolute top-0 bottom-7 z-5 w-8"
          style={{ right: axis }}
        />
      ) : null}
      {paneNote && tops[paneNote.pane] !== undefined ? (
        <p
          className="pointer-events-none absolute left-1/2 z-10 -translate-x-1/2 rounded border border-line bg-panel/90 px-3 py-1 text-dim"
          style={{ top: (tops[paneNote.pane] ?? 0) + 28 }}
        >
          {paneNote.text}
        </p>
      ) : null}
      <div className="absolute right-21 bottom-9 z-10 flex gap-1">
        {atEdge ? null : (
          <button
            type="button"
            onClick={() => {
              live.toEdge();
              changeView({ at: undefined }, true);
            }}
            title="Back to the newest bar (r)"
            className="h-6 rounded border border-long bg-raised px-2 text-long"
          >
            Back to live →
          </button>
        )}
      </div>
    </>
  );
}

/** What is not the market of now says so on the picture itself. */
function SourceMark() {
  const source = useStatus()?.status.source;
  if (!source || source.kind === "live") return null;
  const isPast = source.kind === "replay" || source.kind === "tape";
  return (
    <p
      aria-hidden="true"
      className={`basis-full pt-1 font-sans font-semibold tracking-[0.2em] opacity-80 ${isPast ? "text-replay" : "text-short"}`}
    >
      {{ replay: "REPLAY", tape: "TAPE", simulator: "SIMULATED" }[source.kind]}
    </p>
  );
}
