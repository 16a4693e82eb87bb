"""What was refused and noted is counted by origin and reason, and the log shows the first few of each."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from structlog.testing import capture_logs

from pairscope.base.model import Origin, TradeBatch
from pairscope.feed.tally import SAMPLES_PER_REASON, Tally


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


@pytest.mark.parametrize("count", ["refuse", "note", "conflict"])
def test_the_log_shows_the_first_rows_of_a_reason_however_many_come_at_once(count: str) -> None:
    tally = Tally()

    def come(rows_: TradeBatch) -> list[int]:
        given = (rows_, np.arange(len(rows_)))
        with capture_logs() as said:
            tally.conflict(*given, name) if count == "conflict" else getattr(tally, count)(*given, "odd", name)
        return [int(line["id"]) for line in said]

    assert come(rows(3)) == [1, 2, 3]
    assert come(rows(10)) == [1, 2]
    assert come(rows(1_000)) == [], f"{SAMPLES_PER_REASON} were shown"
    assert len(come(rows(2, Origin.REST))) == 2, "of another origin"
