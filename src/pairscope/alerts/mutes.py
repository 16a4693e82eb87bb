"""Mutes: until a time, what a rule or all of them would send is recorded and not sent."""

from __future__ import annotations

from dataclasses import dataclass

from pairscope.alerts.audit import note
from pairscope.alerts.book import unknown
from pairscope.alerts.durations import MOST_MS
from pairscope.base.clock import Clock, now_ms
from pairscope.base.errors import RequestError
from pairscope.base.reading import utc_text
from pairscope.store.state import State

_ALL = 0  # no rule has this number


@dataclass(frozen=True, slots=True)
class Mute:
    """``rule`` is the number of a rule, None for all of them. It holds before ``until_ms``, and no longer."""

    rule: int | None
    since_ms: int
    until_ms: int
    remark: str = ""

    def holds(self, rule: int, at_ms: int) -> bool:
        """Whether it keeps what a rule tells at some time.

        >>> Mute(None, 0, 10).holds(7, 9), Mute(3, 0, 10).holds(7, 9), Mute(3, 0, 10).holds(3, 10)
        (True, False, False)
        """
        return self.rule in (None, rule) and at_ms < self.until_ms


class Mutes:
    """Sets and lifts mutes; to be used by any thread, one call at a time, as its state is."""

    def __init__(self, state: State, clock: Clock) -> None:
        self._state = state
        self._clock = clock

    def all(self) -> list[Mute]:
        """Those that hold now; the one on all rules first."""
        rows = self._state.rows(
            "select rule, since_ms, until_ms, remark from alert_mutes where until_ms > ? order by rule",
            (now_ms(self._clock),),
        )
        return [Mute(rule or None, since_ms, until_ms, remark) for rule, since_ms, until_ms, remark in rows]

    def put(self, rule: int | None, until_ms: int, who: str, remark: str = "") -> Mute:
        """Mute a rule or all of them until a time, in place of a mute that is there.

        Raises:
            RequestError: for a time that is over, or further away than 30 days.
            UnknownRule: when there is no such rule.
        """
        at_ms = now_ms(self._clock)
        if not at_ms < until_ms <= at_ms + MOST_MS:
            raise RequestError(
                f"a mute cannot last until {utc_text(until_ms)}",
                cure="give a time to come, within 30 days; a rule that is not wanted for longer can be switched off",
                code="bad_parameter",
            )
        with self._state.change() as connection:
            if (
                rule is not None
                and not connection.execute(
                    "select 1 from alert_rules where number = ? and deleted_ms is null", (rule,)
                ).fetchall()
            ):
                raise unknown(rule)
            connection.execute("delete from alert_mutes where until_ms <= ?", (at_ms,))
            connection.execute(
                "insert or replace into alert_mutes (rule, since_ms, until_ms, remark) values (?, ?, ?, ?)",
                (rule or _ALL, at_ms, until_ms, remark),
            )
            note(connection, at_ms, who, f"muted until {utc_text(until_ms)}", _subject(rule), remark)
        return Mute(rule, at_ms, until_ms, remark)

    def lift(self, rule: int | None, who: str) -> None:
        """Let a rule, or all of them, be heard again; where nothing is muted nothing changes.

        A rule that was muted by itself stays so when the mute on all of them is lifted.
        """
        at_ms = now_ms(self._clock)
        with self._state.change() as connection:
            gone = connection.execute(
                "delete from alert_mutes where rule = ? and until_ms > ?", (rule or _ALL, at_ms)
            ).rowcount
            if gone:
                note(connection, at_ms, who, "unmuted", _subject(rule))


def _subject(rule: int | None) -> str:
    return "all alert rules" if rule is None else f"alert rule {rule}"
