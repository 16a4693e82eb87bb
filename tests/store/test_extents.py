"""How far the data of a symbol reach."""

from __future__ import annotations

import duckdb
import pytest

from pairscope.store.extents import read_extents

MINUTE = 60_000


@pytest.mark.parametrize(
    ("trade_ms", "minutes", "fives", "ends_ms"),
    [
        (7 * MINUTE + 5, 7, 1, 7 * MINUTE + 5),  # the last trade, not the end of the bars it lies in
        (None, 7, 1, 8 * MINUTE),  # the end of the shortest bar
        (2 * MINUTE, 7, 1, 8 * MINUTE),  # bars that go on after the trades
        (None, 2, 1, 10 * MINUTE),  # long bars that go on after the short ones
    ],
)
def test_a_symbol_ends_where_what_is_known_most_exactly_of_it_ends(
    trade_ms: int | None, minutes: int, fives: int, ends_ms: int
) -> None:
    with duckdb.connect() as tape:
        tape.execute("create table trades (symbol_id int, time_ms bigint)")
        tape.execute("create table bars (symbol_id int, open_time_ms bigint, interval_ms bigint)")
        tape.execute(
            "create table parts (symbol_id int, row_count bigint, last_ms bigint, kind text, interval_ms bigint,"
            " damage text)"
        )
        if trade_ms is not None:
            tape.execute("insert into trades values (0, ?)", [trade_ms])
        for step, last in ((MINUTE, minutes), (5 * MINUTE, fives)):
            tape.execute("insert into bars values (0, 0, ?), (0, ?, ?)", [step, last * step, step])
        assert read_extents(tape.cursor())[0].newest_ms == ends_ms
