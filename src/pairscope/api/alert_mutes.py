"""The addresses of mutes: rules that are recorded and not sent until a time."""

from __future__ import annotations

import asyncio
from typing import ClassVar

from pairscope.api import wire
from pairscope.api.alert_answers import mute_info
from pairscope.api.alert_rules import GROUP, RULE, optional_number
from pairscope.api.caller import asked_by
from pairscope.api.endpoint import Context, Endpoint
from pairscope.api.query import Query
from pairscope.base.clock import now_ms
from pairscope.base.errors import Meanings, RequestError
from pairscope.base.interval import duration_ms


class MuteWithoutEnd(RequestError):
    """A mute that does not say until when, or says it twice."""

    code = "bad_mute"
    meanings: ClassVar[Meanings] = {
        "bad_mute": ("a mute says until when, once", 'give "until_ms", or "for" such as 15m, and not both')
    }


async def get_alert_mutes(context: Context, query: Query) -> list[wire.AlertMute]:
    found = await asyncio.to_thread(context.rooms.alerts.mutes.all)
    return [mute_info(each) for each in found]


async def put_alert_mute(context: Context, query: Query) -> list[wire.AlertMute]:
    asked: wire.NewMute = query.body
    until_ms = _until_ms(asked, now_ms(context.rooms.clock))
    mutes = context.rooms.alerts.mutes
    await asyncio.to_thread(mutes.put, asked.rule, until_ms, asked_by.get(), asked.note)
    context.alert_feed.changed()
    return await get_alert_mutes(context, query)


async def delete_alert_mute(context: Context, query: Query) -> list[wire.AlertMute]:
    rule = optional_number(query, "rule")
    await asyncio.to_thread(context.rooms.alerts.mutes.lift, rule, asked_by.get())
    context.alert_feed.changed()
    return await get_alert_mutes(context, query)


def _until_ms(asked: wire.NewMute, at_ms: int) -> int:
    lasts_ms = None if asked.duration is None else duration_ms(asked.duration)
    if (asked.until_ms is None) == (lasts_ms is None):
        raise MuteWithoutEnd(
            "the mute does not say until when, or says it twice", cure='give "until_ms", or "for" such as 15m'
        )
    return asked.until_ms if lasts_ms is None else at_ms + lasts_ms  # type: ignore[return-value]


ALERT_MUTES = (
    Endpoint(
        path="/alerts/mutes",
        group=GROUP,
        summary="Rules that are not sent for a while",
        description="Those that hold now, that on all rules with `rule` null.",
        answer=list[wire.AlertMute],
        handler=get_alert_mutes,
        example="/alerts/mutes",
    ),
    Endpoint(
        path="/alerts/mutes",
        group=GROUP,
        summary="Mute a rule, or all of them, until a time",
        description="It goes on being read and recorded, and is not sent; within 30 days. A mute that is there is"
        " replaced.",
        answer=list[wire.AlertMute],
        handler=put_alert_mute,
        example="/alerts/mutes",
        body=wire.NewMute,
        example_body={"rule": 1, "for": "15m", "note": "lunch"},
        writes_state=True,
        method="PUT",
    ),
    Endpoint(
        path="/alerts/mutes",
        group=GROUP,
        summary="Lift a mute",
        description="That of a rule, or without one that on all of them.",
        answer=list[wire.AlertMute],
        handler=delete_alert_mute,
        example="/alerts/mutes?rule=1",
        parameters=(RULE,),
        writes_state=True,
        method="DELETE",
    ),
)
