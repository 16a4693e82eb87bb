"""Rules that are read at one pace: with the bars of a length, with each update, or every few seconds."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Literal, NamedTuple

from pairscope.alerts.ledger import RuleLife
from pairscope.alerts.machine import Life
from pairscope.alerts.panel import NOT_READ, Glance, MetricNow, Panel, Placed
from pairscope.alerts.questions import Question, questions_of
from pairscope.alerts.relive import is_quiet
from pairscope.alerts.rule import AlertRule, Comparison
from pairscope.alerts.telling import Occasion
from pairscope.base.interval import Interval
from pairscope.base.model import IntArray

Key = tuple[int, str]  # of a rule on a target


class Tempo(NamedTuple):
    """When rules are read. Slow ones are read by themselves, so that no other waits for them."""

    kind: Literal["bars", "updates", "system"]
    interval: str = ""  # of bars
    is_slow: bool = False

    @property
    def name(self) -> str:
        """By which it is kept how far was read.

        >>> Tempo("bars", "10s").name, Tempo("updates", is_slow=True).name
        ('10s', 'updates slow')
        """
        return f"{self.interval or self.kind}{' slow' if self.is_slow else ''}"

    @classmethod
    def of(cls, rule: AlertRule, is_slow: bool) -> Tempo:
        """That of a rule."""
        if rule.scope == "system":
            return cls("system")
        return cls("updates", "", is_slow) if rule.on_update else cls("bars", rule.interval, is_slow)


class Beat:
    """The rules of one pace on their targets, what they ask, how far they were read, and what of that is written."""

    def __init__(
        self, pace: Tempo, read_ms: int, placed: Sequence[Placed], kept: Mapping[Key, RuleLife], before: Beat | None
    ) -> None:
        """`before` is the beat of this pace before rules or targets were changed."""
        self.pace = pace
        self.read_ms = read_ms  # the end of the last bar that was read
        lives = {key: _alive(each, read_ms) for key, each in kept.items()}
        self.panel = Panel(placed, lives)
        self.kept = [kept[each.key] for each in placed]
        self.questions = questions_of(self.panel.slots)
        self.found: Sequence[MetricNow] = [NOT_READ] * len(self.panel.slots)
        self.is_recalled = before is not None  # what was read last is known
        self.silent_ms = 0  # the end of the last bar that was passed while nothing came
        self.waits_since_s: float | None = None  # for trades that are being fetched
        self.given_up_until_s = float("-inf")
        self.updated_s = float("-inf")  # when open bars were read last
        self.is_replaced = False  # by another, because rules or targets are others now
        self._places = {each.key: place for place, each in enumerate(placed)}
        self._written = {key: row for key, row in kept.items() if not row.is_as_read}  # with a time of their own
        if before is not None:
            self.silent_ms = before.silent_ms
            self.panel.carry(before.panel)
            self._written = {key: row for key, row in before._written.items() if key in self._places}
            known = dict(zip(before.panel.slots, before.found, strict=True))
            self.found = [known.get(slot, NOT_READ) for slot in self.panel.slots]

    def has(self, key: Key) -> bool:
        """Whether a rule on a target is one of these."""
        return key in self._places

    @property
    def interval(self) -> Interval:
        return Interval.parse(self.pace.interval)

    @property
    def crosses(self) -> bool:
        """Whether what was read before matters."""
        clauses = (each for placed in self.panel.placed for each in placed.kept.rule.clauses)
        return any(each.comparison in (Comparison.CROSSES_ABOVE, Comparison.CROSSES_BELOW) for each in clauses)

    def is_answered(self, question: Question) -> bool:
        """Whether something was found for it since it was first asked."""
        return all(self.found[each.slot] is not NOT_READ for each in question.asked)

    def with_answers(self, answers: Iterable[tuple[int, MetricNow]]) -> list[MetricNow]:
        """What is known of all slots once some were answered."""
        found = list(self.found)
        for slot, known in answers:
            found[slot] = known
        return found

    def occasions(self, glance: Glance, bar_ms: int | None) -> list[Occasion]:
        """What a moment did, with the values it did it by."""
        return [
            Occasion(
                placed=self.panel.placed[each.place],
                kept=self.kept[each.place],
                life=each.life,
                changes=each.changes,
                time_ms=glance.time_ms,
                bar_ms=self._bar_ms(each.place, glance.time_ms) if bar_ms is None else bar_ms,
                first=self.known(each.place, 0),
                second=self.known(each.place, 1),
            )
            for each in glance.moved
            if each.changes
        ]

    def _bar_ms(self, place: int, time_ms: int) -> int | None:
        """The open bar of a rule that is read on each update."""
        rule = self.panel.placed[place].kept.rule
        return None if rule.scope == "system" else rule.bars.floor(time_ms)

    def known(self, place: int, clause: int) -> MetricNow | None:
        """What was found last for a condition."""
        slot = self.panel.slot_of(place, clause)
        return None if slot is None else self.found[slot]

    def revised(
        self, opens_ms: Mapping[tuple[str, int], IntArray], made_of: Callable[[Interval], Interval]
    ) -> set[int]:
        """The fires of the open episodes within which bars were made anew, given by symbol and length."""
        found = set()
        for place in self.panel.restless:
            fire, fired_ms = self.kept[place].fire, self.panel.life(place).fired_ms
            rule, target = self.panel.placed[place].kept.rule, self.panel.placed[place].target
            if fire is None or fired_ms is None or not target:
                continue
            base, first_ms = made_of(rule.bars), fired_ms - rule.hold_ms - rule.bars.ms
            opens = [opens_ms[symbol, base.ms] for symbol in target if (symbol, base.ms) in opens_ms]
            if any(((each >= first_ms) & (each < self.read_ms)).any() for each in opens):
                found.add(fire)
        return found

    def noted(self, lives: Iterable[RuleLife]) -> None:
        """Keep what is known of lives besides themselves, as it was written."""
        for each in lives:
            if (place := self._places.get((each.rule, each.target))) is not None:
                self.kept[place] = each

    def rows(self) -> list[RuleLife]:
        """The lives that are not as they are written: those with something going on, and those less is known of.

        What has come to rest had something going on when it was written last.
        """
        held = (place for key in self._written if (place := self._places.get(key)) is not None)
        rows = []
        for place in sorted({*self.panel.restless, *self.panel.unknown(self.read_ms), *held}):
            life = self.panel.life(place)
            as_read = is_quiet(life) and life.seen_ms == self.read_ms
            row = replace(self.kept[place], life=life, is_as_read=as_read)
            if row != self._written.get((row.rule, row.target)):
                rows.append(row)
        return rows

    def written(self, rows: Iterable[RuleLife]) -> None:
        """These rows are on the disk now."""
        for each in rows:
            self._written.pop((each.rule, each.target), None)
            if not each.is_as_read:
                self._written[each.rule, each.target] = each


def _alive(kept: RuleLife, read_ms: int) -> Life:
    return replace(kept.life, seen_ms=read_ms) if kept.is_as_read else kept.life
