"""Compile this room's kernels ahead of their first use."""

from __future__ import annotations

import numpy as np

from pairscope.bars.align import align_closes
from pairscope.bars.builder import build_bars
from pairscope.base.interval import Interval
from pairscope.base.model import TradeBatch


def warm_up() -> None:
    """Compile every kernel, or load it from disk: a second the first time, so call it in a background thread."""
    one = np.ones(1)
    trade = TradeBatch(
        symbol_id=np.zeros(1, np.int32),
        id=np.ones(1, np.int64),
        time_ms=np.zeros(1, np.int64),
        price=one,
        size=one,
        buyer_is_maker=np.zeros(1, np.bool_),
        received_ns=np.zeros(1, np.int64),
    )
    second = Interval(1_000)
    align_closes([build_bars(trade, second)], second, 0, 0, 0)
