"""Ids compared with the highest of their symbol, in one kernel over a batch."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from pairscope.base.jit import kernel
from pairscope.base.model import IntArray
from pairscope.feed.judge import FARTHEST_ID, Verdicts

NEXT, AFTER_HOLE, OLD, IMPLAUSIBLE = 0, 1, 2, 3
# An id further ahead is believed when the next one that is far ahead too comes soon after it, and none that goes on
# where the tape ends came between: after an outage of weeks all ids are far ahead, and after a damaged frame none.
LARGEST_HOLE = FARTHEST_ID
SOON_AFTER = 1_000


@kernel
def scan(
    symbol_id: NDArray[np.int32],
    ids: IntArray,
    time_ms: IntArray,
    refusals: Verdicts,
    id_refusal: int,
    highest: IntArray,
    newest_ms: IntArray,
    doubtful: IntArray,
    verdict: NDArray[np.uint8],
    lost: IntArray,
    after_ms: IntArray,
) -> int:
    """Compare each id with the highest of its symbol so far; returns how many are not simply the next.

    Verdicts are `NEXT`, `AFTER_HOLE`, `OLD` and `IMPLAUSIBLE`. The time of a refused row counts nowhere.
    """
    odd = 0
    for i in range(len(ids)):
        symbol = symbol_id[i]
        last = highest[symbol]
        refused = len(refusals) > 0 and refusals[i] != 0
        verdict[i] = NEXT
        lost[i] = 0
        if refused:
            odd += 1
            after_ms[i] = newest_ms[symbol]
            if refusals[i] == id_refusal:
                verdict[i] = IMPLAUSIBLE
                continue
        if last == -1 and _is_alone(symbol_id, ids, i):
            odd += 1
            verdict[i] = IMPLAUSIBLE
            continue
        if ids[i] == last + 1 or last == -1:
            highest[symbol] = ids[i]
            doubtful[symbol] = -1
            if not refused:
                newest_ms[symbol] = time_ms[i]
            continue
        odd += 1
        if ids[i] < last + 1:
            verdict[i] = OLD
        elif ids[i] - last > LARGEST_HOLE and not (
            doubtful[symbol] != -1 and 0 < ids[i] - doubtful[symbol] <= SOON_AFTER
        ):
            verdict[i] = IMPLAUSIBLE
            doubtful[symbol] = ids[i]
        else:
            verdict[i] = AFTER_HOLE
            lost[i] = ids[i] - last - 1
            after_ms[i] = newest_ms[symbol]
            highest[symbol] = ids[i]
            doubtful[symbol] = -1
            if not refused:
                newest_ms[symbol] = time_ms[i]
    return odd


@kernel
def _is_alone(symbol_id: NDArray[np.int32], ids: IntArray, i: int) -> bool:
    """Whether the next row of the symbol says that the first id of a tape is far too high."""
    for k in range(i + 1, len(ids)):
        if symbol_id[k] == symbol_id[i]:
            return bool(ids[i] - ids[k] > LARGEST_HOLE)
    return False
