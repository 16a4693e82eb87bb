"""Weekly windows: by the clocks of their zone, over midnight, and when those clocks are changed."""

from __future__ import annotations

import pytest

from pairscope.alerts.schedule import Weekly
from pairscope.base.errors import RequestError
from pairscope.base.reading import read_time_ms


def holds(window: str, time: str) -> bool:
    return Weekly.parse(window).holds(read_time_ms("time", time))


@pytest.mark.parametrize(
    ("time", "inside"),
    [
        ("2026-11-27T07:00:00Z", True),  # Friday, 08:00 in Berlin
        ("2026-11-27T06:59:59Z", False),
        ("2026-11-27T20:59:59Z", True),
        ("2026-11-27T21:00:00Z", False),
        ("2026-11-28T12:00:00Z", False),  # Saturday
        ("2026-07-03T06:00:00Z", True),  # summer: two hours ahead
        ("2026-07-03T05:59:59Z", False),
    ],
)
def test_a_window_goes_by_the_clocks_of_its_zone(time: str, inside: bool) -> None:
    assert holds("Mon-Fri 08:00-22:00 Europe/Berlin", time) is inside


def test_one_over_midnight_belongs_to_the_day_on_which_it_begins() -> None:
    night = "Fri 22:00-06:00"
    assert [holds(night, f"2026-11-{time}:00Z") for time in ("27T22:00", "28T05:59", "28T06:00", "27T05:00")] == [
        *(True, True, False, False)
    ]
    assert holds("Sun 22:00-06:00", "2026-11-30T01:00:00Z")  # Monday morning


def test_the_hour_that_is_not_there_and_the_one_that_is_twice_follow_the_clocks() -> None:
    early = "daily 02:00-03:00 Europe/Berlin"
    assert not any(holds(early, f"2026-03-29T{hour:02}:30:00Z") for hour in range(4))  # 02:30 is never shown
    assert [holds(early, f"2026-10-25T{hour:02}:30:00Z") for hour in range(3)] == [True, True, False]


def test_days_are_lists_and_ranges_in_any_case() -> None:
    assert Weekly.parse("SAT,monday-Tue 00:00-24:00").days == {0, 1, 5}
    assert Weekly.parse("Fri-Mon 10:00-11:00").days == {4, 5, 6, 0}
    assert holds("daily 00:00-24:00", "2026-11-27T23:59:59Z")


@pytest.mark.parametrize(
    ("text", "cure"),
    [
        ("always", "Mon-Fri 08:00-22:00"),
        ("Mon 8-22", "Mon-Fri 08:00-22:00"),
        ("Mox 08:00-22:00", "Mon-Fri 08:00-22:00"),
        ("Mon 08:00-25:00", "Mon-Fri 08:00-22:00"),
        ("Mon 24:00-08:00", "Mon-Fri 08:00-22:00"),
        ("Mon 08:60-09:00", "Mon-Fri 08:00-22:00"),
        ("Mon 08:00-22:00 Europe/Berlinn", "did you mean Europe/Berlin?"),
        ("Mon 08:00-22:00 ../../etc/passwd", "give one such as UTC"),
    ],
)
def test_what_is_no_window_is_refused_with_its_cure(text: str, cure: str) -> None:
    with pytest.raises(RequestError, match=r"cannot hold|no zone") as refused:
        Weekly.parse(text)
    assert cure in refused.value.cure
