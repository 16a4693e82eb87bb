"""The room that takes trades in: the stream and everything that closes its holes, put together, started and ended."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Literal, Protocol

import structlog

from pairscope.bars.memory import BarMemory
from pairscope.base.clock import now_ms
from pairscope.base.gaps import GapReason, Obstacle
from pairscope.base.instrument import Instrument
from pairscope.base.model import Gap
from pairscope.base.notifier import Notifier
from pairscope.base.pulse import Pulse
from pairscope.feed.clock_check import ClockCheck
from pairscope.feed.continuity import ContinuityTracker
from pairscope.feed.health import StateName
from pairscope.feed.hole_reason import HoleReasons
from pairscope.feed.judge import Judge, Judged
from pairscope.feed.source import SourcePlan
from pairscope.feed.venue import Archive, Listening, Stream
from pairscope.ingest.intake import Intake
from pairscope.ingest.opening import Ground
from pairscope.ingest.read_only import refuse_to_watch
from pairscope.ingest.repair.archive_fill import ArchiveFill
from pairscope.ingest.repair.catch_up import CatchUp
from pairscope.ingest.repair.reach_back import ReachBack
from pairscope.ingest.repair.repair import Repair, RepairStatus
from pairscope.ingest.repair.rest_backfill import Backfill
from pairscope.ingest.repair.silence_check import SilenceCheck
from pairscope.ingest.replayed import mark_replayed
from pairscope.ingest.status import ExchangeNow, IngestStatus, RepairsNow, SymbolNow, budget_now, exchange_now, feed_now
from pairscope.ingest.watch import Watch
from pairscope.store.read_only import ReadOnlyTape

log = structlog.get_logger()

PATIENCE_S = 5.0  # of what a start or a person waits for, when the exchange asked for a pause
FRAMES_UNDER_WAY_S = 0.5  # sent by the simulator and not yet read when it says that it is finished

CompiledPart = Literal["symbols", "pairs", "frames", "files"]


class Compiled(Protocol):
    """Knows which parts of the numeric code are there."""

    def has(self, part: CompiledPart) -> bool: ...

    def before(self, part: CompiledPart, act: Callable[[], object]) -> None:
        """Have something done before anybody hears that it is there."""

    async def until(self, *parts: CompiledPart) -> None:
        """Return when they are there."""

    async def prepare(self, *parts: CompiledPart) -> None:
        """Make them."""


@dataclass(frozen=True, slots=True)
class Events:
    """What the parts of the room tell each other, made before any of them."""

    gaps_changed: Notifier[[]] = field(default_factory=Notifier)
    clock_corrected: Notifier[[]] = field(default_factory=Notifier)
    watched_changed: Notifier[[]] = field(default_factory=Notifier)


class Ingest:
    """Takes trades in and closes holes, until cancelled; lives on the event loop."""

    def __init__(self, ground: Ground, pulse: Pulse, compiled: Compiled) -> None:
        self._ground = ground
        self._settings = ground.settings
        self._clock = ground.clock
        self._compiled = compiled
        self._plan = ground.source.plan
        self._can_ask = ground.source.venue.capabilities.can_ask  # for missing trades
        self.source = ground.source
        self._pairs: Sequence[tuple[str, str]] = tuple(ground.watched.pairs)
        self.restored = asyncio.Event()  # the tape's bars are in memory
        self.events = Events()
        self.watched = ground.watched
        ground.tape.symbols.know(self.source.venue.name, self.source.venue.capabilities.continuity)
        for symbol in self.watched.symbols:
            ground.tape.symbols.add(symbol)
        self.tracker = ContinuityTracker(ground.tape.symbols)
        self.event_ms = ground.source.now_ms if self._plan.kind == "replay" else self._exchange_ms  # now, by trades
        self.judge = Judge(ground.tape.symbols, self.event_ms)
        if self._plan.kind == "live":  # a simulated listing says nothing of when recorded trades may be
            self.judge.learn(self.source.instruments.values())
        self.memory = BarMemory(
            self._settings.interval_list(), self._settings.history_bars, ground.tape.symbols.best_of
        )
        self.intake = self._made_intake()
        self.stream = self._made_stream(pulse)
        self.rest = self.source.venue.rest(self.judge)
        self._hasty = self.rest.within(PATIENCE_S)
        self.clock_check = ClockCheck(self._hasty.server_time_ms, self._clock, self.events.clock_corrected)
        self._site = self.source.venue.archive() if self._can_ask else None
        self.archive = self._made_archive(self._site) if self._site else None
        self.backfill = self._made_backfill()
        self.reach_back = self._made_reach_back()
        self.silence = self._made_silence_check()
        self.watch = self._made_watch()
        self.catch_up = self._made_catch_up()
        asking: list[Repair] = [self.reach_back, self.backfill, self.silence, self.catch_up]
        self.repairs: list[Repair] = [*(asking if self._can_ask else []), *([self.archive] if self.archive else [])]
        self._follow_events()

    # --- what it is made of ---

    def _made_intake(self) -> Intake:
        tape = self._ground.tape
        return Intake(
            store=tape.unkept() if isinstance(tape, ReadOnlyTape) else tape,
            tracker=self.tracker,
            judge=self.judge,
            memory=self.memory,
            clock=self._clock,
            unheard=self._unheard,
            gaps_changed=self.events.gaps_changed,
        )

    def _made_stream(self, pulse: Pulse) -> Stream:
        return self.source.venue.stream(
            Listening(
                watch=self.watched.symbols,
                symbols=self._ground.tape.symbols,
                judge=self.judge,
                sink=self._take,
                flush_s=self._settings.flush_ms / 1000,
                stale_s=self._settings.stale_s,
                awake_s=pulse.awake_s,
                is_quiet=self._is_quiet,
                reasons=self._hole_reasons(),
                is_compiled=partial(self._compiled.has, "frames"),
            )
        )

    def _made_archive(self, site: Archive) -> ArchiveFill:
        return ArchiveFill(
            site=site,
            tracker=self.tracker,
            symbols=self._ground.tape.symbols,
            judge=self.judge,
            take=self.intake.take,
            obstructed=self._keep_gap,
            may_store=self._may_store,
            prepare=partial(self._compiled.prepare, "files"),
            folder=self._ground.tape.path.parent / "downloads",
            keep_days=self._settings.keep_data_days,
            clock=self._clock,
        )

    def _made_backfill(self) -> Backfill:
        return Backfill(
            pages=self.rest,
            tracker=self.tracker,
            symbols=self._ground.tape.symbols,
            watched=self.watched.symbols,
            take=self.intake.take,
            obstructed=self._obstructed,
            may_store=self._may_store,
        )

    def _made_reach_back(self) -> ReachBack:
        return ReachBack(
            rest=self.rest,
            tracker=self.tracker,
            store=self._ground.tape,
            holes=self.intake,
            history_ms=self._plan.history_minutes * 60_000 if self._can_ask else 0,
            clock=self._clock,
        )

    def _made_silence_check(self) -> SilenceCheck:
        return SilenceCheck(
            stream=self.stream,
            rest=self._hasty,
            tracker=self.tracker,
            symbols=self._ground.tape.symbols,
            clock=self._clock,
            clock_offset_ms=lambda: self.clock_check.offset_ms,
        )

    def _made_catch_up(self) -> CatchUp:
        return CatchUp(
            stream=self.stream,
            pages=self.rest,
            tracker=self.tracker,
            symbols=self._ground.tape.symbols,
            watched=lambda: self.watched.symbols,
            take=self.intake.take,
            clock=self._clock,
            nothing_since=self.intake.nothing_since,
        )

    def _made_watch(self) -> Watch:
        return Watch(
            watched=self.watched,
            stream=self.stream,
            rest=self._hasty,
            tracker=self.tracker,
            symbols=self._ground.tape.symbols,
            instruments=self.source.instruments,
            gone=self._plan.gone,
            reach_back=self.reach_back,
            clock=self._clock,
            changed=self.events.watched_changed,
            learned=self.judge.learn if self._plan.kind == "live" else lambda _: None,
            ended=self.intake.cut,
        )

    def _follow_events(self) -> None:
        self.events.gaps_changed.listen(self.backfill.wake)
        # Rows that were refused for their time were held against a wrong one.
        self.events.clock_corrected.listen(partial(self.backfill.ask_again, Obstacle.TIME))
        self.events.watched_changed.listen(self._watched_changed)

    # --- what its parts ask of each other ---

    def _exchange_ms(self) -> int:
        return self.clock_check.latest_ms()

    def _unheard(self) -> Iterable[int]:
        return self.stream.unheard()

    def _take(self, judged: Judged) -> None:
        self.intake.take(judged)

    async def _is_quiet(self, symbols: Sequence[str]) -> bool:
        return self._can_ask and await self.silence.is_quiet(symbols)

    def _hole_reasons(self) -> HoleReasons:
        if self._plan.kind == "replay":  # played on from where it was left: what is missing is missing in it
            return HoleReasons(at_start=GapReason.RECORDING, later=GapReason.RECORDING)
        is_whole = self._ground.tape.kept_log is None
        return HoleReasons(at_start=GapReason.RESTART if is_whole else GapReason.LOG_DAMAGED)

    def _may_store(self) -> bool:
        return self._ground.tape.counters().error is None

    def _keep_gap(self, gap: Gap) -> None:
        self.intake.keep_gaps([gap])

    def _obstructed(self, gap: Gap) -> None:
        """REST cannot fill it; a daily file may."""
        self._keep_gap(gap)
        if self.archive is not None:
            self.archive.wake()

    def _watched_changed(self) -> None:
        self._pairs = tuple(self.watched.pairs)
        self._tell_pairs()
        self.backfill.rank(self.watched.symbols)

    def _tell_pairs(self) -> None:
        computed, possible = len(self._pairs), self.watched.possible_pairs
        if computed < possible:
            log.warning(
                "pairs_limited",
                computed=computed,
                possible=possible,
                cure="raise most_pairs, or name pairs; others are computed when somebody looks at them",
            )

    # --- its life ---

    async def run(self) -> None:
        """Warm up, go on from the tape, then follow the market until cancelled; bars that are open then are partial."""
        self._compiled.before("symbols", self._restore)  # who may ask for bars must not find the memory empty
        try:
            await (self._look() if self._plan.kind == "tape" else self._receive())
        finally:
            self.intake.end()

    async def _look(self) -> None:
        """Show what is on the tape: nothing is received, fetched or written."""
        self.stream.health.become("off", now_ms(self._clock))
        await self._compiled.until("symbols")
        await self.intake.revise_for_ever()

    async def _receive(self) -> None:
        async with self.rest, self._site or contextlib.nullcontext(), asyncio.TaskGroup() as tasks:
            await self._compiled.until("symbols")  # all it needs: bars are there when pairs can be shown
            loop = asyncio.get_running_loop()
            self._ground.tape.ids_lost.listen(lambda gaps: loop.call_soon_threadsafe(self.intake.lose, gaps))
            tasks.create_task(self.intake.revise_for_ever(), name="revise")
            if self._plan.kind != "replay":
                await self.clock_check.measure()  # before the first trade is judged by its time
                tasks.create_task(self.clock_check.run(), name="clock")
                tasks.create_task(self.watch.look_for_ever(), name="listing")
            if self._can_ask:
                await self.reach_back.at_once(self.watched.symbols)
            self.backfill.wake()
            for repair in self.repairs:
                tasks.create_task(repair.run(), name=repair.status().name)
            stream = tasks.create_task(self.stream.run(), name="feed")
            await self.source.finished.wait()
            await asyncio.sleep(FRAMES_UNDER_WAY_S)
            stream.cancel()
            await self._finish()

    def _restore(self) -> None:
        self.intake.restore()
        if self._plan.kind == "tape":
            self.intake.end()  # nothing more is heard: nobody is shown a bar of it as open
        self._tell_pairs()
        self.restored.set()

    async def _finish(self) -> None:
        """A replay is at its end."""
        self.stream.finish()
        self.intake.end()
        await self._ground.tape.flushed()
        mark_replayed(self._ground.tape.path)
        log.info("replay_finished", trades=self.intake.counters.received)

    # --- what others ask of it ---

    async def add(self, symbol: str) -> None:
        """Watch a symbol; see `Watch.add`."""
        await (refuse_to_watch(symbol) if self._plan.kind == "tape" else self.watch.add(symbol))

    async def remove(self, symbol: str) -> None:
        """Watch a symbol no longer; see `Watch.remove`."""
        await (refuse_to_watch(symbol) if self._plan.kind == "tape" else self.watch.remove(symbol))

    def pairs(self) -> Sequence[tuple[str, str]]:
        """Those that are kept computed."""
        return self._pairs

    @property
    def site(self) -> Archive | None:
        """Where daily files are, while it runs; None where there are none."""
        return self._site

    @property
    def plan(self) -> SourcePlan:
        """Where trades come from."""
        return self._plan

    @property
    def state(self) -> tuple[StateName, str | None]:
        """Of the stream, with its last error."""
        return self.stream.health.state, self.stream.health.last_error

    def lag_ms(self, symbol: str) -> float | None:
        """How late the trades of a symbol reach us."""
        return self.stream.lag_ms(symbol)

    @property
    def instruments(self) -> Mapping[str, Instrument]:
        """What the exchange lists."""
        return self.watch.instruments

    def status(self) -> IngestStatus:
        """Cheap: nothing is asked of the disk or the exchange."""
        return IngestStatus(
            feed=feed_now(self.stream, self._clock),
            exchange=self._exchange_now(),
            counters=self.intake.counters,
            tally=self.intake.tally,
            finished=self.source.finished.is_set(),
            symbols=[self._symbol_now(symbol) for symbol in self.watched.symbols],
            possible_pairs=self.watched.possible_pairs,
        )

    def repairs_now(self) -> RepairsNow:
        """How far holes are closed; may be asked in a thread."""
        return RepairsNow(
            budget=budget_now(self.source.venue.budget, self._clock),
            backfill=self.backfill.status(),
            archive=self.archive.status() if self.archive else RepairStatus("archive"),
            all=[repair.status() for repair in self.repairs],
        )

    def _exchange_now(self) -> ExchangeNow:
        return exchange_now(self.source.venue, self.stream, self.archive, self.clock_check, self.watch)

    def _symbol_now(self, symbol: str) -> SymbolNow:
        symbol_id = self._ground.tape.symbols.index(symbol)
        return SymbolNow(
            symbol,
            newest=self.intake.newest(symbol_id),
            last_id=self.tracker.highest(symbol_id),
            gaps=self.tracker.open_gaps(symbol_id),
        )
