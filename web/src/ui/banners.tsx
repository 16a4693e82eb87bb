// What nobody may miss: not real prices, no connection, no feed, another version.

import type { ReactNode } from "react";
import { duration } from "../lib/format";
import { clock } from "../lib/time";
import { useConfig, useHub, useLink, useNow, useStatus } from "../wire/context";
import { useZone } from "./clock";
import { WarnIcon } from "./icons";

type Tone = "fault" | "warn" | "replay" | "plain";

const TONES: Record<Tone, string> = {
  fault: "border-fault bg-fault/15 text-fg",
  warn: "border-short bg-short/15 text-fg",
  replay: "border-replay bg-replay/15 text-fg",
  plain: "border-line bg-raised text-dim",
};

function Banner({ tone, children, action }: { tone: Tone; children: ReactNode; action?: ReactNode }) {
  return (
    <div
      role={tone === "fault" ? "alert" : "status"}
      className={`flex min-h-7 items-center gap-2 border-l-4 px-3 py-1 ${TONES[tone]}`}
    >
      <WarnIcon />
      <p className="min-w-0">{children}</p>
      {action}
    </div>
  );
}

const WHY_NOT_LIVE: Record<string, string> = {
  http_451: "the exchange refuses this location (HTTP 451)",
  http_403: "the exchange refuses this address (HTTP 403)",
  unreachable: "the exchange cannot be reached",
};

export function Banners() {
  return (
    <div className="sm:col-start-2">
      <ConnectionBanner />
      <FeedBanner />
      <SourceBanner />
      <NoticeBanners />
      <VersionBanner />
    </div>
  );
}

function SourceBanner() {
  const source = useStatus()?.status.source;
  if (!source) return null;
  if (!source.banner) {
    return source.kind === "replay" ? (
      <Banner tone="replay">{source.label}: recorded prices, not those of now.</Banner>
    ) : null;
  }
  const reason = source.reason && (WHY_NOT_LIVE[source.reason] ?? source.reason.replaceAll("_", " "));
  return (
    <Banner tone={source.kind === "replay" || source.kind === "tape" ? "replay" : "warn"}>
      <strong data-banner="source">{source.banner}</strong>
      {reason ? <span className="text-dim"> Why: {reason}.</span> : null}
      {source.detail && source.detail !== source.banner ? <span className="text-dim"> {source.detail}</span> : null}
    </Banner>
  );
}

// What the server wants everybody to see: symbols that are gone, a clock that is off, a wait the exchange asked for.
function NoticeBanners() {
  const notices = useStatus()?.status.notices ?? [];
  return notices.map((text) => (
    <Banner key={text} tone="warn">
      <span data-banner="notice">{text}</span>
    </Banner>
  ));
}

function ConnectionBanner() {
  const link = useLink();
  const hub = useHub();
  const zone = useZone();
  const now = useNow();
  if (link.phase === "open" || (!link.everOpen && now - link.sinceMs < 2_000)) return null;
  const retry =
    link.retryAtMs === undefined ? "Trying now" : `Next try in ${duration(Math.ceil((link.retryAtMs - now) / 1000))}`;
  return (
    <Banner
      tone="fault"
      action={
        <button
          type="button"
          onClick={() => hub.connection.retryNow()}
          className="ml-auto h-6 shrink-0 rounded border border-fault px-2 hover:bg-fault/20"
        >
          Retry now
        </button>
      }
    >
      <strong>
        {link.everOpen ? `Disconnected from pairscope since ${clock(link.sinceMs, zone)}` : "pairscope does not answer"}
      </strong>
      <span className="text-dim">
        {" "}
        {link.everOpen ? "Everything shown is the last known." : "Is it running?"} <span className="num">{retry}</span>.
      </span>
    </Banner>
  );
}

function FeedBanner() {
  const received = useStatus();
  const link = useLink();
  const now = useNow();
  if (!received || link.phase !== "open") return null;
  const { feed, source, now_ms, warming_up } = received.status;
  if (feed.state === "down") {
    const carried = now_ms + now - received.receivedMs;
    const next =
      feed.next_retry_ms === null ? "" : ` Next try in ${duration(Math.max(0, feed.next_retry_ms - carried) / 1000)}.`;
    return (
      <Banner tone="fault">
        <strong>No feed from {source.label}</strong>{" "}
        <span className="text-dim">
          for {duration((carried - feed.since_ms) / 1000)}: {feed.last_error ?? "no answer"}.{next}
        </span>
      </Banner>
    );
  }
  return warming_up ? (
    <Banner tone="plain">
      The numeric code is being compiled, once after an installation or an upgrade; figures follow.
    </Banner>
  ) : null;
}

function VersionBanner() {
  const running = useStatus()?.status.version;
  const { version } = useConfig();
  if (!running || running === version) return null;
  return (
    <Banner
      tone="plain"
      action={
        <button
          type="button"
          onClick={() => location.reload()}
          className="ml-auto h-6 shrink-0 rounded border border-edge px-2 text-fg"
        >
          Reload
        </button>
      }
    >
      The server now runs version {running}; this page belongs to {version}.
    </Banner>
  );
}
