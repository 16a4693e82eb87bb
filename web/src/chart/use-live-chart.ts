// The life of a chart inside a component: made for a picture and a zone, fed by a topic, zoom kept in the address.

import { type RefObject, useEffect, useRef, useState } from "react";
import { useKeys } from "../lib/keys";
import { changeView, currentPlace } from "../lib/url";
import type { Topic } from "../wire/state";
import { type Build, LiveChart, type Sight } from "./live-chart";

const SETTLE_MS = 400;

function sightFromAddress(): Sight | undefined {
  const { bars, at } = currentPlace().view;
  return bars === undefined ? undefined : { bars, at };
}

/**
 * `picture` names what is drawn: another name makes a new chart. Within one picture (another interval or window)
 * the old curve stays until the new topic has data.
 */
export function useLiveChart(
  holder: RefObject<HTMLElement | null>,
  picture: string,
  zone: string,
  build: Build,
  topic: Topic | undefined,
  stepMs: number,
): LiveChart | undefined {
  const [live, setLive] = useState<LiveChart>();
  const latestBuild = useRef(build);
  latestBuild.current = build;

  // biome-ignore lint/correctness/useExhaustiveDependencies: `picture` stands for what `build` would draw
  useEffect(() => {
    if (!holder.current) return;
    const made = new LiveChart(holder.current, zone, (chart) => latestBuild.current(chart));
    setLive(made);
    return () => {
      setLive(undefined);
      made.remove();
    };
  }, [holder, picture, zone]);

  useEffect(() => {
    if (live && topic) live.follow(topic, stepMs, sightFromAddress());
  }, [live, topic, stepMs]);

  useSightInAddress(holder, live);
  useKeys({
    r: () => live?.toEdge(),
    f: () => live?.fit(),
  });
  return live;
}

/** After a person has zoomed or scrolled, and it has settled, the address says what is in sight. */
function useSightInAddress(holder: RefObject<HTMLElement | null>, live: LiveChart | undefined): void {
  useEffect(() => {
    const element = holder.current;
    if (!element || !live) return;
    let timer: ReturnType<typeof setTimeout> | undefined;
    const note = () => {
      clearTimeout(timer);
      timer = setTimeout(() => {
        const sight = live.sight();
        if (sight) changeView({ bars: sight.bars, at: sight.at }, true);
      }, SETTLE_MS);
    };
    const noteDrag = (event: PointerEvent) => {
      if (event.buttons) note();
    };
    element.addEventListener("wheel", note, { passive: true });
    element.addEventListener("pointermove", noteDrag);
    return () => {
      clearTimeout(timer);
      element.removeEventListener("wheel", note);
      element.removeEventListener("pointermove", noteDrag);
    };
  }, [holder, live]);
}
