"""What the simulated exchange lists, and the truth about it: who follows whom, and how."""

from __future__ import annotations

from dataclasses import dataclass, replace

MINUTE_MS = 60_000


@dataclass(frozen=True, slots=True)
class Listing:
    """One symbol: the steps it moves in, and how it trades on an average day."""

    symbol: str
    price: float  # the level its log price wanders about
    tick: int  # smallest price move, in units of the last decimal of a price
    price_decimals: int
    size_decimals: int  # the smallest size is one unit of the last decimal
    trades_per_s: float
    typical_size: float  # median
    sweep: float  # chance that a trade goes on eating the book, one tick further in the same millisecond
    daily_volatility: float  # of the symbol's own walk; 0 for one that only follows another

    @property
    def tick_size(self) -> str:
        return f"{self.tick / 10**self.price_decimals:.{self.price_decimals}f}"

    @property
    def step_size(self) -> str:
        return f"{1 / 10**self.size_decimals:.{self.size_decimals}f}"


@dataclass(frozen=True, slots=True)
class RelationBreak:
    """When a relation does not hold: the last part of each cycle, counted from 00:00 UTC.

    While broken nothing pulls the spread back: it is a random walk. After it the pull returns.
    """

    cycle_minutes: int = 120
    holds_minutes: int = 80
    volatility_per_minute: float = 0.0012

    def at(self, minute: int) -> bool:
        """Whether the relation is broken in a minute counted from 1970."""
        return minute % self.cycle_minutes >= self.holds_minutes


@dataclass(frozen=True, slots=True)
class Relation:
    """log y = alpha + beta log x + spread; the spread is an Ornstein-Uhlenbeck process unless broken."""

    y: str
    x: str
    beta: float
    half_life_s: float
    spread_sd: float  # of the spread when it is stationary, in log price
    breaks: RelationBreak | None = None

    def holds(self, time_ms: int) -> bool:
        """Whether y and x are cointegrated at a moment."""
        return self.breaks is None or not self.breaks.at(time_ms // MINUTE_MS)


@dataclass(frozen=True, slots=True)
class Truth:
    """What is so, for comparing with what statistics find.

    Two symbols joined by a chain of relations are cointegrated as well, with the product of the betas.
    """

    relations: tuple[Relation, ...]
    correlated: tuple[tuple[str, str, float], ...]  # (y, x, beta), yet y has a walk of its own: not cointegrated
    independent: tuple[str, ...]  # walks that have nothing to do with anything

    def relation(self, y: str, x: str) -> Relation:
        """The relation of y to x.

        Raises:
            KeyError: when there is none.
        """
        for relation in self.relations:
            if (relation.y, relation.x) == (y, x):
                return relation
        raise KeyError(f"{y}/{x}")


LISTINGS = (
    Listing("BTCUSDT", 83_000.0, 10, 2, 3, 13.0, 0.006, 0.35, 0.025),
    Listing("ETHUSDT", 3_100.0, 1, 2, 3, 12.0, 0.08, 0.35, 0.0),
    Listing("BNBUSDT", 950.0, 10, 3, 2, 2.5, 0.15, 0.3, 0.0),
    Listing("SOLUSDT", 160.0, 100, 4, 2, 6.0, 1.2, 0.2, 0.0),
    Listing("XRPUSDT", 2.2, 1, 4, 1, 4.0, 90.0, 0.15, 0.03),
    Listing("DOGEUSDT", 0.17, 10, 6, 0, 3.0, 900.0, 0.15, 0.0),
    Listing("ADAUSDT", 0.52, 10, 5, 0, 1.8, 300.0, 0.1, 0.04),
    Listing("LINKUSDT", 14.5, 1, 3, 2, 1.3, 8.0, 0.2, 0.035),
)

TRUTH = Truth(
    relations=(
        Relation("ETHUSDT", "BTCUSDT", beta=1.2, half_life_s=40, spread_sd=0.0005),
        Relation("SOLUSDT", "ETHUSDT", beta=1.1, half_life_s=120, spread_sd=0.0010),
        Relation("BNBUSDT", "BTCUSDT", beta=0.7, half_life_s=90, spread_sd=0.0006, breaks=RelationBreak()),
        Relation("DOGEUSDT", "XRPUSDT", beta=1.3, half_life_s=900, spread_sd=0.0025),
    ),
    correlated=(("XRPUSDT", "BTCUSDT", 0.8),),
    independent=("ADAUSDT", "LINKUSDT"),
)

# Of the simulated market: long enough to show the pair the page opens on at once, in a window of 60 half-lives.
HISTORY_MINUTES = 150
OPENING = ("ETHUSDT", "BTCUSDT", "1s", 2_400)
# Of request weight: the simulated exchange serves its own program, and no limit of a real one is saved by waiting.
WEIGHT_PER_MINUTE = 240_000


def crowd(count: int) -> tuple[Listing, ...]:
    """The usual listings and as many quiet ones, each a walk of its own, as make up ``count``.

    >>> [listing.symbol for listing in crowd(10)][7:]
    ['LINKUSDT', 'C008USDT', 'C009USDT']
    """
    quiet = LISTINGS[-1]
    more = [replace(quiet, symbol=f"C{number:03}USDT") for number in range(len(LISTINGS), count)]
    return (*LISTINGS[:count], *more)
