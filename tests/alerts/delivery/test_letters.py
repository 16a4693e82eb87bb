"""The outbox as who delivers sees it: what is next, what became of it, and what is dropped when."""

from __future__ import annotations

from pathlib import Path

import pytest

from pairscope.alerts.delivery import letters as letters_module
from pairscope.alerts.delivery.letter import Letter
from pairscope.alerts.delivery.letters import Letters, Pause
from pairscope.alerts.delivery.outcome import SENT, Outcome
from pairscope.alerts.outbox import Message, put
from pairscope.base.clock import now_ms
from tests.alerts.delivery.desk import START_MS, Desk, desk, notice

DAY_S = 86_400
REFUSED = Outcome("it answered 500")


@pytest.fixture
def at_desk(tmp_path: Path) -> Desk:
    made = desk(tmp_path)
    made.webhook("desk", "http://127.0.0.1:1/")
    return made


@pytest.fixture
def letters(at_desk: Desk) -> Letters:
    return Letters(at_desk.state, at_desk.clock)


def the_next(letters: Letters, left: int = 20) -> Letter:
    found = letters.next_for("desk", left, 7.0)
    assert isinstance(found, Letter), found
    return found


def test_the_oldest_that_is_due_is_next(at_desk: Desk, letters: Letters) -> None:
    with at_desk.state.change() as connection:
        for number, made_ms, due_ms in ((1, 5_000, None), (2, 3_000, START_MS + 60_000), (3, 4_000, None)):
            message = Message(id=f"m{number}", channel="desk", made_ms=made_ms, notice=notice(number), due_ms=due_ms)
            put(connection, [message])
    for expected in ("m3", "m1"):
        letter = the_next(letters)
        assert letter.id == expected
        letters.settle(letter, SENT)
    assert letters.next_for("desk", 20, 7.0) == Pause(60.0)
    at_desk.clock.advance(60)
    letters.settle(the_next(letters), SENT)
    assert letters.next_for("desk", 20, 7.0) == Pause(None)
    assert letters.channels() == []


def test_without_room_in_the_minute_it_is_told_when_there_is(at_desk: Desk, letters: Letters) -> None:
    at_desk.put("desk", [1])
    assert letters.next_for("desk", 0, 7.0) == Pause(7.0)


def test_a_digest_is_carried_by_no_other_and_one_message_by_none(at_desk: Desk, letters: Letters) -> None:
    at_desk.put("desk", range(3))
    first = the_next(letters, left=1)
    letters.settle(first, REFUSED)
    at_desk.clock.advance(10)
    at_desk.put("desk", [3])
    assert the_next(letters, left=1).id == first.id
    at_desk.put("desk", [4])
    second = the_next(letters, left=1)
    assert [each for each, _ in second.carried] == ["desk-3", "desk-4"]


def test_a_channel_that_failed_rests_and_its_success_ends_that(at_desk: Desk, letters: Letters) -> None:
    at_desk.put("desk", [1, 2])
    letters.settle(the_next(letters), REFUSED)
    view = at_desk.channels.view("desk")
    assert (view.failures, view.failing_since_ms, view.error) == (1, START_MS, "it answered 500")
    pause = letters.next_for("desk", 20, 7.0)
    assert isinstance(pause, Pause)
    assert 5 <= (pause.seconds or 0) <= 6
    at_desk.clock.advance(6)
    letters.settle(the_next(letters), SENT)
    view = at_desk.channels.view("desk")
    assert (view.failures, view.failing_since_ms, view.error, view.rests_until_ms) == (0, None, None, 0)
    assert view.sent_ms == now_ms(at_desk.clock)


def test_the_time_in_which_no_process_tried_counts_against_no_channel(at_desk: Desk, letters: Letters) -> None:
    at_desk.put("desk", [1, 2])
    letters.settle(the_next(letters), REFUSED)
    at_desk.clock.advance(30 * DAY_S)
    letters.begin()
    assert at_desk.channels.view("desk").failing_since_ms == now_ms(at_desk.clock)
    letters.settle(the_next(letters), REFUSED)
    assert at_desk.fates("desk") == {"desk-1": "waiting", "desk-2": "waiting"}, "each of them is tried for days yet"


