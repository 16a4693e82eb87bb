import type { Status } from "../api.gen";
import { age, bytes, DASH, duration, fixed, lag, milliseconds } from "../lib/format";
import { useTab } from "../lib/hooks";
import { clock, dateTime } from "../lib/time";
import { Card, type Row } from "../ui/card";
import { useZone } from "../ui/clock";
import { Notice } from "../ui/notice";
import type { Screen } from "../ui/screen";
import { useConfig, useFreshness, useHub, useLink, useNow, useStatus } from "../wire/context";
import { ageOf, type LateLeg, silence, wasHeard } from "../wire/freshness";

function SystemScreen() {
  const received = useStatus();
  const link = useLink();
  const zone = useZone();
  useTab("System", link.phase === "down");
  if (!received) return <Notice title="Waiting for the first status" />;
  const { status } = received;
  const isOld = link.phase !== "open";
  return (
    <div
      data-old={isOld}
      className={`h-full overflow-y-auto p-3 ${isOld ? "text-dim saturate-25 [&_.num]:text-dim" : ""}`}
    >
      {isOld ? (
        <p role="status" className="pb-3">
          The server is gone: these are its last words, of{" "}
          <span className="num">{clock(received.receivedMs, zone)}</span>.
        </p>
      ) : null}
      <div className="columns-[20rem] gap-3 *:mb-3 *:break-inside-avoid">
        <SourceCard status={status} />
        <FeedCard status={status} isOld={isOld} />
        <ExchangeCard status={status} />
        <StoreCard status={status} />
        <ServerCard status={status} />
        <RequestsCard status={status} />
      </div>
      <Symbols status={status} receivedMs={received.receivedMs} />
      <About version={status.version} />
    </div>
  );
}

function SourceCard({ status: { source } }: { status: Status }) {
  return (
    <Card
      title="Source"
      rows={[
        ["kind", source.kind],
        ["asked for", source.requested],
        ["name", source.label],
        ["why", source.reason ?? DASH, source.reason !== null],
        ["detail", source.detail ?? DASH],
        ["played to its end", source.finished ? "yes" : "no"],
      ]}
    />
  );
}

const counted = (reasons: Record<string, number>) =>
  Object.entries(reasons)
    .map(([reason, count]) => `${reason} ${fixed(count, 0)}`)
    .join(", ");

function FeedCard({ status: { feed }, isOld }: { status: Status; isOld: boolean }) {
  const zone = useZone();
  const rejected = Object.entries(feed.rejected_by_origin).filter(([, reasons]) => Object.keys(reasons).length > 0);
  return (
    <Card
      title="Feed"
      rows={[
        ["state", isOld ? `not known, was ${feed.state}` : feed.state, feed.state === "stale" || feed.state === "down"],
        ["since", dateTime(feed.since_ms, zone)],
        ["connections", `${feed.connections}, ${feed.reconnects} reconnects`],
        ["trades", `${fixed(feed.trades, 0)}, ${fixed(feed.trades_per_s, 1)} /s`],
        ["lag p50, p95", `${lag(feed.lag_ms_p50)}, ${lag(feed.lag_ms_p95)}`],
        ["frames waiting", `${fixed(feed.frames_waiting, 0)} of ${fixed(feed.frames_limit, 0)}`],
        [
          "duplicates",
          feed.conflicting > 0
            ? `${fixed(feed.duplicates, 0)}, ${fixed(feed.conflicting, 0)} rows conflict`
            : fixed(feed.duplicates, 0),
          feed.conflicting > 0,
        ],
        [
          "rejected",
          rejected.map(([origin, reasons]) => `${origin}: ${counted(reasons)}`).join("; ") || "none",
          rejected.length > 0,
        ],
        ["noted, kept", counted(feed.noted) || "none"],
        ["silent streams", feed.silent.join(", ") || "none", feed.silent.length > 0],
        ["last error", feed.last_error ?? "none", feed.last_error !== null],
      ]}
    />
  );
}

