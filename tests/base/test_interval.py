import pytest
from hypothesis import given
from hypothesis import strategies as st

from pairscope.base.errors import UnknownName
from pairscope.base.interval import DAY_MS, Interval

DIVISORS = [s * 1000 for s in range(1, 86_401) if 86_400 % s == 0]


@pytest.mark.parametrize(("text", "ms"), [("1s", 1_000), ("5S", 5_000), (" 1m ", 60_000), ("4h", 14_400_000)])
def test_common_intervals_are_read_in_any_case(text: str, ms: int) -> None:
    assert Interval.parse(text).ms == ms


@pytest.mark.parametrize("text", ["", "m", "0s", "7s", "1.5m", "-1m", "2d", "1m\n1m", "９s", "999999h"])
def test_what_cannot_divide_a_day_is_refused_with_a_cure(text: str) -> None:
    with pytest.raises(UnknownName) as caught:
        Interval.parse(text)
    assert caught.value.code == "unknown_interval"
    assert "1h" in caught.value.cure


@pytest.mark.parametrize(
    ("text", "cure"),
    [
        ("1M", "did you mean 1m?"),
        ("15 M", "did you mean 15m?"),
        ("1mo", "did you mean 1m?"),
        ("3month", "did you mean 3m?"),
        ("1w", "the longest bar is 1d"),
        ("1W", "the longest bar is 1d"),
        ("1y", "the longest bar is 1d"),
        ("60", "did you mean 60s?"),
        ("5", "did you mean 5s?"),
    ],
)
def test_what_people_write_for_other_lengths_is_refused_with_what_they_may_mean(text: str, cure: str) -> None:
    with pytest.raises(UnknownName) as caught:
        Interval.parse(text)
    assert caught.value.cure == cure


@given(st.sampled_from(DIVISORS))
def test_every_divisor_of_a_day_survives_a_round_trip(ms: int) -> None:
    assert Interval.parse(str(Interval(ms))).ms == ms


@given(st.sampled_from(DIVISORS), st.integers(0, 4 * 10**12))
def test_floor_is_the_open_of_the_bar_that_holds_the_time(ms: int, time_ms: int) -> None:
    open_ms = Interval(ms).floor(time_ms)
    assert open_ms <= time_ms < open_ms + ms
    assert open_ms % ms == 0


def test_a_year_has_365_days_of_24_hours() -> None:
    assert Interval(1_000).per_year == 31_536_000
    assert Interval(DAY_MS).per_year == 365
