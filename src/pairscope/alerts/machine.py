"""The life of a rule on one target: readings and their time in, what changed out. No clock, no database, no surprise.

A condition that holds long enough fires once. It is over when the value has come back past the reset level, not when it
merely leaves the threshold. What is not known neither fires a rule nor ends what it told.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass, replace


class Level(enum.IntEnum):
    """Where a value stands. Of two conditions joined by `and` the lower one counts."""

    CLEAR = 0  # past the reset level
    NONE = 1  # not known
    BETWEEN = 2  # the reset level and the threshold
    BREACH = 3  # the condition is true


class Stage(enum.StrEnum):
    INACTIVE = "inactive"
    PENDING = "pending"  # true, but not for long enough, or within the cooldown
    FIRING = "firing"
    RECOVERING = "recovering"  # past the reset level, but not for long enough


class Veil(enum.StrEnum):
    """What lies over the stage while there is no value."""

    NONE = ""
    NO_DATA = "no_data"
    ERROR = "error"


class Change(enum.StrEnum):
    """What a reading did."""

    PENDING = "pending"
    DROPPED = "dropped"  # not true for long enough
    FIRED = "fired"
    RECOVERING = "recovering"
    RETURNED = "returned"  # it breaks out again before it is over: the same episode, told once
    RESOLVED = "resolved"
    NO_DATA = "no_data"
    ERROR = "error"
    DATA_BACK = "data_back"
    SUPERSEDED = "superseded"  # by another condition: over, and not because the value came back


@dataclass(frozen=True, slots=True)
class Patience:
    """How long things have to last."""

    hold_ms: int = 0  # true, until it fires
    keep_ms: int = 0  # past the reset level, until it is over
    cooldown_ms: int = 0  # from one fire to the next
    no_data_after_ms: int = 60_000
    step_ms: int = 1_000  # between two readings; what is further apart is a gap, which counts as nothing held


@dataclass(frozen=True, slots=True)
class Reading:
    time_ms: int
    level: Level
    enters: bool = True  # False where the value has not crossed what it should have crossed
    is_error: bool = False  # of a level that is not known


@dataclass(frozen=True, slots=True)
class Life:
    """All that is kept between two readings."""

    seen_ms: int  # the last reading that was known; before the first, the beginning
    stage: Stage = Stage.INACTIVE
    veil: Veil = Veil.NONE
    held_ms: int = 0  # how long it has been true, or past the reset level
    fired_ms: int | None = None  # the last time


def step(life: Life, reading: Reading, patience: Patience) -> tuple[Life, tuple[Change, ...]]:
    """One reading. Of a time that was seen already it changes nothing."""
    gone_ms = reading.time_ms - life.seen_ms
    if reading.level is Level.NONE:
        if life.veil is not Veil.NONE or gone_ms < patience.no_data_after_ms:
            return life, ()
        veil = Veil.ERROR if reading.is_error else Veil.NO_DATA
        return replace(life, veil=veil), (Change(veil.value),)
    if gone_ms <= 0:
        return life, ()
    back = (Change.DATA_BACK,) if life.veil is not Veil.NONE else ()
    held_ms = life.held_ms + (gone_ms if gone_ms <= patience.step_ms else 0)
    life = replace(life, seen_ms=reading.time_ms, veil=Veil.NONE)
    life, changes = _RULES[life.stage](life, reading, held_ms, patience)
    return life, back + changes


def supersede(life: Life) -> tuple[Life, tuple[Change, ...]]:
    """The condition is another one from now on: what it had told is over, and is not said to have come back."""
    is_open = life.stage in (Stage.FIRING, Stage.RECOVERING)
    fresh = replace(life, stage=Stage.INACTIVE, veil=Veil.NONE, held_ms=0)
    return fresh, (Change.SUPERSEDED,) if is_open else ()


def _inactive(life: Life, reading: Reading, held_ms: int, patience: Patience) -> tuple[Life, tuple[Change, ...]]:
    if reading.level is not Level.BREACH or not reading.enters:
        return life, ()
    life, changes = _pending(replace(life, stage=Stage.PENDING), reading, 0, patience)
    return life, changes or (Change.PENDING,)


def _pending(life: Life, reading: Reading, held_ms: int, patience: Patience) -> tuple[Life, tuple[Change, ...]]:
    if reading.level is not Level.BREACH:
        return replace(life, stage=Stage.INACTIVE, held_ms=0), (Change.DROPPED,)
    is_cool = life.fired_ms is None or reading.time_ms - life.fired_ms >= patience.cooldown_ms
    if held_ms < patience.hold_ms or not is_cool:
        return replace(life, held_ms=held_ms), ()
    return replace(life, stage=Stage.FIRING, held_ms=0, fired_ms=reading.time_ms), (Change.FIRED,)


def _firing(life: Life, reading: Reading, held_ms: int, patience: Patience) -> tuple[Life, tuple[Change, ...]]:
    if reading.level is not Level.CLEAR:
        return replace(life, held_ms=0), ()
    life, changes = _recovering(replace(life, stage=Stage.RECOVERING), reading, 0, patience)
    return life, changes or (Change.RECOVERING,)


def _recovering(life: Life, reading: Reading, held_ms: int, patience: Patience) -> tuple[Life, tuple[Change, ...]]:
    if reading.level is not Level.CLEAR:
        return replace(life, stage=Stage.FIRING, held_ms=0), (Change.RETURNED,)
    if held_ms < patience.keep_ms:
        return replace(life, held_ms=held_ms), ()
    return replace(life, stage=Stage.INACTIVE, held_ms=0), (Change.RESOLVED,)


_RULES = {
    Stage.INACTIVE: _inactive,
    Stage.PENDING: _pending,
    Stage.FIRING: _firing,
    Stage.RECOVERING: _recovering,
}
