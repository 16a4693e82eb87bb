"""The book of channels: kept over restarts, bounded, told without what is secret, and noted who changed it."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from pairscope.alerts.delivery.addresses import Destinations
from pairscope.alerts.delivery.channel import BadChannel, Webhook, read_key
from pairscope.alerts.delivery.channels import ChannelExists, Channels, TooManyChannels, UnknownChannel
from pairscope.base.clock import ManualClock
from pairscope.base.errors import DataFolderError
from pairscope.store.state import State
from tests.alerts.delivery.desk import KEY, desk

HOOK = {"name": "desk", "kind": "webhook", "url": "https://hooks.example/abc", "secret": KEY}


@pytest.fixture
def state(tmp_path: Path) -> State:
    return State.open(tmp_path / "state.sqlite")


@pytest.fixture
def channels(state: State) -> Channels:
    return Channels(state, ManualClock(1_000), Destinations())


def test_a_channel_is_there_after_a_restart_and_tells_no_secret(
    state: State, channels: Channels, tmp_path: Path
) -> None:
    view, made = channels.add(HOOK)
    assert made is None, "it was given"
    state.close()
    with State.open(tmp_path / "state.sqlite") as again:
        book = Channels(again, ManualClock(), Destinations())
        assert book.views() == [view]
        assert book.settings("desk") == Webhook("https://hooks.example/abc", KEY)
    assert (view.place, view.kind, view.made_ms) == ("https://hooks.example/…", "webhook", 1_000)
    assert "abc" not in repr(view)


@pytest.mark.skipif(sys.platform == "win32", reason="files there have other rights")
def test_the_database_is_kept_to_its_owner_once_it_holds_a_secret(state: State, channels: Channels) -> None:
    state.path.chmod(0o644)
    channels.add(HOOK | {"name": "named", "url": "env:PAIRSCOPE_SECRET_HOOK", "secret": "file:key"})
    assert state.path.stat().st_mode & 0o777 == 0o644, "there is none in it"
    channels.replace("named", {"url": "https://hooks.example/abc"})
    assert state.path.stat().st_mode & 0o777 == 0o600
    state.path.chmod(0o644)
    channels.add(HOOK)
    assert state.path.stat().st_mode & 0o777 == 0o600


def test_the_key_that_was_made_is_shown_once(channels: Channels) -> None:
    view, made = channels.add({"name": "desk", "kind": "webhook", "url": "https://hooks.example/"})
    assert made is not None
    assert len(read_key(made)) == 32
    assert view.secrets == {"url": "kept", "secret": "kept"}
    assert made not in repr(channels.views())


def test_a_name_is_taken_once(channels: Channels) -> None:
    channels.add(HOOK)
    with pytest.raises(ChannelExists) as refused:
        channels.add(HOOK)
    assert (refused.value.code, refused.value.http_status) == ("channel_exists", 409)


def test_there_are_so_many_channels_at_most(channels: Channels) -> None:
    for number in range(100):
        channels.add(HOOK | {"name": f"c{number}"})
    with pytest.raises(TooManyChannels):
        channels.add(HOOK)
    channels.delete("c0")
    channels.add(HOOK)
    assert len(channels.views()) == 100


def test_what_nobody_knows_is_told_with_the_nearest(channels: Channels) -> None:
    channels.add(HOOK)
    for ask in (channels.view, channels.settings, channels.delete, lambda name: channels.switch(name, True)):
        with pytest.raises(UnknownChannel, match="did you mean desk"):
            ask("dsk")
    with pytest.raises(UnknownChannel, match="GET /alerts/channels"):
        channels.view("something else")


def test_a_channel_is_replaced_and_begins_anew(state: State, channels: Channels) -> None:
    channels.add(HOOK)
    with state.change() as connection:
        connection.execute("update channels set off_reason = 'gone', failures = 7, rests_until_ms = 99, error = 'x'")
    view = channels.replace("desk", {"kind": "webhook", "url": "https://other.example/def"})
    assert (view.place, view.off_reason, view.failures, view.error) == ("https://other.example/…", None, 0, None)
    assert channels.settings("desk") == Webhook("https://other.example/def", KEY), "its key is kept"
    with pytest.raises(BadChannel):
        channels.replace("desk", {"kind": "service", "url": "json://x"})
    with pytest.raises(UnknownChannel):
        channels.replace("nobody", HOOK)


def test_a_channel_is_switched_off_and_on(channels: Channels) -> None:
    channels.add(HOOK)
    assert channels.switch("desk", False).off_reason == "person"
    assert channels.switch("desk", True).off_reason is None


def test_each_change_is_noted_in_its_transaction(state: State) -> None:
    notes: list[tuple[str, str, str, bool]] = []
    book = Channels(
        state,
        ManualClock(),
        Destinations(),
        lambda connection, what, name, who: notes.append((what, name, who, connection.in_transaction)),
    )
    book.add(HOOK, "ann")
    book.replace("desk", {"kind": "webhook"}, "ann")
    book.switch("desk", False, "ann")
    book.switch("desk", True, "ann")
    book.delete("desk", "ann")
    whats = ["channel_added", "channel_replaced", "channel_off", "channel_on", "channel_deleted"]
    assert notes == [(what, "desk", "ann", True) for what in whats]


def test_a_note_that_fails_takes_the_change_along(state: State) -> None:
    def fail(*_: object) -> None:
        raise DataFolderError("no room", cure="make some")

    with pytest.raises(DataFolderError):
        Channels(state, ManualClock(), Destinations(), fail).add(HOOK)
    assert Channels(state, ManualClock(), Destinations()).views() == []


async def test_what_waits_for_a_channel_that_is_deleted_lies_among_the_dead_letters(tmp_path: Path) -> None:
    at_desk = desk(tmp_path)
    at_desk.webhook("desk", "http://127.0.0.1:1/")
    at_desk.put("desk", [1, 2])
    at_desk.channels.delete("desk")
    async with at_desk.running():
        await at_desk.settled()
    assert at_desk.fates("desk") == {"desk-1": "dead", "desk-2": "dead"}
