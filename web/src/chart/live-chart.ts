// A chart that follows a topic. Drawing bypasses React and happens when the topic changes, so that its canvas is painted
// in the same frame as the figures beside it. A hidden page draws nothing and catches up in one step when it is seen.

import {
  createChartEx,
  type IChartApiBase,
  type ISeriesApi,
  type SeriesType,
  type Time,
  type UTCTimestamp,
} from "lightweight-charts";
import { Signal } from "../lib/signal";
import { type Columns, lowerBound } from "../wire/columns";
import type { Topic, TopicState } from "../wire/state";
import { frozenLabel, HoleBands } from "./holes";
import { type Point, withGaps } from "./points";
import { chartOptions, RIGHT_OFFSET } from "./theme";
import { type ZoneScale, zoneScale } from "./tz-scale";

export type Chart = IChartApiBase<Time>;

type Shown = { value?: number; close?: number };
type AnyPoint = Point<{ time: UTCTimestamp }>;

/** One series and where its points come from. */
export interface Layer {
  series: ISeriesApi<SeriesType, Time>;
  table: (state: TopicState) => Columns | undefined;
  points: (state: TopicState, from: number, stepMs: number) => AnyPoint[];
  /** False while the newest row has no value: the axis must not show an old one as the newest. */
  hasNow?: (state: TopicState) => boolean;
  label?: string; // of what the axis shows the newest value
  /** Rises when more than the tail of the layer has changed, for layers that are not of the bars of the topic. */
  resets?: (state: TopicState) => number;
}

/** The first layer is the one whose holes are kept open on the axis. */
export type Build = (chart: Chart) => Layer[];

/** What part of the past is in sight. */
export interface Sight {
  bars: number;
  at: number | undefined; // last second in sight; undefined at the live edge
}

/** Pixels for a bar at first sight: few bars are drawn wider, so that a young chart is not a dot in the corner. */
const BAR_WIDTH = 6;
const WIDEST_BAR = 14;

/** More new rows than this are quicker set at once than added one by one. */
const MOST_SINGLE_UPDATES = 50;

export class LiveChart {
  readonly chart: Chart;
  readonly cursor = new Signal<number | undefined>(undefined); // open time under the crosshair, ms
  readonly atEdge = new Signal(true);
  readonly paneTops = new Signal<readonly number[]>([]);
  readonly axisWidth = new Signal(0);
  private readonly layers: Layer[];
  private readonly bands: HoleBands;
  private topic: Topic | undefined;
  private leaveTopic: (() => void) | undefined;
  private stepMs = 1_000;
  private drawn: { topic: Topic; rows: number; resets: number; isEmpty: boolean } | undefined;
  private readonly drawnTo: (number | undefined)[] = []; // for each layer, the last open time drawn
  private readonly resets: (number | undefined)[] = [];
  private wanted: Sight | undefined;
  private frame: number | undefined;
  private readonly hadNow: (boolean | undefined)[] = [];
  private readonly observer: ResizeObserver;
  private isRemoved = false;

  constructor(
    private readonly container: HTMLElement,
    zone: string,
    build: Build,
  ) {
    this.chart = createChartEx<Time, ZoneScale>(container, zoneScale(zone), chartOptions(zone));
    this.layers = build(this.chart);
    this.bands = new HoleBands(this.chart);
    this.chart.subscribeCrosshairMove((event) => {
      this.cursor.set(event.time === undefined ? undefined : Number(event.time) * 1000);
    });
    this.chart.timeScale().subscribeVisibleLogicalRangeChange(() => this.noteEdge());
    this.chart.timeScale().subscribeSizeChange(() => this.measure());
    this.observer = new ResizeObserver(() => this.measure());
    this.observer.observe(container);
    requestAnimationFrame(() => {
      for (const pane of this.chart.panes()) {
        const element = pane.getHTMLElement();
        if (element) this.observer.observe(element);
      }
    });
  }

  get hasDrawn(): boolean {
    return this.drawn !== undefined;
  }

  /** Draw this topic from now on; what is drawn stays until the new topic has data. */
  follow(topic: Topic, stepMs: number, sight: Sight | undefined): void {
    if (this.isRemoved) return; // with the picture the topic has changed too: the next chart follows it
    this.leaveTopic?.();
    this.topic = topic;
    this.stepMs = stepMs;
    this.wanted = sight;
    this.leaveTopic = topic.version.subscribe(() => this.onChange());
    this.schedule();
  }

  toEdge(): void {
    this.chart.timeScale().scrollToPosition(RIGHT_OFFSET, false);
  }

  fit(): void {
    this.chart.timeScale().fitContent();
  }

  /** Move the crosshair by `steps` bars along the first layer. */
  moveCursor(steps: number): void {
    const state = this.topic?.state;
    const anchor = this.layers[0];
    const table = state && anchor?.table(state);
    if (!state || !anchor || !table || table.open_time_ms.length === 0) return;
    const last = table.open_time_ms.length - 1;
    const from = this.cursor.value === undefined ? last : lowerBound(table.open_time_ms, this.cursor.value);
    const row = Math.min(Math.max(from + steps, 0), last);
    const point = anchor.points(state, row, this.stepMs)[0] as Record<string, number> | undefined;
    const price = point?.close ?? point?.value;
    if (point && price !== undefined) this.chart.setCrosshairPosition(price, point.time as UTCTimestamp, anchor.series);
  }

