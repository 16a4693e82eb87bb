"""A market whose every trade is a function of seed, rate and time.

Nothing is remembered: a market made again goes on with the very same ids and prices, and any minute since
2020 can be asked for, in any order. Ids come from counts: so many trades for each day, shared out over its
minutes by how busy they are; a minute is always made as a whole. (The numbers come from NumPy's generators,
which a new release of NumPy may change.)

The truth of a trade's price: the model's log price at the trade's time (`prices.py`), put on the tick grid as
bid or ask, and one tick further for each price level that an order eats.
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from pairscope.base.errors import SettingsError, UnknownName
from pairscope.base.model import BoolArray, FloatArray, IntArray
from pairscope.feed.binance.simulator.listing import LISTINGS, MINUTE_MS, TRUTH, Listing, Truth
from pairscope.feed.binance.simulator.noise import Noise
from pairscope.feed.binance.simulator.prices import FIRST_DAY, PriceModel, at_times
from pairscope.feed.binance.simulator.rhythm import DAY_MINUTES, busyness

# When the exchange sends an aggregate: when nothing more joined it for 150 ms and a bit, or when
# a trade at another price or side came, whichever is first.
FLUSH_MS = 150
_FLUSH_JITTER_MS = 9
_FLUSH_ON_NEXT_MS = 4
_FILLS_PER_TRADE = 2.9  # ids of raw fills used up for each aggregate trade
_DAYS_PER_CELL = 512


@dataclass(frozen=True, slots=True)
class AggTrades:
    """Aggregate trades of one symbol in columns, in the order of their ids."""

    id: IntArray
    first_fill: IntArray
    last_fill: IntArray
    time_ms: IntArray  # of the first fill
    price: FloatArray
    size: FloatArray
    buyer_is_maker: BoolArray
    burnt: NDArray[np.uint8]  # 1: the fill id after the last one was never a trade; 2: one between first and last
    flush_ms: IntArray  # when the exchange sends it

    def __len__(self) -> int:
        return len(self.id)

    def slice(self, start: int, stop: int) -> AggTrades:
        return AggTrades(*[getattr(self, name)[start:stop] for name in _COLUMNS])

    @staticmethod
    def concatenate(parts: list[AggTrades]) -> AggTrades:
        if len(parts) == 1:
            return parts[0]
        return AggTrades(*[np.concatenate([getattr(part, name) for part in parts]) for name in _COLUMNS])


_COLUMNS = tuple(field.name for field in fields(AggTrades))


class SimulatedMarket:
    """Seeded trades of the listed symbols.

    Args:
        seed: of all chance; another seed is another world.
        rate: multiplies how many trades there are (1: about 44/s over eight symbols); part of the identity, as ids
            depend on it.

    >>> market = SimulatedMarket(seed=1)
    >>> start = 1_790_000_000_000
    >>> trades = market.trades("BTCUSDT", start, start + 60_000)
    >>> again = SimulatedMarket(seed=1).by_id("BTCUSDT", int(trades.id[0]), len(trades))
    >>> bool((again.price == trades.price).all() and (again.time_ms == trades.time_ms).all())
    True
    """

    def __init__(
        self, seed: int = 1, rate: float = 1.0, listings: tuple[Listing, ...] = LISTINGS, truth: Truth = TRUTH
    ) -> None:
        if not 0 < rate <= 1_000:
            raise SettingsError(f"a market cannot run at rate {rate}", cure="use 1, or at most 1000")
        self.truth = truth
        self.rate = rate
        self.listings = {listing.symbol: listing for listing in listings}
        self._noise = Noise(seed)
        self.prices = PriceModel(listings, truth, self._noise)
        self._day_ids = lru_cache(maxsize=4 * len(listings))(self._make_day_ids)
        self._made = lru_cache(maxsize=3 * len(listings))(self._make_minute)
        self.minute = lru_cache(maxsize=3 * len(listings))(self._make_flushed_minute)

    def listing(self, symbol: str) -> Listing:
        """What is listed under an upper-case name.

        Raises:
            UnknownName: when nothing is.
        """
        try:
            return self.listings[symbol]
        except KeyError:
            raise UnknownName(
                f"the simulated exchange does not list '{symbol[:40]}'", cure=f"it has {', '.join(self.listings)}"
            ) from None

    def trades(self, symbol: str, from_ms: int, to_ms: int) -> AggTrades:
        """Trades with ``from_ms <= time < to_ms``."""
        return self._between(symbol, from_ms, to_ms, "time_ms", 0)

    def flushed(self, symbol: str, from_ms: int, to_ms: int) -> AggTrades:
        """Trades the exchange sends at ``from_ms <= flush time < to_ms``, in the order of their ids."""
        return self._between(symbol, from_ms, to_ms, "flush_ms", FLUSH_MS + _FLUSH_JITTER_MS)

    def by_id(self, symbol: str, first_id: int, limit: int) -> AggTrades:
        """Up to ``limit`` trades from an id on; ids below the first one count as the first."""
        first_id = max(first_id, 1)
        minute = self._minute_of_id(symbol, first_id)
        parts: list[AggTrades] = []
        left = max(limit, 0)
        while left or not parts:
            trades = self.minute(symbol, minute)
            start = max(first_id - int(trades.id[0]), 0) if len(trades) else 0
            part = trades.slice(start, start + left)
            parts.append(part)
            left -= len(part)
            minute += 1
        return AggTrades.concatenate(parts)

    def first_id_at(self, symbol: str, time_ms: int) -> int:
        """The id of the first trade at or after a time."""
        minute = max(time_ms // MINUTE_MS, FIRST_DAY * DAY_MINUTES)
        before = int(np.searchsorted(self.minute(symbol, minute).time_ms, time_ms))
        return self._first_ids(symbol, minute)[0] + before

    def _between(self, symbol: str, from_ms: int, to_ms: int, column: str, reach_ms: int) -> AggTrades:
        first = max((from_ms - reach_ms) // MINUTE_MS, FIRST_DAY * DAY_MINUTES)
        last = max((to_ms - 1) // MINUTE_MS, first)
        parts = []
        for minute in range(first, last + 1):
            trades = self.minute(symbol, minute)
            start, stop = np.searchsorted(getattr(trades, column), [from_ms, to_ms])
            parts.append(trades.slice(int(start), max(int(start), int(stop))))
        return AggTrades.concatenate(parts)

    # Ids: days, then minutes.

    def _first_ids(self, symbol: str, minute: int) -> tuple[int, int]:
        """The first ids of a minute and of the next one."""
        day, of_day = divmod(minute, DAY_MINUTES)
        ids = self._day_ids(symbol, day)
        return int(ids[of_day]), int(ids[of_day + 1])

    def _make_day_ids(self, symbol: str, day: int) -> IntArray:
        """The first id of each of the 1,440 minutes of a day, and of the next day."""
        starts = self._day_starts(symbol, day)
        share = np.concatenate([[0.0], np.cumsum(busyness(self._noise, symbol, day))])
        count = int(starts[-1] - starts[-2])
        ids: IntArray = starts[-2] + np.floor(count * share / share[-1]).astype(np.int64)
        ids[-1] = starts[-1]
        return ids

    def _day_starts(self, symbol: str, day: int) -> IntArray:
        """The first id of each day from the first up to the one after ``day``."""
        usual = self.listing(symbol).trades_per_s * 86_400 * self.rate
        days = day - FIRST_DAY + 1
        cells = [
            self._noise.cell(f"{symbol}/days", cell).standard_normal(_DAYS_PER_CELL)
            for cell in range(0, days, _DAYS_PER_CELL)
        ]
        counts = np.ceil(usual * np.exp(0.2 * np.concatenate(cells)[:days])).astype(np.int64)
        starts: IntArray = 1 + np.concatenate([[0], np.cumsum(counts)])
        return starts

    def _minute_of_id(self, symbol: str, trade_id: int) -> int:
        day = FIRST_DAY
        step = 4096
        while step:  # the last day that begins at or before the id, by ever smaller steps
            if self._day_starts(symbol, day + step - 1)[-1] <= trade_id:
                day += step
            else:
                step //= 2
        of_day = int(np.searchsorted(self._day_ids(symbol, day)[1:], trade_id, side="right"))
        return day * DAY_MINUTES + of_day

    # Minutes.

    def _make_flushed_minute(self, symbol: str, minute: int) -> AggTrades:
        """A whole minute of trades with the time each is sent, which depends on the trade after it."""
        trades, after = self._made(symbol, minute), self._made(symbol, minute + 1)
        following = np.append(trades.time_ms[1:], after.time_ms[:1])
        flush_ms = trades.time_ms + FLUSH_MS + trades.id % _FLUSH_JITTER_MS
        known = slice(0, len(following))
        flush_ms[known] = np.minimum(flush_ms[known], following + _FLUSH_ON_NEXT_MS)
        return replace(trades, flush_ms=flush_ms)

    def _make_minute(self, symbol: str, minute: int) -> AggTrades:
        listing = self.listing(symbol)
        first_id, end_id = self._first_ids(symbol, minute)
        count = end_id - first_id
        draw = self._noise.cell(f"{symbol}/trades", minute)
        new_order = draw.random(count) >= listing.sweep
        new_order[:1] = True
        order = np.cumsum(new_order) - 1
        offsets_ms = _order_times(draw, int(new_order.sum()))
        path = self.prices.minute(symbol, minute)
        buys = draw.random(len(offsets_ms)) < 0.5 + 0.2 * np.sign(path[offsets_ms // 100 + 1] - path[offsets_ms // 100])
        bid = np.floor(np.exp(at_times(path, offsets_ms)) * 10**listing.price_decimals / listing.tick)
        level = np.arange(count) - np.flatnonzero(new_order)[order]  # how far the order has eaten into the book
        buy = buys[order]
        ticks = np.maximum(bid[order] + np.where(buy, 1 + level, -level), 1)
        largeness = draw.standard_normal(count)
        first_fill, span = self._fills(draw, first_id, end_id, largeness)
        burnt = _burnt(draw, span)
        lots = listing.typical_size * 10**listing.size_decimals * np.exp(1.6 * largeness)
        time_ms = minute * MINUTE_MS + offsets_ms[order]
        return AggTrades(
            id=np.arange(first_id, end_id),
            first_fill=first_fill,
            last_fill=first_fill + span - 1 - (burnt == 1),
            time_ms=time_ms,
            price=ticks * listing.tick / 10**listing.price_decimals,
            size=np.maximum(np.floor(lots), span) / 10**listing.size_decimals,
            buyer_is_maker=~buy,
            burnt=burnt,
            flush_ms=time_ms,
        )

    def _fills(
        self, draw: np.random.Generator, first_id: int, end_id: int, largeness: FloatArray
    ) -> tuple[IntArray, IntArray]:
        """First fill id of each trade, and how many ids it uses: one at least, more for larger trades."""
        count = end_id - first_id
        first_fill = int(_FILLS_PER_TRADE * first_id)
        spare = int(_FILLS_PER_TRADE * end_id) - first_fill - count
        weights = np.cumsum(np.exp(0.8 * largeness) * draw.standard_exponential(count))
        share = weights / weights[-1] if count else weights
        ends = np.arange(1, count + 1) + np.floor(spare * share).astype(np.int64)
        starts = np.concatenate([[0], ends])[:-1]
        return first_fill + starts, ends - starts


def _order_times(draw: np.random.Generator, orders: int) -> IntArray:
    """Offsets in ms, rising; in some minutes a part of the orders comes within a second."""
    times = draw.random(orders) * MINUTE_MS
    if draw.random() < 0.15:
        rushed = int(orders * draw.uniform(0.2, 0.5))
        centre = draw.uniform(0, MINUTE_MS - 5_000)
        times[:rushed] = centre + draw.standard_exponential(rushed) * 250
    return np.sort(np.minimum(times, MINUTE_MS - 1)).astype(np.int64)


def _burnt(draw: np.random.Generator, span: IntArray) -> NDArray[np.uint8]:
    chance = draw.random(len(span))
    after = (chance < 0.004) & (span >= 2)
    within = (chance > 0.9985) & (span >= 3)
    return after.astype(np.uint8) + 2 * within.astype(np.uint8)
