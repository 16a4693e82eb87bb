"""What is to leave the machine: one row for each message and channel, written in the transaction of what it tells.

Who evaluates rules writes, `delivery` reads and sends. A row that was committed is delivered or lies among the dead
letters in the end, whatever is killed in between; one that was rolled back was never there.
"""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Iterable

import msgspec

MOST_WAITING = 10_000  # for one channel; beyond it a message lies among the dead letters at once
FULL = "outbox_full"


class Notice(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What is told to people and programs; a webhook gets it as its body, in JSON.

    Messages may arrive twice, with the same id, and after a failure out of their order: ``number`` tells it.
    """

    title: str
    text: str
    severity: str
    rule: str
    target: str  # the symbol, pair or system that the rule was read on
    transition: str  # fired, resolved, no_data ...
    time_ms: int  # of the event
    value: float | None = None
    reason: str | None = None  # why there is no value
    number: int | None = None  # rises with each transition
    simulated: bool = False
    more: dict[str, str | float | bool | None] = {}


class Message(msgspec.Struct, frozen=True, kw_only=True):
    """A notice on its way to one channel.

    ``id`` is made by who writes it, of what it tells and of the channel: the same over restarts, so that to write it
    twice is to write it once, and the receiver knows a repetition by ``webhook-id`` and ``Idempotency-Key``.
    """

    id: str
    channel: str
    made_ms: int
    notice: Notice
    due_ms: int | None = None  # not to be sent before; at once when there is none


def put(connection: sqlite3.Connection, messages: Iterable[Message]) -> int:
    """Write messages to the outbox within a transaction that is open; call `Delivery.wake` once it is committed.

    A message whose id is there already is left as it is.

    Returns:
        How many were new.
    """
    new = 0
    waiting: Counter[str] = Counter()
    for each in messages:
        if each.channel not in waiting:
            waiting[each.channel] = _waiting(connection, each.channel)
        is_full = waiting[each.channel] >= MOST_WAITING
        body = msgspec.json.encode(each.notice).decode()
        due_ms = each.made_ms if each.due_ms is None else each.due_ms
        fate = ("dead", FULL) if is_full else ("waiting", None)
        written = connection.execute(
            "insert into outbox (id, channel, made_ms, body, due_ms, state, error) values (?, ?, ?, ?, ?, ?, ?)"
            " on conflict (id) do nothing",
            (each.id, each.channel, each.made_ms, body, due_ms, *fate),
        ).rowcount
        new += written
        waiting[each.channel] += written * (not is_full)
    return new


def _waiting(connection: sqlite3.Connection, channel: str) -> int:
    ((count,),) = connection.execute(
        "select count(*) from outbox where channel = ? and state = 'waiting'", (channel,)
    ).fetchall()
    return int(count)