function ExchangeCard({ status: { exchange } }: { status: Status }) {
  const zone = useZone();
  const gone = exchange.gone.map(({ symbol, nearest }) => (nearest ? `${symbol} (nearest: ${nearest})` : symbol));
  const halted = Object.entries(exchange.halted).map(([symbol, word]) => `${symbol} ${word}`);
  const offset = exchange.clock_offset_ms;
  const when = (time: number | null) => (time === null ? "now" : dateTime(time, zone));
  return (
    <Card
      title="Exchange"
      rows={[
        ["proxy", exchange.proxy ?? "none"],
        [
          "REST next allowed",
          `${when(exchange.next_allowed_ms)}${exchange.next_allowed_why ? `, ${exchange.next_allowed_why}` : ""}`,
          exchange.next_allowed_ms !== null,
        ],
        ["stream next allowed", when(exchange.stream_next_allowed_ms), exchange.stream_next_allowed_ms !== null],
        ["archive next allowed", when(exchange.archive_next_allowed_ms), exchange.archive_next_allowed_ms !== null],
        [
          "connections in 5 min",
          `${fixed(exchange.connections, 0)} of ${fixed(exchange.connections_allowed, 0)}`,
          exchange.connections >= exchange.connections_allowed,
        ],
        [
          "our clock less theirs",
          offset === null ? DASH : `${fixed(offset, 0)} ms`,
          offset !== null && Math.abs(offset) > 1_000,
        ],
        ["not listed", gone.join(", ") || "none", gone.length > 0],
        ["not trading", halted.join(", ") || "none", halted.length > 0],
      ]}
    />
  );
}

function StoreCard({ status: { store, now_ms } }: { status: Status }) {
  return (
    <Card
      title="Tape"
      rows={[
        ["size", bytes(store.database_bytes)],
        ["trades committed", fixed(store.trades_committed, 0)],
        ["last commit", store.last_commit_ms === null ? DASH : `${age(now_ms - store.last_commit_ms)} ago`],
        ["commit p50, p99", `${milliseconds(store.commit_ms_p50)}, ${milliseconds(store.commit_ms_p99)}`],
        ["rows waiting", `${fixed(store.rows_waiting, 0)} of ${fixed(store.rows_limit, 0)}`],
        ["rows refused", fixed(store.rows_refused, 0), store.rows_refused > 0],
        ["commits retried", fixed(store.commits_retried, 0)],
        ["reads waiting, repeated", `${fixed(store.reads_waiting, 0)}, ${fixed(store.reads_repeated, 0)}`],
        ["error", store.error ?? "none", store.error !== null],
        ["file", store.path],
      ]}
    />
  );
}

function ServerCard({ status }: { status: Status }) {
  const hub = useHub();
  const zone = useZone();
  const { clients } = status;
  return (
    <Card
      title="Server and browsers"
      rows={[
        ["started", dateTime(status.started_ms, zone)],
        ["up for", duration(status.uptime_s)],
        ["memory", bytes(status.memory_bytes)],
        [
          "numerical kernels",
          status.kernels.preparing.length ? `being prepared: ${status.kernels.preparing.join(", ")}` : "ready",
          status.kernels.compiled_here > 0,
        ],
        [
          "late to its work",
          `${fixed(status.loop.lag_ms_p50, 0)} · ${fixed(status.loop.lag_ms_p99, 0)} ms (p50 · p99)`,
        ],
        ["longest standstill", `${fixed(status.loop.lag_ms_longest, 0)} ms`, status.loop.lag_ms_longest > 2_000],
        ["browsers", `${fixed(clients.clients, 0)}, ${fixed(clients.topics, 0)} topics`],
        ["messages sent", fixed(clients.sent, 0)],
        ["merged", fixed(clients.conflated, 0)],
        ["cut off", fixed(clients.cut_off, 0), clients.cut_off > 0],
        ["holes seen", fixed(hub.holes, 0), hub.holes > 0],
      ]}
    />
  );
}

const LINES = ["disk", "metrics", "everything", "studies"] as const;

