"""CSV rows to columns, against Python's own reading of numbers."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pairscope.feed.binance.rows import FLAG, NUMBER, SKIP, WHOLE, Table, read_rows


def read(text: str | bytes, *fields: int) -> Table:
    octets = text if isinstance(text, bytes) else text.encode()
    return read_rows(np.frombuffer(octets, np.uint8), fields)


DECIMALS = st.one_of(
    st.decimals(0, 10**9, places=8).map(str),
    st.floats(0, 1e300, allow_nan=False).map(repr),
    st.integers(0, 10**30).map(str),
    st.floats(1e-300, 1e-3).map(lambda value: f"{value:E}"),
)


@settings(deadline=None)  # the first call compiles
@given(st.lists(DECIMALS, min_size=1, max_size=20))
def test_a_number_is_the_float_python_makes_of_it(numbers: list[str]) -> None:
    table = read("".join(f"{text},1\n" for text in numbers), NUMBER, WHOLE)
    assert table.bad == ()
    assert table.number[0].tolist() == [float(text) for text in numbers]


@settings(deadline=None)  # the first call compiles
@given(st.lists(st.integers(0, 2**62), min_size=1, max_size=20))
def test_whole_numbers_come_through_as_they_are(numbers: list[int]) -> None:
    assert read("".join(f"{each}\n" for each in numbers), WHOLE).whole[0].tolist() == numbers


@pytest.mark.parametrize(("text", "value"), [("1.6E3", 1600), ("7.0", 7), ("12e0", 12), ("1.5e+1", 15), ("0.0", 0)])
def test_a_whole_number_may_be_written_as_a_decimal(text: str, value: int) -> None:
    assert read(f"{text}\n", WHOLE).whole[0].tolist() == [value]


@pytest.mark.parametrize("text", ["true", "True", "TRUE"])
def test_flags_are_read_in_any_case(text: str) -> None:
    assert read(f"{text}\n", FLAG).flag[0].tolist() == [True]


@pytest.mark.parametrize(
    "line",
    [
        *("", "1", "1,2", "1,2,true,4", "x,2,true", "1,x,true", "1,2,maybe", "-1,2,true", "1,-2,true", "1.5,2,true"),
        *("1,2e,true", "1,2e99999,true", "1e30,2,true", "1,nan,true", "1,inf,true", "1,2,tru", "1,1_0,true", ",,"),
    ],
)
def test_a_line_that_is_no_row_is_left_out_and_counted(line: str) -> None:
    table = read(f"7,1.5,false\n{line}\n8,2.5,true\n", WHOLE, NUMBER, FLAG)
    assert table.whole.tolist() == [[7, 8]]
    assert table.number.tolist() == [[1.5, 2.5]]
    assert table.flag.tolist() == [[False, True]]
    assert table.bad == (((1, line.encode()),) if line else ())


def test_line_ends_of_another_system_and_skipped_fields_do_no_harm() -> None:
    table = read("1,anything at all,2.5\r\n\r\n2,,3.5\r\n", WHOLE, SKIP, NUMBER)
    assert (table.whole.tolist(), table.number.tolist(), table.bad) == ([[1, 2]], [[2.5, 3.5]], ())


@settings(deadline=None)  # the first call compiles
@given(st.binary(max_size=300))
def test_no_bytes_whatsoever_break_the_reader(octets: bytes) -> None:
    table = read(octets + b"\n", WHOLE, NUMBER, FLAG)
    assert table.rows + len(table.bad) <= octets.count(b"\n") + 1
