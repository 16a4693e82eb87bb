"""The trades before the first one that is heard: a while of them belongs to every symbol that is watched.

They are asked for at the start. Where the exchange cannot be asked then, or asked us to wait, they are asked for once
it can be: the market is heard meanwhile, and the hole before it is filled like any other. A tape that begins later than
its history does is one whose history was never fetched, so a restart does not forget it.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Iterable
from typing import Protocol

import structlog

from pairscope.base.clock import Clock, now_ms
from pairscope.base.errors import FeedUnavailable, StoreUnavailable
from pairscope.base.gaps import GapReason
from pairscope.base.model import Gap
from pairscope.feed.backoff import Backoff
from pairscope.feed.continuity import ContinuityTracker
from pairscope.feed.venue import HOUR_MS, RequestRefusedError, Rest
from pairscope.ingest.repair.repair import RepairStatus
from pairscope.store.tape import Tape

log = structlog.get_logger()

AT_ONCE_S = 5.0  # for which a start waits for it


class Holes(Protocol):
    """Knows when what is held of a symbol begins, and takes a hole before it."""

    def begins_ms(self, symbol_id: int) -> int | None: ...

    def reach_back(self, gap: Gap) -> bool: ...


class ReachBack:
    """Finds out with which id the history of a symbol begins.

    Args:
        holes: is given what is missing before trades that are held already; false when it has no room now.
        history_ms: how far back; 0 where that cannot be done.
    """

    def __init__(
        self,
        *,
        rest: Rest,
        tracker: ContinuityTracker,
        store: Tape,
        holes: Holes,
        history_ms: int,
        clock: Clock,
        backoff: Backoff | None = None,
    ) -> None:
        self.owed: dict[str, int] = {}  # symbols whose history could not be asked for yet, and where it begins
        self._rest = rest
        self._tracker = tracker
        self._store = store
        self._holes = holes
        self._history_ms = history_ms
        self._clock = clock
        self._backoff = backoff or Backoff(first_s=1.0, cap_s=60.0)
        self._wake = asyncio.Event()

    async def at_once(self, symbols: Iterable[str]) -> None:
        """Ask now, for a few seconds at most, about symbols that have no history; what is left is asked later."""
        if not self._history_ms:
            return
        since_ms = now_ms(self._clock) - self._history_ms
        wanted = {symbol: since_ms for symbol in symbols if symbol not in self.owed}
        cause = "the tape cannot take it now"
        try:
            async with asyncio.timeout(AT_ONCE_S):
                await self._ask(self._rest.within(AT_ONCE_S), wanted)
        except TimeoutError:
            cause = f"no answer within {AT_ONCE_S:.0f} s"
        except (FeedUnavailable, StoreUnavailable) as error:
            cause = error.message
        if wanted:
            log.warning("history_postponed", symbols=len(wanted), cause=cause)
            self.owed.update(wanted)
            self._wake.set()

    def forget(self, symbol: str) -> None:
        """It is watched no longer."""
        self.owed.pop(symbol, None)

    def status(self) -> RepairStatus:
        return RepairStatus(name="reach-back", symbols_waiting=tuple(self.owed))

    async def run(self) -> None:
        """Ask for what is owed as soon as the exchange may be asked, until cancelled."""
        patient = self._rest.within(math.inf)
        while True:
            await self._wake.wait()
            self._wake.clear()
            while self.owed:
                await asyncio.sleep(self._backoff.next_s())
                try:
                    await self._ask(patient, self.owed)
                except (FeedUnavailable, StoreUnavailable) as error:
                    log.info("history_unavailable", symbols=len(self.owed), cause=error.message)
            self._backoff.reset()

    async def _ask(self, rest: Rest, owed: dict[str, int]) -> None:
        """Take out of `owed` what is found."""
        for symbol in list(owed):
            since_ms = owed.get(symbol)
            if since_ms is None or not self._lacks(symbol, since_ms) or await self._found(rest, symbol, since_ms):
                owed.pop(symbol, None)

    def _lacks(self, symbol: str, since_ms: int) -> bool:
        """Whether the tape of a symbol begins later than its history does."""
        begins_ms = self._holes.begins_ms(self._store.symbols.index(symbol))
        return begins_ms is None or begins_ms > since_ms

    async def _found(self, rest: Rest, symbol: str, since_ms: int) -> bool:
        """Whether it is known now what is missing; false when it has to be asked again.

        Raises:
            FeedUnavailable: when the exchange cannot be asked.
            StoreUnavailable: when the tape cannot be read.
        """
        since_ms = max(since_ms, now_ms(self._clock) - rest.reach_ms)
        try:
            first_id = await self._first_id(rest, symbol, since_ms)
        except RequestRefusedError as error:  # of this symbol only
            log.warning("history_refused", symbol=symbol, cause=error.message)
            return True
        if first_id is None:
            return True
        symbol_id = self._store.symbols.index(symbol)
        if self._tracker.highest(symbol_id) is None:
            self._tracker.restore(symbol_id, first_id - 1, since_ms)
            self._tracker.expect(symbol_id, GapReason.HISTORY)
            return True
        gap = await self._hole(symbol, symbol_id, first_id, since_ms)
        return gap is not None and (gap.ids <= 0 or self._holes.reach_back(gap))

    async def _first_id(self, rest: Rest, symbol: str, since_ms: int) -> int | None:
        """The id of the first trade from a time on; the exchange looks for it an hour at a time."""
        for from_ms in range(since_ms, now_ms(self._clock), HOUR_MS):
            if (found := await rest.first_id_from(symbol, from_ms)) is not None:
                return found
        return None

    async def _hole(self, symbol: str, symbol_id: int, first_id: int, since_ms: int) -> Gap | None:
        """What is missing before all that is held or known to be missing; None while nothing of it can be read."""
        await self._store.flushed()
        held = await asyncio.to_thread(self._store.trades, symbol, limit=1)
        ends = [(int(trade_id), int(time_ms)) for trade_id, time_ms in zip(held.id, held.time_ms, strict=True)]
        ends += [(gap.first_id, gap.before_ms or 0) for gap in self._tracker.open_gaps(symbol_id)]
        if not ends:
            return None
        end_id, before_ms = min(ends)
        return Gap(
            symbol,
            first_id,
            end_id - 1,
            now_ms(self._clock),
            GapReason.HISTORY,
            after_ms=since_ms,
            before_ms=before_ms or None,
        )
