"""A second state machine of alerts, written another way: it keeps all readings, and counts anew from them each time.

Nothing is shared with `alerts.machine`. It is slow, and says what the documentation says.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import pairwise


@dataclass
class Model:
    """A rule `value > high`, over when the value is `low` or less."""

    high: float
    low: float
    hold_ms: int
    keep_ms: int
    cooldown_ms: int
    silence_ms: int
    step_ms: int
    seen: list[tuple[int, float]] = field(default_factory=list)  # since the stage began, what was known
    newest_ms: int = 0
    stage: str = "inactive"
    told_silence: bool = False
    last_fire_ms: int | None = None

    def nothing(self, at_ms: int, why: str) -> list[str]:
        if self.told_silence or at_ms - self.newest_ms < self.silence_ms:
            return []
        self.told_silence = True
        return [why]

    def value(self, at_ms: int, value: float) -> list[str]:
        if at_ms <= self.newest_ms:
            return []
        told = ["data_back"] if self.told_silence else []
        self.told_silence, self.newest_ms = False, at_ms
        self.seen.append((at_ms, value))
        while (news := self._moves(at_ms, value)) is not None:
            told += [news] if news else []
        return told

    def another_condition(self) -> list[str]:
        was_open = self.stage in ("firing", "recovering")
        self.stage, self.told_silence, self.seen = "inactive", False, []
        return ["superseded"] if was_open else []

    def _moves(self, at_ms: int, value: float) -> str | None:
        """The next thing that happens at this moment; "" when it is told by what follows, None when all is done."""
        if self.stage == "inactive" and value > self.high:
            self._enter("pending", at_ms, value)
            return "" if self.hold_ms == 0 and self._is_cool(at_ms) else "pending"
        if self.stage == "pending" and value <= self.high:
            self._enter("inactive", at_ms, value)
            return "dropped"
        if self.stage == "pending" and self._lasted() >= self.hold_ms and self._is_cool(at_ms):
            self._enter("firing", at_ms, value)
            self.last_fire_ms = at_ms
            return "fired"
        if self.stage == "firing" and value <= self.low:
            self._enter("recovering", at_ms, value)
            return "" if self.keep_ms == 0 else "recovering"
        if self.stage == "recovering" and value > self.low:
            self._enter("firing", at_ms, value)
            return "returned"
        if self.stage == "recovering" and self._lasted() >= self.keep_ms:
            self._enter("inactive", at_ms, value)
            return "resolved"
        return None

    def _enter(self, stage: str, at_ms: int, value: float) -> None:
        self.stage, self.seen = stage, [(at_ms, value)]

    def _is_cool(self, at_ms: int) -> bool:
        return self.last_fire_ms is None or at_ms >= self.last_fire_ms + self.cooldown_ms

    def _lasted(self) -> int:
        """All of the time between neighbours that are no gap apart."""
        times = [at_ms for at_ms, _ in self.seen]
        steps = [b - a for a, b in pairwise(times)]
        return sum(each for each in steps if each <= self.step_ms)
