"""Mutes hold until their time, on a rule or on all, and each is noted."""

from __future__ import annotations

from pathlib import Path

import pytest

from pairscope.alerts.book import RuleBook
from pairscope.alerts.mutes import Mute, Mutes
from pairscope.base.clock import ManualClock
from pairscope.base.errors import RequestError, UnknownName
from pairscope.store.state import State
from tests.alerts.test_reading import PAIR, rule_of

MINUTE_MS, DAY_MS = 60_000, 86_400_000


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(5_000)


@pytest.fixture
def state(tmp_path: Path) -> State:
    return State.open(tmp_path / "state.sqlite")


@pytest.fixture
def mutes(state: State, clock: ManualClock) -> Mutes:
    book = RuleBook(state, clock)
    for _ in range(2):
        book.create(rule_of(PAIR), "ann")
    book.delete(2, "ann")
    return Mutes(state, clock)


def test_a_mute_holds_until_its_time_and_is_gone_then(mutes: Mutes, clock: ManualClock) -> None:
    assert mutes.put(1, 65_000, "ann", "lunch") == Mute(1, 5_000, 65_000, "lunch")
    mutes.put(None, 35_000, "ann")
    assert [each.rule for each in mutes.all()] == [None, 1]
    clock.advance(30.0)
    assert [each.rule for each in mutes.all()] == [1]
    clock.advance(30.0)
    assert mutes.all() == []


def test_a_second_mute_stands_in_the_place_of_the_first(mutes: Mutes) -> None:
    mutes.put(1, 65_000, "ann", "lunch")
    mutes.put(1, 35_000, "bob")
    assert mutes.all() == [Mute(1, 5_000, 35_000)]


def test_a_mute_is_lifted_where_it_is_and_each_is_noted(mutes: Mutes, state: State) -> None:
    mutes.put(None, 65_000, "ann")
    mutes.put(1, 65_000, "ann", "lunch")
    mutes.lift(None, "bob")
    assert [each.rule for each in mutes.all()] == [1]
    mutes.lift(None, "bob")
    mutes.lift(1, "bob")
    assert mutes.all() == []
    until = "muted until 1970-01-01T00:01:05Z"
    notes = state.rows("select who, what, subject, body from audit where what like '%mute%' order by number")
    assert notes == [
        ("ann", until, "all alert rules", ""),
        ("ann", until, "alert rule 1", "lunch"),
        ("bob", "unmuted", "all alert rules", ""),
        ("bob", "unmuted", "alert rule 1", ""),
    ]


@pytest.mark.parametrize("until_ms", [0, 5_000, 5_001 + 30 * DAY_MS])
def test_a_mute_without_an_end_in_sight_is_refused(mutes: Mutes, until_ms: int) -> None:
    with pytest.raises(RequestError, match="within 30 days"):
        mutes.put(None, until_ms, "ann")
    assert mutes.all() == []


def test_a_mute_of_30_days_is_the_longest(mutes: Mutes) -> None:
    assert mutes.put(1, 5_000 + 30 * DAY_MS, "ann") in mutes.all()


@pytest.mark.parametrize("rule", [2, 9])
def test_a_rule_that_is_not_there_cannot_be_muted(mutes: Mutes, state: State, rule: int) -> None:
    with pytest.raises(UnknownName, match=f"no rule {rule}"):
        mutes.put(rule, 65_000, "ann")
    assert state.rows("select count(*) from audit where what like 'muted%'") == [(0,)]


def test_what_is_over_does_not_stay_in_the_database(mutes: Mutes, state: State, clock: ManualClock) -> None:
    mutes.put(1, 5_001, "ann")
    clock.advance(60.0)
    mutes.put(None, 5_000 + 5 * MINUTE_MS, "ann")
    assert state.rows("select rule from alert_mutes") == [(0,)]
