"""All that the digest knows of the inside of pairscope. Whoever moves one of these changes a line here.

Everything else asks from outside: the command line, HTTP, the WebSocket, the OpenAPI document, and the rows of the tape
as DuckDB reads them.
"""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Collection, Iterator, Mapping
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any

import numpy as np

import pairscope
from pairscope.app import opened
from pairscope.base.model import TradeBatch
from pairscope.base.settings import Settings
from pairscope.feed.binance.simulator.market import SimulatedMarket
from pairscope.feed.binance.simulator.wire import agg_frames
from tests.faults.virtual import VirtualClock, run_virtually
from tests.judged import judged
from tests.surroundings import free_port, move_in, share_kernels
from tools.gen_docs import error_classes as every_class_of_error

__all__ = ["VERSION", "VirtualClock", "free_port", "move_in", "run_virtually", "share_kernels"]

VERSION = pairscope.__version__
SEED = 1


def simulated_frames(symbol: str, from_ms: int, to_ms: int, rate: float) -> Iterator[tuple[int, bytes]]:
    """What the simulated exchange sends of a symbol, and when: the text of combined frames."""
    market = SimulatedMarket(SEED, rate)
    for sent_ms, frame in agg_frames(market.listing(symbol), market.flushed(symbol, from_ms, to_ms)):
        yield sent_ms, frame.combined()


def open_tape(folder: Path, clock: Any, **settings: Any) -> AbstractAsyncContextManager[Any]:
    """The whole system on a tape that is looked at, with a clock of our own."""
    return opened(Settings(source="tape", data_dir=folder, open=False, **settings), clock)


@contextlib.asynccontextmanager
async def served(system: Any) -> AsyncIterator[Any]:
    """Its application, while its lifespan lasts."""
    app = system.api.app
    async with app.router.lifespan_context(app):
        yield app


def feed(system: Any, trades: list[dict[str, Any]]) -> None:
    """Hand decoded trades of the wire to the one way in, as the stream does."""
    table = system.market.symbols
    symbol_ids = np.array([table.index(trade["s"]) for trade in trades], np.int32)
    batch = TradeBatch(
        symbol_ids,
        np.array([trade["a"] for trade in trades], np.int64),
        np.array([trade["T"] for trade in trades], np.int64),
        np.array([float(trade["p"]) for trade in trades]),
        np.array([float(trade["q"]) for trade in trades]),
        np.array([trade["m"] for trade in trades], np.bool_),
        np.array([trade["E"] * 1_000_000 for trade in trades], np.int64),
    )
    system.ingest.intake.take(judged(batch))


async def ready(system: Any) -> None:
    """Return when all numeric code is there that no question waits for, and with it the bars of the tape."""
    await system.market.kernels.until("symbols", "pairs", "tests", "rest", "frames")


def play_as_live(system: Any) -> None:
    """A tape that goes on is a market of now: signals are not muted for being of the past."""
    system.market._is_over = False


def error_classes() -> Mapping[str, Mapping[str, tuple[int, str, str]]]:
    """By class, what each of its codes says: HTTP status, cause and cure."""
    return {
        kind.__name__: {
            code: (kind.http_status, cause, cure) for code, (cause, cure) in vars(kind).get("meanings", {}).items()
        }
        for kind in every_class_of_error()
    }


def codes_of(rooms: Collection[str]) -> set[str]:
    """The codes that errors of these rooms explain, and of no others."""
    explained = [(kind.__module__, code) for kind in every_class_of_error() for code in vars(kind).get("meanings", {})]
    elsewhere = {code for module, code in explained if module.split(".")[1] not in rooms}
    return {code for _, code in explained} - elsewhere


def settings() -> Mapping[str, tuple[str, str]]:
    """Every setting: its default and its description."""
    return {
        name: (str(field.get_default(call_default_factory=True)), field.description or "")
        for name, field in Settings.model_fields.items()
    }
