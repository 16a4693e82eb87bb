"""The addresses of channels: where messages of alerts go, what became of them, and sending them again."""

from __future__ import annotations

import asyncio
from dataclasses import asdict
from typing import Any

from pairscope.alerts.delivery.channels import MOST_CHANNELS
from pairscope.alerts.delivery.services import SERVICES
from pairscope.api import wire
from pairscope.api.alert_answers import channel_info, message_info
from pairscope.api.alert_rules import GROUP
from pairscope.api.caller import asked_by
from pairscope.api.endpoint import Context, Endpoint
from pairscope.api.query import Parameter, Query
from pairscope.base.errors import RequestError

MOST_MESSAGES = 1_000  # in one answer, and sent again at once
STATES = ("waiting", "sent", "dead")

_NAME = {"type": "string", "minLength": 1}
CHANNEL_IN_PATH = Parameter("name", "Name of a channel.", _NAME, "desk", where="path", required=True)
CHANNEL = Parameter("channel", "Only those of a channel, which may be deleted.", {"type": "string"}, "desk")
STATE = Parameter("state", "Only those of a state.", {"type": "string", "enum": list(STATES)}, "dead")
MESSAGES = Parameter(
    "limit",
    "At most so many, the latest.",
    {"type": "integer", "minimum": 1, "maximum": MOST_MESSAGES, "default": 100},
    100,
)
HOOK = {"name": "office", "kind": "webhook", "url": "https://hooks.example/abc"}


async def get_alert_channels(context: Context, query: Query) -> wire.AlertDelivery:
    status = await asyncio.to_thread(context.rooms.alerts.delivery.status)
    beat = status.heartbeat
    return wire.AlertDelivery(
        channels=[channel_info(each) for each in status.channels],
        most_channels=MOST_CHANNELS,
        on_their_way=status.on_their_way,
        sent=status.sent,
        failed=status.failed,
        heartbeat=None if beat is None else wire.AlertHeartbeat(**asdict(beat)),
        services=list(SERVICES),
    )


async def get_alert_channel(context: Context, query: Query) -> wire.AlertChannel:
    return channel_info(await asyncio.to_thread(context.rooms.alerts.delivery.channels.view, _name(query)))


async def post_alert_channel(context: Context, query: Query) -> wire.AlertChannelMade:
    channels = context.rooms.alerts.delivery.channels
    view, secret = await asyncio.to_thread(channels.add, query.body, asked_by.get())
    context.alert_feed.changed()
    return wire.AlertChannelMade(channel=channel_info(view), secret=secret)


async def put_alert_channel(context: Context, query: Query) -> wire.AlertChannel:
    channels = context.rooms.alerts.delivery.channels
    view = await asyncio.to_thread(channels.replace, _name(query), query.body, asked_by.get())
    context.alert_feed.changed()
    return channel_info(view)


async def patch_alert_channel(context: Context, query: Query) -> wire.AlertChannel:
    asked: wire.NewSwitch = query.body
    channels = context.rooms.alerts.delivery.channels
    view = await asyncio.to_thread(channels.switch, _name(query), asked.is_on, asked_by.get())
    context.alert_feed.changed()
    return channel_info(view)


async def delete_alert_channel(context: Context, query: Query) -> wire.AlertChannel:
    channels, name = context.rooms.alerts.delivery.channels, _name(query)
    view = await asyncio.to_thread(channels.view, name)
    await asyncio.to_thread(channels.delete, name, asked_by.get())
    context.alert_feed.changed()
    return channel_info(view)


async def post_test_alert_channel(context: Context, query: Query) -> wire.AlertTried:
    name = _name(query)
    tried = await context.rooms.alerts.delivery.test(name)
    return wire.AlertTried(channel=name, error=tried.error, took_ms=tried.took_ms)


async def get_alert_messages(context: Context, query: Query) -> list[wire.AlertMessage]:
    state, channel, limit = query.choice("state"), query.text("channel"), query.integer("limit")
    delivery = context.rooms.alerts.delivery

    def read(_: object) -> list[wire.AlertMessage]:
        found = delivery.letters(state=state, channel=channel, limit=limit)
        if channel is not None and not found and not delivery.letters(channel=channel, limit=1):
            delivery.channels.view(channel)  # one that was deleted is known by its messages
        return [message_info(each) for each in found]

    async with context.gates.disk.turn():
        return await context.live.reads.run(read)


