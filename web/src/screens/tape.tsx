// What the tape holds and what it lacks. Asked for, not pushed: it is read from the disk.

import { useQuery } from "@tanstack/react-query";
import type { TapeStatus } from "../api.gen";
import { age, bytes, fixed, percent } from "../lib/format";
import { useSettled, useTab } from "../lib/hooks";
import { verdict } from "../lib/tape";
import { clock } from "../lib/time";
import { useZone } from "../ui/clock";
import { Notice, TableSkeleton } from "../ui/notice";
import type { Screen } from "../ui/screen";
import { WithSide } from "../ui/side";
import { Cell, Strip } from "../ui/strip";
import { request } from "../wire/client";
import { useLink, useNow, useStatus } from "../wire/context";
import { JobsCard } from "./jobs-card";
import { BackfillCard, DiskCard } from "./tape-cards";
import { GapTable, HoldingTable } from "./tape-tables";

const REFRESH_MS = 2_000;
const OLD_MS = 3 * REFRESH_MS;
const SKELETON_AFTER_MS = 150;

/** Asked again every two seconds, not while the page is hidden, and at once when it is seen again. */
function useTape() {
  return useQuery({
    queryKey: ["tape"],
    queryFn: ({ signal }) => request("GET /status/tape", {}, signal),
    refetchInterval: REFRESH_MS,
    refetchOnWindowFocus: "always",
    networkMode: "always", // pairscope may run on this machine, which needs no network
    retry: false, // the next question follows soon enough
  });
}

function TapeScreen() {
  const { data: tape, error, dataUpdatedAt, refetch } = useTape();
  const link = useLink();
  const isLookedAt = useStatus()?.status.source.kind === "tape";
  const now = useNow();
  const isSlow = useSettled(!tape && !error, SKELETON_AFTER_MS);
  const isIncomplete = tape?.totals.state === "incomplete";
  useTab(isIncomplete ? `${verdict(tape.totals).title} · Tape` : "Tape", link.phase === "down");
  const ask = () => void refetch();
  if (!tape) {
    if (!error) return isSlow ? <TableSkeleton /> : null;
    return (
      <Notice title="The tape cannot be read" action={<RetryButton onClick={ask} />}>
        {error.message}
      </Notice>
    );
  }
  const ageMs = now - dataUpdatedAt;
  const isCurrent = !error && ageMs < OLD_MS;
  return (
    <div className="flex h-full min-h-0 flex-col">
      <Head tape={tape} isCurrent={isCurrent} />
      {isCurrent ? null : <OldNote atMs={dataUpdatedAt} ageMs={ageMs} cause={error?.message} onRetry={ask} />}
      <div className={`flex min-h-0 flex-1 flex-col ${isCurrent ? "" : "text-dim saturate-25"}`}>
        <WithSide
          label="Back-fill, jobs and disk"
          main={
            <div className="flex min-h-0 min-w-0 flex-1 flex-col">
              <HoldingTable symbols={tape.symbols} nowMs={now} />
              <GapTable gaps={tape.gaps} all={tape.totals} />
            </div>
          }
        >
          {isLookedAt ? null : (
            <>
              <div className="p-2">
                <BackfillCard backfill={tape.backfill} />
              </div>
              <div className="p-2 wide:pt-0">
                <JobsCard />
              </div>
            </>
          )}
          <div className={`p-2 ${isLookedAt ? "" : "wide:pt-0"}`}>
            <DiskCard disk={tape.disk} isLookedAt={isLookedAt} />
          </div>
        </WithSide>
      </div>
    </div>
  );
}

const TONES = { empty: "text-dim", complete: "text-ok", incomplete: "text-short" };

function Head({ tape, isCurrent }: { tape: TapeStatus; isCurrent: boolean }) {
  const { totals: all } = tape;
  const { state } = all;
  const { title, detail } = verdict(all);
  const { disk } = tape;
  return (
    <Strip label="Tape" isCurrent={isCurrent}>
      <Cell
        wide
        name="tape"
        value={state === "complete" ? `✓ ${title}` : title}
        tone={TONES[state]}
        detail={detail}
        note="The exchange numbers its trades. Every number from a symbol's first to its last is on the tape, or in a gap."
      />
      <Cell name="trades" value={fixed(all.trades, 0)} detail={`of ${tape.symbols.length} symbols`} />
      <Cell
        name="back-filled"
        value={percent(all.backfilled_share)}
        detail={`${fixed(all.backfilled, 0)} ids`}
        note="Trades that did not come by the socket when they were printed, and were asked for later."
      />
      <Cell
        name="gaps open"
        value={fixed(all.gaps_open, 0)}
        tone={all.gaps_open ? "text-short" : "text-fg"}
        detail={`${fixed(all.ids_missing, 0)} ids`}
      />
      <Cell name="gaps closed" value={fixed(all.gaps_closed, 0)} />
      <Cell name="on disk" value={bytes(disk.open_bytes + disk.trades_bytes + disk.bars_bytes)} />
      <Cell name="free" value={bytes(disk.free_bytes)} />
    </Strip>
  );
}

interface OldNoteProps {
  atMs: number;
  ageMs: number;
  cause: string | undefined;
  onRetry: () => void;
}

function OldNote({ atMs, ageMs, cause, onRetry }: OldNoteProps) {
  const zone = useZone();
  return (
    <div role="status" className="flex min-h-7 items-center gap-2 border-short border-l-4 bg-short/15 px-3 py-1">
      <p>
        As of <span className="num">{clock(atMs, zone)}</span>, <span className="num">{age(ageMs)}</span> ago
        {cause ? `. There is no newer answer: ${cause}` : "."}
      </p>
      <span className="ml-auto">
        <RetryButton onClick={onRetry} />
      </span>
    </div>
  );
}

const RetryButton = ({ onClick }: { onClick: () => void }) => (
  <button
    type="button"
    onClick={onClick}
    className="h-6 shrink-0 rounded border border-edge bg-raised px-2 hover:border-dim"
  >
    Retry
  </button>
);

export const tape: Screen = {
  name: "tape",
  title: "Tape",
  key: "6",
  icon: (
    <>
      <circle cx="5.5" cy="8" r="3.5" />
      <circle cx="12.5" cy="8" r="3.5" />
      <path d="M2 14.5h5m2.2 0h1.6m2.2 0h3" />
    </>
  ),
  takes: 0,
  has: [],
  View: TapeScreen,
};
