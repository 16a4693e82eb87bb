"""The addresses of rules in the short forms that people bring from elsewhere."""

from __future__ import annotations

import asyncio
from typing import Any

from pairscope.api import wire
from pairscope.api.alert_answers import short_rule
from pairscope.api.alert_rules import GROUP, RULE_IN_PATH, deleted, rule_number
from pairscope.api.caller import asked_by
from pairscope.api.endpoint import Context, Endpoint
from pairscope.api.query import Query


async def get_alerts(context: Context, query: Query) -> list[wire.ShortRule]:
    alerts = context.rooms.alerts

    def read(_: object) -> list[wire.ShortRule]:
        standing = alerts.standing()
        return [short_rule(kept, [each for each in standing if each.rule == kept.number]) for kept in alerts.book.all()]

    async with context.gates.disk.turn():
        return await context.live.reads.run(read)


async def get_alert(context: Context, query: Query) -> wire.ShortRule:
    alerts, number = context.rooms.alerts, rule_number(query)
    return await asyncio.to_thread(lambda: short_rule(alerts.book.get(number), alerts.standing(number)))


async def post_alert(context: Context, query: Query) -> wire.ShortRule:
    kept = await context.desk.create(query.body, asked_by.get())
    context.alert_feed.changed()
    return short_rule(kept)


async def delete_alert(context: Context, query: Query) -> wire.ShortRule:
    return short_rule(await deleted(context, rule_number(query)))


# After all others below /alerts: of two paths that match, the earlier one answers.
SHORT_ALERTS = (
    Endpoint(
        path="/alerts",
        group=GROUP,
        summary="All rules, in the words of the short forms",
        description="The same rules as of /alerts/rules, with what others ask for: `condition` and `threshold`, which"
        " are `operator` and `value` too.",
        answer=list[wire.ShortRule],
        handler=get_alerts,
        example="/alerts",
    ),
    Endpoint(
        path="/alerts",
        group=GROUP,
        summary="Make a rule by a short form",
        description="Without a symbol and a pair it is on the first configured pair, which the answer names. `z_score`"
        " and `zscore` are price_z of a symbol and spread_z of a pair.",
        answer=wire.ShortRule,
        handler=post_alert,
        example="/alerts",
        body=wire.NewRule,
        body_read_as=dict[str, Any],
        example_body={"symbol": "BTCUSDT", "metric": "z_score", "condition": ">", "threshold": 2.0, "enabled": True},
        writes_state=True,
        method="POST",
    ),
    Endpoint(
        path="/alerts/{id}",
        group=GROUP,
        summary="One rule, in the words of the short forms",
        description="The same as /alerts/rules/{id}, in fewer words.",
        answer=wire.ShortRule,
        handler=get_alert,
        example="/alerts/1",
        parameters=(RULE_IN_PATH,),
    ),
    Endpoint(
        path="/alerts/{id}",
        group=GROUP,
        summary="Delete a rule, by a short form",
        description="The same as of /alerts/rules/{id}.",
        answer=wire.ShortRule,
        handler=delete_alert,
        example="/alerts/1",
        parameters=(RULE_IN_PATH,),
        writes_state=True,
        method="DELETE",
    ),
)
