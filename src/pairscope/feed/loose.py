"""Rows that are not as they should be, read as far as they can be: a row whose id can be read is judged, not lost.

The quick readers of frames, pages and files take well-formed rows. What they cannot take comes here, whatever the
origin, so that the same row is read to the same numbers everywhere.
"""

from __future__ import annotations

import re
from typing import NamedTuple

_LARGEST = 2**62
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d{1,4})?|[+-]?(nan|inf|infinity)", re.IGNORECASE | re.ASCII)
_WHOLE = re.compile(r"[+-]?\d+", re.ASCII)
_LONGEST_NUMBER = 400
_SIDES = {"true": True, "false": False, "1": True, "0": False}


class LooseRow(NamedTuple):
    """A row with NaN, -1 and None where something could not be read."""

    id: int
    price: float
    size: float
    time_ms: int
    buyer_is_maker: bool | None


def loose_row(id_: object, price: object, size: object, time_ms: object, side: object) -> LooseRow | None:
    """A row from fields as they came: texts, numbers, or anything else; None when its id cannot be read.

    >>> loose_row("7", "-1", None, 1_700_000_000_000, "maybe")
    LooseRow(id=7, price=-1.0, size=nan, time_ms=1700000000000, buyer_is_maker=None)
    """
    trade_id = _whole(id_)
    if trade_id is None:
        return None
    time = _whole(time_ms)
    return LooseRow(trade_id, _number(price), _number(size), -1 if time is None else time, _side(side))


def _number(value: object) -> float:
    if isinstance(value, bool):
        return float("nan")
    if isinstance(value, (int, float)):
        return float(value) if abs(value) < 1e300 else float("inf")
    text = value.strip() if isinstance(value, str) else ""
    return float(text) if len(text) < _LONGEST_NUMBER and _NUMBER.fullmatch(text) else float("nan")


def _whole(value: object) -> int | None:
    """An integer within what a column holds; larger ones are cut, and nobody will believe them."""
    if isinstance(value, str):
        text = value.strip()
        is_whole = len(text) < _LONGEST_NUMBER and _WHOLE.fullmatch(text)
        value = int(text) if is_whole else _number(text)
    if isinstance(value, bool) or not isinstance(value, (int, float)) or value != value:
        return None
    if abs(value) > _LARGEST:
        return _LARGEST if value > 0 else -_LARGEST
    return int(value) if value == int(value) else None


def _side(value: object) -> bool | None:
    if isinstance(value, bool):
        return value
    return _SIDES.get(str(value).strip().lower()) if isinstance(value, (str, int)) else None
