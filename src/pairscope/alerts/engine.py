"""Reads rules as the market goes on, and writes what came of it before anybody is told."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from typing import TypeVar

import structlog

from pairscope.alerts.afterwards import Afterwards, PairAt
from pairscope.alerts.beat import Beat, Tempo
from pairscope.alerts.book import RuleBook
from pairscope.alerts.history import AlertHistory
from pairscope.alerts.inflow import Inflow
from pairscope.alerts.ledger import Entry, Ledger
from pairscope.alerts.machine import Stage, Veil
from pairscope.alerts.mutes import Mute, Mutes
from pairscope.alerts.panel import Slot
from pairscope.alerts.questions import questions_of
from pairscope.alerts.reader import Reader
from pairscope.alerts.roster import Plan, Roster, renew
from pairscope.alerts.rule import AlertRule
from pairscope.alerts.standing import Number, standings
from pairscope.alerts.system import SystemNow
from pairscope.alerts.telling import Occasion, Setting, account_of
from pairscope.alerts.transition import AlertsStatus, RuleStanding, Transition
from pairscope.alerts.values import MarketValues
from pairscope.base.clock import Clock, now_ms
from pairscope.base.errors import DataFolderError
from pairscope.base.interval import Interval
from pairscope.base.model import BarArray, BarStatus, join_bars, take_bars
from pairscope.base.tasks import comes, over
from pairscope.live.market import Market

log = structlog.get_logger()
T = TypeVar("T")

LOOK_S = 0.25  # also when no trade comes
SYSTEM_S = 2.0
KEEP_S = 30.0  # how far was read is written at least so often: what was read since then is read again after a restart
AGAIN_S = 2.0  # after the state database could not be written
MOST_REVISED = 10_000  # bars made anew, between two looks at them; of more the oldest are passed over
BEHIND_MS = 15_000  # of what is further behind than it takes to wait for a hole, it is caught up with
FEED_AGE = "feed_age"  # a rule on it that fires says for all others that the feed is silent


@dataclass(frozen=True, slots=True)
class Sources:
    """What rules are read on."""

    market: Market
    values: MarketValues
    inflow: Inflow
    watched: Callable[[], Sequence[str]]  # symbols
    system: Callable[[], SystemNow]


@dataclass(frozen=True, slots=True)
class Books:
    """What is kept of rules."""

    rules: RuleBook
    mutes: Mutes
    ledger: Ledger
    history: AlertHistory


@dataclass(frozen=True, slots=True)
class Hearers:
    """Who is told of what is written, and what may leave the machine."""

    told: Callable[[Sequence[Transition]], object]
    wake: Callable[[], object]  # who delivers
    is_simulated: bool = False
    may_send: bool = True


class Engine:
    """Lives on the event loop; `run` is its only task. The database is written by a thread of its own."""

    def __init__(self, sources: Sources, books: Books, hearers: Hearers, clock: Clock) -> None:
        self.transitions = 0
        self.messages = 0
        self.error: str | None = None  # why the state database cannot be written
        self.roster = Roster()
        self.afterwards = Afterwards(sources.values, books.history, self._in_thread, clock, self._in_half_lives)
        self._sources = sources
        self._market = sources.market
        self._books = books
        self._hearers = hearers
        self._clock = clock
        self.reader = Reader(sources.market, sources.values, clock, sources.inflow, self._take)
        self._news = {is_slow: asyncio.Event() for is_slow in (False, True)}
        self._touched: dict[bool, set[int]] = {False: set(), True: set()}
        self._revised: list[BarArray] = []
        self._mutes: Sequence[Mute] = ()
        self._is_changed = True
        self._planned: tuple[object, ...] = ()
        self._looked_s = float("-inf")  # at the system
        self._kept_s = clock.monotonic_s()
        self._disk: ThreadPoolExecutor | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stop_listening: Callable[[], object] = lambda: None
        self._muted_by: str | None = None

    def standing(self) -> dict[Number, RuleStanding]:
        """Where each rule that is read stands on each of its targets; from any thread."""
        return standings(list(self.roster.beats.values()), self.afterwards.half_lives)

    def status(self) -> AlertsStatus:
        """What it says of itself."""
        beats = list(self.roster.beats.values())
        lives = [each.panel.life(place) for each in beats for place in each.panel.restless]
        rules = {placed.kept.number for each in beats for placed in each.panel.placed}
        behind_ms = max((self._behind_ms(each) for each in beats), default=0)
        state = "starting" if not self.reader.has_begun() else "catching_up" if behind_ms > BEHIND_MS else "running"
        return AlertsStatus(
            state=state,
            rules=len(rules),
            instances=sum(len(each.panel) for each in beats),
            firing=sum(each.stage in (Stage.FIRING, Stage.RECOVERING) for each in lives),
            unknown=sum(each.veil is not Veil.NONE for each in lives),
            muted_by=self._muted_by,
            readings=self.reader.readings,
            transitions=self.transitions,
            messages=self.messages,
            behind_ms=behind_ms,
            skipped=self.reader.skipped,
            failures=self._sources.values.failures,
            error=self.error,
        )

    def _behind_ms(self, beat: Beat) -> int:
        if beat.pace.kind != "bars":
            return 0
        return max(0, self.reader.newest_end_ms(beat.interval) - beat.read_ms)

    def changed(self) -> None:
        """Rules or mutes are others now; from any thread."""
        self._is_changed = True
        if self._loop is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._news[False].set)

    async def run(self) -> None:
        """Read rules until cancelled."""
        await self.begin()
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._follow(is_slow=False), name="alerts")
                tasks.create_task(self._follow(is_slow=True), name="slow alerts")
                tasks.create_task(self.afterwards.run(), name="after alerts")
        finally:
            self.end()

    async def begin(self) -> None:
        """Take up what is written."""
        self._loop = asyncio.get_running_loop()
        self._disk = ThreadPoolExecutor(1, "alerts")
        self.roster = Roster.held(await self._in_thread(self._books.ledger.read))
        self._stop_listening = self._market.listen(self._hear)

    def end(self) -> None:
        """Let go of everything."""
        self._stop_listening()
        self._loop = None
        if self._disk is not None:
            self._disk.shutdown()

    def _hear(self, bars: BarArray) -> None:
        """Bars that a flush touched."""
        self.reader.events.hear()
        for news in self._news.values():
            news.set()
        for is_slow, touched in self._touched.items():
            if Tempo("updates", "", is_slow) in self.roster.beats:
                touched.update(bars["symbol_id"].tolist())
        revised = bars["status"] == BarStatus.REVISED
        if revised.any():
            self._revised.append(take_bars(bars, revised))
            del self._revised[:-MOST_REVISED]

    # --- following ---

    async def _follow(self, *, is_slow: bool) -> None:
        news = self._news[is_slow]
        while True:
            news.clear()
            await comes(news, await self.look(is_slow=is_slow))

    async def look(self, *, is_slow: bool = False) -> float:
        """Read what is due: quick rules, or those that nobody waits for; in how many seconds to look again."""
        if not is_slow:
            await self._renew_if_changed()
            await self._look_at_system()
            await self._mark_revised()
        wait_s = LOOK_S
        for pace, beat in list(self.roster.beats.items()):
            if pace.is_slow is is_slow and pace.kind == "bars":
                await self.reader.bars(beat)
            elif pace.is_slow is is_slow and pace.kind == "updates":
                wait_s = await self._update(beat, wait_s)
        if not is_slow and self._clock.monotonic_s() - self._kept_s >= KEEP_S:
            await self.keep()
        return wait_s

    async def _update(self, beat: Beat, wait_s: float) -> float:
        """How long to wait until it may be read again, when something has come already."""
        touched = self._touched[beat.pace.is_slow]
        names = {self._market.symbols.name(each) for each in touched}
        due_s = self.reader.update_due_s(beat, has_news=bool(touched))
        if due_s > 0.0:
            return min(wait_s, due_s) if touched else wait_s
        touched.clear()
        await self.reader.updates(beat, names)
        return wait_s

    async def _look_at_system(self) -> None:
        beat = self.roster.beats.get(Tempo("system"))
        now_s = self._clock.monotonic_s()
        if beat is None or now_s - self._looked_s < SYSTEM_S:
            self._muted_by = self._muted_by if beat is not None else None
            return
        self._looked_s = now_s
        await self.reader.system(beat, self._sources.system())
        self._muted_by = next(iter(_silent(beat)), None)

    # --- rules that are others ---

    async def _renew_if_changed(self) -> None:
        planned = (tuple(self._sources.watched()), self._market.pairs, self.reader.has_begun())
        if self._is_changed or planned != self._planned:
            self._is_changed = False
            self._planned = planned
            await self._renew()

    async def _renew(self) -> None:
        rules = [each for each in await self._in_thread(self._books.rules.all) if each.rule.enabled]
        self._mutes = await self._in_thread(self._books.mutes.all)
        async with self.reader.turn:
            plan = Plan(rules, self._sources.watched(), self._market.pairs, self._is_slow, self._begins_ms)
            before = self.roster
            roster, entry = renew(before, plan, now_ms(self._clock))
            for beat in before.beats.values():
                beat.is_replaced = True
            self.roster = roster
            if entry != Entry():
                written = await self._in_thread(partial(self._books.ledger.write, entry))
                for beat in roster.beats.values():
                    beat.written(each for each in written.lives if beat.has((each.rule, each.target)))
                self._tell(written.transitions)

    def _is_slow(self, rule: AlertRule) -> bool:
        if rule.scope == "system":
            return False
        target = ("", "") if rule.scope in ("pair", "all_pairs") else ("",)
        slots = [Slot(target, rule.interval, rule.window, each.metric, each.word) for each in rule.clauses]
        return any(self._sources.values.is_slow(each) for each in questions_of(slots))

    def _begins_ms(self, pace: Tempo) -> int | None:
        if pace.kind == "system":
            return now_ms(self._clock)
        if not self.reader.has_begun():
            return None
        return self._market.exchange_ms if pace.kind == "updates" else self.reader.newest_end_ms(_interval(pace))

    # --- writing ---

    async def _take(self, beat: Beat, occasions: Sequence[Occasion]) -> None:
        """Write what a moment did; nobody is told of it before it is on the disk."""
        account = account_of(occasions, self._setting())
        beat.noted(account.lives)
        rows = beat.rows()
        entry = Entry(cursors={beat.pace.name: beat.read_ms}, lives=rows)
        await self._write(replace(entry, transitions=account.transitions, messages=account.messages), [beat])

    async def _write(self, entry: Entry, beats: Sequence[Beat]) -> None:
        written = await self._in_thread(partial(self._books.ledger.write, entry))
        for beat in beats:
            own = [each for each in written.lives if beat.has((each.rule, each.target))]
            beat.noted(own)
            beat.written(own)
        self._tell(written.transitions)
        if entry.messages:
            self.messages += len(entry.messages)
            self._hearers.wake()

    async def keep(self) -> None:
        """Write how far was read, and what goes on."""
        self._kept_s = self._clock.monotonic_s()
        async with self.reader.turn:
            beats = list(self.roster.beats.values())
            rows = [row for beat in beats for row in beat.rows()]
            await self._write(Entry(cursors={each.pace.name: each.read_ms for each in beats}, lives=rows), beats)

    def _tell(self, transitions: Sequence[Transition]) -> None:
        if transitions:
            self.transitions += len(transitions)
            self.afterwards.look_up(transitions)
            self._hearers.told(transitions)

    def _setting(self) -> Setting:
        return Setting(
            now_ms=now_ms(self._clock),
            origin=self._books.ledger.origin,
            tape=self._books.ledger.tape,
            is_simulated=self._hearers.is_simulated,
            may_send=self._hearers.may_send,
            mutes=self._mutes,
            feed_silent=self._muted_by,
        )

    def _in_half_lives(self) -> list[PairAt]:
        """The pairs at the newest bar of rules that are told in half-lives."""
        return [
            PairAt(placed.target, placed.kept.rule.interval, placed.kept.rule.window, beat.read_ms - beat.interval.ms)
            for pace, beat in self.roster.beats.items()
            if pace.kind == "bars"
            for placed in beat.panel.placed
            if placed.kept.rule.half_life_ms is not None and len(placed.target) == 2
        ]

    async def _mark_revised(self) -> None:
        """Note of open episodes that a bar of them was made anew; nobody is told."""
        if not self._revised:
            return
        bars, self._revised = join_bars(self._revised), []
        opens = {
            (self._market.symbols.name(symbol), interval_ms): bars["open_time_ms"][
                (bars["symbol_id"] == symbol) & (bars["interval_ms"] == interval_ms)
            ]
            for symbol, interval_ms in {*zip(bars["symbol_id"].tolist(), bars["interval_ms"].tolist(), strict=True)}
        }
        beats = self.roster.beats.values()
        fires = sorted({fire for beat in beats for fire in beat.revised(opens, self._market.made_of)})
        if fires:
            await self._in_thread(partial(self._books.history.revised, fires, now_ms(self._clock)))

    async def _in_thread(self, work: Callable[[], T]) -> T:
        """What is done to the database, tried until it can be: nothing is read on meanwhile, and all of it after."""
        assert self._disk is not None
        while True:
            doing = asyncio.get_running_loop().run_in_executor(self._disk, work)
            try:
                found = await asyncio.shield(doing)
            except asyncio.CancelledError:
                await over(doing)
                raise
            except DataFolderError as error:
                if self.error is None:
                    log.error("alerts_not_written", cause=error.message)
                self.error = error.message
                await asyncio.sleep(AGAIN_S)
            else:
                self.error = None
                return found


def _interval(pace: Tempo) -> Interval:
    return Interval.parse(pace.interval)


def _silent(beat: Beat) -> list[str]:
    """The rules of the system that fire because nothing comes."""
    found = []
    for place in beat.panel.restless:
        rule = beat.panel.placed[place].kept.rule
        if rule.first.name == FEED_AGE and beat.panel.life(place).stage in (Stage.FIRING, Stage.RECOVERING):
            found.append(rule.name)
    return found
