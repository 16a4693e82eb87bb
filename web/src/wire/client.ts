// REST, typed by the route table that is generated from the server's schema.

import type { ErrorAnswer, ErrorBody, Routes } from "../api.gen";

type Needs<Key extends string, Value> = [Value] extends [undefined] ? unknown : { [K in Key]: Value };
type May<Key extends string, Value> = [Value] extends [undefined] ? unknown : { [K in Key]?: Value };
type Options<R extends Routes[keyof Routes]> = Needs<"path", R["path"]> &
  May<"query", R["query"]> &
  Needs<"body", R["body"]>;

interface AnyOptions {
  path?: Record<string, string | number>;
  query?: Record<string, unknown>;
  body?: unknown;
}

/** An answer that is not 2xx, with the server's own words about it. */
export class Refused extends Error {
  constructor(
    readonly status: number,
    readonly body: ErrorBody,
  ) {
    super(body.cure ? `${body.message} (${body.cure})` : body.message);
    this.name = "Refused";
  }
}

export async function request<K extends keyof Routes>(
  route: K,
  options: Options<Routes[K]>,
  signal?: AbortSignal,
): Promise<Routes[K]["ok"]> {
  const [method, template] = route.split(" ") as [string, string];
  const { path = {}, query = {}, body } = options as AnyOptions;
  const address = template.replace(/\{(\w+)\}/g, (_, key: string) => encodeURIComponent(String(path[key] ?? "")));
  const parameters = new URLSearchParams();
  for (const [key, value] of Object.entries(query)) if (value !== undefined) parameters.set(key, String(value));
  const init: RequestInit = { method, signal: signal ?? null };
  if (body !== undefined)
    Object.assign(init, { body: JSON.stringify(body), headers: { "content-type": "application/json" } });
  const response = await reach(parameters.size ? `${address}?${parameters}` : address, init);
  if (!response.ok) throw new Refused(response.status, await errorOf(response));
  return (await response.json()) as Routes[K]["ok"];
}

/** The browser's own words for a server that cannot be reached differ, and say nothing to a person. */
async function reach(address: string, init: RequestInit): Promise<Response> {
  try {
    return await fetch(address, init);
  } catch (cause) {
    if (init.signal?.aborted) throw cause;
    throw new Error("pairscope does not answer", { cause });
  }
}

async function errorOf(response: Response): Promise<ErrorBody> {
  try {
    return ((await response.json()) as ErrorAnswer).error;
  } catch {
    return { code: `http_${response.status}`, message: `The server answered ${response.status}.`, cure: "" };
  }
}
