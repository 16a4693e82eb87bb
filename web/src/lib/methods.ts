// The ways to fit a hedge, as they are called on the page; what each is, its remark in the catalogue says.

import type { Routes } from "../api.gen";
import { fixed } from "./format";

export type Method = NonNullable<Routes["GET /analytics/pair"]["query"]["method"]>;

export const METHOD_NAMES: Record<Method, string> = {
  ols: "OLS",
  huber: "Huber",
  tls: "TLS",
  rolling: "Rolling OLS",
  kalman: "Kalman",
  kalman_naive: "Naive Kalman",
};

export const METHODS = Object.keys(METHOD_NAMES) as Method[];
export const USUAL_METHOD: Method = "ols";

export const isMethod = (text: string | null | undefined): text is Method => METHODS.includes(text as Method);

/** What stands beside the method, for all to see: that it is for comparison only, or that the window is too short. */
export function methodDoubt(method: Method, window: number, wants?: Record<string, number>): string | undefined {
  if (method.endsWith("_naive")) return "naive";
  const least = wants?.[method];
  return least !== undefined && window < least ? `wants ${fixed(least, 0)} bars` : undefined;
}
