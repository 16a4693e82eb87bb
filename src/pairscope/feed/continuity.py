"""Trade ids compared with those that came before: which are new, doubled, or missing.

The exchange numbers the trades of a symbol without holes, so a skipped id is a lost trade. The highest id seen
decides, not the last one: after 1, 3, 2 nothing is missing. State survives reconnects, and restarts through
`restore`. A late id inside an open hole is welcome and shrinks it; any other old id is a duplicate.

A refused row proves that its id exists: the id is a hole with the refusal as its obstacle, or, when the exchange itself
says that there was no trade, a closed row.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from pairscope.base.gaps import GapReason, Obstacle
from pairscope.base.jit import plain
from pairscope.base.model import BoolArray, Gap, IntArray, SymbolTable, TradeBatch
from pairscope.feed.judge import REFUSALS, Refusal, Verdicts
from pairscope.feed.open_holes import OpenHoles
from pairscope.feed.sequence import AFTER_HOLE, IMPLAUSIBLE, LARGEST_HOLE, OLD, scan

__all__ = ["LARGEST_HOLE", "ContinuityTracker", "IdCheck"]

_UNKNOWN = -1
_BLANKS_REMEMBERED = 1_000
_NONE_REFUSED: Verdicts = np.zeros(0, np.uint8)


@dataclass(frozen=True, slots=True)
class _Batch:
    """Ids that are being judged; `lost` is corrected while they are."""

    trades: TradeBatch
    refusals: Verdicts
    verdict: NDArray[np.uint8]
    skipped: IntArray  # ids between each one and the one before it
    lost: IntArray
    after_ms: IntArray
    now_ms: int

    @property
    def odd(self) -> BoolArray:
        """New ids that show something; a raw id that was no trade does not."""
        tells = (self.refusals > 0) & (self.refusals != Refusal.NOT_MARKET.code)
        shows: BoolArray = (self.verdict < OLD) & (tells | (self.verdict == AFTER_HOLE))
        return shows

    def refusal(self, place: int) -> Refusal | None:
        code = int(self.refusals[place])
        return REFUSALS[code - 1] if code else None


@dataclass(frozen=True, slots=True)
class _Memory:
    """What a tracker knew before a batch."""

    highest: IntArray
    newest_ms: IntArray
    holes: OpenHoles
    unended: dict[int, int]


@dataclass(frozen=True, slots=True)
class IdCheck:
    """What a batch of ids means for the tape."""

    fresh: BoolArray  # false: refused, a duplicate, or an id nobody can believe
    lost: IntArray  # ids missing right before each fresh one
    repeated_at: IntArray  # places of rows that are not refused and whose id was had before
    implausible_at: IntArray  # places of rows whose id is too far from its neighbours
    opened: list[Gap]  # holes found by this batch, as they were found
    gaps: list[Gap]  # opened, shrunk or closed by this batch; the newest state of each
    before: _Memory

    @property
    def duplicates(self) -> int:
        return len(self.repeated_at)

    @property
    def implausible(self) -> int:
        return len(self.implausible_at)


class ContinuityTracker:
    """Highest id and open holes of every symbol."""

    def __init__(self, symbols: SymbolTable) -> None:
        self._symbols = symbols
        self._highest: IntArray = np.full(max(16, len(symbols)), _UNKNOWN, np.int64)
        self._newest_ms: IntArray = np.zeros(len(self._highest), np.int64)
        self._doubtful: IntArray = np.full(len(self._highest), _UNKNOWN, np.int64)
        self._holes = OpenHoles()
        # The first id after the newest trade, of symbols whose newest ids were refused: how long those holes last is
        # known when the next trade comes.
        self._unended: dict[int, int] = {}
        self._blank: dict[int, deque[int]] = {}  # the newest ids that came without a price or a size
        self._reasons: dict[int, GapReason] = {}  # why the next trade of a symbol may come after a hole

    def restore(self, symbol_id: int, highest_id: int, time_ms: int, open_gaps: Iterable[Gap] = ()) -> list[Gap]:
        """Go on from what the tape already holds; returns the holes this shows.

        Rows of gaps reach the disk before the trades around them, and a kill may come in between: what lies between the
        highest id and a row beyond it came once, and is missing now.
        """
        self._grow(symbol_id)
        holes = sorted(open_gaps, key=lambda gap: gap.first_id)
        shown: list[Gap] = []
        head, head_ms = highest_id, time_ms or None
        for hole in holes:
            if hole.last_id > highest_id:
                if _UNKNOWN < highest_id < hole.first_id - 1:
                    first_id, last_id = highest_id + 1, hole.first_id - 1
                    shown.append(replace(hole, first_id=first_id, last_id=last_id, after_ms=head_ms))
                highest_id, time_ms = hole.last_id, hole.before_ms or time_ms
        self._highest[symbol_id] = highest_id
        self._newest_ms[symbol_id] = time_ms
        self._holes.put(symbol_id, sorted([*holes, *shown], key=lambda gap: gap.first_id))
        beyond = [hole.first_id for hole in holes if hole.first_id > head and hole.before_ms is None]
        if beyond:
            self._unended[symbol_id] = min(beyond)
        return shown

    def highest(self, symbol_id: int) -> int | None:
        """The highest id seen of a symbol."""
        known = symbol_id < len(self._highest) and self._highest[symbol_id] != _UNKNOWN
        return int(self._highest[symbol_id]) if known else None

    def newest_ms(self, symbol_id: int) -> int | None:
        """The time of the newest trade of a symbol."""
        known = symbol_id < len(self._newest_ms) and self._newest_ms[symbol_id] > 0
        return int(self._newest_ms[symbol_id]) if known else None

    def open_gaps(self, symbol_id: int) -> list[Gap]:
        return list(self._holes.of(symbol_id))

    def expect(self, symbol_id: int, reason: GapReason) -> None:
        """Should the next trade of a symbol come after a hole, this is why."""
        self._reasons[symbol_id] = reason

    def all_open(self) -> list[Gap]:
        """Every open hole of every symbol."""
        return self._holes.all()

    def check(self, trades: TradeBatch, now_ms: int, reason: GapReason, refusals: Verdicts | None = None) -> IdCheck:
        """Judge ids in order of arrival and remember them; new holes get ``reason``.

        Args:
            refusals: the code of a `Refusal` for each row that is no trade, else 0; None: all are trades.
        """
        symbol_id, ids, time_ms = plain(trades.symbol_id), plain(trades.id), plain(trades.time_ms)
        if len(symbol_id):
            self._grow(int(symbol_id.max()))
        told = _NONE_REFUSED if refusals is None else plain(refusals)
        verdict = np.empty(len(ids), np.uint8)
        lost = np.empty(len(ids), np.int64)
        after_ms = np.zeros(len(ids), np.int64)
        before = _Memory(self._highest.copy(), self._newest_ms.copy(), self._holes.copy(), dict(self._unended))
        seen = (self._highest, self._newest_ms, self._doubtful)
        odd = scan(symbol_id, ids, time_ms, told, Refusal.ID.code, *seen, verdict, lost, after_ms)
        reasons = self._expected(symbol_id, verdict)
        fresh = np.ones(len(ids), np.bool_)
        none = np.empty(0, np.int64)
        going_on = set(np.unique(symbol_id).tolist()) & self._unended.keys() if self._unended else set()
        if not odd and not going_on:
            return IdCheck(fresh, lost, none, none, [], [], before)
        told = told if len(told) else np.zeros(len(ids), np.uint8)
        batch = _Batch(trades, told, verdict, lost.copy(), lost, after_ms, now_ms)
        opened: list[Gap] = []
        changed: list[Gap] = []
        odd_rows = batch.odd
        for symbol in sorted(going_on | set(symbol_id[odd_rows].tolist())):
            new, old = self._new_ids(symbol, batch, odd_rows, [reasons[symbol]] if symbol in reasons else [], reason)
            opened += new
            changed += old
        fresh[(verdict >= OLD) | (batch.refusals > 0)] = False
        for symbol in np.unique(symbol_id[verdict == OLD]).tolist():
            places = np.flatnonzero((verdict == OLD) & (symbol_id == symbol))
            changed += self._old_ids(symbol, batch, places, fresh)
        newest = {(gap.symbol, gap.first_id): gap for gap in [*opened, *changed]}
        repeated = np.flatnonzero((verdict == OLD) & (batch.refusals == 0) & ~fresh)
        implausible = np.flatnonzero((verdict == IMPLAUSIBLE) & (batch.refusals == 0))
        return IdCheck(fresh, lost, repeated, implausible, opened, list(newest.values()), before)

    def _new_ids(
        self, symbol: int, batch: _Batch, odd_rows: BoolArray, expected: list[GapReason], reason: GapReason
    ) -> tuple[list[Gap], list[Gap]]:
        """Open the holes that the new ids of a symbol show; also what is known now of holes that had no end."""
        mine = np.flatnonzero((batch.trades.symbol_id == symbol) & (batch.verdict < OLD))
        trades = mine[batch.refusals[mine] == 0]
        ended: list[Gap] = []
        if len(trades) and symbol in self._unended:
            ended = self._end(symbol, batch, int(trades[0]))
        opened: list[Gap] = []
        odd = mine[odd_rows[mine]]
        after = np.append(trades, -1)[np.searchsorted(trades, odd)]
        for place, next_place in zip(odd.tolist(), after.tolist(), strict=True):
            why = expected.pop() if expected and batch.skipped[place] else reason
            for gap in self._shown(symbol, batch, place, next_place, why):
                if opened and _joins(opened[-1], gap):
                    self._holes.forget(symbol, opened[-1])
                    gap = replace(gap, first_id=opened.pop().first_id)
                opened.append(gap)
                if gap.closed_ms is None:
                    self._holes.open(symbol, gap)
                    if next_place < 0:
                        self._unended[symbol] = min(self._unended.get(symbol, gap.first_id), gap.first_id)
        return opened, ended

    def _shown(self, symbol: int, batch: _Batch, place: int, next_place: int, reason: GapReason) -> list[Gap]:
        """What one id shows: a hole before it, and that it is itself missing when its row was refused."""
        trade_id, lost = int(batch.trades.id[place]), int(batch.skipped[place])
        hole = Gap(
            self._symbols.name(symbol),
            trade_id - lost,
            trade_id - 1,
            batch.now_ms,
            reason,
            after_ms=int(batch.after_ms[place]) or None,
            before_ms=int(batch.trades.time_ms[next_place]) if next_place >= 0 else None,
        )
        shown = [hole] if lost else []
        refusal = batch.refusal(place)
        if refusal is not None and refusal.is_no_trade:
            shown += self._without_trade(symbol, hole, trade_id, refusal)
        elif refusal is not None:
            shown.append(
                replace(
                    hole,
                    first_id=trade_id,
                    last_id=trade_id,
                    reason=GapReason.REFUSED,
                    obstacle=Obstacle(refusal.value),
                )
            )
        if next_place != place:
            missing = sum(gap.ids for gap in shown if gap.closed_ms is None)
            batch.lost[place] -= lost
            if next_place >= 0:
                batch.lost[next_place] += missing
        return shown

    def _without_trade(self, symbol: int, hole: Gap, trade_id: int, refusal: Refusal) -> list[Gap]:
        """An id that the exchange gave to no trade; raw ids are used so as a matter of course and leave no trace."""
        if refusal is Refusal.NOT_MARKET:
            return []
        self._remember_blank(symbol, trade_id)
        closed = replace(
            hole, first_id=trade_id, last_id=trade_id, reason=GapReason.NOT_A_TRADE, closed_ms=hole.found_ms
        )
        return [closed]

    def _end(self, symbol: int, batch: _Batch, place: int) -> list[Gap]:
        """The first trade after ids that were refused: the holes at the end lie before it."""
        ended = self._holes.end(symbol, self._unended.pop(symbol), int(batch.trades.time_ms[place]))
        batch.lost[place] += sum(hole.ids for hole in ended)
        return ended

    def _old_ids(self, symbol: int, batch: _Batch, places: IntArray, fresh: BoolArray) -> list[Gap]:
        """Ids that are not new: those that lie in holes fill them, or say why they cannot be filled."""
        refused = batch.refusals[places] > 0
        changed: list[Gap] = []
        if not refused.all():
            self._reopen(symbol, batch, places[~refused])
            changed += self._fill(symbol, batch, places[~refused], fresh)
        for place in places[refused].tolist():
            refusal, trade_id = batch.refusal(place), int(batch.trades.id[place])
            if refusal is not None and refusal.is_no_trade:
                changed += self._close_without_trade(symbol, trade_id, batch.now_ms)
            elif refusal is not None:
                changed += self.obstruct(symbol, trade_id, trade_id, Obstacle(refusal.value))
        return changed

    def _reopen(self, symbol: int, batch: _Batch, places: IntArray) -> None:
        """An id that came without a price, and now comes with one."""
        blank = self._blank.get(symbol, ())
        found = [int(i) for i in np.unique(batch.trades.id[places]).tolist() if i in blank]
        for trade_id in found:
            self._blank[symbol].remove(trade_id)
            hole = Gap(self._symbols.name(symbol), trade_id, trade_id, batch.now_ms, GapReason.REFUSED)
            self._holes.open(symbol, hole)

    def _close_without_trade(self, symbol: int, trade_id: int, now_ms: int) -> list[Gap]:
        changed = self._holes.close_without_trade(symbol, trade_id, now_ms)
        if changed:
            self._remember_blank(symbol, trade_id)
        return changed

    def _remember_blank(self, symbol: int, trade_id: int) -> None:
        self._blank.setdefault(symbol, deque(maxlen=_BLANKS_REMEMBERED)).append(trade_id)

    def rewind(self, judged: IdCheck, trades: TradeBatch, reason: GapReason) -> None:
        """Forget the batch that was judged last: the tape could not take it. What follows it will open a hole."""
        before = judged.before
        self._highest, self._newest_ms = before.highest, before.newest_ms
        self._holes, self._unended = before.holes, before.unended
        for symbol_id in np.unique(trades.symbol_id).tolist():
            self.expect(symbol_id, reason)

    def lose(self, gaps: Iterable[Gap]) -> None:
        """Trades that were on the tape are not any more: their ids are holes again."""
        for gap in gaps:
            self._holes.open(self._symbols.index(gap.symbol), gap)

    def hand_over(self, symbol_id: int, last_id: int) -> int:
        """Somebody else sees to the ids of a symbol up to the highest seen, and up to `last_id`; which one that is.

        None of them is a hole here any more, and all are had, until `lose` tells what is left.
        """
        self._grow(symbol_id)
        self._holes.put(symbol_id, ())
        self._unended.pop(symbol_id, None)
        self._highest[symbol_id] = max(int(self._highest[symbol_id]), last_id)
        return int(self._highest[symbol_id])

    def take_back(self, symbol_id: int, last: tuple[int, int] | None) -> None:
        """Id and time of the last trade that is on the tape: when the next hole begins there, that is its edge."""
        if last is not None and last[0] == self._highest[symbol_id]:
            self._newest_ms[symbol_id] = last[1]

    def obstruct(
        self, symbol_id: int, first_id: int, last_id: int, obstacle: Obstacle | None, looked_ms: int | None = None
    ) -> list[Gap]:
        """Note why the missing ids of a range cannot be had for now; returns every row this makes or changes."""
        return self._holes.obstruct(symbol_id, first_id, last_id, obstacle, looked_ms)

    def _expected(self, symbol_id: NDArray[np.int32], verdict: NDArray[np.uint8]) -> dict[int, GapReason]:
        """The reasons of symbols that go on now, hole or not; they are used up by this."""
        if not self._reasons:
            return {}
        going_on = np.unique(symbol_id[verdict < OLD]).tolist()
        return {symbol: self._reasons.pop(symbol) for symbol in going_on if symbol in self._reasons}

    def _fill(self, symbol: int, batch: _Batch, places: IntArray, fresh: BoolArray) -> list[Gap]:
        """Take late trades out of the holes that hold them and mark those fresh."""
        late, firsts = np.unique(batch.trades.id[places], return_index=True)
        changed, filled = self._holes.fill(symbol, late, batch.trades.time_ms[places][firsts], batch.now_ms)
        fresh[places[firsts[filled]]] = True
        return changed

    def _grow(self, symbol_id: int) -> None:
        if symbol_id < len(self._highest):
            return
        size = 2 * symbol_id + 16
        more = np.full(size, _UNKNOWN, np.int64)
        more[: len(self._highest)] = self._highest
        times = np.zeros(size, np.int64)
        times[: len(self._newest_ms)] = self._newest_ms
        doubtful = np.full(size, _UNKNOWN, np.int64)
        doubtful[: len(self._doubtful)] = self._doubtful
        self._highest, self._newest_ms, self._doubtful = more, times, doubtful


def _joins(before: Gap, after: Gap) -> bool:
    """Whether two rows that follow one another say the same of their ids."""
    same = replace(after, first_id=before.first_id, last_id=before.last_id) == before
    return same and before.last_id + 1 == after.first_id
