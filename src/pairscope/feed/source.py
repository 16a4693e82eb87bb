"""Where trades come from: what is decided before anything runs, and the source that runs then.

A venue decides and opens itself through its `VenueOpener`; `feed.venues` has the list of them.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from functools import partial
from typing import Literal, Protocol

from pairscope.base.clock import Clock, now_ms
from pairscope.base.errors import SettingsError
from pairscope.base.instrument import Instrument
from pairscope.base.model import TradeKind
from pairscope.base.naming import nearest_symbol
from pairscope.base.settings import Settings, live_folder
from pairscope.feed.archive_files import ArchiveFiles
from pairscope.feed.venue import Venue

SourceKind = Literal["live", "simulator", "replay", "tape"]


@dataclass(frozen=True, slots=True)
class Gone:
    """A symbol that was asked for and is not listed: misspelt, or listed no more."""

    symbol: str
    guess: str | None  # the nearest name that is listed

    def __str__(self) -> str:
        return f"{self.symbol} is not listed" + (f" (nearest name: {self.guess})" if self.guess else "")


@dataclass(frozen=True, slots=True)
class Opening:
    """A pair, an interval and a window that are worth looking at first."""

    y: str
    x: str
    interval: str
    window: int


@dataclass(frozen=True, slots=True)
class SourcePlan:
    """What was decided, before anything runs."""

    kind: SourceKind
    label: str
    folder: str  # of its tape, below the data folder: simulated trades never mix with real ones
    trade_kind: TradeKind
    symbols: tuple[str, ...]
    pairs: tuple[tuple[str, str], ...]
    banner: str | None = None
    reason: str | None = None
    detail: str | None = None
    instruments: Mapping[str, Instrument] | None = None
    venue: Venue | None = None  # where it had to be asked to decide
    gone: tuple[Gone, ...] = ()  # asked for, and not listed
    history_minutes: int = 0  # of trades from before the first start
    opening: Opening | None = None  # where a page begins that names nothing


@dataclass(frozen=True, slots=True)
class Source:
    """A running source: how its venue is heard and asked, and what that says of its symbols."""

    plan: SourcePlan
    venue: Venue
    instruments: Mapping[str, Instrument]
    now_ms: Callable[[], int]  # the clock that the times of trades follow
    finished: asyncio.Event  # set when a replay has played to its end; never otherwise


class VenueOpener(Protocol):
    """A venue by its name: how one finds out what it has, and opens it."""

    @property
    def name(self) -> str:
        """As it stands before symbols, unless it is the default venue."""

    @property
    def files(self) -> ArchiveFiles | None:
        """How its official files are read, where there are any."""
        return None

    async def plan(self, settings: Settings, clock: Clock) -> SourcePlan:
        """Decide where trades come from.

        Raises:
            SettingsError: for symbols the source does not have.
            RecordingError: for a recording that cannot be played.
            FeedUnavailable: when the venue cannot be asked.
        """
        venue = self.reach(settings, clock)
        async with venue.rest() as rest:
            return live_plan(settings, venue, venue.name, await rest.instruments())

    def open(
        self, plan: SourcePlan, settings: Settings, clock: Clock, had: Mapping[str, int]
    ) -> AbstractAsyncContextManager[Source]:
        """Make the plan run; `had` is the highest trade id the tape already holds, by symbol."""
        return open_live(plan, plan.venue or self.reach(settings, clock), clock)

    def reach(self, settings: Settings, clock: Clock) -> Venue:
        """The venue where the settings say it is; nothing is asked of it yet."""

    def warm_up(self, part: str) -> None:
        """Compile what reads its ``frames`` or its ``files``, where that is compiled."""
        return


@contextlib.asynccontextmanager
async def open_live(plan: SourcePlan, venue: Venue, clock: Clock) -> AsyncIterator[Source]:
    """A venue that is heard as it trades: the plan is all that had to be found out."""
    yield Source(
        plan=plan,
        venue=venue,
        instruments=plan.instruments or {},
        now_ms=partial(now_ms, clock),
        finished=asyncio.Event(),
    )


def live_plan(settings: Settings, venue: Venue, label: str, instruments: Mapping[str, Instrument] | None) -> SourcePlan:
    """What is heard of a venue, as far as it is listed.

    Raises:
        SettingsError: when nothing that was asked for is.
    """
    symbols, gone = listed_of(settings.symbols, instruments, label)
    return SourcePlan(
        kind="live",
        label=label,
        folder=live_folder(settings.trade_kind),
        trade_kind=settings.trade_kind,
        symbols=symbols,
        pairs=pairs_of(settings, gone),
        instruments=instruments,
        venue=venue,
        gone=gone,
        history_minutes=settings.history_minutes,
    )


def listed_of(
    symbols: tuple[str, ...], listed: Iterable[str] | None, where: str
) -> tuple[tuple[str, ...], tuple[Gone, ...]]:
    """The symbols that are there, and those that are not; all are there where the list is not known.

    Raises:
        SettingsError: when none is left, with the nearest name as its cure.
    """
    if listed is None:
        return symbols, ()
    known = set(listed)
    gone = tuple(Gone(symbol, nearest_symbol(symbol, known)) for symbol in symbols if symbol not in known)
    left = tuple(symbol for symbol in symbols if symbol in known)
    if not left:
        missing = ", ".join(symbols[:5])
        raise SettingsError(f"{where} has no symbol {missing}", cure=cure_unlisted(symbols[0], known))
    return left, gone


def pairs_of(settings: Settings, gone: tuple[Gone, ...]) -> tuple[tuple[str, str], ...]:
    """The pairs whose legs are both there."""
    missing = {each.symbol for each in gone}
    return tuple(pair for pair in settings.pair_list() if not missing & set(pair))


def cure_unlisted(symbol: str, listed: Iterable[str]) -> str:
    """What a person may have meant by a symbol the source does not have."""
    known = sorted(listed)
    guess = nearest_symbol(symbol, known)
    return f"did you mean {guess}?" if guess else f"it has {', '.join(known[:12])}"
