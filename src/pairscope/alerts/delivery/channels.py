"""The book of channels: the only one, in the state database, so that what it says survives every restart."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Mapping
from typing import Any, ClassVar

import msgspec

from pairscope.alerts.delivery import secret
from pairscope.alerts.delivery.addresses import Destinations
from pairscope.alerts.delivery.channel import (
    ChannelSettings,
    Mail,
    Webhook,
    kind_of,
    place,
    read_name,
    read_settings,
    read_url,
    secrets_of,
)
from pairscope.base.clock import Clock, now_ms
from pairscope.base.errors import Meanings, RequestError, UnknownName, nearest
from pairscope.store.state import State

MOST_CHANNELS = 100
Note = Callable[[sqlite3.Connection, str, str, str], object]  # what was done, to which channel, by whom


class ChannelExists(RequestError):
    """A channel of that name is there."""

    code = "channel_exists"
    http_status = 409
    meanings: ClassVar[Meanings] = {
        "channel_exists": ("a channel of that name is there already", "choose another name, or replace that one")
    }


class TooManyChannels(RequestError):
    """As many channels are there as may be."""

    code = "too_many_channels"
    http_status = 409
    meanings: ClassVar[Meanings] = {
        "too_many_channels": (f"{MOST_CHANNELS} channels are there, which is the most", "delete one that is not used")
    }


class UnknownChannel(UnknownName):
    """Nobody knows a channel of that name."""

    code = "unknown_channel"
    meanings: ClassVar[Meanings] = {
        "unknown_channel": ("a channel of a name that nobody knows", "the cure names the nearest one")
    }


class ChannelView(msgspec.Struct, frozen=True, kw_only=True):
    """What anybody may see of a channel; ``secrets`` tells how each is kept, never what it is."""

    name: str
    kind: str
    place: str
    secrets: dict[str, str]
    made_ms: int
    off_reason: str | None  # gone: its receiver answered 410; person: somebody switched it off
    waiting: int
    dead: int
    sent_ms: int | None  # when a message was last accepted
    failing_since_ms: int | None
    failures: int  # in a row
    error: str | None
    rests_until_ms: int


class Channels:
    """Makes, changes and lists channels; to be used by any thread. Call `Delivery.wake` after a change.

    ``note`` is called in the transaction of each change, to keep who changed what; what it raises undoes the change.
    """

    def __init__(self, state: State, clock: Clock, destinations: Destinations, note: Note = lambda *_: None) -> None:
        self._state = state
        self._clock = clock
        self._destinations = destinations
        self._note = note

    def names(self) -> list[str]:
        """The names of all channels, those that are switched off too."""
        return [name for (name,) in self._state.rows("select name from channels order by name")]

    def views(self) -> list[ChannelView]:
        """All channels, by their names."""
        rows = self._state.rows(
            "select name, settings, made_ms, off_reason, sent_ms, failing_since_ms, failures, error, rests_until_ms,"
            " (select count(*) from outbox where channel = name and state = 'waiting'),"
            " (select count(*) from outbox where channel = name and outbox.state = 'dead')"
            " from channels order by name"
        )
        return [_view(*row) for row in rows]

    def view(self, name: str) -> ChannelView:
        """One channel.

        Raises:
            UnknownChannel: when there is none of that name.
        """
        found = {each.name: each for each in self.views()}
        if name not in found:
            raise self._unknown(name, found)
        return found[name]

    def add(self, body: Mapping[str, Any], who: str = "") -> tuple[ChannelView, str | None]:
        """Make a channel.

        Returns:
            It, and the key of a webhook that was made for it: to be shown this once and never again.

        Raises:
            BadChannel: when it cannot be so; `BadSecret`, `AddressRefused` for what it names.
            ChannelExists: when there is one of that name.
            TooManyChannels: when there are as many as may be.
        """
        name, settings = read_name(body), self._read(body)
        with self._state.change() as connection:
            known = [each for (each,) in connection.execute("select name from channels")]
            if name in known:
                raise ChannelExists(f"the channel {name} is there already", cure="choose another name, or replace it")
            if len(known) >= MOST_CHANNELS:
                raise TooManyChannels(
                    f"there are {MOST_CHANNELS} channels, which is the most", cure="delete one that is not used"
                )
            connection.execute(
                "insert into channels (name, kind, made_ms, settings) values (?, ?, ?, ?)",
                (name, kind_of(settings), now_ms(self._clock), msgspec.json.encode(settings).decode()),
            )
            self._note(connection, "channel_added", name, who)
        self._keep_to_owner(settings)
        is_made = isinstance(settings, Webhook) and "secret" not in body
        return self.view(name), settings.secret if is_made and isinstance(settings, Webhook) else None

    def replace(self, name: str, body: Mapping[str, Any], who: str = "") -> ChannelView:
        """Give a channel other settings, with a new start; secrets that are left out stay.

        Raises:
            UnknownChannel: when there is none; what `add` raises besides.
        """
        read_name({"name": name})
        settings = self._read(body, self.settings(name))
        with self._state.change() as connection:
            connection.execute(
                "update channels set kind = ?, settings = ? where name = ?",
                (kind_of(settings), msgspec.json.encode(settings).decode(), name),
            )
            _begin_anew(connection, name)
            self._note(connection, "channel_replaced", name, who)
        self._keep_to_owner(settings)
        return self.view(name)

    def switch(self, name: str, is_on: bool, who: str = "") -> ChannelView:
        """Switch a channel on, with a new start, or off: what is for it then lies among the dead letters.

        Raises:
            UnknownChannel: when there is none.
        """
        self.settings(name)
        with self._state.change() as connection:
            if is_on:
                _begin_anew(connection, name)
            else:
                connection.execute("update channels set off_reason = 'person' where name = ?", (name,))
            self._note(connection, "channel_on" if is_on else "channel_off", name, who)
        return self.view(name)

    def delete(self, name: str, who: str = "") -> None:
        """Take a channel out of the book; what still waits for it lies among the dead letters.

        Raises:
            UnknownChannel: when there is none.
        """
        self.settings(name)
        with self._state.change() as connection:
            connection.execute("delete from channels where name = ?", (name,))
            self._note(connection, "channel_deleted", name, who)

    def settings(self, name: str) -> ChannelSettings:
        """What a channel is, its secrets too: for who sends, and for nobody else.

        Raises:
            UnknownChannel: when there is none.
        """
        found = self._state.rows("select settings from channels where name = ?", (name,))
        if not found:
            raise self._unknown(name, self.names())
        return _decoded(found[0][0])

    def _read(self, body: Mapping[str, Any], before: ChannelSettings | None = None) -> ChannelSettings:
        settings = read_settings(body, before)
        if isinstance(settings, Mail):
            self._destinations.refuse_literal(settings.host)
        elif isinstance(settings, Webhook) and not secret.is_named(settings.url):
            self._destinations.refuse_literal(read_url(settings.url).host)
        return settings

    def _keep_to_owner(self, settings: ChannelSettings) -> None:
        if "kept" in secrets_of(settings).values():
            self._state.keep_to_owner()

    def _unknown(self, name: str, known: list[str] | Mapping[str, Any]) -> UnknownChannel:
        guess = nearest(name, known)
        return UnknownChannel(
            f"no channel is called {name[:40]}",
            cure=f"did you mean {guess}?" if guess else "see `GET /alerts/channels` for those there are",
        )


def _begin_anew(connection: sqlite3.Connection, name: str) -> None:
    connection.execute(
        "update channels set off_reason = null, failures = 0, failing_since_ms = null, error = null, rests_until_ms = 0"
        " where name = ?",
        (name,),
    )


def _decoded(settings: str) -> ChannelSettings:
    found: ChannelSettings = msgspec.json.decode(settings, type=ChannelSettings)
    return found


def _view(name: str, settings: str, *told: Any) -> ChannelView:
    found = _decoded(settings)
    made_ms, off_reason, sent_ms, failing_since_ms, failures, error, rests_until_ms, waiting, dead = told
    return ChannelView(
        name=name,
        kind=kind_of(found),
        place=place(found),
        secrets=secrets_of(found),
        made_ms=made_ms,
        off_reason=off_reason,
        waiting=waiting,
        dead=dead,
        sent_ms=sent_ms,
        failing_since_ms=failing_since_ms,
        failures=failures,
        error=error,
        rests_until_ms=rests_until_ms,
    )
