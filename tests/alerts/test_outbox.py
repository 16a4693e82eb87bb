"""The outbox: what is written with its cause is there with it, once, and no channel holds more than its bound."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from pairscope.alerts import outbox
from pairscope.alerts.outbox import Message, Notice, put
from pairscope.store.state import State

NOTICE = Notice(
    title="spread_z of ETHUSDT/BTCUSDT is 2.4",
    text="It has been above 2 for 10 s.",
    severity="warning",
    rule="stretched",
    target="ETHUSDT/BTCUSDT",
    transition="firing",
    time_ms=1_000,
    value=2.4,
)


def message(number: int, channel: str = "desk", **changed: object) -> Message:
    made = Message(id=f"{channel}-{number}", channel=channel, made_ms=1_000 + number, notice=NOTICE)
    return msgspec.structs.replace(made, **changed)


@pytest.fixture
def state(tmp_path: Path) -> State:
    return State.open(tmp_path / "state.sqlite")


def put_and_fail(state: State) -> None:
    with state.change() as connection:
        put(connection, [message(1)])
        raise ZeroDivisionError


def test_a_message_waits_with_its_words_until_it_is_due(state: State) -> None:
    with state.change() as connection:
        assert put(connection, [message(1), message(2, due_ms=60_000)]) == 2
    rows = state.rows("select id, channel, made_ms, due_ms, state, tries, error from outbox order by id")
    assert rows == [
        ("desk-1", "desk", 1_001, 1_001, "waiting", 0, None),
        ("desk-2", "desk", 1_002, 60_000, "waiting", 0, None),
    ]
    ((body,),) = state.rows("select body from outbox where id = 'desk-1'")
    assert msgspec.json.decode(body, type=Notice) == NOTICE


def test_a_message_written_again_is_the_one_that_was_there(state: State) -> None:
    with state.change() as connection:
        put(connection, [message(1)])
        connection.execute("update outbox set state = 'sent', tries = 1")
    with state.change() as connection:
        assert put(connection, [message(1, made_ms=5), message(1), message(2)]) == 1
    assert state.rows("select id, made_ms, state from outbox order by id") == [
        ("desk-1", 1_001, "sent"),
        ("desk-2", 1_002, "waiting"),
    ]


def test_what_is_rolled_back_was_never_there(state: State) -> None:
    with pytest.raises(ZeroDivisionError):
        put_and_fail(state)
    assert state.rows("select id from outbox") == []


def test_beyond_the_bound_of_a_channel_a_message_lies_among_the_dead_letters(
    state: State, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outbox, "MOST_WAITING", 3)
    with state.change() as connection:
        put(connection, [message(1), message(2)])
    with state.change() as connection:
        # One that is there already takes no place, and one channel none of another.
        assert put(connection, [message(2), message(3), message(4), message(1, "other")]) == 3
    assert state.rows("select id, state, error from outbox order by id") == [
        ("desk-1", "waiting", None),
        ("desk-2", "waiting", None),
        ("desk-3", "waiting", None),
        ("desk-4", "dead", "outbox_full"),
        ("other-1", "waiting", None),
    ]
