"""The history of rules: pages of it, what rules did in sum, and that one rule never pushes out another's past."""

from __future__ import annotations

from typing import Any

import pytest

from pairscope.alerts import history as module
from pairscope.alerts.history import AlertHistory
from pairscope.alerts.ledger import Entry, Ledger
from pairscope.alerts.machine import Change
from pairscope.alerts.transition import HistoryQuery, Withheld
from pairscope.base.errors import UnknownName
from pairscope.base.interval import DAY_MS
from pairscope.store.state import State
from tests.alerts.test_ledger import PAIR, ledger, state, told

__all__ = ["ledger", "state"]
FIRED, RESOLVED, PENDING, NO_DATA = Change.FIRED, Change.RESOLVED, Change.PENDING, Change.NO_DATA


@pytest.fixture
def history(state: State) -> AlertHistory:
    return AlertHistory(state)


def numbers(history: AlertHistory, **query: Any) -> list[int]:
    return [each.number for each in history.transitions(HistoryQuery(**query))]


def test_a_page_is_the_newest_first_and_tells_all_of_a_transition(history: AlertHistory, ledger: Ledger) -> None:
    read: dict[str, Any] = {
        "value": 2.5,
        "second": "broken",
        "reason": "gaps",
        "interval": "1s",
        "window": 300,
        "bar_ms": 9_000,
    }
    sent: dict[str, Any] = {"simulated": True, "withheld": Withheld.MUTED, "messages": {"desk": "alert_1"}, "note": "n"}
    whole = told(FIRED, **read, **sent, missing=0.01, half_life_ms=60_000)
    written = ledger.write(Entry(transitions=[told(PENDING), whole, told(RESOLVED, value=None)])).transitions
    assert history.transitions(HistoryQuery()) == [written[2], written[1]]
    assert history.get(2) == written[1]
    assert numbers(history, minor=True) == [3, 2, 1]


def test_what_is_asked_for_is_chosen(history: AlertHistory, ledger: Ledger) -> None:
    ledger.write(
        Entry(transitions=[told(FIRED, 1_000), told(FIRED, 2_000, rule=2), told(RESOLVED, 3_000), told(PENDING, 4_000)])
    )
    assert numbers(history, rule=1) == [3, 1]
    assert numbers(history, target="BTCUSDT") == []
    assert numbers(history, target=PAIR, limit=2) == [3, 2]
    assert numbers(history, before=2) == [1]
    assert numbers(history, from_ms=2_000, to_ms=3_000) == [2]
    assert numbers(history, changes=(PENDING, RESOLVED)) == [4, 3]


def test_what_is_known_later_is_noted(history: AlertHistory, ledger: Ledger) -> None:
    ledger.write(Entry(transitions=[told(FIRED), told(FIRED, rule=2)]))
    history.revised([1], 77_000)
    history.tell_health([1, 2], "broken")
    assert history.note(1, "the exchange was down").note == "the exchange was down"
    one, other = history.get(1), history.get(2)
    assert (one.revised_ms, one.health, other.revised_ms, other.health) == (77_000, "broken", None, "broken")
    with pytest.raises(UnknownName, match="no transition 9"):
        history.note(9, "x")


def test_what_rules_did_is_counted(history: AlertHistory, ledger: Ledger) -> None:
    timed: dict[str, Any] = {"half_life_ms": 60_000}
    ledger.write(Entry(transitions=[told(FIRED, DAY_MS, **timed), told(RESOLVED, DAY_MS + 120_000)]))
    ledger.write(Entry(transitions=[told(FIRED, 2 * DAY_MS, **timed), told(RESOLVED, 2 * DAY_MS + 121_000)]))
    ledger.write(Entry(transitions=[told(FIRED, 3 * DAY_MS, **timed, withheld=Withheld.MUTED)]))
    ledger.write(Entry(transitions=[told(FIRED, DAY_MS, simulated=True, **timed), told(NO_DATA, rule=2)]))
    ledger.write(Entry(transitions=[told(FIRED, 2 * DAY_MS, rule=2), told(NO_DATA, 2 * DAY_MS, rule=2)]))
    at_ms = 3 * DAY_MS + 60_000
    one, other, idle = history.counts({1: 0, 2: 2 * DAY_MS - 60_000, 3: 0}, 2.5, at_ms)
    assert (one.fires, one.resolves, one.withheld, one.days, one.fires_a_day) == (3, 2, 1, 2.5, 1.2)
    assert (one.judged, one.reverted, one.reverted_share, one.reverted_reason) == (2, 1, 0.5, None)
    assert one.last_fired_ms == 3 * DAY_MS
    assert (other.fires, other.no_data, other.reverted_share, other.reverted_reason) == (1, 1, None, "no_half_life")
    assert other.days == pytest.approx(1 + 120_000 / DAY_MS)
    assert (idle.fires, idle.fires_a_day, idle.reverted_reason, idle.last_fired_ms) == (0, 0.0, "no_fires", None)
    for told_of, since_ms in ((one, 0), (other, 2 * DAY_MS - 60_000), (idle, 0)):
        assert history.counts({told_of.rule: since_ms}, 2.5, at_ms) == [told_of], "the same of one alone"
    (simulated,) = history.counts({1: 0}, 2.5, at_ms, simulated=True)
    assert (simulated.fires, simulated.reverted_share) == (1, 0.0)
    (young,) = history.counts({1: 0}, 0.5, 3 * DAY_MS + 119_000)
    assert (young.judged, young.reverted_reason) == (0, "too_recent")


def test_history_is_kept_by_age_and_steps_on_the_way_for_less_long(history: AlertHistory, ledger: Ledger) -> None:
    times = [DAY_MS, 25 * DAY_MS, 99 * DAY_MS]
    ledger.write(Entry(transitions=[told(change, at_ms) for at_ms in times for change in (PENDING, FIRED)]))
    assert history.forget(100 * DAY_MS, 90 * DAY_MS) == 3
    assert [(each.change, each.time_ms // DAY_MS) for each in history.transitions(HistoryQuery(minor=True))] == [
        (FIRED, 99),
        (PENDING, 99),
        (FIRED, 25),
    ]


def test_a_flapping_rule_pushes_out_none_but_its_own_steps(
    history: AlertHistory, ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MOST_MINOR", 3)
    ledger.write(Entry(transitions=[told(PENDING, rule=2), told(FIRED, rule=1)]))
    ledger.write(Entry(transitions=[told(PENDING, rule=1)] * 5))
    assert history.forget(DAY_MS, DAY_MS) == 2
    assert numbers(history, minor=True) == [7, 6, 5, 2, 1]
