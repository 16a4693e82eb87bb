"""Trades as the judge would let them through, for tests of what comes after it."""

from __future__ import annotations

import numpy as np

from pairscope.base.clock import Clock, SystemClock
from pairscope.base.errors import FeedUnavailable
from pairscope.base.model import BoolArray, SymbolTable, TradeBatch
from pairscope.feed.clock_check import ClockCheck
from pairscope.feed.judge import GoodTrades, Judge, Judged, Refusal


def judged(trades: TradeBatch, keep: BoolArray | None = None, refusal: Refusal = Refusal.NOT_POSITIVE) -> Judged:
    """Rows of which those that are not kept were refused, whatever they hold."""
    keep = np.ones(len(trades), np.bool_) if keep is None else keep
    return Judged(trades, np.where(keep, 0, refusal.code).astype(np.uint8))


def good(trades: TradeBatch) -> GoodTrades:
    """Trades that may be put to a tape, whatever they hold."""
    return judged(trades).good()


def judge(symbols: SymbolTable | None = None, clock: Clock | None = None) -> Judge:
    """A judge that knows nothing of listings."""
    known = clock or SystemClock()
    return Judge(symbols if symbols is not None else SymbolTable(), ClockCheck(_nobody, known).latest_ms)


async def _nobody() -> int:
    raise FeedUnavailable("nobody was asked")
