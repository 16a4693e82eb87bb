// The address is the state: everything that changes the picture is in it.

import { useSyncExternalStore } from "react";
import { MOST_CUT, WINDOW_LEAST, WINDOW_MOST } from "../api.gen";
import { isMethod, type Method, type Prices } from "./methods";

export const BASE = "/app";

/** Which screen, by its name, and of what: `/pair/ETHUSDT-BTCUSDT` is the pair of two symbols. */
export interface Route {
  screen: string;
  symbols: readonly string[];
}

export const HOME: Route = { screen: "", symbols: [] };

/** Where no screen is, and none can be made of the address. */
export const UNKNOWN = "unknown";

/** What the query part carries; an absent key means the default. */
export interface View {
  tf?: string; // bar interval
  w?: number; // window of the statistics, in bars
  hedge?: Method; // how the hedge of a pair is fitted
  prices?: Prices; // what y and x of a pair are
  intercept?: boolean; // whether its line has one
  tz?: string; // UTC, local or an IANA zone
  view?: "table";
  side?: SideTab; // what the column beside a pair shows
  ind?: string; // indicators on the chart of a symbol
  of?: MatrixOf; // what the correlations are of
  cut?: number; // distance below which symbols form a cluster
  bars?: number; // bars in sight, when the chart was zoomed
  at?: number; // last second in sight, when the chart was scrolled back
}

export type SideTab = (typeof SIDE_TABS)[number];
export type MatrixOf = (typeof MATRICES)[number];

// The first of each is what is shown when the address says nothing.
export const SIDE_TABS = ["live", "statistics", "trades"] as const;
export const MATRICES = ["returns", "prices", "trades"] as const;

/** As addresses of version 0.2 have them, behind `on=`. */
const FORMER_MATRICES: ReadonlyMap<string | null, MatrixOf> = new Map([
  ["returns", "returns"],
  ["levels", "prices"],
  ["hy", "trades"],
]);

export interface Place {
  route: Route;
  view: View;
}

export function parsePlace(pathname: string, search: string): Place {
  return { route: parseRoute(pathname), view: parseView(new URLSearchParams(search)) };
}

// Letters of any script, as the exchange names its symbols, after a venue that is not the default one and a point; only
// a to z have another case.
const SYMBOL = "(?:[a-z0-9]{1,20}\\.)?[\\p{L}\\p{N}_]{1,40}";
const ADDRESS = new RegExp(`^/([a-z]+)(?:/(${SYMBOL}(?:-${SYMBOL})*))?$`, "iu");
const upper = (text: string) => text.replace(/[a-z]+/g, (letters) => letters.toUpperCase());

function parseRoute(pathname: string): Route {
  const path = readable(pathname.startsWith(BASE) ? pathname.slice(BASE.length) : pathname).replace(/\/+$/, "");
  if (path === "") return HOME;
  const [, screen, symbols] = ADDRESS.exec(path) ?? [];
  if (!screen) return { screen: UNKNOWN, symbols: [] };
  return { screen: screen.toLowerCase(), symbols: symbols ? upper(symbols).split("-") : [] };
}

function readable(path: string): string {
  try {
    return decodeURIComponent(path);
  } catch {
    return path; // a stray percent sign
  }
}

function parseView(query: URLSearchParams): View {
  const view: View = {};
  const whole = (key: string, least: number, most: number) => {
    const value = Number(query.get(key) ?? Number.NaN);
    return Number.isInteger(value) && value >= least && value <= most ? value : undefined;
  };
  const tf = query.get("tf");
  if (tf && /^[1-9]\d{0,5}[smhdSHD]$/.test(tf)) view.tf = tf.toLowerCase(); // a capital M is a month to many
  const w = whole("w", WINDOW_LEAST, WINDOW_MOST);
  if (w !== undefined) view.w = w;
  const named = query.get("hedge")?.toLowerCase() ?? null;
  const hedge = named === "robust" ? "huber" : named; // the name others give it
  if (isMethod(hedge)) view.hedge = hedge;
  if (/^levels?$/i.test(query.get("prices") ?? "")) view.prices = "level";
  if (/^(false|no|0)$/i.test(query.get("intercept") ?? "")) view.intercept = false;
  const tz = query.get("tz");
  if (tz) view.tz = tz;
  if (query.get("view") === "table") view.view = "table";
  const side = oneOf(SIDE_TABS, query.get("side"));
  if (side) view.side = side;
  const of = oneOf(MATRICES, query.get("of")) ?? FORMER_MATRICES.get(query.get("on"));
  if (of) view.of = of;
  const ind = query.get("ind");
  if (ind && /^[a-z0-9.,]{1,80}$/.test(ind)) view.ind = ind;
  const cut = Number(query.get("cut") ?? Number.NaN);
  if (cut >= 0 && cut <= MOST_CUT) view.cut = cut;
  const bars = whole("bars", 5, 10_000);
  if (bars !== undefined) view.bars = bars;
  const at = whole("at", 1, 99_999_999_999);
  if (at !== undefined) view.at = at;
  return view;
}

const oneOf = <T extends string>(choices: readonly T[], text: string | null): T | undefined =>
  choices.find((choice) => choice === text);

export function addressOf({ route, view }: Place): string {
  const query = new URLSearchParams();
  for (const [key, value] of Object.entries(view)) if (value !== undefined) query.set(key, String(value));
  const text = query.toString();
  return BASE + pathOf(route) + (text ? `?${text}` : "");
}

const pathOf = ({ screen, symbols }: Route): string =>
  `/${[screen, ...(symbols.length ? [symbols.map(encodeURIComponent).join("-")] : [])].join("/")}`;

const CHANGED = "pairscope:place";

/** Go somewhere; `replace` leaves no step in the browser's history. */
export function go(place: Place, replace = false): void {
  const address = addressOf(place);
  if (address === location.pathname + location.search) return;
  if (replace) history.replaceState(null, "", address);
  else history.pushState(null, "", address);
  window.dispatchEvent(new Event(CHANGED));
}

/** Change some of the view and stay where we are; `undefined` takes a key out. */
export function changeView(change: { [K in keyof View]?: View[K] | undefined }, replace = false): void {
  const { route, view } = currentPlace();
  const merged = Object.fromEntries(Object.entries({ ...view, ...change }).filter(([, value]) => value !== undefined));
  go({ route, view: merged as View }, replace);
}

let cached: { address: string; place: Place } | undefined;

export function currentPlace(): Place {
  const address = location.pathname + location.search;
  if (cached?.address !== address) cached = { address, place: parsePlace(location.pathname, location.search) };
  return cached.place;
}

function subscribe(listener: () => void): () => void {
  window.addEventListener("popstate", listener);
  window.addEventListener(CHANGED, listener);
  return () => {
    window.removeEventListener("popstate", listener);
    window.removeEventListener(CHANGED, listener);
  };
}

export const usePlace = (): Place => useSyncExternalStore(subscribe, currentPlace);
