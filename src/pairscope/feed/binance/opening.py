"""Opens this exchange, its simulated market or a recording of it, once it is decided which."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Mapping
from functools import partial

from pairscope.base.clock import Clock, now_ms
from pairscope.base.model import TradeKind
from pairscope.base.settings import Settings
from pairscope.base.symbol import DEFAULT_VENUE
from pairscope.feed.access import Access
from pairscope.feed.archive_files import ArchiveFiles
from pairscope.feed.binance import rows, usual
from pairscope.feed.binance.archive_reading import FILES
from pairscope.feed.binance.budget import WeightBudget
from pairscope.feed.binance.planning import plan_binance
from pairscope.feed.binance.protocol import stream_name
from pairscope.feed.binance.simulator.exchange import SimulatedExchange
from pairscope.feed.binance.simulator.listing import WEIGHT_PER_MINUTE
from pairscope.feed.binance.simulator.market import SimulatedMarket
from pairscope.feed.binance.simulator.replay import RecordingSource
from pairscope.feed.binance.simulator.source import MarketSource
from pairscope.feed.binance.venue import BinanceVenue
from pairscope.feed.source import Source, SourcePlan, open_live

REPLAY_WEIGHT_PER_MINUTE = 2_400


class BinanceOpener:
    """Binance USD-M Futures."""

    name = DEFAULT_VENUE
    files: ArchiveFiles = FILES

    async def plan(self, settings: Settings, clock: Clock) -> SourcePlan:
        return await plan_binance(settings, clock)

    @contextlib.asynccontextmanager
    async def open(
        self, plan: SourcePlan, settings: Settings, clock: Clock, had: Mapping[str, int]
    ) -> AsyncIterator[Source]:
        if plan.kind == "live":
            async with open_live(plan, plan.venue or self.reach(settings, clock), clock) as source:
                yield source
            return
        async with _on_loopback(plan, settings, clock, had) as source:
            yield source

    def reach(self, settings: Settings, clock: Clock) -> BinanceVenue:
        return BinanceVenue.of(settings, clock)

    def warm_up(self, part: str) -> None:
        {"frames": usual.warm_up, "files": rows.warm_up}[part]()


@contextlib.asynccontextmanager
async def _on_loopback(
    plan: SourcePlan, settings: Settings, clock: Clock, had: Mapping[str, int]
) -> AsyncIterator[Source]:
    """A simulated exchange that plays a seeded market, or a recording from where the tape ends."""
    recording = _recording(plan, settings, clock, had) if plan.kind == "replay" else None
    feed = recording or MarketSource(SimulatedMarket(settings.simulator_seed), clock)
    weight = REPLAY_WEIGHT_PER_MINUTE if recording else WEIGHT_PER_MINUTE
    async with SimulatedExchange(feed, clock=clock, weight_per_minute=weight) as exchange:
        venue = BinanceVenue(
            kind=plan.trade_kind,
            ws_url=exchange.ws_url,
            rest_url=exchange.rest_url,
            archive_url=exchange.rest_url if exchange.archive else None,
            clock=clock,
            access=Access.direct(clock),
            budget=WeightBudget(clock),
        )
        async with venue.rest() as rest:
            instruments = await rest.instruments()
        yield Source(
            plan=plan,
            venue=venue,
            instruments=instruments,
            now_ms=recording.latest_ms if recording else partial(now_ms, clock),
            finished=recording.finished if recording else asyncio.Event(),
        )


def _recording(plan: SourcePlan, settings: Settings, clock: Clock, had: Mapping[str, int]) -> RecordingSource:
    return RecordingSource(
        settings.replay_file,
        clock,
        speed=settings.replay_speed,
        times=settings.replay_times,
        start_after={stream_name(symbol, plan.trade_kind): last_id for symbol, last_id in had.items()},
        wait_for=[stream_name(symbol, plan.trade_kind) for symbol in plan.symbols],
    )


OPENER = BinanceOpener()


def nowhere(kind: TradeKind, clock: Clock) -> BinanceVenue:
    """A venue from which nothing comes, for a tape that is looked at."""
    return BinanceVenue(
        kind=kind,
        ws_url="",
        rest_url="",
        archive_url=None,
        clock=clock,
        access=Access.direct(clock),
        budget=WeightBudget(clock),
    )
