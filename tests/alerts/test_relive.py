"""From values to transitions: as a second machine has it, with nothing passed over where nothing seems to happen."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from pairscope.alerts.machine import Life, Stage
from pairscope.alerts.relive import ValueRows, relive
from pairscope.alerts.rule import AlertRule, Clause, Comparison
from tests.alerts.model import Model

NAN, UNSEEN = float("nan"), Life(seen_ms=0)
ABOVE = Clause(metric="spread_z", comparison=Comparison.ABOVE, high=2.0, reset_high=0.5)
TIMES = st.sampled_from([0, 1_000, 2_000, 5_000])


def rule(**given: Any) -> AlertRule:
    usual: dict[str, Any] = {"name": "", "scope": "pair", "first": ABOVE, "cooldown_ms": 0, "no_data_after_ms": 4_000}
    return AlertRule(**(usual | given))


def rows(times: list[int], *values: list[float], is_error: list[bool] | None = None) -> ValueRows:
    errors = None if is_error is None else np.array(is_error, np.bool_)
    return ValueRows(np.array(times, np.int64), np.array(values, np.float64).reshape(len(values), -1), errors)


def told(one: AlertRule, found: ValueRows, life: Life = UNSEEN) -> list[tuple[int, str]]:
    times = found.time_ms.tolist()
    return [(times[each.place], change.value) for each in relive(one, life, found) for change in each.changes]


def seconds(*values: float) -> ValueRows:
    return rows([1_000 * second for second in range(1, len(values) + 1)], list(values))


@given(
    steps=st.lists(st.sampled_from([1_000, 1_000, 1_000, 3_000, 60_000]), min_size=20, max_size=60),
    values=st.lists(st.sampled_from([0.0, 0.5, 1.0, 2.0, 3.0, NAN, NAN]), min_size=60, max_size=60),
    errors=st.lists(st.booleans(), min_size=60, max_size=60),
    times=st.tuples(TIMES, TIMES, TIMES),
)
def test_rows_do_what_a_second_machine_does_one_after_the_other(
    steps: list[int], values: list[float], errors: list[bool], times: tuple[int, int, int]
) -> None:
    model = Model(2.0, 0.5, *times, 4_000, 1_000)
    expected: list[tuple[int, str]] = []
    at_ms, whole = 0, []
    for step_ms, value, is_error in zip(steps, values, errors, strict=False):
        at_ms += step_ms
        whole.append(at_ms)
        lost = "error" if is_error else "no_data"
        news = model.nothing(at_ms, lost) if np.isnan(value) else model.value(at_ms, value)
        expected += [(at_ms, each) for each in news]
    one = rule(hold_ms=times[0], keep_ms=times[1], cooldown_ms=times[2])
    found = rows(whole, values[: len(steps)], is_error=errors[: len(steps)])
    assert told(one, found) == expected


@given(st.lists(st.sampled_from([0.0, 1.0, 3.0, NAN]), max_size=40), st.integers(0, 40))
def test_where_rows_are_cut_makes_no_difference(values: list[float], cut: int) -> None:
    one = rule(hold_ms=2_000, keep_ms=1_000, first=replace_comparison(Comparison.CROSSES_ABOVE))
    whole = seconds(*values)
    life, before, found = Life(seen_ms=0), None, []
    for part in (slice(None, cut), slice(cut, None)):
        piece = ValueRows(whole.time_ms[part], whole.values[:, part])
        for each in relive(one, life, piece, before):
            life = each.life
            found += [(int(piece.time_ms[each.place]), change.value) for change in each.changes]
        before = piece.values[:, -1] if len(piece) else before
    assert found == told(one, whole)


def replace_comparison(comparison: Comparison) -> Clause:
    return Clause(metric="spread_z", comparison=comparison, high=2.0, reset_high=0.5)


def test_a_crossing_fires_when_it_crosses_and_not_by_standing_there() -> None:
    crosses = rule(first=replace_comparison(Comparison.CROSSES_ABOVE))
    assert told(crosses, seconds(3.0, 3.0, 0.0, 3.0)) == [(4_000, "fired")]
    assert told(crosses, seconds(0.0, 3.0)) == [(2_000, "fired")]


def test_a_crossing_is_armed_anew_after_a_gap_of_time_or_of_knowledge() -> None:
    crosses = rule(first=replace_comparison(Comparison.CROSSES_ABOVE), no_data_after_ms=60_000)
    assert told(crosses, rows([1_000, 5_000, 6_000, 7_000], [0.0, 3.0, 0.0, 3.0])) == [(7_000, "fired")]
    assert told(crosses, seconds(0.0, NAN, 3.0, 0.0, 3.0)) == [(5_000, "fired")]


def test_what_crosses_first_waits_for_what_crosses_second() -> None:
    second = Clause(metric="beta", comparison=Comparison.CROSSES_BELOW, low=1.0, reset_low=1.5)
    both = rule(first=replace_comparison(Comparison.CROSSES_ABOVE), second=second)
    times = [1_000 * second for second in range(1, 6)]
    assert told(both, rows(times, [0.0, 3.0, 3.0, 0.0, 3.0], [2.0, 2.0, 0.5, 2.0, 0.5])) == [(5_000, "fired")]
    assert told(both, rows(times, [0.0, 3.0, 3.0, 0.0, 3.0], [2.0, 0.5, 0.5, 0.5, 0.5])) == [
        (2_000, "fired"),
        (4_000, "resolved"),
    ]


def test_one_of_which_nothing_is_known_is_back_with_the_first_value() -> None:
    lost = rows(
        [1_000, 60_000, 61_000, 62_000, 63_000], [0.0, NAN, NAN, 0.0, 0.0], is_error=[False, True] + [False] * 3
    )
    assert told(rule(), lost) == [(60_000, "error"), (62_000, "data_back")]


def test_both_conditions_are_of_one_row_and_the_lower_one_counts() -> None:
    second = Clause(metric="coint_p", comparison=Comparison.BELOW, low=0.05, reset_low=0.1)
    both = rule(second=second, no_data_after_ms=60_000)
    z, p = [3.0, 0.0, 3.0, 3.0, 3.0, 3.0], [0.2, 0.01, 0.2, NAN, 0.01, 0.2]
    found = rows([1_000 * second for second in range(1, 7)], z, p)
    assert told(both, found) == [(5_000, "fired"), (6_000, "resolved")]


def test_what_is_kept_after_quiet_rows_is_known_up_to_the_last_of_them() -> None:
    (last,) = relive(rule(), Life(seen_ms=0), seconds(0.0, 0.0, 1.0))
    assert (last.life, last.changes) == (Life(seen_ms=3_000), ())
    (last,) = relive(rule(), Life(seen_ms=0), seconds(0.0, 0.0, NAN))
    assert last.life == Life(seen_ms=2_000)
    assert list(relive(rule(), Life(seen_ms=0), seconds())) == []


def test_rows_that_were_seen_already_change_nothing() -> None:
    seen = Life(seen_ms=3_000)
    assert told(rule(), seconds(3.0, 3.0, 3.0, 0.0), seen) == []
    (last,) = relive(rule(), seen, seconds(0.0, 0.0))
    assert last.life == seen
    firing = replace(seen, stage=Stage.FIRING, fired_ms=2_000)
    assert told(rule(), seconds(0.0, 0.0, 0.0, 0.0), firing) == [(4_000, "resolved")]
