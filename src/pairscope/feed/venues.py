"""The list of venues, and the one place that opens one by its name: nothing else knows any of them."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractAsyncContextManager
from typing import Any

from pairscope.base.clock import Clock
from pairscope.base.errors import SettingsError
from pairscope.base.settings import Settings
from pairscope.base.symbol import DEFAULT_VENUE, venue_of
from pairscope.feed.archive_files import ArchiveFiles
from pairscope.feed.binance.opening import OPENER, nowhere
from pairscope.feed.source import Source, SourcePlan, VenueOpener

__all__ = [
    "VENUES",
    "Venues",
    "archive_files",
    "nowhere",
    "open_source",
    "opener_of",
    "plan_source",
    "simulate",
    "warm_up",
]

Venues = Mapping[str, VenueOpener]

VENUES: Venues = {OPENER.name: OPENER}


def opener_of(symbols: tuple[str, ...], venues: Venues = VENUES) -> VenueOpener:
    """The venue that some symbols are of.

    Raises:
        SettingsError: when they are of several venues, or of one that is not there.
    """
    names = list(dict.fromkeys(venue_of(symbol) for symbol in symbols)) or [DEFAULT_VENUE]
    if len(names) > 1:
        raise SettingsError(
            f"symbols of {len(names)} venues: {', '.join(names)}",
            cure="name symbols of one venue; one is heard at a time",
        )
    if names[0] not in venues:
        raise SettingsError(
            f"there is no venue {names[0]}", cure=f"venues are {', '.join(venues)}; BTCUSDT is one of {DEFAULT_VENUE}"
        )
    return venues[names[0]]


async def plan_source(settings: Settings, clock: Clock, venues: Venues = VENUES) -> SourcePlan:
    """Decide where trades come from.

    Raises:
        SettingsError: for symbols the source does not have, or a venue that is not there.
        RecordingError: for a recording that cannot be played.
    """
    return await opener_of(settings.symbols, venues).plan(settings, clock)


def open_source(
    plan: SourcePlan, settings: Settings, clock: Clock, had: Mapping[str, int], venues: Venues = VENUES
) -> AbstractAsyncContextManager[Source]:
    """Make the plan run; `had` is the highest trade id the tape already holds, by symbol."""
    return opener_of(plan.symbols, venues).open(plan, settings, clock, had)


def archive_files() -> ArchiveFiles:
    """How the official files of the default venue are read: those that are named on the command line."""
    files = VENUES[DEFAULT_VENUE].files
    assert files is not None
    return files


def warm_up(part: str) -> None:
    """Compile what reads the ``frames``, or the ``files``, of any venue."""
    for opener in VENUES.values():
        opener.warm_up(part)


async def simulate(**options: Any) -> None:
    """Run the simulated exchange alone: it speaks the wire of the default venue."""
    from pairscope.feed.binance.simulator.exchange import serve

    await serve(**options)