  sight(): Sight | undefined {
    const range = this.chart.timeScale().getVisibleLogicalRange();
    const times = this.chart.timeScale().getVisibleRange();
    if (!range || !times) return undefined;
    return { bars: Math.round(range.to - range.from), at: this.atEdge.value ? undefined : Number(times.to) };
  }

  remove(): void {
    this.isRemoved = true;
    this.leaveTopic?.();
    if (this.frame !== undefined) cancelAnimationFrame(this.frame);
    this.observer.disconnect();
    this.chart.remove();
  }

  private onChange(): void {
    if (document.hidden) this.schedule();
    else this.draw();
  }

  private schedule(): void {
    this.frame ??= requestAnimationFrame(() => {
      this.frame = undefined;
      this.draw();
    });
  }

  private draw(): void {
    const { topic } = this;
    if (topic?.state.phase !== "ready") return;
    const isNew = this.drawn?.topic !== topic || this.drawn.isEmpty;
    if (!isNew && this.drawn?.rows === topic.state.rows) return;
    const isTail = !isNew && this.drawn?.resets === topic.state.resets;
    this.bands.show(topic, this.stepMs);
    this.layers.forEach((layer, i) => {
      const table = layer.table(topic.state);
      if (!table) {
        // Of the former topic, perhaps: its times are not on the axis of this one.
        if (isNew) layer.series.setData([]);
        this.drawnTo[i] = undefined;
        this.resets[i] = undefined;
        return;
      }
      const resets = layer.resets?.(topic.state);
      this.drawLayer(layer, topic.state, table, isTail && resets === this.resets[i] ? this.drawnTo[i] : undefined);
      this.resets[i] = resets;
      this.drawnTo[i] = table.open_time_ms.at(-1);
      const hasNow = layer.hasNow?.(topic.state);
      if (hasNow !== this.hadNow[i]) layer.series.applyOptions({ lastValueVisible: hasNow ?? false });
      this.hadNow[i] = hasNow;
    });
    topic.state.touchedMs = undefined;
    this.tell(topic.state);
    const isEmpty = this.drawnTo[0] === undefined;
    this.drawn = { topic, rows: topic.state.rows, resets: topic.state.resets, isEmpty };
    if (isNew && !isEmpty) this.look();
  }

  /** What the labels on the axes say, and which stretches are hatched, for those who cannot read a canvas. */
  private tell(state: TopicState): void {
    const said = this.layers.flatMap(({ series, hasNow, label }) => {
      const isShown = label !== undefined && (hasNow === undefined || hasNow(state));
      const newest = isShown ? (series.dataByIndex(Number.MAX_SAFE_INTEGER, -1) as Shown | null) : null;
      const last = newest?.value ?? newest?.close;
      return last === undefined ? [] : [`${label} ${series.priceFormatter().format(last)}`];
    });
    this.container.dataset.axis = said.join("; ");
    this.container.dataset.frozen = this.bands.frozen.map(frozenLabel).join("; ");
  }

  /** Only what came after `lastMs` when that is known and little, otherwise all of it. */
  private drawLayer(layer: Layer, state: TopicState, table: Columns, lastMs: number | undefined): void {
    const sinceMs = lastMs === undefined ? undefined : Math.min(lastMs, state.touchedMs ?? lastMs);
    const from = sinceMs === undefined ? 0 : lowerBound(table.open_time_ms, sinceMs);
    const isTail = lastMs !== undefined && table.open_time_ms.length - from <= MOST_SINGLE_UPDATES;
    const points = layer.points(state, isTail ? from : 0, this.stepMs);
    const step = this.stepMs / 1000;
    const isAnchor = layer === this.layers[0];
    if (!isTail) {
      layer.series.setData((isAnchor ? withGaps(points, step) : points) as never[]);
      return;
    }
    const last = lastMs / 1000;
    const older = points.filter((point) => (point.time as number) < last);
    const newer = points.slice(older.length);
    for (const point of older) layer.series.update(point as never, true);
    for (const point of isAnchor ? withGaps(newer, step, last) : newer) layer.series.update(point as never);
  }

  /** The first sight of a topic: what the address asks for, or the newest bars at a readable width. */
  private look(): void {
    const scale = this.chart.timeScale();
    const wanted = this.wanted;
    if (!wanted) {
      const bars = Math.max(1, this.layers[0]?.series.data().length ?? 1) + RIGHT_OFFSET;
      scale.applyOptions({ barSpacing: Math.min(Math.max(scale.width() / bars, BAR_WIDTH), WIDEST_BAR) });
      scale.scrollToPosition(RIGHT_OFFSET, false);
      return;
    }
    const last = wanted.at === undefined ? null : scale.timeToIndex(wanted.at as UTCTimestamp, true);
    const newest = scale.timeToIndex(Number.MAX_SAFE_INTEGER as UTCTimestamp, true) ?? 0;
    const to = last ?? newest + RIGHT_OFFSET;
    scale.setVisibleLogicalRange({ from: to - wanted.bars, to });
  }

  private noteEdge(): void {
    this.atEdge.set(this.chart.timeScale().scrollPosition() > -1);
  }

  private measure(): void {
    this.axisWidth.set(this.chart.priceScale("right", 0).width());
    const origin = this.container.getBoundingClientRect().top;
    const tops = this.chart.panes().map((pane) => {
      const element = pane.getHTMLElement();
      return element ? Math.round(element.getBoundingClientRect().top - origin) : 0;
    });
    if (tops.join() !== this.paneTops.value.join()) this.paneTops.set(tops);
  }
}
