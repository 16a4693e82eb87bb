"""What the running system says of itself, put together from its parts."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, replace
from datetime import UTC, datetime

import psutil

from pairscope import __version__
from pairscope.api import standing, wire
from pairscope.base.clock import Clock, now_ms
from pairscope.base.gaps import OF_IMPORTS, GapReason
from pairscope.base.pulse import Pulse
from pairscope.base.settings import Settings
from pairscope.ingest.ingest import Ingest
from pairscope.ingest.status import IngestStatus, SymbolNow
from pairscope.live.market import Market
from pairscope.store.inventory import SymbolReport, Verified, VerifiedList, report_tape
from pairscope.store.log_file import kept_logs
from pairscope.store.retention import ImportedShare
from pairscope.store.room import LetGo, Room
from pairscope.store.tape import Tape
from pairscope.store.tape_notes import report_state
from pairscope.store.tape_state import TapeState

MOST_BARS = 5_000
MOST_GAPS = 200  # of the open and of the closed ones each
NO_CLIENTS = wire.ClientsStatus(clients=0, topics=0, sent=0, conflated=0, cut_off=0)
_NOBODY = wire.GateStatus(waiting=0, refused=0, abandoned=0)
NO_REQUESTS = wire.RequestsStatus(
    connections=0,
    connections_limit=0,
    connections_refused=0,
    timed_out=0,
    disk=_NOBODY,
    metrics=_NOBODY,
    everything=_NOBODY,
    studies=_NOBODY,
)


class StatusBoard:
    """Answers for ``/status``, ``/health`` and ``/config``."""

    def __init__(
        self, settings: Settings, ingest: Ingest, tape: Tape, market: Market, pulse: Pulse, clock: Clock
    ) -> None:
        self._settings = settings
        self._ingest = ingest
        self._plan = ingest.plan
        self._tape = tape
        self._market = market
        self._pulse = pulse
        self._clock = clock
        self._started_ms = now_ms(clock)
        self._started_s = clock.monotonic_s()
        self._config: wire.Config | None = None
        self._config_of: tuple[object, object] = (None, None)

    @property
    def warm(self) -> bool:
        """Whether what an open screen needs is there."""
        return self._ingest.restored.is_set() and self._market.kernels.has("pairs")

    def status(self) -> wire.Status:
        ingest, market, tape = self._ingest.status(), self._market.status(), self._tape.status()
        return wire.Status(
            version=__version__,
            now_ms=now_ms(self._clock),
            started_ms=self._started_ms,
            uptime_s=round(self._clock.monotonic_s() - self._started_s, 3),
            warming_up=not self.warm,
            kernels=wire.KernelsStatus(preparing=list(market.preparing), compiled_here=market.compiled_here),
            loop=self._loop(),
            memory_bytes=psutil.Process().memory_info().rss,
            source=self._source_status(ingest.finished),
            notices=[*standing.notices(ingest.exchange), *_room_notices(tape.room)],
            feed=self._feed(ingest),
            exchange=standing.status(ingest.exchange),
            store=_store_status(tape),
            clients=NO_CLIENTS,  # the hub fills them in
            requests=NO_REQUESTS,  # and the application these
            symbols=[self._symbol(each) for each in ingest.symbols],
            pairs_computed=market.pairs,
            pairs_possible=ingest.possible_pairs,
        )

    def health(self) -> wire.Health:
        problems = []
        error = self._tape.status().counters.error
        if error:
            problems.append(f"the tape cannot be written: {error}")
        state, last_error = self._ingest.state
        if state in ("down", "stale"):
            problems.append(f"the feed is {state}: {last_error or 'no trades'}")
        if late := self._pulse.lag().problem:
            problems.append(late)
        condition = "degraded" if problems else "ok" if self.warm and state != "connecting" else "starting"
        return wire.Health(status=condition, version=__version__, problems=problems)  # type: ignore[arg-type]

    def config(self) -> wire.Config:
        """Built once for each list of symbols and of instruments; both are replaced when they change."""
        shown = (self._ingest.watched.symbols, self._ingest.instruments)
        if self._config is None or any(old is not new for old, new in zip(self._config_of, shown, strict=True)):
            self._config, self._config_of = self._build_config(), shown
        return self._config

    def _build_config(self) -> wire.Config:
        legs = [wire.Legs(y=y, x=x) for y, x in self._ingest.watched.pairs]
        return wire.Config(
            version=__version__,
            symbols=[self._symbol_info(symbol) for symbol in self._ingest.watched.symbols],
            pairs=[_pair(each) for each in legs],
            legs=legs,
            intervals=[str(interval) for interval in self._market.intervals],
            metric_interval=self._settings.metric_interval,
            window=self._settings.window,
            max_bars=MOST_BARS,
            trade_kind=self._plan.trade_kind.value,
            opening=self._opening(legs),
        )

    def _opening(self, pairs: list[wire.Legs]) -> wire.Opening:
        """The one of the source while its pair is watched, else the first pair as the settings say."""
        planned, settings = self._plan.opening, self._settings
        legs, interval, window = pairs[0] if pairs else None, settings.metric_interval, settings.window
        if planned is not None and wire.Legs(y=planned.y, x=planned.x) in pairs:
            legs, interval, window = wire.Legs(y=planned.y, x=planned.x), planned.interval, planned.window
        return wire.Opening(pair=_pair(legs) if legs else None, legs=legs, interval=interval, window=window)

    def tape(self) -> wire.TapeStatus:
        """Reads the disk: for a thread."""
        gaps = self._tape.gaps()
        open_gaps = sorted((gap for gap in gaps if gap.closed_ms is None), key=lambda gap: -gap.found_ms)
        closed = [
            gap for gap in gaps if gap.closed_ms is not None and gap.reason not in (GapReason.LET_GO, *OF_IMPORTS)
        ]
        closed.sort(key=lambda gap: -(gap.closed_ms or 0))
        shown = [*open_gaps[:MOST_GAPS], *closed[:MOST_GAPS]]
        verified = VerifiedList(self._tape.path).read()
        reports = report_tape(self._market.symbols, self._tape.holdings(), gaps)
        shares = self._tape.imported()
        imported = None if shares is None else {self._market.symbols.name(each.symbol_id): each for each in shares}
        return wire.TapeStatus(
            totals=_totals(reports),
            symbols=[self._tape_symbol(report, verified.get(report.symbol), imported) for report in reports],
            gaps=[wire.TapeGap(ids=gap.ids, **asdict(gap)) for gap in shown],
            backfill=self._backfill_status(),
            disk=self._disk_status(),
        )

    def _tape_symbol(
        self, report: SymbolReport, verified: Verified | None, imported: dict[str, ImportedShare] | None
    ) -> wire.TapeSymbol:
        share = imported.get(report.symbol) if imported else None
        none = None if imported is None else 0
        lag_ms = None if self._plays_past else self._ingest.lag_ms(report.symbol)
        return wire.TapeSymbol(
            **asdict(replace(report, lag_ms=lag_ms)),
            backfilled_share=_share(report.backfilled, report.trades),
            imported=share.trades if share else none,
            imported_bars=share.bars if share else none,
            imported_goes_ms=share.goes_ms if share else None,
            verified_ms=verified.verified_ms if verified else None,
            verified_differences=verified.differences if verified else None,
        )

    @property
    def _plays_past(self) -> bool:
        """Trades of another day have no lag."""
        return self._plan.kind == "replay" and self._settings.replay_times == "kept"

    def _backfill_status(self) -> wire.BackfillStatus:
        repairs = self._ingest.repairs_now()
        backfill, archive, budget = repairs.backfill, repairs.archive, repairs.budget
        return wire.BackfillStatus(
            ids_waiting=backfill.ids_waiting,
            pages=backfill.answers,
            trades=backfill.trades,
            failures=backfill.failures,
            last_error=backfill.last_error,
            weight_used=budget.used,
            weight_allowed=budget.own_limit,
            weight_limit=budget.limit,
            banned_until_ms=budget.banned_until_ms,
            archive_ids=archive.ids_waiting,
            archive_files=archive.answers,
            archive_trades=archive.trades,
            archive_error=archive.last_error,
        )

    def _disk_status(self) -> wire.DiskStatus:
        use, room, damaged = self._tape.disk_use(), self._tape.room(), self._tape.quarantined()
        state = report_state(self._tape.path)
        return wire.DiskStatus(
            open_bytes=use.open_bytes,
            trades_bytes=use.trades_bytes,
            bars_bytes=use.bars_bytes,
            free_bytes=use.free_bytes,
            sealed_days=len({part.day_ms for part in self._tape.days() if part.kind == "trades"}),
            damaged=[wire.DamagedFile(file=str(part), damage=part.damage or "") for part in damaged],
            quarantined=[f"{part}: {part.damage}" for part in damaged],
            damaged_logs=[file.name for file in kept_logs(self._tape.path)],
            state_bytes=state.byte_count,
            damaged_states=state.damaged,
            state_error=state.error,
            used_bytes=room.used_bytes,
            most_bytes=room.limit_bytes,
            is_near_bound=room.is_near,
            made_room=[wire.DayLetGo(**asdict(day)) for day in reversed(room.let_go)],
            let_go=[_let_go(day) for day in reversed(room.let_go)],
            keep_data_days=self._settings.keep_data_days,
            keep_bar_days=self._settings.keep_bar_days,
            keep_imported_days=self._settings.keep_imported_days,
        )

    def _loop(self) -> wire.LoopStatus:
        lag = self._pulse.lag()
        return wire.LoopStatus(lag_ms_p50=lag.p50_ms, lag_ms_p99=lag.p99_ms, lag_ms_longest=lag.longest_ms)

    def _source_status(self, finished: bool) -> wire.SourceStatus:
        plan = self._plan
        return wire.SourceStatus(
            kind=plan.kind,
            requested=self._settings.source,
            label=plan.label,
            banner=plan.banner,
            reason=plan.reason,
            detail=plan.detail,
            finished=finished,
        )

    def _feed(self, ingest: IngestStatus) -> wire.FeedStatus:
        feed, tally = ingest.feed, ingest.tally
        return wire.FeedStatus(
            state=feed.state,
            since_ms=feed.since_ms,
            connections=feed.connections,
            reconnects=feed.reconnects,
            last_error=feed.last_error,
            next_retry_ms=feed.next_retry_ms,
            last_frame_ms=feed.last_frame_ms,
            frames=feed.frames,
            trades=feed.trades,
            trades_per_s=feed.trades_per_s,
            lag_ms_p50=None if self._plays_past else feed.lag_ms_p50,
            lag_ms_p95=None if self._plays_past else feed.lag_ms_p95,
            duplicates=ingest.counters.duplicates,
            conflicting=sum(tally.conflicting.values()),
            rejected=dict(tally.by_reason() + Counter(feed.rejected)),
            rejected_by_origin={
                "frames": dict(feed.rejected),
                **{origin: dict(counts) for origin, counts in tally.refused.items()},
            },
            noted=dict(tally.oddities()),
            frames_waiting=feed.waiting,
            frames_limit=feed.waiting_limit,
            silent=list(feed.silent),
        )

    def _symbol(self, now: SymbolNow) -> wire.SymbolStatus:
        seen = now.newest
        return wire.SymbolStatus(
            symbol=now.symbol,
            last_price=seen.price if seen else self._last_close(now.symbol),
            last_trade_ms=seen.time_ms if seen else None,
            received_ms=seen.received_ns // 1_000_000 if seen else None,
            trades=seen.trades if seen else 0,
            last_id=now.last_id,
            gaps_open=len(now.gaps),
            ids_missing=sum(gap.ids for gap in now.gaps),
        )

    def _last_close(self, symbol: str) -> float | None:
        """Of a tape that is looked at: there the newest bar tells the newest price."""
        if self._plan.kind != "tape":
            return None
        lasts = [bars for each in self._market.intervals if len(bars := self._market.bars(symbol, each, 1))]
        ends = [int((bars["open_time_ms"] + bars["interval_ms"])[0]) for bars in lasts]
        return float(lasts[ends.index(max(ends))]["close"][0]) if lasts else None

    def _symbol_info(self, symbol: str) -> wire.SymbolInfo:
        instrument = self._ingest.instruments.get(symbol)
        tick_size = instrument.tick_size if instrument else 0.01
        return wire.SymbolInfo(
            symbol=symbol,
            tick_size=tick_size,
            price_decimals=decimals(tick_size),
            step_size=instrument.step_size if instrument else 0.001,
            base=instrument.base if instrument else None,
            quote=instrument.quote if instrument else None,
            kind=instrument.kind.value if instrument else None,
            contract_size=instrument.contract_size if instrument else None,
            native=instrument.native if instrument else None,
        )


def _store_status(tape: TapeState) -> wire.StoreStatus:
    counters = tape.counters
    return wire.StoreStatus(
        path=str(tape.path),
        trades_committed=counters.trades_committed,
        rows_waiting=counters.rows_waiting,
        rows_limit=counters.rows_limit,
        rows_refused=counters.rows_refused,
        commit_ms_p50=counters.commit_ms_p50,
        commit_ms_p99=counters.commit_ms_p99,
        last_commit_ms=counters.last_commit_ms,
        commits_retried=counters.commits_retried,
        reads_waiting=counters.reads_waiting,
        reads_repeated=counters.reads_repeated,
        database_bytes=counters.database_bytes,
        error=counters.error,
    )


def _pair(legs: wire.Legs) -> str:
    return f"{legs.y}/{legs.x}"


def _totals(reports: Sequence[SymbolReport]) -> wire.TapeTotals:
    ends = [(each.first_id, each.last_id) for each in reports]
    ids = sum(last - first + 1 for first, last in ends if first is not None and last is not None)
    missing, gaps_open = (sum(getattr(each, name) for each in reports) for name in ("ids_missing", "gaps_open"))
    trades, backfilled = (sum(getattr(each, name) for each in reports) for name in ("trades", "backfilled"))
    return wire.TapeTotals(
        state="incomplete" if missing or gaps_open else "complete" if ids else "empty",
        ids=ids,
        trades=trades,
        backfilled=backfilled,
        backfilled_share=_share(backfilled, trades),
        ids_missing=missing,
        gaps_open=gaps_open,
        gaps_closed=sum(each.gaps_closed for each in reports),
    )


def _share(backfilled: int, trades: int) -> float | None:
    """After old days are deleted their gaps are still counted."""
    return min(1.0, backfilled / trades) if trades else None


def _let_go(day: LetGo) -> str:
    at = datetime.fromtimestamp(day.at_ms / 1_000, UTC)
    return f"{day.kind} of {day.day}, {day.file_bytes:,} bytes, on {at:%Y-%m-%d %H:%M} UTC"


def _room_notices(room: Room) -> list[str]:
    """What people should know of the bound on the disk."""
    if room.limit_bytes is None or room.used_bytes is None or not room.is_near:
        return []
    used_gb, most_gb = room.used_bytes / 1e9, room.limit_bytes / 1e9
    figures = f"The tape takes {used_gb:,.3f} GB of the {most_gb:,.3f} GB it may (most_disk_gb)"
    if room.is_over:
        return [f"{figures}, and only imported days and those not sealed yet are left: raise the bound, or make room."]
    return [f"{figures}: when they are full, the oldest sealed live days are deleted, trades before bars."]


def decimals(step: float) -> int:
    """Digits after the point that a step needs.

    >>> decimals(0.1), decimals(0.00001), decimals(5.0)
    (1, 5, 0)
    """
    return max(0, -math.floor(math.log10(step) + 1e-9))
