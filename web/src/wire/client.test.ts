import { afterEach, describe, expect, it, vi } from "vitest";
import { Refused, request } from "./client";

const answer = (body: unknown, status = 200) =>
  vi.spyOn(globalThis, "fetch").mockResolvedValue(new Response(JSON.stringify(body), { status }));

afterEach(() => {
  vi.restoreAllMocks();
});

describe("request", () => {
  it("fills the path and the query, and leaves out what is not given", async () => {
    const fetch = answer({});
    await request("GET /ohlc/{symbol}/{interval}", { path: { symbol: "A/B", interval: "1s" }, query: { limit: 5 } });
    expect(fetch.mock.calls[0]?.[0]).toBe("/ohlc/A%2FB/1s?limit=5");
  });

  it("passes on the server's own words about an error", async () => {
    answer({ error: { code: "unknown_symbol", message: "no FOO", cure: "try BTCUSDT" } }, 404);
    const refused = await request("GET /config", {}).catch((error: unknown) => error);
    expect(refused).toBeInstanceOf(Refused);
    expect(refused).toMatchObject({ status: 404, message: "no FOO (try BTCUSDT)" });
  });

  it("says that nobody answers, whatever the browser calls it, but not when it was called off", async () => {
    vi.spyOn(globalThis, "fetch").mockRejectedValue(new TypeError("Failed to fetch"));
    await expect(request("GET /config", {})).rejects.toThrow("pairscope does not answer");
    await expect(request("GET /config", {}, AbortSignal.abort())).rejects.toThrow("Failed to fetch");
  });

  it("has words of its own when the answer is not the server's", async () => {
    vi.spyOn(globalThis, "fetch").mockResolvedValue(new Response("<html>", { status: 502 }));
    await expect(request("GET /config", {})).rejects.toThrow("The server answered 502.");
  });
});
