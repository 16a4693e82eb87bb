"""Wiring only: settings in, a running system out. The one place that knows every room."""

from __future__ import annotations

import asyncio
import contextlib
import shutil
import socket
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

import structlog
import uvicorn

from pairscope.api.listening import address_of, exposure, listen, open_browser, wants_browser
from pairscope.api.server import create_app, make_server
from pairscope.api.status import StatusBoard
from pairscope.bars.memory import BarMemory
from pairscope.base import files
from pairscope.base.clock import Clock, SystemClock, now_ms
from pairscope.base.errors import FileNotWritten, StoreUnavailable
from pairscope.base.jit import watch_compiles
from pairscope.base.model import Gap
from pairscope.base.pulse import Pulse
from pairscope.base.saying import say
from pairscope.base.settings import Settings
from pairscope.base.threads import apart, opened_apart
from pairscope.feed.clock_check import ClockCheck
from pairscope.feed.continuity import ContinuityTracker
from pairscope.feed.judge import Judge, Judged, Refusal
from pairscope.feed.source import Source
from pairscope.feed.venue import Archive, Listening
from pairscope.feed.venues import open_source, plan_source
from pairscope.ingest.intake import Intake
from pairscope.ingest.read_only import find_tape, plan_tape, refuse_to_watch, tape_source
from pairscope.ingest.repair.archive_fill import ArchiveFill
from pairscope.ingest.repair.catch_up import CatchUp
from pairscope.ingest.repair.reach_back import ReachBack
from pairscope.ingest.repair.rest_backfill import Backfill
from pairscope.ingest.repair.silence_check import SilenceCheck
from pairscope.ingest.watch import Watch
from pairscope.ingest.watch_list import WatchList
from pairscope.live.kernels import LIVE, Kernels
from pairscope.live.market import Market
from pairscope.store.read_only import ReadOnlyTape
from pairscope.store.sealed_files import days_folder
from pairscope.store.tape import Tape

log = structlog.get_logger()

CARE_S = 60.0
PATIENCE_S = 5.0  # of what a start or a person waits for, when the exchange asked for a pause
DATABASE_MB = 64  # DuckDB spills to disk beyond it
JUST_CONNECTED_S = 30.0  # holes found so soon are of the time before the connection
FRAMES_UNDER_WAY_S = 0.5  # sent by the simulator and not yet read when it says that it is finished
REPLAYED = "replayed"  # a file beside the tape of a replay that was played to its end


def clear_replayed(path: Path) -> None:
    """A replay that was played to its end starts over: the recording still holds everything its tape held."""
    marker = path.with_name(f"{path.name}.{REPLAYED}")
    if marker.exists():
        shutil.rmtree(days_folder(path), ignore_errors=True)  # before the file that lists them, the mark last
        for old in (path, path.with_name(f"{path.name}.wal"), marker):
            old.unlink(missing_ok=True)


