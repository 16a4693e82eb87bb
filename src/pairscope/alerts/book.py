"""The rules of the state database: each change is one transaction with the row that tells who made it."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass
from typing import Any

import msgspec

from pairscope.alerts.clauses import RuleRefused
from pairscope.alerts.rule import MOST_RULES, AlertRule
from pairscope.base.clock import Clock, now_ms
from pairscope.base.errors import UnknownName
from pairscope.store.state import State


@dataclass(frozen=True, slots=True)
class Kept:
    """A rule with its number. ``revision`` rises with each other condition, and with nothing else."""

    number: int
    revision: int
    rule: AlertRule
    made_ms: int
    changed_ms: int
    deleted_ms: int | None = None


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
            UnknownName: when there is none of this number, or it was deleted.
        """
        found = self._find(number)
        if found is None or found.deleted_ms is not None:
            raise _unknown(number)
        return found

    def create(self, rule: AlertRule, who: str) -> Kept:
        """Keep a new rule.

        Raises:
            RuleRefused: when there are as many as may be.
        """
        at_ms = now_ms(self._clock)
        with self._state.change() as connection:
            ((count,),) = connection.execute("select count(*) from alert_rules where deleted_ms is null").fetchall()
            if count >= MOST_RULES:
                cure = "delete some; a rule on all_pairs or all_symbols is one rule"
                raise RuleRefused(f"there are {count:,} rules already, as many as may be", cure=cure)
            written = connection.execute(
                "insert into alert_rules (revision, body, made_ms, changed_ms) values (1, ?, ?, ?)",
                (_body(rule), at_ms, at_ms),
            )
            made = Kept(int(written.lastrowid or 0), 1, rule, at_ms, at_ms)
            _note(connection, made, "created", who, at_ms)
        return made

    def replace(self, number: int, rule: AlertRule, who: str) -> Kept:
        """Put a rule in the place of another; with the same condition it is the same revision.

        Raises:
            UnknownName: when there is none of this number.
        """
        at_ms = now_ms(self._clock)
        with self._state.change() as connection:
            before = self.get(number)
            revision = before.revision + (rule.question != before.rule.question)
            after = Kept(number, revision, rule, before.made_ms, at_ms)
            connection.execute(
                "update alert_rules set revision = ?, body = ?, changed_ms = ? where number = ?",
                (revision, _body(rule), at_ms, number),
            )
            _note(connection, after, "changed", who, at_ms)
        return after

    def delete(self, number: int, who: str) -> None:
        """Delete a rule; `undo` brings it back.

        Raises:
            UnknownName: when there is none of this number.
        """
        self._set_deleted(self.get(number), "deleted", who)

    def undo(self, number: int, who: str) -> Kept:
        """Bring a deleted rule back, as a new revision; of one that is there nothing changes.

        Raises:
            UnknownName: when there never was one of this number.
        """
        found = self._find(number)
        if found is None:
            raise _unknown(number)
        if found.deleted_ms is not None:
            self._set_deleted(found, "undeleted", who)
        return self.get(number)

    def _set_deleted(self, kept: Kept, what: str, who: str) -> None:
        at_ms, is_deleted = now_ms(self._clock), what == "deleted"
        with self._state.change() as connection:
            connection.execute(
                "update alert_rules set deleted_ms = ?, revision = revision + ? where number = ?",
                (at_ms if is_deleted else None, not is_deleted, kept.number),
            )
            _note(connection, kept, what, who, at_ms)

    def _find(self, number: int) -> Kept | None:
        rows = self._state.rows(f"{_SELECT} where number = ?", (number,))
        return _kept(rows[0]) if rows else None


_SELECT = "select number, revision, body, made_ms, changed_ms, deleted_ms from alert_rules"


def _kept(row: tuple[Any, ...]) -> Kept:
    number, revision, body, made_ms, changed_ms, deleted_ms = row
    return Kept(number, revision, msgspec.json.decode(body, type=AlertRule), made_ms, changed_ms, deleted_ms)


def _body(rule: AlertRule) -> str:
    return msgspec.json.encode(rule).decode()


def _note(connection: sqlite3.Connection, kept: Kept, what: str, who: str, at_ms: int) -> None:
    connection.execute(
        "insert into audit (at_ms, who, what, subject, body) values (?, ?, ?, ?, ?)",
        (at_ms, who, what, f"alert rule {kept.number}", _body(kept.rule)),
    )


def _unknown(number: int) -> UnknownName:
    return UnknownName(f"there is no rule {number}", cure="ask /alerts/rules for those that are there")
