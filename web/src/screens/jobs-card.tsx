// Long work on the tape: how far it is, a way to end it, what came of it or why it failed; and a way to ask for some.

import { useState } from "react";
import type { ErrorBody, JobInfo, NewImport, NewVerify } from "../api.gen";
import { fixed, percent } from "../lib/format";
import { clock } from "../lib/time";
import { useZone } from "../ui/clock";
import { Refused, request } from "../wire/client";
import { useJobs } from "../wire/context";

const SHOWN = 5; // the newest
const BAR = { width: 100, height: 6 };
const BUTTON = "h-6 shrink-0 rounded border border-edge bg-raised px-2 hover:border-dim disabled:text-dim";

const failure = (cause: unknown): ErrorBody =>
  cause instanceof Refused ? cause.body : { code: "", message: (cause as Error).message, cure: "" };

export function JobsCard() {
  const told = useJobs();
  const [refused, setRefused] = useState<ErrorBody | undefined>();
  const ask = async (doing: Promise<unknown>) => {
    setRefused(undefined);
    try {
      await doing;
    } catch (cause) {
      setRefused(failure(cause));
    }
  };
  const order = (body: NewImport | NewVerify) => void ask(request("POST /jobs", { body }));
  const jobs = told?.jobs.slice(0, SHOWN) ?? [];
  return (
    <section className="min-w-0 rounded border border-line bg-panel" aria-label="Jobs">
      <div className="flex items-center justify-between gap-2 border-line border-b px-3 py-1.5">
        <h2 className="caption">Jobs</h2>
        <button type="button" className={BUTTON} onClick={() => order({ kind: "verify" })}>
          Verify the tape
        </button>
      </div>
      <ImportForm onOrder={order} />
      {refused ? <Fault error={refused} /> : null}
      {jobs.length ? (
        <ul aria-label="Jobs, the newest first">
          {jobs.map((job) => (
            <JobItem
              key={job.id}
              job={job}
              onCancel={() => void ask(request("DELETE /jobs/{id}", { path: { id: job.id } }))}
            />
          ))}
        </ul>
      ) : (
        <p className="px-3 py-2 text-dim">No job was asked for since the start.</p>
      )}
      {told && told.jobs.length > SHOWN ? (
        <p className="border-line border-t px-3 py-1.5 text-dim">
          <span className="num">{fixed(told.jobs.length - SHOWN, 0)}</span> more at{" "}
          <a className="underline hover:text-fg" href="/jobs">
            /jobs
          </a>
        </p>
      ) : null}
    </section>
  );
}

const FIELD = "h-6 w-full min-w-0 rounded border border-edge bg-raised px-1.5";

/** A symbol and days, whose official files are downloaded. */
function ImportForm({ onOrder }: { onOrder: (body: NewImport) => void }) {
  const [symbol, setSymbol] = useState("");
  const [first, setFirst] = useState("");
  const [last, setLast] = useState("");
  const isWhole = symbol.trim() !== "" && first !== "";
  return (
    <form
      aria-label="Import past days"
      className="grid grid-cols-2 gap-1.5 border-line border-b px-3 py-2"
      onSubmit={(event) => {
        event.preventDefault();
        if (isWhole) onOrder({ kind: "import", symbol, from: first, to: last || first });
      }}
    >
      <label className="min-w-0">
        <span className="text-dim">symbol</span>
        <input className={FIELD} value={symbol} onChange={(event) => setSymbol(event.target.value)} />
      </label>
      <div className="flex items-end justify-end">
        <button type="submit" className={BUTTON} disabled={!isWhole}>
          Import
        </button>
      </div>
      <label className="min-w-0">
        <span className="text-dim">from</span>
        <input className={FIELD} type="date" value={first} onChange={(event) => setFirst(event.target.value)} />
      </label>
      <label className="min-w-0">
        <span className="text-dim">to</span>
        <input className={FIELD} type="date" value={last} onChange={(event) => setLast(event.target.value)} />
      </label>
    </form>
  );
}

const isOver = (job: JobInfo) => job.ended_ms !== null;

function JobItem({ job, onCancel }: { job: JobInfo; onCancel: () => void }) {
  const zone = useZone();
  const when = job.ended_ms ?? job.began_ms ?? job.asked_ms;
  return (
    <li className="border-line border-t px-3 py-2 first:border-t-0">
      <p className="flex items-start justify-between gap-2">
        <span className="min-w-0 wrap-anywhere">{job.title}</span>
        {isOver(job) ? (
          <span className={job.state === "failed" ? "text-fault" : "text-dim"}>{job.state}</span>
        ) : (
          <button
            type="button"
            className={BUTTON}
            disabled={job.state === "cancelling"}
            onClick={onCancel}
            aria-label={`Cancel ${job.title}`}
          >
            Cancel
          </button>
        )}
      </p>
      {isOver(job) ? null : <ShareBar job={job} />}
      {job.result === null ? null : <p className="wrap-anywhere">{job.result}</p>}
      {job.error ? <Fault error={job.error} /> : null}
      {job.lines.length ? <JobLines job={job} /> : null}
      <p className="num text-dim">{clock(when, zone)}</p>
    </li>
  );
}

function ShareBar({ job }: { job: JobInfo }) {
  const text = job.state === "running" ? `${percent(job.share, 0)} ${job.words}` : job.words;
  return (
    <>
      <svg
        role="img"
        aria-label={`${percent(job.share, 0)} of ${job.title}`}
        viewBox={`0 0 ${BAR.width} ${BAR.height}`}
        preserveAspectRatio="none"
        className="my-1.5 block h-2 w-full"
      >
        <rect width={BAR.width} height={BAR.height} className="fill-raised" />
        <rect width={job.share * BAR.width} height={BAR.height} className="fill-long" />
      </svg>
      <p className="wrap-anywhere text-dim">{text}</p>
    </>
  );
}

/** What a job told on its way; folded away, for a whole tape tells much. */
function JobLines({ job }: { job: JobInfo }) {
  return (
    <details>
      <summary className="cursor-pointer text-dim hover:text-fg">
        {fixed(job.lines.length + job.lines_dropped, 0)} lines told
      </summary>
      <ul aria-label={`What ${job.title} told`}>
        {job.lines.map((line, place) => (
          // biome-ignore lint/suspicious/noArrayIndexKey: lines are only added at the end
          <li key={place} className="num whitespace-pre-wrap wrap-anywhere">
            {line}
          </li>
        ))}
      </ul>
    </details>
  );
}

function Fault({ error }: { error: ErrorBody }) {
  return (
    <p role="alert" className="px-3 py-1 text-fault wrap-anywhere">
      {error.message}.{error.cure ? <span className="text-dim"> {error.cure}</span> : null}
    </p>
  );
}
