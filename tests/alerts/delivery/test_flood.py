"""However much is written, a channel gets so many messages a minute, and the rest as one that has them all."""

from __future__ import annotations

from pathlib import Path

import pytest

from pairscope.alerts.delivery.digest import LINES, digest
from pairscope.alerts.delivery.letter import Letter
from pairscope.alerts.delivery.letters import MOST_CARRIED, Letters
from pairscope.alerts.delivery.outcome import Outcome
from pairscope.alerts.outbox import Message, put
from pairscope.base.clock import now_ms
from tests.alerts.delivery.desk import HOUR_S, START_MS, Desk, desk, notice, until
from tests.alerts.delivery.receiver import OK, Answer, Received, receiving

MOST = 20


@pytest.fixture
def at_desk(tmp_path: Path) -> Desk:
    return desk(tmp_path)


def most_within_a_minute(times_s: list[float]) -> int:
    return max(sum(start <= each < start + 60 for each in times_s) for start in times_s)


async def test_a_thousand_rules_that_flap_are_so_many_messages_a_minute_and_digests(at_desk: Desk) -> None:
    """For three minutes each of 1,000 rules fires or resolves once a minute: 1,000 messages a minute."""
    times: list[float] = []

    def answer(_: Received) -> Answer:
        times.append(at_desk.clock.monotonic_s())
        return OK

    written = set()
    async with receiving(answer) as receiver, at_desk.running():
        at_desk.webhook("desk", receiver.url)
        for second in range(180):
            rules = range(second % 60, 1_000, 60)
            kind = "firing" if second % 120 < 60 else "resolved"
            messages = [
                Message(
                    id=f"m{second}-{rule}",
                    channel="desk",
                    made_ms=now_ms(at_desk.clock),
                    notice=notice(rule, rule=f"rule {rule}", transition=kind),
                )
                for rule in rules
            ]
            with at_desk.state.change() as connection:
                put(connection, messages)
            written |= {each.id for each in messages}
            await at_desk.settled()
            at_desk.clock.advance(1.0)
        await at_desk.pass_time(120)
    assert len(written) == 3_000
    assert most_within_a_minute(times) == MOST
    by_themselves = {each.id for each in receiver.received if not each.id.startswith("digest_")}
    digests = {each.id: each for each in receiver.received if each.id.startswith("digest_")}
    carried = dict(at_desk.state.rows("select id, carried_by from outbox where carried_by is not null"))
    assert by_themselves | set(carried) == written, "nothing is lost"
    assert not by_themselves & set(carried), "and nothing told twice"
    assert set(carried.values()) == set(digests)
    assert len(digests) <= 8
    assert sum(each.told["more"]["messages"] for each in digests.values()) == len(carried)
    assert set(at_desk.fates("desk").values()) == {"sent"}


async def test_so_many_or_fewer_go_out_one_by_one(at_desk: Desk) -> None:
    async with receiving() as receiver, at_desk.running():
        at_desk.webhook("desk", receiver.url)
        ids = at_desk.put("desk", range(MOST))
        await receiver.comes(MOST)
        await at_desk.settled()
    assert receiver.ids == ids


async def test_one_more_than_may_is_a_digest_of_the_last_two(at_desk: Desk) -> None:
    async with receiving() as receiver, at_desk.running():
        at_desk.webhook("desk", receiver.url)
        ids = at_desk.put("desk", range(MOST + 1))
        await receiver.comes(MOST)
        await at_desk.settled()
    assert receiver.ids[:-1] == ids[: MOST - 1]
    last = receiver.received[-1].told
    assert last["transition"] == "digest"
    assert [each["id"] for each in last["messages"]] == ids[MOST - 1 :]


async def test_one_channel_takes_nothing_from_another(at_desk: Desk) -> None:
    async with receiving() as one, receiving() as other, at_desk.running():
        at_desk.webhook("one", one.url)
        at_desk.webhook("other", other.url)
        at_desk.put("one", range(100))
        at_desk.put("other", range(5))
        await one.comes(MOST)
        await other.comes(5)
    assert len(one.received) == MOST


