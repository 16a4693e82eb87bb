"""The back-fill on its own, in virtual time, with pages handed in."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Sequence

import numpy as np

from pairscope.base.errors import FeedUnavailable
from pairscope.base.gaps import GapReason, Obstacle
from pairscope.base.model import Gap, SymbolTable, TradeBatch
from pairscope.feed.backoff import Backoff
from pairscope.feed.continuity import ContinuityTracker
from pairscope.feed.judge import Judged
from pairscope.feed.venue import ANYWHERE, Around, RequestRefusedError, TooOldError
from pairscope.ingest.repair.rest_backfill import Backfill
from tests.faults.virtual import run_virtually
from tests.judged import judged

Asked = tuple[str, int, int]  # symbol, first id, how many


def page(symbol_id: int, ids: Sequence[int]) -> TradeBatch:
    n = len(ids)
    return TradeBatch(
        np.full(n, symbol_id, np.int32),
        np.array(ids, np.int64),
        np.array(ids, np.int64),
        np.ones(n),
        np.ones(n),
        np.zeros(n, np.bool_),
        np.zeros(n, np.int64),
    )


class Desk:
    """A back-fill of two symbols, what it asked for and when, and an exchange that answers as told."""

    def __init__(self) -> None:
        self.symbols = SymbolTable(["AUSDT", "BUSDT"])
        self.tracker = ContinuityTracker(self.symbols)
        self.asked: list[Asked] = []
        self.asked_s: list[float] = []
        self.around: list[Around] = []
        self.obstructed: list[Gap] = []
        self.full = False
        self.answer: Callable[[str, int, int], Sequence[int]] = lambda _, first, n: range(first, first + n)
        self.backfill = Backfill(
            pages=self,
            tracker=self.tracker,
            symbols=self.symbols,
            watched=["AUSDT", "BUSDT"],
            take=self._take,
            obstructed=self.obstructed.append,
            backoff=Backoff(first_s=0.25, cap_s=60, rng=random.Random(1)),
        )

    page_rows = 1_000

    async def page(
        self, symbol: str, symbol_id: int, from_id: int, limit: int | None = None, around: Around = ANYWHERE
    ) -> Judged:
        limit = limit or self.page_rows
        self.asked.append((symbol, from_id, limit))
        self.around.append(around)
        self.asked_s.append(asyncio.get_running_loop().time())
        await asyncio.sleep(0.01)
        return judged(page(symbol_id, self.answer(symbol, from_id, limit)))

    def _take(self, rows: Judged) -> bool:
        if not self.full:
            self.tracker.check(rows.rows, 0, GapReason.SKIPPED)
        return not self.full

    def hole(self, symbol_id: int, first_id: int, last_id: int, found_ms: int = 0) -> None:
        if self.tracker.highest(symbol_id) is None:
            self.tracker.restore(symbol_id, first_id - 1, 0)
        self.tracker.check(page(symbol_id, [last_id + 1]), found_ms, GapReason.SKIPPED)
        self.backfill.wake()

    async def run(self, seconds: float) -> None:
        task = asyncio.create_task(self.backfill.run())
        await asyncio.sleep(seconds)
        assert not task.done(), task.exception()
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


def told(story: Callable[[Desk], None], seconds: float = 3_600) -> Desk:
    """What a desk did in an hour of a story."""

    async def main() -> Desk:
        desk = Desk()
        story(desk)
        await desk.run(seconds)
        return desk

    return run_virtually(main())


def raising(error: FeedUnavailable) -> Callable[[str, int, int], Sequence[int]]:
    def answer(symbol: str, first_id: int, count: int) -> Sequence[int]:
        raise error

    return answer


def test_a_long_hole_is_filled_from_its_newest_end_in_full_pages() -> None:
    desk = told(lambda desk: desk.hole(0, 11, 2_510))
    assert desk.asked == [("AUSDT", 1_511, 1_000), ("AUSDT", 511, 1_000), ("AUSDT", 11, 500)]
    assert desk.tracker.all_open() == []


def test_who_serves_by_time_is_told_between_which_trades_a_hole_lies() -> None:
    def story(desk: Desk) -> None:
        desk.tracker.restore(0, 10, 10)  # the time of a trade is its id
        desk.hole(0, 11, 1_510)

    assert told(story).around == 2 * [Around(10, 1_511)]  # both pages at once


def test_the_newest_hole_comes_first_and_then_the_most_watched_symbol() -> None:
    def story(desk: Desk) -> None:
        desk.hole(1, 1, 1, found_ms=10_000)
        desk.hole(0, 1, 1, found_ms=10_000)
        desk.hole(0, 3, 3, found_ms=90_000)

    assert told(story).asked == [("AUSDT", 3, 1), ("AUSDT", 1, 1), ("BUSDT", 1, 1)]


def test_long_holes_of_two_symbols_are_filled_together_minute_by_minute() -> None:
    def story(desk: Desk) -> None:
        desk.hole(0, 1, 300_000, found_ms=10_000)  # a trade is a millisecond long, a page a second
        desk.hole(1, 1, 300_000, found_ms=11_000)

    asked = told(story).asked
    assert len(asked) == 600
    lowest = {"AUSDT": 300_001, "BUSDT": 300_001}
    for symbol, first_id, _ in asked:
        lowest[symbol] = first_id
        assert abs(lowest["AUSDT"] - lowest["BUSDT"]) <= 60_000 + 4_000


def test_a_page_that_stays_empty_is_asked_for_again_and_then_said_to_be_missing() -> None:
    def story(desk: Desk) -> None:
        desk.answer = lambda *_: []
        desk.hole(0, 1, 5)

    desk = told(story)
    assert len(desk.asked) == 6
    assert [(gap.first_id, gap.last_id, gap.obstacle) for gap in desk.obstructed] == [(1, 5, Obstacle.NOT_SERVED)]


def test_ids_that_are_served_late_are_waited_for() -> None:
    def story(desk: Desk) -> None:
        desk.answer = lambda _, first, n: range(first, first + n) if len(desk.asked) > 3 else []
        desk.hole(0, 1, 5)

    desk = told(story)
    assert desk.tracker.all_open() == []
    assert desk.obstructed == []


def test_a_page_that_comes_in_small_pieces_is_not_given_up() -> None:
    def story(desk: Desk) -> None:
        desk.answer = lambda _, first, n: [first]
        desk.hole(0, 1, 20)

    desk = told(story)
    assert desk.tracker.all_open() == []
    assert len(desk.asked) == 20


def test_what_is_older_than_a_page_that_is_too_old_is_not_asked_for() -> None:
    def story(desk: Desk) -> None:
        desk.answer = raising(TooOldError("too old"))
        desk.hole(0, 1, 25_000)

    desk = told(story)
    assert len(desk.asked) == 4  # the four that were under way at once
    assert sum(gap.ids for gap in desk.tracker.all_open() if gap.obstacle == Obstacle.TOO_OLD) == 25_000


def test_a_symbol_the_exchange_no_longer_knows_does_not_hold_up_the_others() -> None:
    def answer(symbol: str, first_id: int, count: int) -> Sequence[int]:
        if symbol == "AUSDT":
            raise RequestRefusedError("invalid symbol")
        return range(first_id, first_id + count)

    def story(desk: Desk) -> None:
        desk.answer = answer
        desk.hole(1, 1, 500, found_ms=1_000)
        desk.hole(0, 1, 9_000, found_ms=99_000)

    desk = told(story)
    assert desk.tracker.open_gaps(1) == []
    assert {gap.obstacle for gap in desk.tracker.open_gaps(0)} == {Obstacle.NOT_SERVED}


def test_an_exchange_that_cannot_be_reached_is_asked_less_and_less_and_no_hole_is_given_up() -> None:
    def story(desk: Desk) -> None:
        desk.answer = raising(FeedUnavailable("unreachable"))
        desk.hole(0, 1, 500)

    desk = told(story)
    assert 60 <= len(desk.asked) <= 140  # an hour at 30 to 60 seconds
    assert desk.obstructed == []
    assert desk.backfill.waiting == 500
    assert desk.backfill.counters.failures == len(desk.asked)


def test_a_new_hole_ends_a_long_pause_because_the_exchange_is_heard_again() -> None:
    async def main() -> Desk:
        desk = Desk()
        desk.answer = raising(FeedUnavailable("unreachable"))
        desk.hole(0, 1, 500)
        running = asyncio.create_task(desk.run(3_600))
        await asyncio.sleep(1_800)
        desk.answer = lambda _, first, n: range(first, first + n)
        desk.hole(1, 1, 500, found_ms=1_800_000)
        await asyncio.sleep(5)
        assert desk.tracker.all_open() == []
        await running
        return desk

    run_virtually(main())


def test_what_a_full_tape_does_not_take_is_not_fetched_over_and_over() -> None:
    def story(desk: Desk) -> None:
        desk.full = True
        desk.hole(0, 1, 500)

    assert len(told(story).asked) < 140


def test_ids_outside_of_the_page_are_left_alone() -> None:
    def story(desk: Desk) -> None:
        desk.answer = lambda _, first, n: range(first, first + n + 50)
        desk.hole(0, 1, 5)

    desk = told(story)
    assert desk.tracker.highest(0) == 6
    assert desk.backfill.counters.trades == 5


def test_what_was_refused_for_its_time_is_asked_for_again_when_that_was_judged_wrongly_and_only_that() -> None:
    def story(desk: Desk) -> None:
        desk.hole(0, 11, 20)
        desk.hole(1, 31, 40)
        desk.tracker.obstruct(0, 13, 14, Obstacle.TIME)
        desk.tracker.obstruct(0, 17, 17, Obstacle.SIDE)
        desk.tracker.obstruct(1, 31, 40, Obstacle.TOO_OLD)
        desk.backfill.ask_again(Obstacle.TIME)

    desk = told(story)
    assert [(gap.symbol, gap.first_id, gap.last_id, gap.obstacle) for gap in desk.tracker.all_open()] == [
        ("AUSDT", 17, 17, Obstacle.SIDE),
        ("BUSDT", 31, 40, Obstacle.TOO_OLD),
    ]
    assert [(gap.first_id, gap.last_id, gap.obstacle) for gap in desk.obstructed] == [(13, 14, None)]