async def post_replay_alert_messages(context: Context, query: Query) -> wire.AlertReplayed:
    asked: wire.NewReplay = query.body
    delivery = context.rooms.alerts.delivery
    if bool(asked.ids) == (asked.channel is not None):
        raise RequestError("a replay names messages, or a channel", cure='give "ids" or "channel", and not both')
    if len(asked.ids) > MOST_MESSAGES:
        raise RequestError(f"{len(asked.ids):,} messages at once", cure=f"name at most {MOST_MESSAGES:,}")

    def replay() -> int:
        if asked.channel is None:
            return delivery.replay(asked.ids)
        delivery.channels.view(asked.channel)  # what is sent again to none is given up again
        dead = delivery.letters(state="dead", channel=asked.channel, limit=MOST_MESSAGES)
        return delivery.replay([each.id for each in reversed(dead)])

    return wire.AlertReplayed(waiting=await asyncio.to_thread(replay))


def _name(query: Query) -> str:
    return query.needed("name", "name a channel in the path")


ALERT_CHANNELS = (
    Endpoint(
        path="/alerts/channels",
        group=GROUP,
        summary="Where messages go, and how delivery is",
        description="Each channel with what waits for it and why it fails, without what must stay secret; what was sent"
        " since the start; the sign of life.",
        answer=wire.AlertDelivery,
        handler=get_alert_channels,
        example="/alerts/channels",
    ),
    Endpoint(
        path="/alerts/channels",
        group=GROUP,
        summary="Make a channel",
        description="A webhook, a mail server or a service; what each needs is told in the manual, page channels. The"
        " key that is made for a webhook without a secret is shown this once.",
        answer=wire.AlertChannelMade,
        handler=post_alert_channel,
        example="/alerts/channels",
        body=wire.NewChannel,
        body_read_as=dict[str, Any],
        example_body=HOOK,
        writes_state=True,
        method="POST",
    ),
    Endpoint(
        path="/alerts/channels/{name}",
        group=GROUP,
        summary="One channel",
        description="Without what must stay secret.",
        answer=wire.AlertChannel,
        handler=get_alert_channel,
        example="/alerts/channels/desk",
        parameters=(CHANNEL_IN_PATH,),
    ),
    Endpoint(
        path="/alerts/channels/{name}",
        group=GROUP,
        summary="Give a channel other settings",
        description="With a new start. Secrets that are left out stay as they are.",
        answer=wire.AlertChannel,
        handler=put_alert_channel,
        example="/alerts/channels/desk",
        parameters=(CHANNEL_IN_PATH,),
        body=wire.NewChannel,
        body_read_as=dict[str, Any],
        example_body={"kind": "webhook", "url": "https://hooks.example/other"},
        writes_state=True,
        method="PUT",
    ),
    Endpoint(
        path="/alerts/channels/{name}",
        group=GROUP,
        summary="Switch a channel off or on",
        description="What is for a channel that is off lies among the messages that were given up. On, it begins anew.",
        answer=wire.AlertChannel,
        handler=patch_alert_channel,
        example="/alerts/channels/desk",
        parameters=(CHANNEL_IN_PATH,),
        body=wire.NewSwitch,
        example_body={"is_on": False},
        writes_state=True,
        method="PATCH",
    ),
    Endpoint(
        path="/alerts/channels/{name}",
        group=GROUP,
        summary="Delete a channel",
        description="Refused while rules send to it. What still waits for it is given up.",
        answer=wire.AlertChannel,
        handler=delete_alert_channel,
        example="/alerts/channels/phone",
        parameters=(CHANNEL_IN_PATH,),
        writes_state=True,
        method="DELETE",
    ),
    Endpoint(
        path="/alerts/channels/{name}/test",
        group=GROUP,
        summary="Send a message that says it is a test",
        description="At once and once; the answer tells whether it was accepted. It counts among the 20 messages a"
        " minute of the channel.",
        answer=wire.AlertTried,
        handler=post_test_alert_channel,
        example="/alerts/channels/desk/test",
        parameters=(CHANNEL_IN_PATH,),
        body=wire.Nothing,
        example_body={},
        writes_state=True,
        method="POST",
    ),
    Endpoint(
        path="/alerts/messages",
        group=GROUP,
        summary="What became of messages",
        description="The latest first; `dead` are those that were given up, which can be sent again.",
        answer=list[wire.AlertMessage],
        handler=get_alert_messages,
        example="/alerts/messages?state=dead",
        parameters=(STATE, CHANNEL, MESSAGES),
    ),
    Endpoint(
        path="/alerts/messages/replay",
        group=GROUP,
        summary="Send messages again that were given up",
        description=f"Some by their ids, or the latest {MOST_MESSAGES:,} of a channel; with the same ids, so that a"
        " receiver knows what it has.",
        answer=wire.AlertReplayed,
        handler=post_replay_alert_messages,
        example="/alerts/messages/replay",
        body=wire.NewReplay,
        example_body={"channel": "desk"},
        writes_state=True,
        method="POST",
    ),
)
