"""How rules of a pace are read: each bar once and in order, up to the newest that is over; or what is there now.

To read a bar as it closes and to catch up after a restart is one thing: a beat goes on from the bar it has read last.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence

from pairscope.alerts.beat import Beat
from pairscope.alerts.inflow import EventTime, Inflow
from pairscope.alerts.panel import MetricNow
from pairscope.alerts.questions import Question
from pairscope.alerts.system import SYSTEM_METRICS, SystemNow, SystemPast
from pairscope.alerts.telling import Occasion
from pairscope.alerts.values import LATE, SLICE_S, Answers, MarketValues
from pairscope.base.clock import Clock
from pairscope.base.interval import Interval
from pairscope.live.market import Market
from pairscope.live.signals import late_after_ms

MOST_BEHIND = 5_000  # bars that are caught up with after a restart; of what takes long, fewer
MOST_BEHIND_SLOW = 200
HOLE_WAIT_S = 5.0  # a back-fill takes 1 to 2 s; a rule that is told later than this is of less use than one told wrong
START_WAIT_S = 30.0  # after a start, when all that was missed meanwhile is fetched
GIVEN_UP_S = 60.0  # what did not come in time is not waited for again at the next bar
CURRENT_MS = 60_000  # trades so old are of now, and not of what is fetched from before a start
SILENT_MS = 3_000  # after the end of a bar that nothing closes, before it counts as unknown
MOST_SILENT = 60  # bars that are looked at so at once, after the process stood still
UPDATE_S, IDLE_S = 0.1, 1.0  # between two readings of open bars, when they change and when nothing comes

Take = Callable[[Beat, Sequence[Occasion]], Awaitable[None]]


class Reader:
    """Reads beats; what they did is handed on before the next is read."""

    def __init__(self, market: Market, values: MarketValues, clock: Clock, inflow: Inflow, take: Take) -> None:
        self.readings = 0
        self.skipped = 0
        self.events = EventTime(lambda: market.exchange_ms, inflow)
        self._market = market
        self._values = values
        self._clock = clock
        self._inflow = inflow
        self._take = take
        self._began_s: float | None = None  # when bars were first looked at
        self._is_caught_up = False
        self._past: SystemPast | None = None
        self.turn = asyncio.Lock()  # of what is read and written, and of beats that are replaced

    # --- where a beat begins ---

    def has_begun(self) -> bool:
        """Whether trades have come as far as now; after a while it is taken to be so."""
        if not self._inflow.ready.is_set() or not self._market.exchange_ms:
            return False
        if self._began_s is None:
            self._began_s = self._clock.monotonic_s()
        waited_s = self._clock.monotonic_s() - self._began_s
        return self._is_caught_up or waited_s >= START_WAIT_S or self._is_there()

    def _is_there(self) -> bool:
        is_whole = not self._inflow.is_filling() and not self._inflow.unsure()
        self._is_caught_up = self.events.is_current(CURRENT_MS) and is_whole
        return self._is_caught_up

    def newest_end_ms(self, interval: Interval) -> int:
        """The end of the newest bar that is over."""
        return self._market.newest_closed_ms((), interval) + interval.ms

    def _end_ms(self, beat: Beat) -> int:
        """Up to where a beat can be read.

        The bar of the newest trade is over too when nothing has come for a while after its end, though no later trade
        says so; not when it was cut off, for then the rest of it may still come.
        """
        end_ms = self.newest_end_ms(beat.interval)
        heard_ms = beat.interval.floor(self._market.exchange_ms) + beat.interval.ms
        is_over = end_ms < heard_ms <= self.events.now_ms() - SILENT_MS
        return heard_ms if is_over and not self._values.has_hole(beat.questions, heard_ms) else end_ms

    # --- bars that are over ---

    async def bars(self, beat: Beat) -> None:
        """Read a beat up to the newest bar that is over."""
        if not len(beat.panel) or not self._values.is_ready(beat.questions):
            return
        if not beat.is_recalled:
            await self._recall(beat)
        interval = beat.interval
        end_ms = self._end_ms(beat)
        self._skip(beat, end_ms)
        while beat.read_ms < end_ms and not beat.is_replaced and not self._waits(beat):
            next_ms = beat.read_ms + interval.ms
            if self._stays_silent(beat, next_ms):
                beat.read_ms = next_ms
                continue
            await self._read(beat, await self._answers(beat, next_ms), next_ms, next_ms - interval.ms)
            if next_ms + interval.ms < end_ms:
                await asyncio.sleep(SLICE_S)  # what is caught up with is not to take every turn
            end_ms = self._end_ms(beat)
        if beat.read_ms >= end_ms:
            await self._pass_silence(beat)

    async def _answers(self, beat: Beat, end_ms: int) -> Answers:
        if not beat.pace.is_slow:
            return await self._values.closed(beat.questions, end_ms)
        found = Answers()
        for each in beat.questions:
            found += await self._values.studied(each, end_ms - each.interval.ms, end_ms)
        return found

    async def _read(
        self,
        beat: Beat,
        answers: Answers,
        time_ms: int,
        bar_ms: int | None = None,
        *,
        is_read: bool = True,
        lag_ms: int = 0,
    ) -> None:
        async with self.turn:
            if beat.is_replaced:
                return
            beat.found = beat.with_answers(answers)
            glance = beat.panel.look(time_ms, beat.found, lag_ms)
            occasions = beat.occasions(glance, bar_ms)
            beat.panel.adopt(glance)
            if is_read:
                beat.read_ms = time_ms
            self.readings += len(beat.panel)
            if occasions:
                await self._take(beat, occasions)

    async def _recall(self, beat: Beat) -> None:
        """After a restart: what has to cross may have stood at the other side in the bar that was read last."""
        if beat.crosses:
            answers = await self._answers(beat, beat.read_ms)
            beat.panel.recall(beat.read_ms, beat.with_answers(answers))
        beat.is_recalled = True

    def _skip(self, beat: Beat, end_ms: int) -> None:
        most_ms = (MOST_BEHIND_SLOW if beat.pace.is_slow else MOST_BEHIND) * beat.interval.ms
        if end_ms - beat.read_ms > most_ms:
            self.skipped += (end_ms - most_ms - beat.read_ms) // beat.interval.ms
            beat.read_ms = end_ms - most_ms

    def _waits(self, beat: Beat) -> bool:
        """Whether trades of the next bar are being fetched, or may be soon: it is better read a little later."""
        now_s = self._clock.monotonic_s()
        if now_s < beat.given_up_until_s or not self._is_incomplete(beat):
            beat.waits_since_s = None
            return False
        if beat.waits_since_s is None:
            beat.waits_since_s = now_s
        is_start = self._began_s is None or now_s - self._began_s < START_WAIT_S
        if now_s - beat.waits_since_s < (START_WAIT_S if is_start else HOLE_WAIT_S):
            return True
        beat.waits_since_s, beat.given_up_until_s = None, now_s + GIVEN_UP_S
        return False

    def _is_incomplete(self, beat: Beat) -> bool:
        """Whether trades of the next bar may still come: of a hole, or of a symbol that is not heard yet."""
        if self._inflow.is_filling() and self._values.has_hole(beat.questions, beat.read_ms + beat.interval.ms):
            return True
        unsure = self._inflow.unsure()
        return bool(unsure) and any(not unsure.isdisjoint(each.target) for each in beat.questions)

    async def _pass_silence(self, beat: Beat) -> None:
        """Nothing comes, and bars would have ended since: of those nothing is known, once no leg would be in time.

        They are not read by that: should trades of them come after all, they are.
        """
        step_ms = beat.interval.ms
        lag_ms = late_after_ms(beat.interval) // step_ms * step_ms
        heard_ms = beat.interval.floor(self._market.exchange_ms) + step_ms
        end_ms = beat.interval.floor(self.events.now_ms() - SILENT_MS)
        next_ms = max(heard_ms + lag_ms, beat.silent_ms, end_ms - MOST_SILENT * step_ms) + step_ms
        while next_ms <= end_ms and not beat.is_replaced:
            answers = [one for each in beat.questions for one in each.unanswered(LATE)]
            await self._read(beat, answers, next_ms, is_read=False, lag_ms=lag_ms)
            beat.silent_ms = next_ms
            next_ms += step_ms

    def _stays_silent(self, beat: Beat, end_ms: int) -> bool:
        """Whether nothing has come of a bar that was passed in silence."""
        return end_ms <= beat.silent_ms and not self._values.has_trades(beat.questions, end_ms)

    # --- what is there now ---

    def update_due_s(self, beat: Beat, *, has_news: bool) -> float:
        """How long it is until open bars may be read again; 0 when they may."""
        return max(0.0, beat.updated_s + (UPDATE_S if has_news else IDLE_S) - self._clock.monotonic_s())

    async def updates(self, beat: Beat, touched: set[str]) -> None:
        """Read a beat on the open bars, of which those of some symbols have changed."""
        beat.updated_s = self._clock.monotonic_s()
        event_ms = self._market.exchange_ms if touched else self.events.now_ms()
        if not len(beat.panel) or not event_ms or not self._values.is_ready(beat.questions):
            return
        asked = [each for each in beat.questions if touched.intersection(each.target) or not beat.is_answered(each)]
        others = [each for each in beat.questions if each not in asked and self._values.late(each, event_ms)]
        answers = await self._present(beat, asked, event_ms)
        answers += [one for each in others for one in each.unanswered(LATE)]
        await self._read(beat, answers, event_ms)

    async def _present(self, beat: Beat, asked: Sequence[Question], event_ms: int) -> Answers:
        if not beat.pace.is_slow:
            return await self._values.present(asked, event_ms)
        found = Answers()
        for each in asked:
            found += await self._values.studied(each, self._market.newest_ms(each.target, each.interval), event_ms)
        return found

    async def system(self, beat: Beat, now: SystemNow) -> None:
        """Read the rules on pairscope itself."""
        if self._past is None:
            self._past = SystemPast(now)
        self._past.tell(now)
        values = [SYSTEM_METRICS[slot.metric].value(self._past) for slot in beat.panel.slots]
        found = [MetricNow(each, reason="not_known" if each is None else None) for each in values]
        await self._read(beat, list(enumerate(found)), now.at_ms)
