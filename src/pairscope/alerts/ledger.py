"""What rules are doing, kept over restarts: one transaction holds lives, how far was read, history and messages.

Between two transactions nothing is written: what was read since then changed nothing, and is read again after a
restart, with the same result.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import msgspec

from pairscope.alerts.machine import Change, Life, Stage, Veil
from pairscope.alerts.outbox import Message, put
from pairscope.alerts.transition import MINOR, Transition
from pairscope.store.side_files import tape_number
from pairscope.store.state import State


@dataclass(frozen=True, slots=True)
class RuleLife:
    """What is kept of a rule on one target.

    ``is_as_read`` says that the last reading is known, so that the life needs no time of its own. ``changes`` counts
    its transitions: the ids of messages are made of it.
    """

    rule: int
    target: str
    life: Life
    is_as_read: bool = True
    since_ms: int | None = None  # when the stage began
    changes: int = 0
    fire: int | None = None  # the transition with which the open episode began
    is_told: bool = False  # whether people were told of it
    is_veil_told: bool = False


@dataclass(frozen=True, slots=True)
class Begun:
    """Since when the present condition of a rule is read."""

    revision: int
    begun_ms: int


@dataclass(frozen=True, slots=True)
class Outgoing:
    """A message, and the place of the transition that it tells: it is given the number of that."""

    message: Message
    of: int


@dataclass(frozen=True, slots=True)
class Entry:
    """What is written in one transaction."""

    cursors: Mapping[str, int] = field(default_factory=dict)
    begun: Mapping[int, Begun] = field(default_factory=dict)  # by the number of a rule
    over: Sequence[int] = ()  # rules that are read no more
    lives: Sequence[RuleLife] = ()
    gone: Sequence[tuple[int, str]] = ()  # rules and targets that are read no more
    transitions: Sequence[Transition] = ()
    messages: Sequence[Outgoing] = ()


@dataclass(frozen=True, slots=True)
class Written:
    """What was written, with its numbers."""

    transitions: Sequence[Transition]
    lives: Sequence[RuleLife]


@dataclass(frozen=True, slots=True)
class Held:
    """Everything that is kept of one tape."""

    cursors: Mapping[str, int]
    begun: Mapping[int, Begun]
    lives: Sequence[RuleLife]


class Ledger:
    """The rows of one tape; to be used by any thread, one call at a time, as its state is."""

    def __init__(self, state: State, tape: int) -> None:
        self._state = state
        self.tape = tape
        ((self.origin,),) = state.rows("select origin from alert_origin")

    @classmethod
    def of(cls, state: State, tape: Path) -> Ledger:
        """Of the tape at a path.

        Raises:
            FileNotWritten: when the state cannot be written; `DiskFull` when there is no room.
        """
        with state.change() as connection:
            number = tape_number(connection, tape)
        return cls(state, number)

    def read(self) -> Held:
        """What was written last."""
        of_tape = (self.tape,)
        cursors = self._state.rows("select beat, read_ms from alert_cursors where tape = ?", of_tape)
        begun = self._state.rows("select rule, revision, begun_ms from alert_begun where tape = ?", of_tape)
        lives = self._state.rows(f"select {_LIFE} from alert_lives where tape = ? order by rule, target", of_tape)
        held = dict(cursors)
        return Held(held, {rule: Begun(*rest) for rule, *rest in begun}, [_life(*row) for row in lives])

    def write(self, entry: Entry) -> Written:
        """Write all of an entry, or nothing of it.

        Raises:
            FileNotWritten: when it cannot be written; `DiskFull` when there is no room.
        """
        with self._state.change() as connection:
            fires: dict[tuple[int, str], int | None] = {}  # of the episodes that are open, as far as told here
            transitions = [self._insert(connection, each, fires) for each in entry.transitions]
            lives = [_with_fire(each, fires) for each in entry.lives]
            self._keep(connection, entry, lives)
            put(connection, [_numbered(each.message, transitions[each.of].number) for each in entry.messages])
        return Written(transitions, lives)

    def _insert(
        self, connection: sqlite3.Connection, told: Transition, fires: dict[tuple[int, str], int | None]
    ) -> Transition:
        key = (told.rule, told.target)
        fire = None if told.change is Change.FIRED else fires.get(key, told.fire)
        row = msgspec.structs.asdict(told)
        row |= {"tape": self.tape, "change": told.change.value, "is_minor": told.change in MINOR, "fire": fire}
        row["withheld"] = told.withheld and told.withheld.value
        row["messages"] = msgspec.json.encode(told.messages).decode() if told.messages else None
        del row["number"]
        number = connection.execute(
            f"insert into alert_history ({', '.join(row)}) values ({', '.join(f':{name}' for name in row)})", row
        ).lastrowid
        assert number is not None
        if told.change is Change.FIRED:
            fires[key] = fire = number
        elif told.change in _ENDS:
            fires[key] = None
        return msgspec.structs.replace(told, number=number, fire=fire)

    def _keep(self, connection: sqlite3.Connection, entry: Entry, lives: Iterable[RuleLife]) -> None:
        connection.executemany(
            "insert or replace into alert_cursors values (?, ?, ?)",
            [(self.tape, beat, read_ms) for beat, read_ms in entry.cursors.items()],
        )
        connection.executemany(
            "insert or replace into alert_begun values (?, ?, ?, ?)",
            [(self.tape, rule, each.revision, each.begun_ms) for rule, each in entry.begun.items()],
        )
        connection.executemany(
            "delete from alert_begun where (tape, rule) = (?, ?)", [(self.tape, rule) for rule in entry.over]
        )
        connection.executemany(
            "delete from alert_lives where (tape, rule, target) = (?, ?, ?)",
            [(self.tape, rule, target) for rule, target in entry.gone],
        )
        connection.executemany(
            f"insert or replace into alert_lives (tape, {_LIFE}) values (?{', ?' * 12})",
            [(self.tape, *_row(each)) for each in lives],
        )


_ENDS = (Change.RESOLVED, Change.SUPERSEDED)
_LIFE = "rule, target, stage, veil, held_ms, seen_ms, fired_ms, since_ms, changes, fire, is_told, is_veil_told"


def _row(kept: RuleLife) -> tuple[Any, ...]:
    life = kept.life
    seen_ms = None if kept.is_as_read else life.seen_ms
    return (
        *(kept.rule, kept.target, life.stage.value, life.veil.value, life.held_ms, seen_ms, life.fired_ms),
        *(kept.since_ms, kept.changes, kept.fire, kept.is_told, kept.is_veil_told),
    )


def _life(rule: int, target: str, stage: str, veil: str, *rest: Any) -> RuleLife:
    held_ms, seen_ms, fired_ms, since_ms, changes, fire, is_told, is_veil_told = rest
    life = Life(seen_ms or 0, Stage(stage), Veil(veil), held_ms, fired_ms)
    return RuleLife(*(rule, target, life, seen_ms is None, since_ms, changes, fire, bool(is_told), bool(is_veil_told)))


def _with_fire(kept: RuleLife, fires: Mapping[tuple[int, str], int | None]) -> RuleLife:
    return replace(kept, fire=fires.get((kept.rule, kept.target), kept.fire))


def _numbered(message: Message, number: int) -> Message:
    return msgspec.structs.replace(message, notice=msgspec.structs.replace(message.notice, number=number))
