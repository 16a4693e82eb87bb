import type { ReactNode } from "react";
import { bytes, fixed, lag } from "../lib/format";
import { useConfig, useLink, useStatus, useTopicState } from "../wire/context";
import type { Topic } from "../wire/state";

function Item({ name, children }: { name: string; children: ReactNode }) {
  return (
    <span className="whitespace-nowrap">
      {name} <span className="num text-fg">{children}</span>
    </span>
  );
}

export function StatusBar({ topic }: { topic: Topic | undefined }) {
  const state = useTopicState(topic);
  const status = useStatus()?.status;
  const isOld = useLink().phase !== "open";
  const { version } = useConfig();
  const bars = (state?.pair ?? state?.bars)?.open_time_ms.length;
  return (
    <footer
      data-old={isOld}
      className="data-[old=true]:[&_.num]:text-dim flex min-h-6 flex-wrap items-center gap-x-4 py-0.5 sm:col-start-2 border-line border-t bg-panel px-3 text-[11px] text-dim"
    >
      {bars === undefined ? null : <Item name="bars">{fixed(bars, 0)}</Item>}
      {status?.source.kind === "tape" ? null : (
        <>
          <Item name="trades/s">{fixed(status?.feed.trades_per_s, 1)}</Item>
          <Item name="lag p50">{lag(status?.feed.lag_ms_p50)}</Item>
          <Item name="p95">{lag(status?.feed.lag_ms_p95)}</Item>
        </>
      )}
      <Item name="tape">{bytes(status?.store.database_bytes)}</Item>
      {state?.seq === undefined ? null : <Item name="seq">{state.seq}</Item>}
      <span className="ml-auto whitespace-nowrap">
        pairscope <span className="num">{status?.version ?? version}</span>
      </span>
      <a
        href="https://www.tradingview.com/"
        target="_blank"
        rel="noreferrer"
        className="whitespace-nowrap underline-offset-2 hover:underline"
      >
        Charts by TradingView
      </a>
    </footer>
  );
}
