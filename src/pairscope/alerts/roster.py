"""All beats of the rules as they stand in the book, and what it means for episodes that a rule is another one now."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from pairscope.alerts.beat import Beat, Key, Tempo
from pairscope.alerts.book import Kept
from pairscope.alerts.ledger import Begun, Entry, Held, RuleLife
from pairscope.alerts.machine import Change, Life, supersede
from pairscope.alerts.panel import Placed
from pairscope.alerts.rule import AlertRule
from pairscope.alerts.targets import targets_of
from pairscope.alerts.transition import Transition


@dataclass(frozen=True, slots=True)
class Plan:
    """What is to be read now: rules that are switched on, on what is watched."""

    rules: Sequence[Kept]
    symbols: Sequence[str]
    pairs: Sequence[tuple[str, str]]
    is_slow: Callable[[AlertRule], bool]  # whether others must not wait for a rule
    begins_ms: Callable[[Tempo], int | None]  # where a pace begins that was never read; None while nobody can tell

    def by_pace(self) -> dict[Tempo, list[Placed]]:
        """Each rule on each of its targets."""
        found: dict[Tempo, list[Placed]] = {}
        for kept in self.rules:
            targets = targets_of(kept.rule, self.symbols, self.pairs)
            pace = Tempo.of(kept.rule, self.is_slow(kept.rule))
            found.setdefault(pace, []).extend(Placed(kept, target) for target in targets)
        return found


@dataclass(frozen=True, slots=True)
class Roster:
    """The beats, since when each rule is read, and lives that wait for their beat to begin."""

    beats: Mapping[Tempo, Beat] = field(default_factory=dict)
    begun: Mapping[int, Begun] = field(default_factory=dict)
    waiting: Mapping[Key, RuleLife] = field(default_factory=dict)
    cursors: Mapping[str, int] = field(default_factory=dict)  # of what was read before the start

    @classmethod
    def held(cls, held: Held) -> Roster:
        """As it is written, before anything is read."""
        return cls({}, held.begun, {(each.rule, each.target): each for each in held.lives}, held.cursors)

    def lives(self) -> dict[Key, RuleLife]:
        """What is kept of all."""
        found = dict(self.waiting)
        for beat in self.beats.values():
            for place, (placed, kept) in enumerate(zip(beat.panel.placed, beat.kept, strict=True)):
                found[placed.key] = replace(kept, life=beat.panel.life(place), is_as_read=False)
        return found

    def placed(self) -> dict[Key, Placed]:
        """All that is read."""
        return {placed.key: placed for beat in self.beats.values() for placed in beat.panel.placed}

    def read_ms(self, key: Key) -> int | None:
        """How far the one of a key was read."""
        return next((beat.read_ms for beat in self.beats.values() if beat.has(key)), None)


def renew(before: Roster, plan: Plan, at_ms: int) -> tuple[Roster, Entry]:
    """The roster of a plan in place of another, and what of that is to be written.

    A rule with the same condition goes on. One with another begins anew, and so does a target that is new; an episode
    that was open ends there, as superseded, as does that of a rule or a target that is no more.
    """
    renewal = _Renewal(before, plan)
    for pace, placed in plan.by_pace().items():
        renewal.take(pace, placed)
    return renewal.done(at_ms)


class _Renewal:
    """A roster on the way to the next."""

    def __init__(self, before: Roster, plan: Plan) -> None:
        self._before, self._plan = before, plan
        self._lives = before.lives()
        self._beats: dict[Tempo, Beat] = {}
        self._goes_on: set[Key] = set()
        self._waiting: dict[Key, RuleLife] = {}
        self._begun: dict[int, Begun] = {}
        self._fresh: list[RuleLife] = []

    def take(self, pace: Tempo, placed: Sequence[Placed]) -> None:
        """The rules of a pace."""
        old, begins_ms = self._before.beats.get(pace), self._plan.begins_ms(pace)
        if old is not None:
            read_ms: int | None = old.read_ms
        elif begins_ms is not None and any(self._is_read(each.kept) for each in placed):
            read_ms = self._before.cursors.get(pace.name, begins_ms)
        else:  # what was read before was for others
            read_ms = begins_ms
        if read_ms is None:
            self._waiting |= {each.key: self._lives[each.key] for each in placed if each.key in self._lives}
            return
        kept = {each.key: self._life(each, read_ms, max(read_ms, begins_ms or 0)) for each in placed}
        self._beats[pace] = Beat(pace, read_ms, placed, kept, old)

    def _life(self, placed: Placed, read_ms: int, begins_ms: int) -> RuleLife:
        number, life = placed.kept.number, self._lives.get(placed.key)
        if self._is_read(placed.kept):
            if life is not None:
                self._goes_on.add(placed.key)
                return life
            return _fresh(placed.key, max(read_ms, self._before.begun[number].begun_ms))
        self._begun[number] = Begun(placed.kept.revision, begins_ms)
        fresh = _fresh(placed.key, begins_ms)
        if life is None:
            return fresh
        # Of the same rule with another condition: how often it changed, and when it fired last.
        again = replace(supersede(life.life)[0], seen_ms=begins_ms)
        self._fresh.append(replace(fresh, life=again, changes=life.changes + 1))
        return self._fresh[-1]

    def _is_read(self, kept: Kept) -> bool:
        """Whether a rule was read before with the same condition."""
        known = self._before.begun.get(kept.number)
        return known is not None and known.revision == kept.revision

    def done(self, at_ms: int) -> tuple[Roster, Entry]:
        numbers = {each.number for each in self._plan.rules}
        over = [number for number in self._before.begun if number not in numbers]
        begun = {number: each for number, each in self._before.begun.items() if number in numbers} | self._begun
        roster = Roster(self._beats, begun, self._waiting, self._before.cursors)
        left = [key for key in self._lives if key not in self._goes_on and key not in self._waiting]
        placed = roster.placed()
        ended = [told for key in left if (told := self._ended(key, at_ms)) is not None]
        gone = [key for key in left if key not in placed]
        new = {pace.name: beat.read_ms for pace, beat in self._beats.items() if pace not in self._before.beats}
        entry = Entry(cursors=new, begun=self._begun, over=over, lives=self._fresh, gone=gone, transitions=ended)
        return roster, entry

    def _ended(self, key: Key, at_ms: int) -> Transition | None:
        """The end of an episode that goes on no more; None when none was open."""
        life = self._lives[key]
        if Change.SUPERSEDED not in supersede(life.life)[1]:
            return None
        number, target = key
        placed, known = self._before.placed().get(key), self._before.begun.get(number)
        kept = placed.kept if placed is not None else _named(number, self._plan.rules)
        return Transition(
            rule=number,
            revision=known.revision if known is not None else 0,
            name=kept.rule.name if kept is not None else f"rule {number}",
            severity=kept.rule.severity if kept is not None else "info",
            target=target,
            change=Change.SUPERSEDED,
            time_ms=self._before.read_ms(key) or at_ms,
            recorded_ms=at_ms,
            fire=life.fire,
        )


def _fresh(key: Key, seen_ms: int) -> RuleLife:
    return RuleLife(*key, Life(seen_ms=seen_ms), is_as_read=False)


def _named(number: int, rules: Iterable[Kept]) -> Kept | None:
    return next((each for each in rules if each.number == number), None)
