// Beside the tape: how far the back-fill is, and what the disk holds.

import type { BackfillStatus, DamagedFile, DiskStatus } from "../api.gen";
import { bytes, fixed } from "../lib/format";
import { keptWords, madeRoomWords, weightParts } from "../lib/tape";
import { clock } from "../lib/time";
import { Card, type Row } from "../ui/card";
import { useZone } from "../ui/clock";

export function BackfillCard({ backfill }: { backfill: BackfillStatus }) {
  const zone = useZone();
  const { ids_waiting, banned_until_ms, last_error, archive_ids, archive_error } = backfill;
  const ban: Row[] = banned_until_ms === null ? [] : [["banned until", clock(banned_until_ms, zone), true]];
  return (
    <Card
      title="Back-fill"
      rows={[
        ["ids waiting", fixed(ids_waiting, 0), ids_waiting > 0],
        ["pages read", fixed(backfill.pages, 0)],
        ["trades brought", fixed(backfill.trades, 0)],
        ["failures", fixed(backfill.failures, 0), backfill.failures > 0],
        ["ids too old for REST", fixed(archive_ids, 0), archive_ids > 0],
        ["daily files read", fixed(backfill.archive_files, 0)],
        ["trades from files", fixed(backfill.archive_trades, 0)],
        ...ban,
      ]}
    >
      <LastError of="last error" text={last_error} />
      <LastError of="last error of a file" text={archive_error} />
      <WeightBar backfill={backfill} />
    </Card>
  );
}

function LastError({ of, text }: { of: string; text: string | null }) {
  if (text === null) return null;
  return (
    <p className="border-line border-t px-3 py-2">
      <span className="text-dim">{of}</span> <span className="text-short wrap-anywhere">{text}</span>
    </p>
  );
}

const BAR = { width: 100, height: 6 };

/** What was asked of the exchange in this minute, of what we allow ourselves, of what it allows. */
function WeightBar({ backfill }: { backfill: BackfillStatus }) {
  const { used, allowed } = weightParts(backfill);
  const { weight_used, weight_allowed, weight_limit } = backfill;
  const text = `${fixed(weight_used, 0)} used of ${fixed(weight_allowed, 0)} allowed`;
  const mark = allowed * BAR.width;
  return (
    <div className="border-line border-t px-3 py-2">
      <p className="flex justify-between text-dim">
        <span>weight this minute</span>
        <span className="num">limit {fixed(weight_limit, 0)}</span>
      </p>
      <svg
        role="img"
        aria-label={`${text}, limit ${fixed(weight_limit, 0)}`}
        viewBox={`0 0 ${BAR.width} ${BAR.height}`}
        preserveAspectRatio="none"
        className="my-1.5 block h-2 w-full"
      >
        <rect width={BAR.width} height={BAR.height} className="fill-raised" />
        <rect width={mark} height={BAR.height} className="fill-edge" />
        <rect width={used * BAR.width} height={BAR.height} className={used > allowed ? "fill-short" : "fill-long"} />
        <path d={`M${mark} 0v${BAR.height}`} vectorEffect="non-scaling-stroke" className="stroke-dim" />
      </svg>
      <p className="num">{text}</p>
    </div>
  );
}

export function DiskCard({ disk, isLookedAt }: { disk: DiskStatus; isLookedAt: boolean }) {
  const zone = useZone();
  const kept: Row[] = [
    ["trades are kept", keptWords(disk.keep_data_days)],
    ["bars are kept", keptWords(disk.keep_bar_days)],
    ["imports are kept", keptWords(disk.keep_imported_days)],
  ];
  return (
    <Card
      title="Disk"
      rows={[
        ["open day", bytes(disk.open_bytes)],
        ["sealed trades", bytes(disk.trades_bytes)],
        ["bars", bytes(disk.bars_bytes)],
        ["state", bytes(disk.state_bytes)],
        ["free", bytes(disk.free_bytes)],
        ["sealed days", fixed(disk.sealed_days, 0)],
        ...(disk.most_bytes === null
          ? []
          : [
              [
                "all, of its bound",
                `${bytes(disk.used_bytes)} of ${bytes(disk.most_bytes)}`,
                disk.is_near_bound,
              ] satisfies Row,
            ]),
        ...(isLookedAt ? [] : kept),
        ["damaged files", disk.damaged.length ? fixed(disk.damaged.length, 0) : "none", !!disk.damaged.length],
      ]}
    >
      {disk.damaged.length ? <Quarantine files={disk.damaged} /> : null}
      <Lines label="Damaged logs, set aside" lines={disk.damaged_logs} />
      <Lines label="State that could not be read, set aside" lines={disk.damaged_states} />
      <LastError of="state" text={disk.state_error} />
      <Lines label="Days that made room" lines={disk.made_room.map((day) => madeRoomWords(day, zone))} />
    </Card>
  );
}

function Lines({ label, lines }: { label: string; lines: readonly string[] }) {
  if (lines.length === 0) return null;
  return (
    <div className="border-line border-t px-3 py-1.5">
      <p className="text-dim">{label}</p>
      <ul aria-label={label}>
        {lines.map((line) => (
          <li key={line} className="num whitespace-normal wrap-anywhere">
            {line}
          </li>
        ))}
      </ul>
    </div>
  );
}

/** Damaged files lie aside; what was in them is a gap, and is asked for again. */
function Quarantine({ files }: { files: readonly DamagedFile[] }) {
  return (
    <ul className="border-line border-t px-3 py-1.5" aria-label="Damaged files, moved aside">
      {files.map(({ file, damage }) => (
        <li key={file} className="py-1">
          <p className="num whitespace-normal wrap-anywhere">{file}</p>
          <p className="text-fault wrap-anywhere">{damage}</p>
        </li>
      ))}
    </ul>
  );
}
