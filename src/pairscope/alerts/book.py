"""The rules of the state database: each change is one transaction with the row that tells who made it."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar

import msgspec

from pairscope.alerts import audit
from pairscope.alerts.clauses import RuleRefused
from pairscope.alerts.rule import MOST_RULES, AlertRule
from pairscope.base.clock import Clock, now_ms
from pairscope.base.errors import Meanings, RequestError, UnknownName
from pairscope.store.state import State

NOBODY = "pairscope"  # who made a change that no person made
_MOST_NAMED = 8


class UnknownRule(UnknownName):
    """Nobody knows a rule of that number, or it was deleted."""

    code = "unknown_rule"
    meanings: ClassVar[Meanings] = {
        "unknown_rule": (
            "a rule of a number that nobody knows, or that was deleted",
            "see `GET /alerts/rules` for those there are; one that was deleted can be brought back",
        )
    }


class ChannelInUse(RequestError):
    """A channel that rules name cannot be deleted."""

    code = "channel_in_use"
    http_status = 409
    meanings: ClassVar[Meanings] = {
        "channel_in_use": (
            "a channel was to be deleted, and rules send to it",
            "take it out of the rules that the message names, or switch the channel off",
        )
    }


@dataclass(frozen=True, slots=True)
class Kept:
    """A rule with its number. ``revision`` rises with each other condition, and with nothing else.

    ``written`` is the rule as a person wrote it, in the long form: what is read again when a part of it is changed.
    """

    number: int
    revision: int
    rule: AlertRule
    made_ms: int
    changed_ms: int
    deleted_ms: int | None = None
    written: Mapping[str, Any] = field(default_factory=dict)


class RuleBook:
    """Makes, changes and deletes rules; to be used by any thread, one call at a time, as its state is."""

    def __init__(self, state: State, clock: Clock) -> None:
        self._state = state
        self._clock = clock

    def all(self) -> list[Kept]:
        """The rules that are there, the oldest first."""
        return [_kept(row) for row in self._state.rows(f"{_SELECT} where deleted_ms is null order by number")]

    def get(self, number: int) -> Kept:
        """One rule.

        Raises:
            UnknownRule: when there is none of this number, or it was deleted.
        """
        found = self._find(number)
        if found is None or found.deleted_ms is not None:
            raise unknown(number)
        return found

    def create(self, rule: AlertRule, who: str, written: Mapping[str, Any] | None = None) -> Kept:
        """Keep a new rule.

        Raises:
            RuleRefused: when there are as many as may be.
            UnknownName: when it names a channel that is not there.
        """
        with self._state.change() as connection:
            return self._insert(connection, rule, who, written)

    def begin(self, rule: AlertRule, written: Mapping[str, Any]) -> Kept | None:
        """Keep the rule that a new database begins with; where a rule was ever made, a deleted one too, nothing is."""
        with self._state.change() as connection:
            if connection.execute("select 1 from alert_rules limit 1").fetchall():
                return None
            return self._insert(connection, rule, NOBODY, written)

    def replace(self, number: int, rule: AlertRule, who: str, written: Mapping[str, Any] | None = None) -> Kept:
        """Put a rule in the place of another; with the same condition it is the same revision.

        Raises:
            UnknownRule: when there is none of this number; `UnknownName` when it names a channel that is not there.
        """
        at_ms = now_ms(self._clock)
        with self._state.change() as connection:
            before = self.get(number)
            _refuse_unknown(connection, rule.channels)
            revision = before.revision + (rule.question != before.rule.question)
            after = Kept(number, revision, rule, before.made_ms, at_ms, written=written or {})
            connection.execute(
                "update alert_rules set revision = ?, body = ?, changed_ms = ? where number = ?",
                (revision, _body(after), at_ms, number),
            )
            _note(connection, after, "changed", who, at_ms)
        return after

    def delete(self, number: int, who: str) -> Kept:
        """Delete a rule; `undo` brings it back.

        Raises:
            UnknownRule: when there is none of this number.
        """
        return self._set_deleted(number, "deleted", who)

    def undo(self, number: int, who: str) -> Kept:
        """Bring a deleted rule back, as a new revision; of one that is there nothing changes.

        Raises:
            UnknownRule: when there never was one of this number; `UnknownName` when a channel of it is deleted too.
            RuleRefused: when there are as many as may be.
        """
        return self._set_deleted(number, "undeleted", who)

    def note_channel(self, connection: sqlite3.Connection, what: str, name: str, who: str) -> None:
        """Write who changed a channel, in the transaction of the change.

        Raises:
            ChannelInUse: when it was deleted, and rules send to it.
        """
        if what == "channel_deleted":
            _refuse_in_use(connection, name)
        audit.note(connection, now_ms(self._clock), who, what, f"channel {name}")

    def _insert(
        self, connection: sqlite3.Connection, rule: AlertRule, who: str, written: Mapping[str, Any] | None
    ) -> Kept:
        at_ms = now_ms(self._clock)
        _refuse_more(connection)
        _refuse_unknown(connection, rule.channels)
        made = Kept(0, 1, rule, at_ms, at_ms, written=written or {})
        row = connection.execute(
            "insert into alert_rules (revision, body, made_ms, changed_ms) values (1, ?, ?, ?)",
            (_body(made), at_ms, at_ms),
        )
        made = Kept(int(row.lastrowid or 0), 1, rule, at_ms, at_ms, written=made.written)
        _note(connection, made, "created", who, at_ms)
        return made

    def _set_deleted(self, number: int, what: str, who: str) -> Kept:
        at_ms, is_deleted = now_ms(self._clock), what == "deleted"
        with self._state.change() as connection:
            found = self.get(number) if is_deleted else self._find(number)
            if found is None:
                raise unknown(number)
            if not is_deleted:
                if found.deleted_ms is None:
                    return found
                _refuse_more(connection)
                _refuse_unknown(connection, found.rule.channels)
            deleted_ms, revision = (at_ms, found.revision) if is_deleted else (None, found.revision + 1)
            connection.execute(
                "update alert_rules set deleted_ms = ?, revision = ? where number = ?", (deleted_ms, revision, number)
            )
            _note(connection, found, what, who, at_ms)
        return replace(found, revision=revision, deleted_ms=deleted_ms)

    def _find(self, number: int) -> Kept | None:
        rows = self._state.rows(f"{_SELECT} where number = ?", (number,))
        return _kept(rows[0]) if rows else None


_SELECT = "select number, revision, body, made_ms, changed_ms, deleted_ms from alert_rules"


class _Body(msgspec.Struct, frozen=True):
    """A rule and its words, as they are kept."""

    rule: AlertRule
    written: dict[str, Any] = {}


def _kept(row: tuple[Any, ...]) -> Kept:
    number, revision, body, made_ms, changed_ms, deleted_ms = row
    found = msgspec.json.decode(body, type=_Body)
    return Kept(number, revision, found.rule, made_ms, changed_ms, deleted_ms, found.written)


def _body(kept: Kept) -> str:
    return msgspec.json.encode(_Body(kept.rule, dict(kept.written))).decode()


def _note(connection: sqlite3.Connection, kept: Kept, what: str, who: str, at_ms: int) -> None:
    audit.note(connection, at_ms, who, what, f"alert rule {kept.number}", _body(kept))


def _refuse_more(connection: sqlite3.Connection) -> None:
    ((count,),) = connection.execute("select count(*) from alert_rules where deleted_ms is null").fetchall()
    if count >= MOST_RULES:
        cure = "delete some; a rule on all_pairs or all_symbols is one rule"
        raise RuleRefused(f"there are {count:,} rules already, as many as may be", cure=cure)


def _refuse_unknown(connection: sqlite3.Connection, channels: Sequence[str]) -> None:
    there = {name for (name,) in connection.execute("select name from channels")}
    for each in channels:
        if each not in there:
            cure = "make it first, or leave it out of the rule"
            raise UnknownName(f"there is no channel '{each[:40]}'", cure=cure, code="unknown_channel")


def _refuse_in_use(connection: sqlite3.Connection, channel: str) -> None:
    rows = connection.execute("select number, body from alert_rules where deleted_ms is null order by number")
    kept = [(number, msgspec.json.decode(body, type=_Body).rule) for number, body in rows]
    using = [f"{number} ({rule.name[:40]})" for number, rule in kept if channel in rule.channels]
    if using:
        more = f" and {len(using) - _MOST_NAMED} more" if len(using) > _MOST_NAMED else ""
        raise ChannelInUse(
            f"rules send to the channel {channel}: {', '.join(using[:_MOST_NAMED])}{more}",
            cure="take it out of them first, or switch the channel off",
        )


def unknown(number: int) -> UnknownRule:
    """That there is no such rule."""
    return UnknownRule(f"there is no rule {number}", cure="ask /alerts/rules for those that are there")
