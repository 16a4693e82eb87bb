"""Closes holes in the tape from the exchange's REST API: newest and most watched first, within the budget.

The open gaps themselves are the queue, so it survives a restart with them. What comes back goes the way of every
other trade; the continuity tracker takes it because it lies in a hole.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import structlog

from pairscope.base.errors import FeedUnavailable
from pairscope.base.gaps import Obstacle
from pairscope.base.model import Gap, SymbolTable
from pairscope.base.tasks import comes
from pairscope.feed.backoff import Backoff
from pairscope.feed.continuity import ContinuityTracker
from pairscope.feed.judge import Judged
from pairscope.feed.venue import Around, Pages, RequestRefusedError, TooOldError
from pairscope.ingest.repair.repair import RepairStatus

log = structlog.get_logger()

REQUESTS_AT_ONCE = 4
MINUTE_MS = 60_000
DISK_PAUSE_S = 1.0
SHORTEST_PAUSE_S = 1.0  # after a failure, even when a new hole appears
TRIES_UNSERVED = 6  # REST may lag the stream: an empty page is asked for again before it counts

# Why a hole stays open for now; written into its row.


@dataclass(slots=True)
class BackfillCounters:
    pages: int = 0
    trades: int = 0
    failures: int = 0
    last_error: str | None = None


@dataclass(frozen=True, slots=True)
class _Page:
    """A run of missing ids that fits one request."""

    symbol_id: int
    gap: Gap
    first_id: int
    last_id: int


class Backfill:
    """Asks for missing trades until none is left that can be had.

    Args:
        take: receives rows of one page, in order of id; false when the tape is full.
        obstructed: told of a gap whose obstacle changed: REST cannot fill it, or it is asked for again.
        may_store: whether the tape takes trades at present.
    """

    def __init__(
        self,
        *,
        pages: Pages,
        tracker: ContinuityTracker,
        symbols: SymbolTable,
        watched: Sequence[str],
        take: Callable[[Judged], bool],
        obstructed: Callable[[Gap], None],
        may_store: Callable[[], bool] = lambda: True,
        backoff: Backoff | None = None,
    ) -> None:
        self.counters = BackfillCounters()
        self._pages = pages
        self._tracker = tracker
        self._symbols = symbols
        self.rank(watched)
        self._take = take
        self._obstructed = obstructed
        self._may_store = may_store
        self._backoff = backoff or Backoff(first_s=0.25, cap_s=60)
        self._wake = asyncio.Event()
        self._unserved: dict[tuple[int, int], int] = {}

    def rank(self, watched: Sequence[str]) -> None:
        """Say which symbols are watched now, those that matter most first."""
        self._rank = {symbol: rank for rank, symbol in enumerate(watched)}

    def wake(self) -> None:
        """There are new holes."""
        self._wake.set()

    def ask_again(self, obstacle: Obstacle) -> None:
        """Ask once more for the ids that this keeps missing: what was in the way may not be there any more."""
        for gap in self._tracker.all_open():
            if gap.obstacle == obstacle:
                log.info("gap_asked_again", symbol=gap.symbol, first_id=gap.first_id, last_id=gap.last_id)
                for freed in self._tracker.obstruct(self._symbols.index(gap.symbol), gap.first_id, gap.last_id, None):
                    self._obstructed(freed)
        self.wake()

    @property
    def waiting(self) -> int:
        """Trade ids that are still to be asked for."""
        return sum(gap.ids for gap in self._tracker.all_open() if gap.obstacle is None)

    def status(self) -> RepairStatus:
        counters = self.counters
        return RepairStatus(
            name="back-fill",
            ids_waiting=self.waiting,
            answers=counters.pages,
            trades=counters.trades,
            failures=counters.failures,
            last_error=counters.last_error,
        )

    async def run(self) -> None:
        """Fill holes as they appear, until cancelled."""
        while True:
            await self._wake.wait()
            self._wake.clear()
            while pages := self.plan(REQUESTS_AT_ONCE):
                if not self._may_store():  # the tape takes nothing now: what is fetched would be lost again
                    await asyncio.sleep(DISK_PAUSE_S)
                    continue
                problems = await asyncio.gather(*(self._fetch(page) for page in pages))
                if any(problems):
                    await self._pause(self._backoff.next_s())
                else:
                    self._backoff.reset()

    async def _pause(self, seconds: float) -> None:
        """Wait before the next try; a new hole ends a long wait, because it proves that the exchange is heard again."""
        self._wake.clear()
        await asyncio.sleep(min(seconds, SHORTEST_PAUSE_S))
        await comes(self._wake, within_s=max(0.0, seconds - SHORTEST_PAUSE_S))

    def plan(self, count: int) -> list[_Page]:
        """The next requests: newest holes first, then the most watched; a long hole from its newest end.

        Of long holes found in one minute, as at a start, the one whose end is newest: what is drawn of two symbols
        needs the newest hour of both, not a day of one.
        """
        gaps = [gap for gap in self._tracker.all_open() if gap.obstacle is None]
        gaps.sort(key=self._urgency)
        pages: list[_Page] = []
        for gap in gaps:
            last_id = gap.last_id
            while last_id >= gap.first_id and len(pages) < count:
                first_id = max(gap.first_id, last_id - self._pages.page_rows + 1)
                pages.append(_Page(self._symbols.index(gap.symbol), gap, first_id, last_id))
                last_id = first_id - 1
        return pages

    def _urgency(self, gap: Gap) -> tuple[int, float, int, int]:
        ends_in = math.inf if gap.before_ms is None else gap.before_ms // MINUTE_MS
        return -(gap.found_ms // MINUTE_MS), -ends_in, self._rank.get(gap.symbol, len(self._rank)), -gap.last_id

    async def _fetch(self, page: _Page) -> bool:
        """Ask for one page and hand it on; whether there was a problem that calls for a pause."""
        wanted = page.last_id - page.first_id + 1
        try:
            around = Around(page.gap.after_ms, page.gap.before_ms)
            batch = await self._pages.page(page.gap.symbol, page.symbol_id, page.first_id, wanted, around)
        except TooOldError:
            # What comes before this page is older still: not asked for, it would only cost weight.
            self._give_up(replace(page, first_id=page.gap.first_id), Obstacle.TOO_OLD)
            return False
        except RequestRefusedError as error:  # the fault of this very page: others must not wait for it for ever
            self._failed(page, error)
            return self._unanswered(page)
        except FeedUnavailable as error:
            self._failed(page, error)
            return True
        # Asked for an id it no longer has, or not yet, an exchange may answer with other ones.
        inside = batch.take((batch.rows.id >= page.first_id) & (batch.rows.id <= page.last_id))
        self.counters.pages += 1
        self.counters.trades += len(inside)
        if len(inside) and not self._take(inside):
            return True
        if not len(inside):
            return self._unanswered(page)
        self._unserved.pop((page.symbol_id, page.last_id), None)
        return len(inside) < wanted

    def _failed(self, page: _Page, error: FeedUnavailable) -> None:
        self.counters.failures += 1
        self.counters.last_error = error.message
        log.warning("backfill_failed", symbol=page.gap.symbol, cause=error.message)

    def _unanswered(self, page: _Page) -> bool:
        """Nothing of the page was served: once may be lag, again and again is a fact."""
        key = (page.symbol_id, page.last_id)
        self._unserved[key] = self._unserved.get(key, 0) + 1
        if self._unserved[key] < TRIES_UNSERVED:
            return True
        del self._unserved[key]
        self._give_up(page, Obstacle.NOT_SERVED)
        return False

    def _give_up(self, page: _Page, obstacle: Obstacle) -> None:
        for gap in self._tracker.obstruct(page.symbol_id, page.first_id, page.last_id, obstacle):
            log.warning("gap_stays", symbol=gap.symbol, first_id=gap.first_id, last_id=gap.last_id, obstacle=obstacle)
            self._obstructed(gap)