function RequestsCard({ status: { requests } }: { status: Status }) {
  return (
    <Card
      title="Requests"
      rows={[
        ["connections", `${fixed(requests.connections, 0)} of ${fixed(requests.connections_limit, 0)}`],
        ["connections refused", fixed(requests.connections_refused, 0), requests.connections_refused > 0],
        ["timed out", fixed(requests.timed_out, 0), requests.timed_out > 0],
        ["in line", "waiting, refused, left"],
        ...LINES.map((line): Row => {
          const { waiting, refused, abandoned } = requests[line];
          return [line, [waiting, refused, abandoned].map((n) => fixed(n, 0)).join(", "), refused > 0];
        }),
      ]}
    />
  );
}

function Symbols({ status, receivedMs }: { status: Status; receivedMs: number }) {
  const now = useNow();
  const fresh = useFreshness([], 1_000);
  const late = new Map(fresh.late.map((leg) => [leg.symbol, leg]));
  const { symbols } = useConfig();
  const decimals = new Map(symbols.map((info) => [info.symbol, info.price_decimals]));
  return (
    <section
      // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be reachable with the keyboard
      tabIndex={0}
      aria-label="Symbols"
      className="overflow-x-auto rounded border border-line bg-panel"
    >
      <table className="w-full border-collapse">
        <caption className="caption border-line border-b px-3 py-1.5 text-left">Symbols</caption>
        <thead className="text-dim">
          <tr>
            {["symbol", "last price", "last trade", "trades", "last id", "open gaps", "ids missing"].map((title, i) => (
              <th key={title} scope="col" className={`h-6 px-3 font-normal ${i ? "text-right" : "text-left"}`}>
                {title}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {status.symbols.map((row) => (
            <tr key={row.symbol} data-late={late.get(row.symbol)?.state} className="border-line/60 border-t">
              <th scope="row" className="h-6 px-3 text-left font-normal">
                {row.symbol}
              </th>
              <td className="num px-3 text-right">{fixed(row.last_price, decimals.get(row.symbol) ?? 2)}</td>
              <LastTrade late={late.get(row.symbol)} ageMs={ageOf(status, row, Math.max(0, now - receivedMs))} />
              <td className="num px-3 text-right">{fixed(row.trades, 0)}</td>
              <td className="num px-3 text-right">{row.last_id ?? DASH}</td>
              <td className={`num px-3 text-right ${row.gaps_open ? "text-short" : ""}`}>{fixed(row.gaps_open, 0)}</td>
              <td className={`num px-3 text-right ${row.ids_missing ? "text-short" : ""}`}>
                {fixed(row.ids_missing, 0)}
              </td>
            </tr>
          ))}
        </tbody>
      </table>
    </section>
  );
}

function LastTrade({ late, ageMs }: { late: LateLeg | undefined; ageMs: number | undefined }) {
  const isLate = late !== undefined && wasHeard([late]);
  return (
    <td className={`num px-3 text-right ${isLate ? "text-short" : ""}`}>
      {isLate ? `${late.state}, ` : ""}
      {ageMs === undefined ? (late ? silence(late) : DASH) : `${age(ageMs)} ago`}
    </td>
  );
}

function About({ version }: { version: string }) {
  return (
    <section className="mt-3 rounded border border-line bg-panel px-3 py-2 text-dim" aria-label="About">
      <p>
        pairscope <span className="num text-fg">{version}</span>, MIT licence. Charts: Lightweight Charts™, Copyright ©
        TradingView, Inc.,{" "}
        <a className="underline" href="https://www.tradingview.com/" target="_blank" rel="noreferrer">
          tradingview.com
        </a>
        , Apache License 2.0.{" "}
        <a className="underline" href="/app/NOTICE.txt" target="_blank" rel="noreferrer">
          All notices
        </a>
        {" · "}
        <a className="underline" href="/docs" target="_blank" rel="noreferrer">
          API reference
        </a>
      </p>
    </section>
  );
}

export const system: Screen = {
  name: "system",
  title: "System",
  key: "7",
  icon: (
    <>
      <path d="M1.5 9.5h3l2-5.5 4 10.5 2.3-6 1 1h2.7" />
    </>
  ),
  takes: 0,
  has: [],
  View: SystemScreen,
};
