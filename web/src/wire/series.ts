// Metrics along time, beside the bars of a topic: read once over REST, read on from the first bar that is not final
// any more, and carried on in the open bar by the live metrics.

import type { SymbolSeriesAnswer } from "../api.gen";
import { lowerBound, putRow, trim } from "./columns";
import type { Series, Topic, TopicState } from "./state";

const LEAST_MS = 1_000;
const AFTER_FAILURE_MS = 5_000;

const metricsOf = (series: Series): string[] => Object.keys(series).filter((name) => name !== "open_time_ms");
const numeric = (value: number | string | null | undefined) => (typeof value === "number" ? value : null);

function columnsOf(answer: SymbolSeriesAnswer): Series {
  const columns = Object.entries(answer.metrics).map(([name, values]) => [name, values.map(numeric)]);
  return { open_time_ms: answer.open_time_ms, ...Object.fromEntries(columns) };
}

/** Put an answer in the place of everything from `fromMs` on that is not newer; undefined replaces all. */
export function putSeries(state: TopicState, answer: SymbolSeriesAnswer, fromMs: number | undefined): void {
  const read = columnsOf(answer);
  state.rows++;
  state.version++;
  const kept = state.series;
  if (!kept || fromMs === undefined || metricsOf(kept).join() !== metricsOf(read).join()) {
    state.series = read;
    state.seriesResets++;
    return;
  }
  const first = lowerBound(kept.open_time_ms, fromMs);
  const skip = lowerBound(read.open_time_ms, fromMs);
  const lastMs = read.open_time_ms.at(-1) ?? Number.NEGATIVE_INFINITY;
  const count = lowerBound(kept.open_time_ms, lastMs + 1) - first;
  for (const name of Object.keys(kept))
    kept[name]?.splice(first, Math.max(0, count), ...(read[name] ?? []).slice(skip));
  trim(kept);
  state.seriesResets++;
}

/** The open bar, as the live metrics have it. Metrics that those do not have wait for its close. */
export function putLive(state: TopicState): void {
  const { series, metrics } = state;
  if (!series) return;
  const names = metricsOf(series);
  const timeMs = names.map((name) => metrics[name]?.as_of_ms).find((at) => at != null);
  const lastMs = series.open_time_ms.at(-1);
  if (timeMs == null || (lastMs !== undefined && timeMs < lastMs)) return;
  const known = timeMs === lastMs;
  const row: Series = { open_time_ms: [timeMs] };
  for (const name of names)
    row[name] = [name in metrics ? numeric(metrics[name]?.value) : known ? (series[name]?.at(-1) ?? null) : null];
  putRow(series, row);
  if (trim(series)) state.seriesResets++;
  state.rows++;
}

type Ask = (fromMs: number | undefined, signal: AbortSignal) => Promise<SymbolSeriesAnswer>;

/** Keep the series of a topic what the server has; `onFailure` hears why not, and undefined when all is well again. */
export function followSeries(topic: Topic, ask: Ask, onFailure: (why: string | undefined) => void): () => void {
  const { state } = topic;
  const abort = new AbortController();
  let isLoaded = false;
  let isAsking = false;
  let pauseMs = 0;
  let endedMs = 0;
  let timer: ReturnType<typeof setTimeout> | undefined;

  const look = () => {
    if (state.phase !== "ready" || isAsking || timer || document.hidden || abort.signal.aborted) return;
    if (isLoaded && state.outdatedMs === undefined) return;
    const waitMs = endedMs + pauseMs - Date.now();
    if (waitMs <= 0) void read();
    else
      timer = setTimeout(() => {
        timer = undefined;
        look();
      }, waitMs);
  };

  const read = async () => {
    const fromMs = isLoaded ? state.outdatedMs : undefined;
    isAsking = true;
    state.outdatedMs = undefined;
    try {
      const answer = await ask(fromMs, abort.signal);
      if (abort.signal.aborted) return;
      putSeries(state, answer, fromMs);
      isLoaded = true;
      pauseMs = LEAST_MS;
      onFailure(undefined);
    } catch (error) {
      if (abort.signal.aborted) return;
      state.outdatedMs = Math.min(fromMs ?? 0, state.outdatedMs ?? Number.POSITIVE_INFINITY);
      pauseMs = AFTER_FAILURE_MS;
      onFailure(error instanceof Error ? error.message : String(error));
    } finally {
      isAsking = false;
      endedMs = Date.now();
    }
    topic.version.set(state.version);
    look();
  };

  const leave = topic.version.subscribe(look);
  look();
  return () => {
    leave();
    clearTimeout(timer);
    abort.abort();
  };
}
