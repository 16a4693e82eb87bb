from __future__ import annotations

import numpy as np
import pytest

from pairscope.analytics.estimators.conditions import APART, CONDITIONS, LEG, LINE_MOVED, NO_RETURN, Condition, replay

GOOD, WEAK, BAD, STRONG = 0.02, 0.07, 0.5, 0.001


def words(p: list[float], **columns: list[float]) -> list[Condition]:
    states, _ = replayed(p, **columns)
    return [CONDITIONS[state] for state in states]


def replayed(p: list[float], **columns: list[float]) -> tuple[list[int], list[int]]:
    count = len(p)
    states, causes, _ = replay(
        np.array(p),
        np.array(columns.get("leg", [0.0] * count)) == 1.0,
        np.array(columns.get("correlation", [0.7] * count)),
        np.array(columns.get("shift", [0.0] * count)),
        np.array(columns.get("known", [1.0] * count)) == 1.0,
    )
    return states.tolist(), causes.tolist()


def test_ten_good_readings_in_a_row_are_wanted() -> None:
    assert words([GOOD] * 10) == [Condition.NOT_SHOWN] * 9 + [Condition.COINTEGRATED]
    assert set(words([GOOD] * 9 + [WEAK] + [GOOD] * 9)) == {Condition.NOT_SHOWN}


def test_five_doubtful_readings_weaken_and_five_good_ones_mend() -> None:
    found = words([GOOD] * 10 + [WEAK] * 5 + [GOOD] * 5)
    assert found[13] == Condition.COINTEGRATED
    assert found[14:19] == [Condition.WEAKENING] * 5
    assert found[19] == Condition.COINTEGRATED


def test_what_was_never_established_is_never_broken() -> None:
    found = words([GOOD] * 60 + [BAD] * 30, shift=[0.0] * 60 + [99.0] * 30)
    assert Condition.BROKEN not in found
    assert found[69:] == [Condition.NOT_SHOWN] * 21


@pytest.mark.parametrize(("p", "shift", "after", "cause"), [(STRONG, 6.0, 3, LINE_MOVED), (BAD, 0.0, 10, NO_RETURN)])
def test_an_established_pair_breaks(p: float, shift: float, after: int, cause: int) -> None:
    states, causes = replayed([STRONG] * 45 + [p] * 12, shift=[0.0] * 45 + [shift] * 12)
    found = [CONDITIONS[state] for state in states]
    assert found[45 + after - 1] == Condition.BROKEN
    assert Condition.BROKEN not in found[: 45 + after - 1]
    assert causes[45 + after - 1] == cause


def test_a_moved_line_is_a_new_line_once_it_stands_and_a_dead_pair_fades() -> None:
    mended = words([STRONG] * 90, shift=[0.0] * 45 + [6.0] * 15 + [0.0] * 30)
    assert mended[47:60] == [Condition.BROKEN] * 13
    assert mended[60] == Condition.COINTEGRATED
    dead = words([STRONG] * 45 + [BAD] * 60)
    assert dead[54:94] == [Condition.BROKEN] * 40
    assert set(dead[94:]) == {Condition.NOT_SHOWN}


def test_a_stationary_leg_is_neutral_until_a_window_of_it() -> None:
    found = words([GOOD] * 10 + [np.nan] * 40, leg=[0.0] * 10 + [1.0] * 40)
    assert found[9:29] == [Condition.COINTEGRATED] * 20
    assert set(found[29:]) == {Condition.UNRELATED}
    states, causes = replayed([np.nan] * 5, leg=[1.0] * 5)
    assert CONDITIONS[states[4]] == Condition.UNRELATED
    assert causes[4] == LEG


def test_low_correlation_parts_and_high_joins() -> None:
    low_and_high = [0.1] * 5 + [0.2] * 10 + [0.3] * 5
    states, causes = replayed([BAD] * 20, correlation=low_and_high)
    found = [CONDITIONS[state] for state in states]
    assert found == [Condition.NOT_SHOWN] * 4 + [Condition.UNRELATED] * 15 + [Condition.NOT_SHOWN]
    assert causes[4] == APART
    assert set(words([GOOD] * 20, correlation=[0.0] * 20)[10:]) == {Condition.COINTEGRATED}


def test_a_correlation_that_cannot_be_given_is_neither_low_nor_high() -> None:
    assert set(words([BAD] * 20, correlation=[np.nan] * 20)) == {Condition.NOT_SHOWN}


def test_unknown_readings_forget_nothing_but_a_window_of_them_everything() -> None:
    known = [1.0] * 10 + [0.0] * 19 + [1.0]
    assert words([GOOD] * 10 + [np.nan] * 19 + [GOOD], known=known)[-1] == Condition.COINTEGRATED
    known = [1.0] * 10 + [0.0] * 20 + [1.0]
    found = words([GOOD] * 10 + [np.nan] * 20 + [GOOD], known=known)
    assert set(found[10:30]) == {Condition.UNKNOWN}
    assert found[30] == Condition.NOT_SHOWN
