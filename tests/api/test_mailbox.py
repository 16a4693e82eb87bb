from __future__ import annotations

import asyncio

import pytest

from pairscope.api.mailbox import Mailbox, MailboxOverflow


def mailbox_of(messages: int = 100, characters: int = 10_000) -> Mailbox:
    return Mailbox(messages, characters)


async def drained(mailbox: Mailbox) -> list[str]:
    """Everything that can be sent without waiting."""
    messages = []
    while True:
        try:
            async with asyncio.timeout(0):
                messages.append(await mailbox.next())
        except TimeoutError:
            return messages


async def test_posted_messages_arrive_all_and_in_order() -> None:
    mailbox = mailbox_of()
    for text in "abc":
        mailbox.post("topic", text)
    assert await drained(mailbox) == ["a", "b", "c"]


async def test_of_kept_messages_only_the_newest_of_a_kind_arrives_after_the_posted_ones() -> None:
    mailbox = mailbox_of()
    mailbox.keep("t", "bar", "old bar")
    mailbox.keep("t", "metrics", "metrics")
    mailbox.keep("u", "bar", "other")
    mailbox.keep("t", "bar", "new bar")
    mailbox.post("u", "posted")
    assert await drained(mailbox) == ["posted", "new bar", "metrics"]
    assert mailbox.conflated == 1


async def test_a_closed_bar_takes_the_place_of_the_open_one_that_waits() -> None:
    mailbox = mailbox_of()
    mailbox.keep("t", "bar", "open")
    mailbox.post("t", "closed")
    mailbox.keep("t", "bar", "next open")
    assert await drained(mailbox) == ["closed", "next open"]


async def test_what_waits_for_a_forgotten_topic_is_dropped() -> None:
    mailbox = mailbox_of()
    mailbox.post("t", "one")
    mailbox.keep("t", "bar", "two")
    mailbox.post("u", "three")
    mailbox.forget("t")
    assert await drained(mailbox) == ["three"]


async def test_next_waits_for_a_message() -> None:
    mailbox = mailbox_of()
    waiting = asyncio.create_task(mailbox.next())
    await asyncio.sleep(0)
    mailbox.post("t", "late")
    assert await waiting == "late"


@pytest.mark.parametrize(("count", "size"), [(4, 1), (2, 60)])
async def test_too_many_or_too_long_messages_overflow_and_nothing_more_is_taken(count: int, size: int) -> None:
    mailbox = mailbox_of(3, 100)
    for _ in range(count):
        mailbox.post("t", "x" * size)
    mailbox.post("t", "more")
    mailbox.keep("t", "bar", "more")
    with pytest.raises(MailboxOverflow):
        await mailbox.next()


async def test_an_overflow_wakes_the_waiting_sender() -> None:
    mailbox = mailbox_of(1)
    waiting = asyncio.create_task(mailbox.next())
    await asyncio.sleep(0)
    for _ in range(3):
        mailbox.post("t", "x")
    with pytest.raises(MailboxOverflow):
        await waiting


async def test_sent_messages_make_room() -> None:
    mailbox = mailbox_of(2, 20)
    for _ in range(10):
        mailbox.post("t", "x" * 9)
        assert not mailbox.crowded
        assert await mailbox.next() == "x" * 9


async def test_kept_messages_never_overflow() -> None:
    mailbox = mailbox_of(1)
    for i in range(100):
        mailbox.keep("t", "bar", str(i))
    assert await drained(mailbox) == ["99"]


async def test_a_mailbox_is_crowded_from_half_of_its_room_on() -> None:
    mailbox = mailbox_of(4)
    for _ in range(2):
        mailbox.post("t", "x")
    assert not mailbox.crowded
    mailbox.post("t", "x")
    assert mailbox.crowded
