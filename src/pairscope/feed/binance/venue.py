"""This exchange behind the interface that all venues have; the simulated one speaks its wire and is reached alike."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

from pairscope.base.clock import Clock
from pairscope.base.model import Continuity, TradeKind
from pairscope.base.settings import Settings
from pairscope.base.symbol import DEFAULT_VENUE
from pairscope.feed.access import Access
from pairscope.feed.binance.archive_site import ArchiveSite
from pairscope.feed.binance.budget import WeightBudget
from pairscope.feed.binance.managed_connection import ConnectionOptions
from pairscope.feed.binance.recorder import Recorder
from pairscope.feed.binance.rest import PAGE_ROWS, REACH_MS, BinanceRest
from pairscope.feed.binance.trade_stream import TradeStream
from pairscope.feed.judge import Judge
from pairscope.feed.recording import FrameWriter
from pairscope.feed.venue import Capabilities, Listening

BY_ID = Capabilities(Continuity.PROVED, page_rows=PAGE_ROWS, reach_ms=REACH_MS, request_unit="weight")
STREAM_ONLY = Capabilities(Continuity.PROVED, page_rows=0, reach_ms=0, request_unit="weight")  # raw ones, by id


@dataclass(frozen=True, slots=True, kw_only=True)
class BinanceVenue:
    """Binance USD-M Futures, or who speaks its wire at these addresses."""

    kind: TradeKind
    ws_url: str
    rest_url: str
    archive_url: str | None
    clock: Clock
    access: Access
    budget: WeightBudget
    name: str = DEFAULT_VENUE

    @classmethod
    def of(cls, settings: Settings, clock: Clock) -> Self:
        """Where the settings say it is.

        Raises:
            SettingsError: when a proxy cannot be used.
        """
        access = Access.of(settings, clock)
        return cls(
            kind=settings.trade_kind,
            ws_url=settings.exchange_ws_url,
            rest_url=settings.exchange_rest_url,
            archive_url=settings.archive_url,
            clock=clock,
            access=access,
            budget=WeightBudget(clock, door=access.limits.door(settings.exchange_rest_url)),
        )

    @property
    def capabilities(self) -> Capabilities:
        """Of raw trades none can be asked for by id."""
        return BY_ID if self.kind is TradeKind.AGG else STREAM_ONLY

    @property
    def proxy(self) -> str | None:
        proxy = self.access.proxies.of(self.ws_url)
        return proxy.shown if proxy else None

    def stream(self, listening: Listening) -> TradeStream:
        return TradeStream(
            base_url=self.ws_url,
            kind=self.kind,
            watch=listening.watch,
            symbols=listening.symbols,
            clock=self.clock,
            judge=listening.judge,
            sink=listening.sink,
            flush_s=listening.flush_s,
            options=ConnectionOptions(stale_s=listening.stale_s),
            access=self.access,
            awake_s=listening.awake_s,
            is_quiet=listening.is_quiet,
            reasons=listening.reasons,
            is_compiled=listening.is_compiled,
        )

    def rest(self, judge: Judge | None = None, *, timeout_s: float = 6.0) -> BinanceRest:
        return BinanceRest(
            self.rest_url, self.clock, judge=judge, timeout_s=timeout_s, budget=self.budget, access=self.access
        )

    def archive(self) -> ArchiveSite | None:
        return ArchiveSite(self.archive_url, self.clock, access=self.access) if self.archive_url else None

    def recorder(self, watch: Sequence[str], writer: FrameWriter, stale_s: float) -> Recorder:
        return Recorder(
            base_url=self.ws_url,
            kind=self.kind,
            watch=watch,
            clock=self.clock,
            writer=writer,
            options=ConnectionOptions(stale_s=stale_s),
            access=self.access,
        )