async def test_the_cap_holds_over_a_restart(at_desk: Desk, tmp_path: Path) -> None:
    async with receiving() as receiver:
        at_desk.webhook("desk", receiver.url)
        async with at_desk.running():
            at_desk.put("desk", range(15))
            await receiver.comes(15)
            await at_desk.settled()
        at_desk.clock.advance(10)
        again = desk(tmp_path, state=at_desk.state, clock=at_desk.clock)
        async with again.running():
            again.put("desk", range(15, 40))
            await receiver.comes(20)
            await until(lambda: set(again.fates("desk").values()) == {"sent"})
    assert len(receiver.received) == MOST
    assert receiver.received[-1].told["more"] == {"messages": 21}


async def test_a_digest_that_is_refused_is_tried_again_with_its_id_and_dies_with_what_it_carries(at_desk: Desk) -> None:
    async with (
        receiving(lambda each: Answer(500) if each.id.startswith("digest_") else OK) as receiver,
        at_desk.running(),
    ):
        at_desk.webhook("desk", receiver.url)
        at_desk.put("desk", range(30))
        await receiver.comes(MOST)
        await at_desk.pass_time(100 * HOUR_S)
        fates = at_desk.fates("desk")
        (number,) = (each for each in fates if each.startswith("digest_"))
        assert [fates[f"desk-{each}"] for each in (0, 18, 19, 29)] == ["sent", "sent", "dead", "dead"]
        assert {each for each in receiver.ids if each.startswith("digest_")} == {number}
        # It is replayed with what it carries, or one of those by itself.
        receiver.answer = lambda _: OK
        at_desk.delivery.replay(["desk-19"])
        at_desk.delivery.replay([number])
        await at_desk.pass_time(100)
    assert set(at_desk.fates("desk").values()) == {"sent"}
    assert "desk-19" in receiver.ids
    again = next(each.told for each in reversed(receiver.received) if each.id == number)
    assert [each["id"] for each in again["messages"]] == [f"desk-{each}" for each in range(20, 30)]


async def test_dead_letters_that_are_sent_again_and_gathered_again_are_another_digest(at_desk: Desk) -> None:
    """One of the same messages as one that is dead already has another id."""
    async with receiving() as receiver, at_desk.running():
        at_desk.webhook("desk", receiver.url)
        at_desk.channels.switch("desk", False)
        ids = at_desk.put("desk", range(30))
        await until(lambda: set(at_desk.fates("desk").values()) == {"dead"})
        at_desk.channels.switch("desk", True)
        assert at_desk.delivery.replay(ids) == 30
        await receiver.comes(MOST)
        await at_desk.settled()
    assert set(at_desk.fates("desk").values()) == {"sent"}


def test_a_digest_of_the_same_messages_as_one_that_is_dead_has_another_id(at_desk: Desk) -> None:
    at_desk.webhook("desk", "http://127.0.0.1:1/")
    ids = at_desk.put("desk", range(3))
    letters, made = Letters(at_desk.state, at_desk.clock), []
    for _ in range(2):
        at_desk.clock.advance(1)
        letter = letters.next_for("desk", 1, 0)
        assert isinstance(letter, Letter)
        made.append(letter.id)
        letters.settle(letter, Outcome("it wants no more", is_gone=True))
        at_desk.channels.switch("desk", True)
        assert letters.replay(ids) == 3
    assert len({*made}) == 2


def test_a_digest_tells_how_many_of_which_and_the_last_of_them() -> None:
    notices = [notice(each, rule=f"rule {each % 30}", transition="firing") for each in range(70)]
    notices += [notice(70, severity="critical", transition="resolved", simulated=True)]
    told = digest(notices, START_MS)
    assert told.title == "71 alerts: 70 firing, 1 resolved"
    assert (told.severity, told.transition, told.simulated) == ("critical", "digest", False)
    lines = told.text.splitlines()
    assert "3 of rule 0" in lines
    assert "and those of 11 more rules" in lines
    assert lines[-LINES:] == [each.title for each in notices[-LINES:]]
    assert digest([notice(severity="odd")], 0).severity == "odd"
    assert digest([notice(simulated=True)], 0).simulated


def test_a_webhook_gets_the_last_of_very_many_in_full(at_desk: Desk) -> None:
    at_desk.webhook("desk", "http://127.0.0.1:1/")
    at_desk.put("desk", range(300))
    letter = Letters(at_desk.state, at_desk.clock).next_for("desk", 1, 0)
    assert isinstance(letter, Letter)
    assert [number for number, _ in letter.carried] == [f"desk-{each}" for each in range(300 - MOST_CARRIED, 300)]
