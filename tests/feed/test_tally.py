"""What was refused and noted is counted by origin and reason."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from pairscope.base.model import Origin, TradeBatch
from pairscope.feed.tally import Tally


def rows(count: int, *origins: Origin) -> TradeBatch:
    """Rows whose origins come by turns."""
    batch = TradeBatch.of_symbol(0, [(i, 10 * i, 1.0, 1.0, False) for i in range(1, count + 1)], 0, Origin.WS)
    return replace(batch, origin=np.resize(np.array(origins or [Origin.WS], np.uint8), count))


def name(symbol_id: int) -> str:
    return f"S{symbol_id}"


def test_rows_are_counted_by_their_origin_and_their_reason() -> None:
    tally = Tally()
    given = rows(6, Origin.WS, Origin.REST)
    tally.refuse(given, np.arange(5), "small", name)
    tally.refuse(given, np.array([1]), "late", name)
    tally.note(given, np.array([0]), "odd", name)
    assert tally.refused == {"socket": {"small": 3}, "rest": {"small": 2, "late": 1}}
    assert (tally.by_reason(), tally.oddities()) == ({"small": 5, "late": 1}, {"odd": 1})


def test_two_tallies_are_added_reason_by_reason() -> None:
    one, other = Tally(), Tally()
    for tally, count in ((one, 2), (other, 3)):
        tally.refuse(rows(count), np.arange(count), "small", name)
        tally.conflict(rows(count), np.arange(count), name)
    one.add(other)
    assert one.refused == {"socket": {"small": 5}}
    assert one.conflicting == {"socket": 5}
    assert other.refused == {"socket": {"small": 3}}
