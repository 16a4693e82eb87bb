"""Where trades come from: the exchange itself, or the simulated one on loopback. The client is the same."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from typing import Literal

import structlog

from pairscope.base.clock import Clock
from pairscope.base.errors import FeedUnavailable, RecordingError, SettingsError, nearest
from pairscope.base.model import Instrument, TradeKind
from pairscope.base.settings import Settings
from pairscope.feed.binance.rest import BinanceRest
from pairscope.feed.recording import RecordingSummary, summarise
from pairscope.feed.simulator.exchange import SimulatedExchange
from pairscope.feed.simulator.market import Market

log = structlog.get_logger()

PROBE_S = 3.0
SourceKind = Literal["live", "simulator", "replay"]


@dataclass(slots=True)
class Source:
    """An open source: addresses to connect to, and what to call it on the page."""

    kind: SourceKind
    label: str
    folder: str  # of its tape, below the data folder
    ws_url: str
    rest_url: str
    trade_kind: TradeKind
    symbols: tuple[str, ...]
    pairs: list[tuple[str, str]]
    banner: str | None = None
    reason: str | None = None
    detail: str | None = None
    instruments: dict[str, Instrument] = field(default_factory=dict)
    exchange: SimulatedExchange | None = None
    ended: bool = False
"""


"""
