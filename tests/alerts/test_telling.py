"""Who hears of what: one message for what happens at once, why something is not sent, ends as their beginnings."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from pairscope.alerts.book import Kept
from pairscope.alerts.ledger import RuleLife
from pairscope.alerts.machine import Change, Life, Stage, Veil
from pairscope.alerts.mutes import Mute
from pairscope.alerts.panel import MetricNow, Placed
from pairscope.alerts.rule import AlertRule, Clause, Comparison
from pairscope.alerts.telling import Account, Occasion, Setting, account_of
from pairscope.alerts.transition import Withheld
from pairscope.base.reading import read_time_ms
from tests.alerts.played import price_rule

NOW_MS = read_time_ms("time", "2026-11-27T12:00:00Z")  # a Friday
SETTING = Setting(NOW_MS, "here", 1)
FIRED, RESOLVED, NO_DATA, DATA_BACK = Change.FIRED, Change.RESOLVED, Change.NO_DATA, Change.DATA_BACK
STAGES = {FIRED: Stage.FIRING, RESOLVED: Stage.INACTIVE, Change.PENDING: Stage.PENDING}


def occasion(change: Change, target: str = "BTCUSDT", rule: AlertRule | None = None, **kept: Any) -> Occasion:
    rule = rule or price_rule(channels=("desk",))
    stage = STAGES.get(change, Stage.INACTIVE)
    veil = Veil.NO_DATA if change is NO_DATA else Veil.NONE
    before = RuleLife(1, target, Life(NOW_MS - 2_000), **kept)
    after = Life(NOW_MS - 1_000, stage, veil)
    placed = Placed(Kept(1, 3, rule, 0, 0), (target,))
    return Occasion(placed, before, after, (change,), NOW_MS - 1_000, NOW_MS - 2_000, MetricNow(101.0, 0.01))


def told(change: Change, setting: Setting = SETTING, **given: Any) -> tuple[Withheld | None, list[int | None]]:
    """Why it is not sent, and when its messages are due."""
    account = account_of([occasion(change, **given)], setting)
    (transition,) = account.transitions
    return transition.withheld, [each.message.due_ms for each in account.messages]


def test_a_fire_is_a_transition_a_life_and_a_message_for_each_channel() -> None:
    account = account_of([occasion(FIRED, rule=price_rule(channels=("desk", "phone"), half_life_ms=9_000))], SETTING)
    (transition,), (life,) = account.transitions, account.lives
    assert (transition.rule, transition.revision, transition.target, transition.change) == (1, 3, "BTCUSDT", FIRED)
    assert (transition.value, transition.missing, transition.half_life_ms) == (101.0, 0.01, 9_000)
    assert (life.changes, life.is_told, life.since_ms, life.life.stage) == (1, True, NOW_MS - 1_000, Stage.FIRING)
    assert [each.message.channel for each in account.messages] == ["desk", "phone"]
    assert {each.message.channel: each.message.id for each in account.messages} == transition.messages
    notice = account.messages[0].message.notice
    assert (notice.title, notice.transition, notice.value) == ("last_price of BTCUSDT is 101", "fired", 101.0)
    assert notice.more["interval"] == "1s"


def test_steps_on_the_way_are_told_to_nobody() -> None:
    assert told(Change.PENDING) == (None, [])
    assert told(Change.SUPERSEDED, is_told=True) == (None, [])


def test_a_rule_without_a_channel_is_for_the_page_alone() -> None:
    assert told(FIRED, rule=price_rule()) == (None, [])
    assert told(FIRED, replace(SETTING, may_send=False), rule=price_rule()) == (None, [])


def ids(account: Account) -> list[str]:
    return [each.message.id for each in account.messages]


def test_the_id_of_a_message_is_made_of_what_it_tells_and_of_nothing_else() -> None:
    same = ids(account_of([occasion(FIRED)], SETTING))
    assert ids(account_of([occasion(FIRED)], replace(SETTING, now_ms=NOW_MS + 9, is_simulated=True))) == same
    others = [
        ids(account_of([occasion(FIRED, changes=7)], SETTING)),
        ids(account_of([occasion(FIRED, target="ETHUSDT")], SETTING)),
        ids(account_of([occasion(RESOLVED, is_told=True)], SETTING)),
        ids(account_of([occasion(FIRED, rule=price_rule(channels=("phone",)))], SETTING)),
        ids(account_of([occasion(FIRED)], replace(SETTING, origin="there"))),
        ids(account_of([occasion(FIRED)], replace(SETTING, tape=2))),
    ]
    assert all(each != same and len(each) == 1 for each in others)


# --- what is one message ------------------------------------------------------------------------------------


def test_what_happens_to_several_targets_at_once_is_one_message() -> None:
    rule = price_rule(scope="all_symbols", symbols=(), name="Any", channels=("desk", "phone"))
    some = [occasion(FIRED, target, rule) for target in ("BTCUSDT", "ETHUSDT", "SOLUSDT")]
    account = account_of([*some, occasion(RESOLVED, "XRPUSDT", rule, is_told=True)], SETTING)
    assert len(account.transitions) == len(account.lives) == 4
    fired, resolved = account.messages[0], account.messages[2]
    assert len(account.messages) == 4
    assert fired.message.notice.title == "Any: 3 at once, BTCUSDT, ETHUSDT, SOLUSDT"
    assert fired.message.notice.text.endswith("\nBTCUSDT 101\nETHUSDT 101\nSOLUSDT 101")
    assert (fired.message.notice.target, fired.of, resolved.of) == ("3 targets", 2, 3)
    assert len({each.messages["desk"] for each in account.transitions[:3]}) == 1
    assert resolved.message.notice.target == "XRPUSDT"


def test_one_of_which_nobody_is_told_is_in_no_message_of_the_others() -> None:
    rule = price_rule(scope="all_symbols", symbols=(), channels=("desk",))
    some = [occasion(RESOLVED, target, rule, is_told=target != "ETHUSDT") for target in ("BTCUSDT", "ETHUSDT")]
    account = account_of(some, SETTING)
    assert [each.withheld for each in account.transitions] == [None, Withheld.UNTOLD]
    assert [each.message.notice.target for each in account.messages] == ["BTCUSDT"]


# --- what is not sent ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("change", [FIRED, NO_DATA, Change.ERROR])
def test_what_begins_is_recorded_and_not_sent_for_one_reason(change: Change) -> None:
    night = price_rule(channels=("desk",), weekly=("Mon-Fri 22:00-06:00",))
    mute, other = Mute(1, 0, NOW_MS + 60_000), Mute(2, 0, NOW_MS + 60_000)
    silent = replace(SETTING, feed_silent="Feed silent")
    assert told(change) == (None, [NOW_MS])
    assert told(change, replace(SETTING, may_send=False)) == (Withheld.SIMULATED, [])
    assert told(change, replace(SETTING, mutes=[other, mute])) == (Withheld.MUTED, [])
    assert told(change, replace(SETTING, mutes=[Mute(None, 0, NOW_MS + 1)])) == (Withheld.MUTED, [])
    assert told(change, replace(SETTING, mutes=[other, Mute(1, 0, NOW_MS)])) == (None, [NOW_MS])
    assert told(change, silent) == (Withheld.FEED_SILENT, [])
    assert told(change, rule=night) == (Withheld.OUTSIDE, [])
    age = Clause(metric="feed_age", comparison=Comparison.ABOVE, high=10.0)
    system = price_rule(scope="system", symbols=(), first=age, channels=("desk",))
    assert told(change, silent, rule=system) == (None, [NOW_MS])


@pytest.mark.parametrize(("change", "known"), [(RESOLVED, "is_told"), (DATA_BACK, "is_veil_told")])
def test_what_ends_is_told_when_its_beginning_was_and_then_whatever_is_muted(change: Change, known: str) -> None:
    night = price_rule(channels=("desk",), weekly=("Mon-Fri 22:00-06:00", "Sat 10:00-12:00"))
    was: dict[str, Any] = {known: True}
    opens_ms = NOW_MS + 10 * 3_600_000
    mute = replace(SETTING, mutes=[Mute(1, 0, NOW_MS + 60_000)])
    late = replace(SETTING, mutes=[Mute(1, 0, NOW_MS + 20 * 3_600_000)])
    assert told(change) == (Withheld.UNTOLD, [])
    assert told(change, **was) == (None, [NOW_MS])
    assert told(change, replace(SETTING, feed_silent="Feed silent"), **was) == (None, [NOW_MS])
    assert told(change, mute, **was) == (None, [NOW_MS + 60_000])
    assert told(change, rule=night, **was) == (None, [opens_ms])
    assert told(change, late, rule=night, **was) == (None, [NOW_MS + 22 * 3_600_000])
    assert told(change, replace(SETTING, may_send=False), **was) == (Withheld.SIMULATED, [])


@pytest.mark.parametrize("setting", [SETTING, replace(SETTING, may_send=False)])
def test_whether_people_were_told_is_known_for_the_end(setting: Setting) -> None:
    is_sent = setting.may_send
    for change, name in ((FIRED, "is_told"), (NO_DATA, "is_veil_told")):
        (life,) = account_of([occasion(change)], setting).lives
        assert getattr(life, name) is is_sent
    for change, name in ((RESOLVED, "is_told"), (Change.SUPERSEDED, "is_told"), (DATA_BACK, "is_veil_told")):
        was: dict[str, Any] = {name: True}
        (life,) = account_of([occasion(change, **was)], setting).lives
        assert getattr(life, name) is False


def test_a_veil_leaves_alone_what_was_told_of_the_episode() -> None:
    (life,) = account_of([occasion(NO_DATA, is_told=True)], replace(SETTING, may_send=False)).lives
    assert (life.is_told, life.is_veil_told) == (True, False)


def test_two_changes_of_one_reading_are_two_transitions() -> None:
    both = replace(occasion(FIRED), changes=(DATA_BACK, FIRED))
    account = account_of([both], SETTING)
    assert [(each.change, each.withheld) for each in account.transitions] == [
        (DATA_BACK, Withheld.UNTOLD),
        (FIRED, None),
    ]
    assert (account.lives[0].changes, account.messages[0].of) == (2, 1)


def test_why_nothing_is_known_is_told() -> None:
    few = replace(occasion(NO_DATA), first=MetricNow(101.0, 0.5))
    late = replace(occasion(NO_DATA), first=MetricNow(None, reason="leg_late"))
    both = replace(occasion(NO_DATA), first=MetricNow(1.0), second=MetricNow(None, reason="gaps"))
    known = replace(occasion(FIRED), first=MetricNow("broken"))
    reasons = [account_of([each], SETTING).transitions[0].reason for each in (few, late, both, known)]
    assert reasons == ["missing_trades", "leg_late", "gaps", None]
    (message,) = account_of([late], SETTING).messages
    assert (message.message.notice.value, message.message.notice.reason) == (None, "leg_late")
    assert "leg late" in message.message.notice.text
