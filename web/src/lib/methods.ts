// The ways to fit a hedge and what it is fitted to, as they are called on the page; what each is, its remark in the
// catalogue says.

import { type Routes, USUAL_TERMS as USUAL } from "../api.gen";
import { fixed } from "./format";

type Asked = Routes["GET /analytics/pair"]["query"];
export type Method = NonNullable<Asked["method"]>;
export type Prices = NonNullable<Asked["prices"]>;

/** How a pair is measured. */
export interface Terms {
  method: Method;
  prices: Prices;
  intercept: boolean;
}

export const METHOD_NAMES: Record<Method, string> = {
  ols: "OLS",
  huber: "Huber",
  tls: "TLS",
  rolling: "Rolling OLS",
  kalman: "Kalman",
  kalman_naive: "Naive Kalman",
};

/** There to be compared with. */
const NAIVE: Method = "kalman_naive";

export const METHODS = Object.keys(METHOD_NAMES) as Method[];
export const USUAL_TERMS: Terms = USUAL;
export const USUAL_METHOD: Method = USUAL_TERMS.method;

export const isMethod = (text: string | null | undefined): text is Method => METHODS.includes(text as Method);

/** The end of a topic's name: the method, and what differs from the usual. */
export const partsOf = ({ method, prices, intercept }: Terms): string[] => [
  method,
  ...(prices === USUAL_TERMS.prices ? [] : [`prices=${prices}`]),
  ...(intercept ? [] : ["intercept=false"]),
];

export function termsOf([method, ...parts]: readonly string[]): Terms | undefined {
  if (!isMethod(method)) return undefined;
  const prices = parts.includes("prices=level") ? "level" : USUAL_TERMS.prices;
  return { method, prices, intercept: !parts.includes("intercept=false") };
}

/** What is in sight of the terms: `OLS, prices, no α`. */
export const termsText = ({ method, prices, intercept }: Terms): string =>
  [METHOD_NAMES[method], ...(prices === "level" ? ["prices"] : []), ...(intercept ? [] : ["no α"])].join(", ");

/** What stands beside the method, for all to see: that it is for comparison only, or that the window is too short. */
export function methodDoubt(method: Method, window: number, wants?: Record<string, number>): string | undefined {
  if (method === NAIVE) return "naive";
  return wantsMore(wants?.[method], window);
}

/** What stands beside anything whose window is shorter than it wants. */
export const wantsMore = (least: number | undefined, window: number): string | undefined =>
  least !== undefined && window < least ? `wants ${fixed(least, 0)} bars` : undefined;
