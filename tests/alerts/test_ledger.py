"""What rules are doing is kept as one: all of an entry is there after it, or nothing of it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from pairscope.alerts.ledger import Begun, Entry, Held, Ledger, Outgoing, RuleLife
from pairscope.alerts.machine import Change, Life, Stage, Veil
from pairscope.alerts.outbox import Message, Notice
from pairscope.alerts.transition import Transition
from pairscope.base.errors import FileNotWritten
from pairscope.store.state import State

PAIR = "ETHUSDT/BTCUSDT"


@pytest.fixture
def state(tmp_path: Path) -> State:
    return State.open(tmp_path / "state.sqlite")


@pytest.fixture
def ledger(state: State, tmp_path: Path) -> Ledger:
    return Ledger.of(state, tmp_path / "live-aggTrade" / "tape.duckdb")


def told(change: Change, at_ms: int = 10_000, **more: Any) -> Transition:
    given: dict[str, Any] = {"rule": 1, "revision": 1, "name": "Wide", "severity": "warning", "target": PAIR} | more
    return Transition(change=change, time_ms=at_ms, recorded_ms=at_ms + 5, **given)


def message(identity: str) -> Message:
    notice = Notice(title="t", text="x", severity="info", rule="r", target=PAIR, transition="fired", time_ms=1)
    return Message(id=identity, channel="desk", made_ms=1, notice=notice)


LIFE = RuleLife(1, PAIR, Life(9_000, Stage.FIRING, Veil.NO_DATA, 500, 8_000), is_as_read=False, since_ms=8_000)


def test_what_was_written_is_read_again(ledger: Ledger, state: State, tmp_path: Path) -> None:
    assert ledger.read() == Held({}, {}, [])
    kept = [replace(LIFE, changes=3, fire=7, is_told=True, is_veil_told=True), RuleLife(2, "BTCUSDT", Life(0))]
    entry = Entry(cursors={"1s": 9_000, "system": 7}, begun={1: Begun(2, 500)}, lives=kept)
    ledger.write(entry)
    again = Ledger.of(state, tmp_path / "live-aggTrade" / "tape.duckdb")
    assert again.read() == Held(entry.cursors, entry.begun, kept)
    ledger.write(Entry(cursors={"1s": 10_000}, gone=[(1, PAIR)], over=[1, 9]))
    assert again.read() == Held({"1s": 10_000, "system": 7}, {}, kept[1:])


def test_one_that_is_known_as_far_as_bars_were_read_needs_no_time(ledger: Ledger) -> None:
    ledger.write(Entry(lives=[replace(LIFE, is_as_read=True)]))
    (found,) = ledger.read().lives
    assert (found.life.seen_ms, found.is_as_read) == (0, True)


def test_each_tape_has_its_own(ledger: Ledger, state: State, tmp_path: Path) -> None:
    ledger.write(Entry(cursors={"1s": 9_000}, begun={1: Begun(1, 1)}, lives=[LIFE]))
    other = Ledger.of(state, tmp_path / "simulator-1-aggTrade" / "tape.duckdb")
    assert other.tape != ledger.tape
    assert other.read() == Held({}, {}, [])
    assert other.origin == ledger.origin


def test_two_databases_have_two_origins(ledger: Ledger, tmp_path: Path) -> None:
    with State.open(tmp_path / "other" / "state.sqlite") as other:
        assert Ledger(other, 1).origin != ledger.origin


def test_what_ends_an_episode_and_what_is_left_of_it_name_the_fire(ledger: Ledger) -> None:
    written = ledger.write(Entry(transitions=[told(Change.PENDING), told(Change.FIRED)], lives=[LIFE]))
    assert [(each.number, each.fire) for each in written.transitions] == [(1, None), (2, 2)]
    assert written.lives[0].fire == 2
    again = ledger.write(Entry(transitions=[told(Change.RESOLVED, fire=2)], lives=[RuleLife(1, PAIR, Life(0))]))
    assert again.transitions[0].fire == 2
    assert ledger.read().lives[0].fire is None


def test_episodes_that_begin_and_end_in_one_entry_are_told_apart(ledger: Ledger) -> None:
    changes = [told(Change.RESOLVED, fire=90), told(Change.FIRED), told(Change.RESOLVED), told(Change.FIRED)]
    other = told(Change.RESOLVED, target="BTCUSDT", fire=70)
    written = ledger.write(Entry(transitions=[*changes, other], lives=[LIFE]))
    assert [each.fire for each in written.transitions] == [90, 2, 2, 4, 70]
    assert written.lives[0].fire == 4


def test_a_message_is_given_the_number_of_what_it_tells(ledger: Ledger, state: State) -> None:
    ledger.write(Entry(transitions=[told(Change.PENDING), told(Change.FIRED)], messages=[Outgoing(message("a"), 1)]))
    ((number,),) = state.rows("select json_extract(body, '$.number') from outbox")
    assert number == 2


def test_all_of_an_entry_is_there_or_nothing(ledger: Ledger, state: State) -> None:
    with state.change() as connection:
        connection.execute("drop table outbox")
    kept = Entry(cursors={"1s": 1}, begun={1: Begun(1, 1)}, lives=[LIFE])
    entry = replace(kept, transitions=[told(Change.FIRED)], messages=[Outgoing(message("a"), 0)])
    with pytest.raises(FileNotWritten):
        ledger.write(entry)
    assert ledger.read() == Held({}, {}, [])
    assert state.rows("select count(*) from alert_history") == [(0,)]