def test_one_that_was_accepted_after_its_channel_was_deleted_is_sent(at_desk: Desk, letters: Letters) -> None:
    at_desk.put("desk", [1, 2])
    letter = the_next(letters)
    at_desk.channels.delete("desk")
    assert letters.next_for("desk", 20, 7.0) == Pause(None)
    letters.settle(letter, SENT)
    assert at_desk.fates("desk") == {"desk-1": "sent", "desk-2": "dead"}
    letters.settle(letter, REFUSED)  # of another attempt: what was sent stays so
    assert at_desk.fates("desk") == {"desk-1": "sent", "desk-2": "dead"}


def test_only_dead_letters_are_sent_again(at_desk: Desk, letters: Letters) -> None:
    at_desk.put("desk", [1, 2])
    letters.settle(the_next(letters), SENT)
    assert letters.replay(["desk-1", "desk-2", "nothing"]) == 0
    assert at_desk.fates("desk") == {"desk-1": "sent", "desk-2": "waiting"}


def test_what_became_of_messages_is_told_of_a_state_a_channel_or_some_ids(at_desk: Desk, letters: Letters) -> None:
    at_desk.webhook("other", "http://127.0.0.1:1/")
    at_desk.put("other", [1])
    at_desk.put("desk", range(3))
    letters.settle(the_next(letters), SENT)
    letters.settle(the_next(letters), Outcome("it wants no more messages (410)", is_gone=True))
    told = at_desk.delivery.letters()
    assert [(each.id, each.state) for each in told] == [
        ("desk-2", "dead"),
        ("desk-1", "dead"),
        ("desk-0", "sent"),
        ("other-1", "waiting"),
    ]
    assert [each.id for each in at_desk.delivery.letters(state="dead", limit=1)] == ["desk-2"]
    assert [each.id for each in at_desk.delivery.letters(channel="other")] == ["other-1"]
    assert [each.id for each in at_desk.delivery.letters(ids=["desk-0", "other-1", "x"])] == ["desk-0", "other-1"]
    assert at_desk.delivery.letters(ids=[]) == []
    (first,) = at_desk.delivery.letters(ids=["desk-1"])
    assert (first.title, first.transition, first.tries, first.error) == (
        "alert 1",
        "firing",
        1,
        "it wants no more messages (410)",
    )
    at_desk.channels.switch("desk", True)
    assert at_desk.delivery.replay([each.id for each in at_desk.delivery.letters(state="dead")]) == 2
    assert at_desk.channels.names() == ["desk", "other"]


def test_what_is_old_is_dropped_and_what_waits_never(at_desk: Desk, letters: Letters) -> None:
    at_desk.put("desk", range(4))
    with at_desk.state.change() as connection:
        connection.execute("update outbox set state = 'sent', tried_ms = made_ms where id in ('desk-0', 'desk-1')")
        connection.execute("update outbox set state = 'dead' where id = 'desk-2'")
        connection.execute("update outbox set tried_ms = ? where id = 'desk-1'", (START_MS + DAY_S * 1_000,))
    at_desk.clock.advance(30 * DAY_S)
    assert letters.forget() == 0
    at_desk.clock.advance(1)
    assert letters.forget() == 1
    assert at_desk.fates("desk") == {"desk-1": "sent", "desk-2": "dead", "desk-3": "waiting"}
    at_desk.clock.advance(60 * DAY_S)
    assert letters.forget() == 2
    at_desk.clock.advance(1_000 * DAY_S)
    assert letters.forget() == 0
    assert at_desk.fates("desk") == {"desk-3": "waiting"}


def test_of_too_many_dead_letters_of_a_channel_the_oldest_go(
    at_desk: Desk, letters: Letters, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(letters_module, "MOST_DEAD", 3)
    at_desk.webhook("other", "http://127.0.0.1:1/")
    at_desk.put("desk", range(5))
    at_desk.put("other", range(2))
    with at_desk.state.change() as connection:
        connection.execute("update outbox set state = 'dead'")
    assert letters.forget() == 2
    assert list(at_desk.fates("desk")) == ["desk-2", "desk-3", "desk-4"]
    assert len(at_desk.fates("other")) == 2