class System:
    """Everything that runs for one set of settings."""

    def __init__(self, settings: Settings, source: Source, store: Tape, watched: WatchList, clock: Clock) -> None:
        self._clock = clock
        self.settings = settings
        self.source = source
        self.store = store
        plan = source.plan
        for symbol in watched.symbols:
            store.symbols.add(symbol)
        self.tracker = ContinuityTracker(store.symbols)
        is_replay = source.plan.kind == "replay"
        self.judge = Judge(store.symbols, source.now_ms if is_replay else self._exchange_ms)
        if plan.kind == "live":  # a simulated listing says nothing of when recorded trades may be
            self.judge.learn(source.instruments.values())
        self.memory = BarMemory(settings.interval_list(), settings.history_bars)
        self.kernels = Kernels(ready=())
        self.pulse = Pulse(clock)
        self.intake = Intake(
            store=store.unkept() if isinstance(store, ReadOnlyTape) else store,
            tracker=self.tracker,
            judge=self.judge,
            memory=self.memory,
            clock=clock,
        )
        self.live = Market(
            symbols=store.symbols,
            memory=self.memory,
            pairs=watched.pairs,
            reader=store,
            kernels=self.kernels,
            heard_at=self.intake.heard_at,
            is_over=plan.kind == "tape",
        )
        self.stream = source.venue.stream(
            Listening(
                watch=watched.symbols,
                symbols=store.symbols,
                judge=self.judge,
                sink=self._sink,
                flush_s=settings.flush_ms / 1000,
                stale_s=settings.stale_s,
                awake_s=self.pulse.awake_s,
                is_compiled=partial(self.kernels.has, "frames"),
            )
        )
        self.rest = source.venue.rest(self.judge)
        hasty = self.rest.within(PATIENCE_S)
        self.clock_check = ClockCheck(hasty.server_time_ms, clock, self._clock_corrected)
        self.backfill = Backfill(
            pages=self.rest,
            tracker=self.tracker,
            symbols=store.symbols,
            watched=watched.symbols,
            take=self.intake.take,
            obstructed=self._obstructed,
            may_store=self._may_store,
        )
        self._site = source.venue.archive() if self._can_ask else None
        self.archive = self._archive(self._site) if self._site else None
        history_ms = plan.history_minutes * 60_000 if self._can_ask else 0
        self.reach_back = ReachBack(
            rest=self.rest, tracker=self.tracker, store=store, holes=self.intake, history_ms=history_ms, clock=clock
        )
        self.watching = Watch(
            watched=watched,
            stream=self.stream,
            rest=hasty,
            tracker=self.tracker,
            symbols=store.symbols,
            instruments=source.instruments,
            gone=plan.gone,
            reach_back=self.reach_back,
            clock=clock,
            changed=self._watch_changed,
            learned=self.judge.learn if plan.kind == "live" else lambda _: None,
            ended=self.intake.cut,
        )
        self.intake.when_gaps_change(self.backfill.wake)
        self.intake.unheard = self.stream.unheard
        self.quiet_watch = SilenceCheck(
            stream=self.stream,
            rest=hasty,
            tracker=self.tracker,
            symbols=store.symbols,
            clock=clock,
            clock_offset_ms=lambda: self.clock_check.offset_ms,
        )
        self.catch_up = CatchUp(
            stream=self.stream,
            pages=self.rest,
            tracker=self.tracker,
            symbols=store.symbols,
            watched=lambda: self.watching.watched.symbols,
            take=self.intake.take,
            clock=clock,
            nothing_since=self.intake.nothing_since,
        )
        self.board = StatusBoard(
            settings=settings,
            source=source,
            stream=self.stream,
            intake=self.intake,
            tracker=self.tracker,
            store=store,
            live=self.live,
            clock=clock,
            backfill=self.backfill,
            budget=source.venue.budget,
            archive=self.archive,
            watching=self.watching,
            clock_check=self.clock_check,
            pulse=self.pulse,
        )
        self.app = create_app(
            settings=settings,
            live=self.live,
            store=store,
            status=self.board.status,
            health=self.board.health,
            config=self.board.config,
            tape=self.board.tape,
            watch=self.watching.add if plan.kind != "tape" else refuse_to_watch,
            unwatch=self.watching.remove if plan.kind != "tape" else refuse_to_watch,
            clock=clock,
        )

    @property
    def _can_ask(self) -> bool:
        """Whether missing trades can be asked for."""
        return self.source.venue.capabilities.can_ask

    def _archive(self, site: Archive) -> ArchiveFill:
        return ArchiveFill(
            site=site,
            tracker=self.tracker,
            symbols=self.store.symbols,
            judge=self.judge,
            take=self.intake.take,
            obstructed=self._keep_gap,
            may_store=self._may_store,
            prepare=partial(self.kernels.prepare, "files"),
            folder=self.store.path.parent / "downloads",
            keep_days=self.settings.keep_data_days,
            clock=self._clock,
        )

    def _watch_changed(self) -> None:
        self.live.pairs = list(self.watching.watched.pairs)
        self._tell_pairs()
        self.backfill.rank(self.watching.watched.symbols)

    def _tell_pairs(self) -> None:
        computed, possible = len(self.live.pairs), self.watching.watched.possible_pairs
        if computed < possible:
            log.warning(
                "pairs_limited",
                computed=computed,
                possible=possible,
                cure="raise most_pairs, or name pairs; others are computed when somebody looks at them",
            )

    def _exchange_ms(self) -> int:
        return self.clock_check.latest_ms()

    def _clock_corrected(self) -> None:
        """Rows that were refused for their time were held against a wrong one."""
        self.backfill.ask_again(Refusal.TIME)

    def _may_store(self) -> bool:
        return self.store.counters().error is None

    def _sink(self, judged: Judged) -> None:
        self.intake.hole_reason = self._hole_reason()
        self.intake.take(judged)

    async def _care_for_ever(self) -> None:
        """Seal days that are over, delete those too old, and look for rot in the sealed ones."""
        while True:
            await asyncio.sleep(CARE_S)
            try:
                await asyncio.to_thread(self._care, now_ms(self._clock))
            except StoreUnavailable as error:  # a full disk: the writer says so, and goes on by itself
                log.warning("care_postponed", cause=error.message)

    def _care(self, at_ms: int) -> None:
        self.store.seal(at_ms)
        self.store.retain(at_ms)
        self.store.make_room(at_ms)
        self.store.sweep()

    def _ids_lost(self, gaps: Sequence[Gap]) -> None:
        """A sealed file is damaged (told in another thread): its trades are asked for again."""
        self._loop.call_soon_threadsafe(self.intake.lose, gaps)

    def _hole_reason(self) -> str:
        """Why ids would be missing in trades that come now."""
        since_s = self.stream.subscribed_for_s
        just_connected = since_s is not None and since_s <= JUST_CONNECTED_S
        if just_connected and self.stream.health.reconnects:
            return "disconnected"
        if self.source.plan.kind == "replay":  # played on from where it was left: what is missing is missing in it
            return "recording"
        if not just_connected:
            return "skipped"
        return "restart" if self.store.kept_log is None else "log_damaged"

    def _keep_gap(self, gap: Gap) -> None:
        self.intake.keep_gaps([gap])

    def _obstructed(self, gap: Gap) -> None:
        """REST cannot fill it; a daily file may."""
        self._keep_gap(gap)
        if self.archive is not None:
            self.archive.wake()

    async def run(self) -> None:
        """Warm up, go on from the tape, then follow the market until cancelled; bars that are open then are partial."""
        self._loop = asyncio.get_running_loop()
        stop_watching = watch_compiles(self._found_compiling)
        try:
            await (self._look() if self.source.plan.kind == "tape" else self._run())
        finally:
            stop_watching()
            self.intake.end()

    def _found_compiling(self, function: str) -> None:
        self._loop.call_soon_threadsafe(self.kernels.found_compiling, function)  # told in any thread

    async def _look(self) -> None:
        """Show what is on the tape: nothing is received, fetched, written or cared for."""
        self.stream.health.become("off", now_ms(self._clock))
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self.pulse.run(), name="pulse")
            await self.kernels.prepare(*LIVE)
            self.intake.restore()
            self.intake.end()
            self.board.warm = True
            self._tell_pairs()
            tasks.create_task(self.kernels.prepare_later(), name="compile")
            tasks.create_task(self.intake.revise_for_ever(), name="revise")

    async def _run(self) -> None:
        async with self.rest, self._site or contextlib.nullcontext(), asyncio.TaskGroup() as tasks:
            tasks.create_task(self.pulse.run(), name="pulse")
            pairs = tasks.create_task(self.kernels.prepare("pairs"), name="pairs")
            await self.kernels.prepare("symbols")  # all that the market needs: bars are there when pairs can be shown
            self.intake.restore()
            self._tell_pairs()
            self.store.when_ids_are_lost(self._ids_lost)
            tasks.create_task(self._prepare_after(pairs), name="compile")
            tasks.create_task(self._care_for_ever(), name="care")
            tasks.create_task(self.intake.revise_for_ever(), name="revise")
            if self.source.plan.kind != "replay":
                await self.clock_check.measure()  # before the first trade is judged by its time
                tasks.create_task(self.clock_check.run(), name="clock")
                tasks.create_task(self.watching.look_for_ever(), name="listing")
            if self._can_ask:
                await self.reach_back.at_once(self.watching.watched.symbols)
                tasks.create_task(self.reach_back.run(), name="reach-back")
                tasks.create_task(self.backfill.run(), name="backfill")
                self.backfill.wake()
                self.stream.is_quiet = self.quiet_watch.is_quiet
                tasks.create_task(self.quiet_watch.run(), name="quiet")
                tasks.create_task(self.catch_up.run(), name="catch-up")
            if self.archive is not None:
                tasks.create_task(self.archive.run(), name="archive")
            stream = tasks.create_task(self.stream.run(), name="feed")
            await self.source.finished.wait()
            await asyncio.sleep(FRAMES_UNDER_WAY_S)
            stream.cancel()
            self.stream.finish()
            self.intake.end()
            await self.store.flushed()
            self._mark_replayed()
            log.info("replay_finished", trades=self.intake.counters.received)

    async def _prepare_after(self, pairs: asyncio.Task[None]) -> None:
        await pairs
        self.board.warm = True
        await self.kernels.prepare_later()

    def _mark_replayed(self) -> None:
        """Without the mark the next start goes on with this tape, and finds nothing new in the recording."""
        try:
            files.write_whole(self.store.path.with_name(f"{self.store.path.name}.{REPLAYED}"), b"")
        except FileNotWritten as error:
            log.warning("replay_not_marked", cause=error.message)


