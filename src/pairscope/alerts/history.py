"""The history of rules as people ask for it: pages of it, counts, notes, and how long it is kept."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from pairscope.alerts.machine import Change
from pairscope.alerts.transition import HistoryQuery, RuleCounts, Transition, Withheld
from pairscope.base.errors import UnknownName
from pairscope.base.interval import DAY_MS
from pairscope.store.state import State

MINOR_KEPT_MS = 7 * DAY_MS
MOST_MINOR = 10_000  # steps on the way, of one rule; the oldest go first


class AlertHistory:
    """Reads the history of all tapes, and notes what is known later; for any thread, one call at a time."""

    def __init__(self, state: State) -> None:
        self._state = state

    def transitions(self, query: HistoryQuery) -> list[Transition]:
        """Those that are asked for, the newest first."""
        wanted: list[tuple[str, Any]] = [
            ("rule = ?", query.rule),
            ("target = ?", query.target),
            ("time_ms >= ?", query.from_ms),
            ("time_ms < ?", query.to_ms),
            ("number < ?", query.before),
        ]
        given = [(text, value) for text, value in wanted if value is not None]
        where, values = [text for text, _ in given], [value for _, value in given]
        if query.changes:
            where.append(f"change in ({', '.join('?' * len(query.changes))})")
            values += [each.value for each in query.changes]
        elif not query.minor:
            where.append("not is_minor")
        condition = f" where {' and '.join(where)}" if where else ""
        return self._read(f"{condition} order by number desc limit ?", [*values, query.limit])

    def get(self, number: int) -> Transition:
        """One transition.

        Raises:
            UnknownName: when there is none of this number.
        """
        found = self._read(" where number = ?", [number])
        if not found:
            raise UnknownName(f"there is no transition {number}", cure="ask /alerts/history for those that are there")
        return found[0]

    def note(self, number: int, text: str) -> Transition:
        """Write a remark on a transition, in place of one that is there.

        Raises:
            UnknownName: when there is none of this number.
        """
        with self._state.change() as connection:
            connection.execute("update alert_history set note = ? where number = ?", (text, number))
        return self.get(number)

    def revised(self, fires: Sequence[int], at_ms: int) -> None:
        """Note of episodes, by the transitions they began with, that a bar of them was made anew."""
        with self._state.change() as connection:
            connection.executemany(
                "update alert_history set revised_ms = ? where number = ?", [(at_ms, each) for each in fires]
            )

    def tell_health(self, numbers: Sequence[int], health: str) -> None:
        """Note of transitions of a pair which health it had."""
        with self._state.change() as connection:
            connection.executemany(
                "update alert_history set health = ? where number = ?", [(health, each) for each in numbers]
            )

    def counts(
        self, begun_ms: Mapping[int, int], days: float, at_ms: int, *, simulated: bool = False
    ) -> list[RuleCounts]:
        """What rules did within so many days before a time.

        Args:
            begun_ms: since when each rule is there, by its number.
            simulated: what they did on trades of no market, and not what they did on those of one.
        """
        from_ms = at_ms - round(days * DAY_MS)
        of = {"from_ms": from_ms, "at_ms": at_ms, "simulated": simulated, "rule": next(iter(begun_ms), None)}
        which = "rule = :rule" if len(begun_ms) == 1 else "rule is not null"
        found = {rule: rest for rule, *rest in self._state.rows(_COUNTS.replace("{which}", which), of)}
        last = dict(self._state.rows(_LAST_FIRED.replace("{which}", which), of))
        told = []
        for rule, since_ms in begun_ms.items():
            fires, resolves, no_data, withheld, judged, reverted, timed = found.get(rule, (0,) * 7)
            span = max(0, at_ms - max(from_ms, since_ms)) / DAY_MS
            told.append(
                RuleCounts(
                    rule=rule,
                    fires=fires,
                    resolves=resolves,
                    no_data=no_data,
                    withheld=withheld,
                    last_fired_ms=last.get(rule),
                    days=span,
                    fires_a_day=fires / span if span else None,
                    judged=judged,
                    reverted=reverted,
                    reverted_share=reverted / judged if judged else None,
                    reverted_reason=None if judged else _why_unjudged(fires, timed),
                )
            )
        return told

    def forget(self, at_ms: int, kept_ms: int) -> int:
        """Drop what is older than it is kept, of each rule by itself.

        Returns:
            How many were dropped.
        """
        with self._state.change() as connection:
            old = "delete from alert_history where recorded_ms < ? and is_minor = ?"
            dropped = connection.execute(old, (at_ms - min(kept_ms, MINOR_KEPT_MS), 1)).rowcount
            dropped += connection.execute(old, (at_ms - kept_ms, 0)).rowcount
            rules = connection.execute(
                "select rule from alert_history where is_minor group by rule having count(*) > ?", (MOST_MINOR,)
            ).fetchall()
            for (rule,) in rules:
                dropped += connection.execute(
                    "delete from alert_history where rule = ? and is_minor = 1 and number <= ("
                    " select number from alert_history where rule = ? and is_minor = 1"
                    " order by number desc limit 1 offset ?)",
                    (rule, rule, MOST_MINOR),
                ).rowcount
        return dropped

    def _read(self, rest: str, values: Sequence[Any]) -> list[Transition]:
        rows = self._state.rows(f"select {', '.join(_COLUMNS)} from alert_history{rest}", values)
        return [_transition(dict(zip(_COLUMNS, row, strict=True))) for row in rows]


_COLUMNS = Transition.__struct_fields__
_LAST_FIRED = """
    select rule, max(time_ms) from alert_history where {which} and change = 'fired' and simulated = :simulated
    group by rule
"""
# A fire is judged once two half-lives are over, or when it is over before.
_COUNTS = """
    with judged as (
        select f.rule, f.half_life_ms is not null as is_timed, r.time_ms - f.time_ms <= 2 * f.half_life_ms as reverted,
            f.withheld is not null as withheld, r.time_ms is not null or f.time_ms + 2 * f.half_life_ms <= :at_ms as old
        from alert_history f left join alert_history r on r.fire = f.number and r.change = 'resolved'
        where f.{which} and f.change = 'fired' and f.recorded_ms > :from_ms and f.simulated = :simulated
    ),
    fires as (
        select rule, count(*) as fires, sum(withheld) as withheld, sum(is_timed and old) as judged,
            sum(coalesce(is_timed and reverted, 0)) as reverted, sum(is_timed) as timed from judged group by rule
    ),
    others as (
        select rule, sum(change = 'resolved') as resolves, sum(change in ('no_data', 'error')) as no_data
        from alert_history
        where {which} and not is_minor and recorded_ms > :from_ms and simulated = :simulated group by rule
    )
    select rule, coalesce(fires, 0), resolves, no_data, coalesce(withheld, 0), coalesce(judged, 0),
        coalesce(reverted, 0), coalesce(timed, 0)
    from others left join fires using (rule)
"""


def _why_unjudged(fires: int, timed: int) -> str:
    return "no_fires" if not fires else "too_recent" if timed else "no_half_life"


def _transition(row: dict[str, Any]) -> Transition:
    row["change"], row["simulated"] = Change(row["change"]), bool(row["simulated"])
    row["withheld"] = row["withheld"] and Withheld(row["withheld"])
    row["messages"] = msgspec.json.decode(row["messages"], type=dict[str, str]) if row["messages"] else {}
    if row["change"] is Change.FIRED:
        row["fire"] = row["number"]
    return Transition(**row)
