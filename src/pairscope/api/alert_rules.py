"""The addresses of rules of alerts: made, changed, deleted and brought back, in the long form and the short ones."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import Any

from pairscope.alerts.book import Kept
from pairscope.alerts.desk import RuleDesk
from pairscope.alerts.measuring import Measuring
from pairscope.alerts.presets import PRESETS
from pairscope.alerts.reading import Known
from pairscope.alerts.rule import MOST_RULES
from pairscope.api import wire
from pairscope.api.alert_answers import engine_info, mute_info, rule_info, rule_infos
from pairscope.api.caller import asked_by
from pairscope.api.endpoint import Context, Endpoint, Rooms
from pairscope.api.query import Parameter, Query
from pairscope.base.errors import SettingsError
from pairscope.base.interval import Interval
from pairscope.base.reading import ascii_upper, read_integer
from pairscope.base.settings import Settings
from pairscope.base.symbol import normal_symbol
from pairscope.live.analysis import Analyses

LARGEST_NUMBER = 2**53 - 1
EXAMPLE: dict[str, Any] = {"pair": "ETHUSDT/BTCUSDT", "metric": "spread_z", "condition": "outside", "threshold": 2}
GROUP = "Alerts"

_NUMBER = {"type": "integer", "minimum": 1, "maximum": LARGEST_NUMBER}
RULE_IN_PATH = Parameter("id", "Number of a rule.", _NUMBER, 1, where="path", required=True)
RULE = Parameter("rule", "Number of a rule; all of them without it.", _NUMBER, 1)


def rule_desk(settings: Settings, rooms: Rooms, studies: Analyses) -> RuleDesk:
    """Where rules are handed in, for one running system."""
    return RuleDesk(rooms.alerts.book, Measuring(studies, rooms.market), partial(_known, settings, rooms))


def _known(settings: Settings, rooms: Rooms) -> Known:
    return Known(
        symbols=[info.symbol for info in rooms.board.config().symbols],
        pairs=list(rooms.market.pairs),
        intervals=rooms.market.intervals,
        interval=Interval.parse(settings.metric_interval),
        window=settings.window,
        channels=rooms.alerts.delivery.channels.names(),
        normal=_spelled,
    )


def _spelled(symbol: str) -> str:
    try:
        return normal_symbol(symbol)
    except SettingsError:  # it is none, which whoever looks for it says better
        return ascii_upper(symbol)


def rule_number(query: Query) -> int:
    """The rule that the path names."""
    return read_integer("id", query.needed("id", "name a rule in the path"), 1, LARGEST_NUMBER)


def optional_number(query: Query, name: str) -> int | None:
    """A whole number that may be left out."""
    text = query.text(name)
    return None if text is None else read_integer(name, text, 1, LARGEST_NUMBER)


# --- reading ----------------------------------------------------------------------------------------


async def get_alert_rules(context: Context, query: Query) -> wire.AlertRules:
    alerts = context.rooms.alerts

    def read(_: object) -> wire.AlertRules:
        mutes = alerts.mutes.all()
        return wire.AlertRules(
            rules=rule_infos(alerts.book.all(), alerts.standing(), context.alert_feed.counts(), mutes),
            mutes=[mute_info(each) for each in mutes],
            engine=engine_info(alerts.status()),
            most_rules=MOST_RULES,
        )

    async with context.gates.disk.turn():
        return await context.live.reads.run(read)


async def get_alert_rule(context: Context, query: Query) -> wire.AlertRuleInfo:
    return await _told(context, await asyncio.to_thread(context.rooms.alerts.book.get, rule_number(query)))


async def _told(context: Context, kept: Kept) -> wire.AlertRuleInfo:
    """A rule with all that is known of it."""
    alerts = context.rooms.alerts

    def read() -> wire.AlertRuleInfo:
        standing, counts = alerts.standing(kept.number), alerts.counts(rule=kept.number)
        return rule_infos([kept], standing, counts, alerts.mutes.all())[0]

    return await asyncio.to_thread(read)


async def get_alert_presets(context: Context, query: Query) -> list[wire.AlertPreset]:
    return [
        wire.AlertPreset(key=each.key, title=each.title, rule=dict(each.body), asks=list(each.asks)) for each in PRESETS
    ]


# --- changing ---------------------------------------------------------------------------------------


async def post_alert_rule(context: Context, query: Query) -> wire.AlertRuleInfo:
    kept = await context.desk.create(query.body, asked_by.get())
    context.alert_feed.changed()
    return await _told(context, kept)


async def put_alert_rule(context: Context, query: Query) -> wire.AlertRuleInfo:
    kept = await context.desk.replace(rule_number(query), query.body, asked_by.get())
    context.alert_feed.changed()
    return await _told(context, kept)


async def patch_alert_rule(context: Context, query: Query) -> wire.AlertRuleInfo:
    kept = await context.desk.patch(rule_number(query), query.body, asked_by.get())
    context.alert_feed.changed()
    return await _told(context, kept)


async def delete_alert_rule(context: Context, query: Query) -> wire.AlertRuleInfo:
    return rule_info(await deleted(context, rule_number(query)))


async def deleted(context: Context, number: int) -> Kept:
    """Delete a rule, and have the engine know."""
    kept = await asyncio.to_thread(context.rooms.alerts.book.delete, number, asked_by.get())
    context.alert_feed.changed()
    return kept


async def post_undo_alert_rule(context: Context, query: Query) -> wire.AlertRuleInfo:
    kept = await asyncio.to_thread(context.rooms.alerts.book.undo, rule_number(query), asked_by.get())
    context.alert_feed.changed()
    return await _told(context, kept)


# --- the table --------------------------------------------------------------------------------------

_AS_SENT = " The body is read in the long form, and in the short ones that people bring."

ALERT_RULES = (
    Endpoint(
        path="/alerts/rules",
        group=GROUP,
        summary="All rules, where they stand and what they did",
        description="Each with the target that is furthest past its threshold or nearest to it, the stages of all of"
        " its targets, and what it did within the last days; the mutes that hold, and how the engine is.",
        answer=wire.AlertRules,
        handler=get_alert_rules,
        example="/alerts/rules",
    ),
    Endpoint(
        path="/alerts/rules",
        group=GROUP,
        summary="Make a rule",
        description="On a symbol, a pair, all symbols, all pairs, or on pairscope itself. What it is told in half-lives"
        " is measured now and stays as it is until the condition is another one." + _AS_SENT,
        answer=wire.AlertRuleInfo,
        handler=post_alert_rule,
        example="/alerts/rules",
        body=wire.NewRule,
        body_read_as=dict[str, Any],
        example_body=EXAMPLE,
        writes_state=True,
        method="POST",
    ),
    Endpoint(
        path="/alerts/rules/{id}",
        group=GROUP,
        summary="One rule",
        description="As it is read, with its words as they were written.",
        answer=wire.AlertRuleInfo,
        handler=get_alert_rule,
        example="/alerts/rules/1",
        parameters=(RULE_IN_PATH,),
    ),
    Endpoint(
        path="/alerts/rules/{id}",
        group=GROUP,
        summary="Put a rule in the place of another",
        description="With the same condition it stays what it is and goes on; with another one it is a new revision,"
        " and an episode that is open ends without a word." + _AS_SENT,
        answer=wire.AlertRuleInfo,
        handler=put_alert_rule,
        example="/alerts/rules/1",
        parameters=(RULE_IN_PATH,),
        body=wire.NewRule,
        body_read_as=dict[str, Any],
        example_body=EXAMPLE | {"threshold": 2.5},
        writes_state=True,
        method="PUT",
    ),
    Endpoint(
        path="/alerts/rules/{id}",
        group=GROUP,
        summary="Say a part of a rule anew",
        description="Keys that are left out stay as they were written; null takes one back to what is usual. Name,"
        " note, severity, channels, windows, cooldown and `enabled` change nothing of what the rule is doing.",
        answer=wire.AlertRuleInfo,
        handler=patch_alert_rule,
        example="/alerts/rules/1",
        parameters=(RULE_IN_PATH,),
        body=wire.NewRule,
        body_read_as=dict[str, Any],
        example_body={"enabled": False, "note": "while we look at it"},
        writes_state=True,
        method="PATCH",
    ),
    Endpoint(
        path="/alerts/rules/{id}",
        group=GROUP,
        summary="Delete a rule",
        description="It can be brought back; its history stays for as long as it is kept.",
        answer=wire.AlertRuleInfo,
        handler=delete_alert_rule,
        example="/alerts/rules/1",
        parameters=(RULE_IN_PATH,),
        writes_state=True,
        method="DELETE",
    ),
    Endpoint(
        path="/alerts/rules/{id}/undo",
        group=GROUP,
        summary="Bring a deleted rule back",
        description="As a new revision, which begins anew; of a rule that is there nothing changes.",
        answer=wire.AlertRuleInfo,
        handler=post_undo_alert_rule,
        example="/alerts/rules/1/undo",
        parameters=(RULE_IN_PATH,),
        body=wire.Nothing,
        example_body={},
        writes_state=True,
        method="POST",
    ),
    Endpoint(
        path="/alerts/presets",
        group=GROUP,
        summary="Rules to begin with",
        description="Each as it would be sent; `asks` names the keys that have to be filled in.",
        answer=list[wire.AlertPreset],
        handler=get_alert_presets,
        example="/alerts/presets",
    ),
)