@contextlib.asynccontextmanager
async def opened(settings: Settings, clock: Clock) -> AsyncIterator[System]:
    """A system with its tape and its source open; both are closed again whatever happens."""
    if settings.source == "tape":
        async with _looked_at(settings, clock) as system:
            yield system
        return
    plan = await plan_source(settings, clock)
    path = settings.tape_path(plan.folder)
    if plan.kind == "replay":
        clear_replayed(path)
    opening = partial(
        Tape.open,
        path,
        kind=plan.trade_kind,
        clock=clock,
        commit_ms=settings.commit_ms,
        queue_rows=settings.queue_rows,
        memory_limit_mb=DATABASE_MB,
        keep_data_days=settings.keep_data_days,
        keep_bar_days=settings.keep_bar_days,
        keep_imported_days=settings.keep_imported_days,
        most_disk_bytes=None if settings.most_disk_gb is None else round(settings.most_disk_gb * 1e9),
    )
    store = await opened_apart(opening, Tape.close)
    try:
        pairs = plan.pairs if settings.pairs else ()
        asked = settings.symbols if plan.gone else plan.symbols
        watched = WatchList(path, plan.symbols, pairs, settings.most_symbols, asked, settings.most_pairs)
        watched.read(plan.instruments or ())
        plan = replace(plan, symbols=watched.symbols, pairs=watched.pairs)
        heads = await asyncio.to_thread(store.last_trades)
        had = {store.symbols.name(symbol_id): last_id for symbol_id, (last_id, _) in heads.items()}
        async with open_source(plan, settings, clock, had) as source:
            yield System(settings, source, store, watched, clock)
    finally:
        await apart(store.close)


