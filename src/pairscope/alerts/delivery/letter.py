"""One message on its way: what is told, to which channel, under which id."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import msgspec

from pairscope.alerts.delivery.channel import ChannelSettings
from pairscope.alerts.outbox import Notice


class Letter(msgspec.Struct, frozen=True, kw_only=True):
    """``carried`` are the messages that a digest stands for, the first of them, by their ids."""

    id: str
    channel: str
    settings: ChannelSettings
    notice: Notice
    tries: int = 0
    carried: tuple[tuple[str, Notice], ...] = ()


class LetterView(msgspec.Struct, frozen=True, kw_only=True):
    """What became of a message so far; of one that a digest carried, what became of the digest."""

    id: str
    channel: str
    state: str  # waiting, sent, dead
    title: str
    transition: str
    made_ms: int
    due_ms: int
    tries: int
    tried_ms: int | None
    error: str | None  # of the last try that failed
    carried_by: str | None  # the digest it went out in


def payload(letter: Letter) -> bytes:
    """The body of a webhook, made of nothing but what is in the outbox: each repetition is the same."""
    notice = letter.notice
    data: dict[str, Any] = {"id": letter.id, **msgspec.to_builtins(notice)}
    if letter.carried:
        data["messages"] = [{"id": number, **msgspec.to_builtins(each)} for number, each in letter.carried]
    told = datetime.fromtimestamp(notice.time_ms / 1_000, UTC).isoformat(timespec="milliseconds")
    return msgspec.json.encode(
        {"type": f"alert.{notice.transition}", "timestamp": told.replace("+00:00", "Z"), "data": data}
    )
