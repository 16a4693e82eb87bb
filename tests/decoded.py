"""What two ways of decoding say of the same frames."""

from __future__ import annotations

import numpy as np

from pairscope.base.model import TRADE_COLUMNS, BoolArray
from pairscope.feed.binance.protocol import Decoded


def assert_same(one: Decoded, other: Decoded) -> None:
    """The same rows to the bit, in the same order, and the same account of all else."""
    for name in TRADE_COLUMNS:
        mine, theirs = getattr(one.rows.trades, name), getattr(other.rows.trades, name)
        assert (mine.dtype, mine.tobytes()) == (theirs.dtype, theirs.tobytes()), name
    for name in ("side_unreadable", "not_market"):
        masks: list[BoolArray] = []
        for decoded in (one, other):
            mask = getattr(decoded.rows, name)
            masks.append(np.zeros(len(decoded.rows), np.bool_) if mask is None else mask)
        assert masks[0].tolist() == masks[1].tolist(), name
    assert one.rejected == other.rejected
    assert one.notes == other.notes
    assert (one.frames, one.event_ms) == (other.frames, other.event_ms)