@contextlib.asynccontextmanager
async def _looked_at(settings: Settings, clock: Clock) -> AsyncIterator[System]:
    look = partial(ReadOnlyTape.look, find_tape(settings), clock=clock, memory_limit_mb=DATABASE_MB)
    store = await opened_apart(look, ReadOnlyTape.close)
    try:
        plan, settings = await asyncio.to_thread(plan_tape, settings, store)
        pairs = plan.pairs if settings.pairs else ()
        watched = WatchList(store.path, plan.symbols, pairs, settings.most_symbols, (), settings.most_pairs)
        yield System(settings, tape_source(plan, clock), store, watched, clock)
    finally:
        await apart(store.close)


async def serve(settings: Settings, clock: Clock | None = None) -> None:
    """Run until interrupted: the API and the dashboard on one port, the market behind them."""
    clock = clock or SystemClock()
    with contextlib.ExitStack() as taken:
        sockets = [taken.enter_context(listen(settings.host, settings.port))]
        if settings.frontend_port is not None:
            sockets.append(taken.enter_context(listen(settings.host, settings.frontend_port, "--frontend-port")))
        async with opened(settings, clock) as system:
            system.store.announce(address_of(settings.host, settings.port))
            server = make_server(system.app, sockets)
            market = asyncio.create_task(system.run(), name="market")
            market.add_done_callback(lambda task: _stop_on_failure(task, server))
            page = asyncio.create_task(_tell(settings, system, server), name="page")
            try:
                await _served(server, sockets)
            finally:
                for task in (page, market):
                    task.cancel()
                    with contextlib.suppress(asyncio.CancelledError):
                        await task


async def _tell(settings: Settings, system: System, server: uvicorn.Server) -> None:
    """Say where it is, once it is there, and open it when that is wanted."""
    while not server.started:  # noqa: ASYNC110 - uvicorn has no event for it
        await asyncio.sleep(0.02)
    url = settings.base_url or address_of(settings.host, settings.port)
    label = system.source.plan.label
    log.info("serving", url=url, source=label, tape=str(system.store.path))
    meaning = exposure(settings.host, settings.port, settings.names())
    if meaning is not None:
        say(meaning)
    say(f"pairscope is on {url}  ({label})  stop it with Ctrl-C")
    if wants_browser(settings.open) and not await asyncio.to_thread(open_browser, url):
        say(f"no browser could be opened: open {url} yourself")


async def _served(server: uvicorn.Server, sockets: list[socket.socket]) -> None:
    """Serve until cancelled; requests and sockets are let go of in good order then."""
    serving = asyncio.create_task(server.serve(sockets=sockets), name="server")
    try:
        await asyncio.shield(serving)
    except asyncio.CancelledError:
        server.should_exit = True
        await serving
        raise


def _stop_on_failure(task: asyncio.Task[None], server: uvicorn.Server) -> None:
    """A market that died must not leave a page that looks alive."""
    if not task.cancelled() and task.exception() is not None:
        server.should_exit = True
