"""A tape in memory with the manners of the store: puts reach the disk in order, a kill forgets the newest of them."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Sequence
from typing import cast

import numpy as np

from pairscope.base.errors import StoreUnavailable
from pairscope.base.interval import Interval
from pairscope.base.model import BarArray, Gap, SymbolTable, TradeBatch, no_bars
from pairscope.store.tape import Tape
from pairscope.store.tape_state import StoreCounters

COMMIT_S = 0.1
LIMIT = 400_000
Put = TradeBatch | BarArray | list[Gap]


class MemoryTape:
    """What the intake uses of `Tape`. `failing` names what a bad disk refuses: trades, bars, gaps, reads."""

    def __init__(self, symbols: Sequence[str], journal: Sequence[Put] = ()) -> None:
        self.symbols = SymbolTable(symbols)
        self._failing: frozenset[str] = frozenset()
        self._journal: list[Put] = []
        self._put_s: list[float] = []  # when each put came
        self._on_disk = 0
        self._trades: dict[int, list[TradeBatch]] = {}
        self._bars: dict[tuple[int, int, int, int], np.void] = {}
        self._gaps: dict[tuple[str, int], Gap] = {}
        for put in journal:
            self._take(put)
        self._on_disk = len(self._journal)

    def as_store(self) -> Tape:
        return cast(Tape, self)

    def killed(self, rng: random.Random) -> MemoryTape:
        """What is on the disk after `kill -9`: everything flushed or old enough, and some of the puts after."""
        now_s = asyncio.get_running_loop().time()
        if self._failing:  # nothing has reached the disk since it went bad
            return self.after(self._on_disk)
        certain = max(self._on_disk, sum(put_s < now_s - COMMIT_S for put_s in self._put_s))
        return self.after(rng.randint(certain, len(self._journal)))

    @property
    def puts(self) -> int:
        return len(self._journal)

    def after(self, puts: int) -> MemoryTape:
        """What is on the disk when the process is killed right after so many puts."""
        return MemoryTape(list(self.symbols), self._journal[:puts])

    def counters(self) -> StoreCounters:
        waiting = LIMIT if "trades" in self.failing else 0
        return StoreCounters(0, waiting, LIMIT, 0, 0.0, 0.0, None, 0, 0, 0, 0, None)

    @property
    def failing(self) -> frozenset[str]:
        return self._failing

    @failing.setter
    def failing(self, parts: frozenset[str]) -> None:
        if parts and not self._failing:
            self._on_disk = len(self._journal)
        self._failing = parts

    def put_trades(self, batch: TradeBatch) -> bool:
        return not len(batch) or self._accepted("trades", batch)

    def put_bars(self, bars: BarArray) -> bool:
        return not len(bars) or self._accepted("bars", bars.copy())

    def put_gaps(self, gaps: Sequence[Gap]) -> bool:
        return not gaps or self._accepted("gaps", list(gaps))

    async def flushed(self) -> None:
        await asyncio.sleep(COMMIT_S / 2)
        while self._failing:
            await asyncio.sleep(COMMIT_S)
        self._on_disk = len(self._journal)

    def _accepted(self, kind: str, put: Put) -> bool:
        if kind in self._failing:
            return False
        self._take(put)
        return True

    def _take(self, put: Put) -> None:
        self._journal.append(put)
        self._put_s.append(asyncio.get_running_loop().time())
        if isinstance(put, TradeBatch):
            for symbol_id in np.unique(put.symbol_id).tolist():
                self._trades.setdefault(symbol_id, []).append(put.take(put.symbol_id == symbol_id))
        elif isinstance(put, list):
            self._gaps.update({(gap.symbol, gap.first_id): gap for gap in put})
        else:
            for bar in put:
                key = tuple(int(bar[name]) for name in ("symbol_id", "interval_ms", "open_time_ms", "source"))
                self._bars[cast(tuple[int, int, int, int], key)] = bar

    def trades(
        self,
        symbol: str,
        *,
        from_ms: int | None = None,
        to_ms: int | None = None,
        from_id: int | None = None,
        to_id: int | None = None,
        limit: int | None = None,
        newest: bool = False,
    ) -> TradeBatch:
        if "reads" in self._failing:  # the file is being opened anew
            raise StoreUnavailable("the tape could not be read")
        batches = self._trades.get(self.symbols.index(symbol), [])
        found = TradeBatch.concatenate(batches)
        wanted = np.ones(len(found), np.bool_)
        for column, low, high in ((found.time_ms, from_ms, to_ms), (found.id, from_id, to_id)):
            wanted &= (column >= low if low is not None else True) & (column < high if high is not None else True)
        found = found.take(wanted)
        found = found.take(np.argsort(found.id, kind="stable"))
        if limit is None or len(found) <= limit:
            return found
        places = np.arange(len(found))
        return found.take(places[-limit:] if newest else places[:limit])

    def bars(
        self,
        symbol: str,
        interval: Interval,
        *,
        from_ms: int | None = None,
        limit: int | None = None,
        newest: bool = False,
    ) -> BarArray:
        key = (self.symbols.index(symbol), interval.ms)
        found = [bar for (symbol_id, ms, _, _), bar in self._bars.items() if (symbol_id, ms) == key]
        bars = np.array(found, no_bars().dtype) if found else no_bars()
        bars = bars[np.argsort(bars["open_time_ms"], kind="stable")]
        bars = bars[bars["open_time_ms"] >= (from_ms or 0)]
        return bars if limit is None else bars[-limit:] if newest else bars[:limit]

    def last_trades(self) -> dict[int, tuple[int, int]]:
        heads = {}
        for symbol_id, batches in self._trades.items():
            trades = TradeBatch.concatenate(batches)
            place = int(np.argmax(trades.id))
            heads[symbol_id] = int(trades.id[place]), int(trades.time_ms[place])
        return heads

    def intervals(self, symbol: str) -> list[Interval]:
        symbol_id = self.symbols.index(symbol)
        return sorted({Interval(ms) for own, ms, _, _ in self._bars if own == symbol_id})

    def gaps(self, symbol: str | None = None, open_only: bool = False) -> list[Gap]:
        found = [gap for gap in self._gaps.values() if symbol in (None, gap.symbol)]
        found = [gap for gap in found if gap.closed_ms is None or not open_only]
        return sorted(found, key=lambda gap: (gap.symbol, gap.first_id))
