"""The addresses of what rules are doing and have done."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from dataclasses import replace

from pairscope.alerts.alerts import Alerts
from pairscope.alerts.machine import Change
from pairscope.alerts.rule import SYSTEM
from pairscope.alerts.transition import HistoryQuery, RuleStanding, Transition
from pairscope.api import wire
from pairscope.api.alert_answers import event_info, standing_info, urgency
from pairscope.api.alert_rules import GROUP, LARGEST_NUMBER, RULE, RULE_IN_PATH, optional_number, rule_number
from pairscope.api.endpoint import Context, Endpoint
from pairscope.api.parameters import FROM, TO
from pairscope.api.query import Parameter, Query
from pairscope.base.reading import ascii_lower, read_choice

MOST_EVENTS = 5_000
MOST_STANDING = 5_000
CHANGES = tuple(str(each) for each in Change)

EVENT_IN_PATH = replace(RULE_IN_PATH, description="Number of an event.")
TARGET = Parameter(
    "target",
    "Only of a symbol, of a pair Y/X, or of `system`.",
    {"type": "string"},
    "ETHUSDT/BTCUSDT",
)
CHANGE = Parameter(
    "change",
    f"Only some changes, between commas: {', '.join(CHANGES)}. Without it those that matter, and not the steps on the"
    " way to them.",
    {"type": "string"},
    "fired,resolved",
)
MINOR = Parameter("minor", "The steps on the way too.", {"type": "boolean", "default": False}, "true")
BEFORE = Parameter(
    "before",
    "Only those before a number: the `next` of the answer before.",
    {"type": "integer", "minimum": 1, "maximum": LARGEST_NUMBER},
    100,
)
EVENTS = Parameter(
    "limit",
    "At most so many, the newest; never more than the setting `alert_history`.",
    {"type": "integer", "minimum": 1, "maximum": MOST_EVENTS, "default": 100},
    100,
)
STANDINGS = Parameter(
    "limit",
    "At most so many.",
    {"type": "integer", "minimum": 1, "maximum": MOST_STANDING, "default": 100},
    100,
)


def events_of(alerts: Alerts, found: Iterable[Transition]) -> list[wire.AlertEvent]:
    """Transitions with what became of their messages; for a thread."""
    events = list(found)
    ids = [each for event in events for each in event.messages.values()]
    letters = {each.id: each for each in alerts.delivery.letters(ids=ids, limit=len(ids))} if ids else {}
    return [event_info(each, letters) for each in events]


async def get_alert_history(context: Context, query: Query) -> wire.AlertEvents:
    alerts = context.rooms.alerts
    limit = min(query.integer("limit"), context.settings.alert_history)
    asked = HistoryQuery(
        limit=limit,
        rule=optional_number(query, "rule"),
        target=_target(context, query),
        changes=tuple(Change(read_choice("change", each, CHANGES)) for each in query.names("change")),
        minor=query.flag("minor"),
        from_ms=query.time_ms("from"),
        to_ms=query.time_ms("to"),
        before=optional_number(query, "before"),
    )
    async with context.gates.disk.turn():
        events = await context.live.reads.run(lambda _: events_of(alerts, alerts.history(asked)))
    return wire.AlertEvents(events=events, limit=limit, next=events[-1].number if len(events) == limit else None)


async def put_alert_note(context: Context, query: Query) -> wire.AlertEvent:
    alerts, asked, number = context.rooms.alerts, query.body, rule_number(query)
    return await asyncio.to_thread(lambda: events_of(alerts, [alerts.note(number, asked.note)])[0])


async def get_alert_standing(context: Context, query: Query) -> wire.AlertStandings:
    alerts, limit = context.rooms.alerts, query.integer("limit")
    rule, target = optional_number(query, "rule"), _target(context, query)
    async with context.gates.disk.turn():
        found = await context.live.reads.run(lambda _: standing_of(alerts, rule, target))
    return wire.AlertStandings(
        standing=[standing_info(each) for each in found[:limit]], left_out=max(0, len(found) - limit)
    )


async def pair_alerts(context: Context, target: str, from_ms: int, to_ms: int) -> wire.PairAlerts:
    """What rules say of a pair: where they stand now, and what happened on it within a time."""
    alerts = context.rooms.alerts
    asked = HistoryQuery(limit=context.settings.alert_history, target=target, from_ms=from_ms, to_ms=to_ms)

    def read(_: object) -> wire.PairAlerts:
        standing = [standing_info(each) for each in standing_of(alerts, target=target)]
        return wire.PairAlerts(standing=standing, events=events_of(alerts, alerts.history(asked)))

    return await context.live.reads.run(read)


def standing_of(alerts: Alerts, rule: int | None = None, target: str | None = None) -> list[RuleStanding]:
    """Where rules stand, the most urgent first; for a thread."""
    found = [each for each in alerts.standing(rule) if target in (None, each.target)]
    return sorted(found, key=urgency)


def _target(context: Context, query: Query) -> str | None:
    """The target that is asked for, in its own spelling.

    Raises:
        UnknownName: when a symbol of it is not known, with the nearest one as the cure.
    """
    text, table = query.text("target"), context.live.symbols
    if text is None or ascii_lower(text) == SYSTEM:
        return text and SYSTEM
    return "/".join(table.name(table.index(part.strip())) for part in text.replace("-", "/").split("/"))


ALERT_HISTORY = (
    Endpoint(
        path="/alerts/history",
        group=GROUP,
        summary="What became of rules",
        description="The newest first: each change with its value, its window, the quality of its data and the bar it"
        " was read from; whether it was sent, and what became of its messages, or why it was not.",
        answer=wire.AlertEvents,
        handler=get_alert_history,
        example="/alerts/history?limit=50",
        parameters=(EVENTS, RULE, TARGET, CHANGE, MINOR, FROM, TO, BEFORE),
    ),
    Endpoint(
        path="/alerts/history/{id}/note",
        group=GROUP,
        summary="Write a remark on an event",
        description="In place of the one that is there; an empty one takes it away.",
        answer=wire.AlertEvent,
        handler=put_alert_note,
        example="/alerts/history/1/note",
        parameters=(EVENT_IN_PATH,),
        body=wire.NewNote,
        example_body={"note": "of the outage at noon"},
        writes_state=True,
        method="PUT",
    ),
    Endpoint(
        path="/alerts/standing",
        group=GROUP,
        summary="Where rules stand now",
        description="On each of their targets: value, distance to the threshold, stage, and since when. What fires"
        " comes first, then what is nearest to it.",
        answer=wire.AlertStandings,
        handler=get_alert_standing,
        example="/alerts/standing?limit=50",
        parameters=(RULE, TARGET, STANDINGS),
    ),
)
