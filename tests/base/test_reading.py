from __future__ import annotations

import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pairscope.base.errors import RequestError
from pairscope.base.interval import Interval
from pairscope.base.model import SymbolTable
from pairscope.base.reading import (
    LAST_MS,
    ascii_lower,
    ascii_upper,
    read_choice,
    read_integer,
    read_number,
    read_time_ms,
    read_window,
)
from pairscope.base.symbol import normal_symbol

DAY = 1_723_075_200_000  # 2024-08-08 00:00 UTC


@pytest.mark.parametrize("text", ["ß", "ı", "ſ", "ŉ", "µ", "ﬁ", "币安", "é", "\u212a", "İ"])
def test_only_the_letters_a_to_z_are_folded(text: str) -> None:
    assert ascii_upper(text) == ascii_lower(text) == text
    assert ascii_upper(f"a{text}z") == f"A{text}Z"


@given(st.text(max_size=20))
def test_folding_is_that_of_ascii_and_never_changes_the_length(text: str) -> None:
    upper = "".join(c.upper() if c in string.ascii_lowercase else c for c in text)
    assert ascii_upper(text) == ascii_upper(ascii_lower(text)) == upper


def test_symbols_that_differ_beyond_ascii_stay_two() -> None:
    table = SymbolTable(["ıusdt", "iusdt", "ſusdt", "susdt"])
    assert list(table) == ["ıUSDT", "IUSDT", "ſUSDT", "SUSDT"]
    assert table.index("IUSDT") == 1
    assert normal_symbol("币安人生usdt") == "币安人生USDT"


@pytest.mark.parametrize(
    ("text", "time_ms"),
    [
        ("0", 0),
        ("1723075200000", DAY),
        (str(LAST_MS), LAST_MS),
        ("2024-08-08", DAY),
        ("2024-08-08T00:00", DAY),
        ("2024-08-08T00:00:00", DAY),
        ("2024-08-08T00:00:00Z", DAY),
        ("2024-08-08t00:00:00z", DAY),
        ("2024-08-08 00:00:00z", DAY),
        ("2024-08-08 00:00:00.25", DAY + 250),
        ("2024-08-08T00:00:00.2500000000000000000000001Z", DAY + 251),
        ("2024-08-08T00:00:00.000000001Z", DAY + 1),
        ("2024-08-08T00:00:00,5Z", DAY + 500),
        ("2024-08-07T19:00:00-05:00", DAY),
        ("2024-08-08T05:45:00+05:45", DAY),
        ("2024-08-08T00:00:00-00:00", DAY),
        ("2024-08-08T02:00:00 02:00", DAY),
        ("2024-08-08 02:00:00 02:00", DAY),
        ("2016-12-31T23:59:60Z", 1_483_228_800_000),
        ("2016-12-31T15:59:60.5-08:00", 1_483_228_800_500),
        ("9999-12-31T23:59:59Z", 253_402_300_799_000),
    ],
)
def test_a_time_is_read_in_every_form_of_rfc_3339(text: str, time_ms: int) -> None:
    assert read_time_ms("from", text) == time_ms


@pytest.mark.parametrize(
    "text",
    [
        *("yesterday", "-1", "2024-13-01", "2024-02-30", "nan", "1e12", "0001-01-01T00:00Z", "1969-12-31T23:59:59Z"),
        *("2024-08-08T24:00:00Z", "2024-08-08T12:30:60Z", "2024-08-08T00:00:61Z", "2024-08-08T00:00:00+24:00"),
        *("20240808", "2024-W32-4", "2024-08-08T00", "２０２４-08-08", "2024-08-08T00:00:00ZZ", "1723075200.5"),
    ],
)
def test_what_is_no_time_is_refused(text: str) -> None:
    with pytest.raises(RequestError, match="'from' cannot be"):
        read_time_ms("from", text)


@pytest.mark.parametrize(
    ("text", "unit", "cure"),
    [
        ("1723075200", "seconds", "write milliseconds: 1723075200000"),
        ("1723075200000000", "microseconds", "write milliseconds: 1723075200000"),
        ("172307520000000000", "nanoseconds", "write milliseconds: 172307520000"),
        ("99999999999", "seconds", "write milliseconds: 99999999999000"),
    ],
)
def test_a_number_of_another_unit_is_refused_with_the_right_one(text: str, unit: str, cure: str) -> None:
    with pytest.raises(RequestError) as error:
        read_time_ms("to", text)
    assert unit in error.value.message
    assert cure in error.value.cure


@pytest.mark.parametrize(
    ("text", "interval_ms", "bars"),
    [("2", 1_000, 2), ("5000", 1_000, 5_000), ("60s", 1_000, 60), ("4h", 60_000, 240), ("1D", 3_600_000, 24)],
)
def test_a_window_is_bars_or_a_duration(text: str, interval_ms: int, bars: int) -> None:
    assert read_window("window", text, Interval(interval_ms)) == bars


@pytest.mark.parametrize(
    ("text", "cure"),
    [
        ("1", "from 2 to 5,000"),
        ("5001", "from 2 to 5,000"),
        ("-60", "60s or 4h"),
        ("1.5", "60s or 4h"),
        ("90s", "multiple of 1m"),
        ("1m", "2 to 5,000"),
        ("30d", "2 to 5,000"),
        ("1M", "did you mean 1m"),
        ("3mo", "did you mean 3m"),
        ("1w", "longest"),
        ("４h", "60s or 4h"),
    ],
)
def test_a_window_that_cannot_be_is_refused_with_the_cure(text: str, cure: str) -> None:
    with pytest.raises(RequestError) as error:
        read_window("window", text, Interval(60_000))
    assert cure in error.value.cure


@pytest.mark.parametrize("text", ["1_0", "١", "１", "0x1", "nan", "inf", "1e999", "--1", "", " 1"])
def test_numbers_are_ascii_and_finite(text: str) -> None:
    for read in (read_integer, read_number):
        with pytest.raises(RequestError, match="'n' cannot be"):
            read("n", text)


def test_numbers_and_choices_are_told_their_bounds() -> None:
    assert read_number("n", "-1.5e-3", -1, 1) == -0.0015
    for read, low, high, told in (
        (read_integer, 1, 5_000, "a whole number from 1 to 5,000"),
        (read_number, 0, None, "a number of 0 or more"),
        (read_number, None, 2, "a number of 2 or less"),
    ):
        with pytest.raises(RequestError) as error:
            read("n", "-7" if low is not None else "7", low, high)
        assert told in error.value.cure
    with pytest.raises(RequestError, match="choose from ols, huber"):
        read_choice("method", "ridge", ("ols", "huber"), {"robust": "huber"})


@given(st.text(max_size=30))
def test_whatever_is_written_is_read_or_refused_with_an_error_of_ours(text: str) -> None:
    readers = (
        lambda: read_integer("n", text, 1, 9),
        lambda: read_number("n", text, 0, 1),
        lambda: read_time_ms("n", text),
        lambda: read_window("n", text, Interval(1_000)),
        lambda: read_choice("n", text, ("a",)),
    )
    refused = []
    for read in readers:
        try:
            read()
        except RequestError as error:
            refused.append(error)
    assert all(error.cure for error in refused)
