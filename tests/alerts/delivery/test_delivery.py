"""Everything is delivered or lies among the dead letters, whatever its receiver does, and none waits for another."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import threading
from collections import Counter
from pathlib import Path

import pytest

from pairscope.alerts.delivery import addresses, retries, webhook
from pairscope.alerts.delivery import delivery as delivery_module
from pairscope.alerts.delivery.channel import Webhook
from pairscope.alerts.delivery.channels import UnknownChannel
from pairscope.alerts.delivery.delivery import ChannelBusy
from pairscope.alerts.delivery.letter import Letter
from pairscope.alerts.delivery.letters import Pause
from pairscope.alerts.delivery.outcome import SENT, Outcome
from pairscope.alerts.delivery.retries import TRIES
from pairscope.base import net
from pairscope.base.errors import FileNotWritten
from tests.alerts.delivery.desk import HOUR_S, Desk, desk, events, log_of, until
from tests.alerts.delivery.receiver import BREAKS_OFF, HANGS, OK, TRICKLES, Answer, Received, receiving
from tests.patience import EVENT_S, within


@pytest.fixture
def at_desk(tmp_path: Path) -> Desk:
    return desk(tmp_path)


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Who does not answer is not waited for as long as in earnest."""
    monkeypatch.setattr(webhook, "ANSWER_S", within(0.1))
    monkeypatch.setattr(webhook, "WHOLE_S", within(0.15))


def free_port() -> int:
    with net.listening_socket("127.0.0.1", 0) as taken:
        return int(taken.getsockname()[1])


async def test_a_message_reaches_its_channel_once_and_is_marked_as_sent(at_desk: Desk) -> None:
    async with receiving() as receiver, at_desk.running():
        at_desk.webhook("desk", receiver.url)
        ids = at_desk.put("desk", range(3))
        await receiver.comes(3)
        await at_desk.settled()
    assert receiver.ids == ids, "in the order in which they were made"
    assert at_desk.fates("desk") == dict.fromkeys(ids, "sent")
    assert at_desk.delivery.status().sent == 3


async def test_what_waited_for_the_start_is_sent_after_it(at_desk: Desk) -> None:
    async with receiving() as receiver:
        at_desk.webhook("desk", receiver.url)
        at_desk.put("desk", [1])
        async with at_desk.running():
            await receiver.comes(1)


FAILS = {
    "breaks": Answer(BREAKS_OFF),
    "hangs": Answer(HANGS),
    "moved": Answer(302, [("Location", "http://127.0.0.1:1/")]),
    "refuses": Answer(500),
    "trickles": Answer(TRICKLES),
}


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize("failing", [("hangs", "refuses", "down"), ("trickles", "breaks", "moved")])
async def test_three_days_with_receivers_that_fail_lose_nothing_and_delay_nobody(
    at_desk: Desk, failing: tuple[str, ...]
) -> None:
    """Each kind of failure, over three days and more; the one that works gets each message in the moment it is made."""
    async with receiving() as works, contextlib.AsyncExitStack() as opened:
        at_desk.webhook("works", works.url)
        receivers = {
            name: await opened.enter_async_context(receiving(FAILS[name])) for name in failing if name in FAILS
        }
        for name in failing:
            at_desk.webhook(name, receivers[name].url if name in receivers else f"http://127.0.0.1:{free_port()}/")
        async with at_desk.running():
            for number in range(2):
                for name in ("works", *(failing if number == 0 else failing[1:])):
                    at_desk.put(name, [number])
                await works.comes(number + 1)
                await at_desk.pass_time(1 * HOUR_S)
            await at_desk.pass_time(70 * HOUR_S)
            for name in failing:
                assert set(at_desk.fates(name).values()) == {"waiting"}, "for three days it is tried"
            await at_desk.pass_time(40 * HOUR_S)
    assert list(dict.fromkeys(works.ids)) == ["works-0", "works-1"]
    for name in failing:
        assert set(at_desk.fates(name).values()) == {"dead"}, name
    assert {tries for id_, tries in at_desk.tries().items() if not id_.startswith("works")} == {TRIES}
    for name, receiver in receivers.items():
        tried = Counter(dict.fromkeys(at_desk.fates(name), TRIES))
        heard = Counter(receiver.ids)
        # The sender's patience, short in this test, may end before the receiver has read what was sent.
        assert heard <= tried, name
        assert set(heard) == set(tried), name


async def test_a_receiver_that_was_away_for_three_days_gets_all_of_it_soon_after_it_is_back(at_desk: Desk) -> None:
    port = free_port()
    at_desk.webhook("desk", f"http://127.0.0.1:{port}/")
    async with at_desk.running():
        ids = []
        for day in range(3):
            ids += at_desk.put("desk", range(5 * day, 5 * day + 5))
            await at_desk.pass_time(24 * HOUR_S)
        assert set(at_desk.fates("desk").values()) == {"waiting"}
        async with receiving(port=port) as receiver:
            await at_desk.pass_time(5 * HOUR_S)
    assert sorted(receiver.ids) == sorted(ids), "each of them, and once"


async def test_the_first_message_that_gets_through_takes_along_all_that_waits(at_desk: Desk) -> None:
    port = free_port()
    at_desk.webhook("desk", f"http://127.0.0.1:{port}/")
    async with at_desk.running():
        at_desk.put("desk", range(10))
        await at_desk.pass_time(24 * HOUR_S)
        async with receiving(port=port) as receiver:
            at_desk.put("desk", [10])
            await at_desk.pass_time(retries.LONGEST_REST_S * (1 + retries.JITTER))
    assert sorted(receiver.ids) == sorted(f"desk-{number}" for number in range(11))


@pytest.mark.usefixtures("impatient")
async def test_one_that_accepts_and_hangs_gets_the_same_id_and_the_same_bytes_again(at_desk: Desk) -> None:
    answers = iter([Answer(HANGS), Answer(HANGS), OK])
    async with receiving(lambda _: next(answers)) as receiver, at_desk.running():
        at_desk.webhook("desk", receiver.url)
        at_desk.put("desk", [7])
        await at_desk.pass_time(600)
    assert receiver.ids == ["desk-7"] * 3
    assert {each.headers["idempotency-key"] for each in receiver.received} == {"desk-7"}
    assert len({each.body for each in receiver.received}) == 1
    assert at_desk.fates("desk") == {"desk-7": "sent"}


@pytest.mark.parametrize("status", [429, 503, 500])
async def test_a_receiver_that_asks_to_wait_is_not_asked_before(at_desk: Desk, status: int) -> None:
    times: list[float] = []

    def answer(_: Received) -> Answer:
        times.append(at_desk.clock.monotonic_s())
        return Answer(status, [("Retry-After", "7200")]) if len(times) < 3 else OK

    async with receiving(answer) as receiver, at_desk.running():
        at_desk.webhook("desk", receiver.url)
        at_desk.put("desk", [1, 2])
        await at_desk.pass_time(5 * HOUR_S)
    assert len(times) == 4
    assert [later - sooner >= 7_200 for sooner, later in itertools.pairwise(times)] == [True, True, False]
    assert at_desk.fates("desk") == {"desk-1": "sent", "desk-2": "sent"}


async def test_a_date_to_wait_for_is_understood_by_the_clock_of_the_receiver(at_desk: Desk) -> None:
    dates = [("Date", "Thu, 01 Jan 2099 12:00:00 GMT"), ("Retry-After", "Thu, 01 Jan 2099 13:00:00 GMT")]
    answers = iter([Answer(429, dates), OK])
    async with receiving(lambda _: next(answers)) as receiver, at_desk.running():
        at_desk.webhook("desk", receiver.url)
        at_desk.put("desk", [1])
        await at_desk.pass_time(3_590)
        assert len(receiver.received) == 1
        await at_desk.pass_time(20)
    assert len(receiver.received) == 2


async def test_410_switches_the_channel_off_and_what_waits_lies_among_the_dead_letters(at_desk: Desk) -> None:
    async with receiving(Answer(410)) as receiver, at_desk.running():
        at_desk.webhook("desk", receiver.url)
        at_desk.put("desk", [1, 2])
        await until(lambda: set(at_desk.fates("desk").values()) == {"dead"})
        at_desk.put("desk", [3])
        await until(lambda: set(at_desk.fates("desk").values()) == {"dead"})
        assert len(receiver.received) == 1
        view = at_desk.channels.view("desk")
        assert (view.off_reason, view.dead) == ("gone", 3)
        errors = at_desk.state.rows("select error from outbox order by id")
        assert errors == [("it wants no more messages (410)",), ("it wants no more messages (410)",), ("channel_off",)]
        # Somebody mends the receiver, and has all of it sent after all.
        receiver.answer = lambda _: OK
        at_desk.channels.switch("desk", True)
        assert at_desk.delivery.replay(["desk-1", "desk-2", "desk-3"]) == 3
        await receiver.comes(4)
        await at_desk.settled()
    assert receiver.ids == ["desk-1", "desk-1", "desk-2", "desk-3"]
    assert set(at_desk.fates("desk").values()) == {"sent"}


async def test_a_message_for_a_channel_that_is_not_there_or_off_lies_among_the_dead_letters(at_desk: Desk) -> None:
    async with receiving() as receiver, at_desk.running():
        at_desk.webhook("off", receiver.url)
        at_desk.channels.switch("off", False)
        at_desk.put("off", [1])
        at_desk.put("nobody", [1])
        await until(
            lambda: at_desk.fates("off") == {"off-1": "dead"} and at_desk.fates("nobody") == {"nobody-1": "dead"}
        )
        at_desk.webhook("nobody", receiver.url)
        at_desk.delivery.replay(["nobody-1"])
        await receiver.comes(1)
    errors = at_desk.state.rows("select error from outbox order by id desc")
    assert errors[0] == ("channel_off",)


async def test_one_message_that_is_refused_for_itself_holds_no_other_up_for_long(at_desk: Desk) -> None:
    async with (
        receiving(lambda request: Answer(500) if request.told["number"] == 1 else OK) as receiver,
        at_desk.running(),
    ):
        at_desk.webhook("desk", receiver.url)
        at_desk.put("desk", [1, 2, 3])
        await at_desk.pass_time(30)
        assert at_desk.fates("desk") == {"desk-1": "waiting", "desk-2": "sent", "desk-3": "sent"}
        await at_desk.pass_time(100 * HOUR_S)
    assert at_desk.fates("desk")["desk-1"] == "dead"
    assert receiver.ids.count("desk-1") == TRIES


async def test_a_channel_that_is_down_is_asked_rarely_however_much_waits_for_it(at_desk: Desk) -> None:
    async with receiving(Answer(500)) as receiver, at_desk.running():
        at_desk.webhook("desk", receiver.url)
        at_desk.put("desk", range(200))
        await at_desk.pass_time(HOUR_S)
    assert 12 <= len(receiver.received) <= 30


async def test_what_was_never_tried_itself_is_given_up_with_its_channel(
    at_desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retries, "LONGEST_REST_S", 3_600)
    at_desk.webhook("desk", f"http://127.0.0.1:{free_port()}/")
    async with at_desk.running():
        at_desk.put("desk", range(200))
        await at_desk.pass_time(95 * HOUR_S)
        assert at_desk.state.rows("select count(*) from outbox where state = 'waiting' and tries = 0") > [(100,)]
        await at_desk.pass_time(3 * HOUR_S)
    assert set(at_desk.fates("desk").values()) == {"dead"}


async def test_a_clock_that_is_set_back_delays_no_message(at_desk: Desk) -> None:
    answers = iter([Answer(500), OK, OK])
    async with receiving(lambda _: next(answers)) as receiver, at_desk.running():
        at_desk.webhook("desk", receiver.url)
        at_desk.put("desk", [1])
        await receiver.comes(1)
        await until(lambda: at_desk.tries()["desk-1"] == 1)
        at_desk.clock.set_wall(at_desk.clock.now_ns() // 1_000_000 - 2 * HOUR_S * 1_000)
        at_desk.delivery.wake()
        await receiver.comes(2)
        at_desk.put("desk", [2])
        await receiver.comes(3)
    assert receiver.ids == ["desk-1", "desk-1", "desk-2"]


async def test_a_test_tells_what_came_of_it_and_leaves_no_trace(at_desk: Desk) -> None:
    answers = iter([OK, Answer(404)])
    async with receiving(lambda _: next(answers)) as receiver:
        at_desk.webhook("desk", receiver.url)
        tried = await at_desk.delivery.test("desk")
        assert (tried.error, receiver.received[0].told["transition"]) == (None, "test")
        assert (await at_desk.delivery.test("desk")).error == "it answered 404"
    with pytest.raises(UnknownChannel, match="did you mean desk"):
        await at_desk.delivery.test("dsk")
    assert at_desk.fates("desk") == {}
    assert at_desk.channels.view("desk").error is None


async def test_tests_count_as_messages_and_more_than_may_go_out_are_refused(at_desk: Desk) -> None:
    async with receiving() as receiver:
        at_desk.webhook("desk", receiver.url)
        for _ in range(20):
            await at_desk.delivery.test("desk")
        with pytest.raises(ChannelBusy):
            await at_desk.delivery.test("desk")
        at_desk.clock.advance(61)
        assert (await at_desk.delivery.test("desk")).error is None
    assert len(receiver.received) == 21


async def test_what_was_accepted_is_not_sent_again_because_the_disk_is_full_for_a_while(
    at_desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(delivery_module, "AGAIN_S", 0.01)
    refusals = iter(range(5))
    real = at_desk.delivery._letters.settle

    def settle(*args: object) -> None:
        if next(refusals, None) is not None:
            raise FileNotWritten("the disk is full", cure="make room")
        real(*args)  # type: ignore[arg-type]

    monkeypatch.setattr(at_desk.delivery._letters, "settle", settle)
    async with receiving() as receiver, at_desk.running():
        at_desk.webhook("desk", receiver.url)
        at_desk.put("desk", [1])
        await until(lambda: at_desk.fates("desk") == {"desk-1": "sent"})
    assert receiver.ids == ["desk-1"]


async def test_an_end_in_the_middle_of_an_attempt_leaves_it_waiting(at_desk: Desk) -> None:
    async with receiving(Answer(HANGS)) as receiver:
        at_desk.webhook("desk", receiver.url)
        async with at_desk.running():
            at_desk.put("desk", [1])
            await receiver.comes(1)
        assert at_desk.fates("desk") == {"desk-1": "waiting"}
        receiver.answer = lambda _: OK
        async with at_desk.running():
            await receiver.comes(2)
            await at_desk.settled()
    assert receiver.ids == ["desk-1", "desk-1"]


async def test_what_was_accepted_is_written_also_when_the_end_comes_while_the_disk_is_slow(
    at_desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    goes_on, is_busy, real = threading.Event(), threading.Event(), at_desk.delivery._letters.channels

    def channels() -> list[str]:
        if at_desk.delivery.status().on_their_way:
            is_busy.set()
            goes_on.wait()
        return real()

    monkeypatch.setattr(at_desk.delivery._letters, "channels", channels)
    answered, hold = asyncio.Event(), asyncio.Event()

    async def send(*_: object) -> Outcome:
        await hold.wait()
        answered.set()
        return SENT

    monkeypatch.setattr(webhook.WebhookSender, "send", send)
    at_desk.webhook("desk", "http://127.0.0.1:1/")
    async with at_desk.running():
        at_desk.put("desk", [1])
        await until(lambda: at_desk.delivery.status().on_their_way)
        at_desk.delivery.wake()
        await asyncio.to_thread(is_busy.wait, EVENT_S)
        hold.set()
        await answered.wait()
        asyncio.get_running_loop().call_later(0.05, goes_on.set)
    assert at_desk.fates("desk") == {"desk-1": "sent"}


async def test_a_fault_of_a_sender_is_a_failed_attempt_that_tells_no_words_of_it(
    at_desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = log_of(delivery_module, monkeypatch)
    words = "the address {} is odd".format("https://hooks.example/" + "secret")

    async def send(*_: object) -> None:
        raise ValueError(words)

    monkeypatch.setattr(webhook.WebhookSender, "send", send)
    async with at_desk.running():
        at_desk.webhook("desk", "http://127.0.0.1:1/")
        at_desk.put("desk", [1])
        await until(lambda: at_desk.tries()["desk-1"] == 1)
        await until(lambda: "sender_failed" in events(told))
    ((error,),) = at_desk.state.rows("select error from outbox")
    assert error == "a fault of pairscope while it was sent (ValueError)"
    assert words not in repr(told)


async def test_names_that_nobody_answers_for_delay_no_other_channel(
    at_desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """More of them than the loop's own threads; whoever asks for an address waits in a thread of its own."""
    goes_on = threading.Event()

    def look_up(host: str, _: int) -> tuple[str, ...]:
        if host.endswith(".invalid"):
            goes_on.wait()
        return ("127.0.0.1",)

    sender = at_desk.delivery._senders[Webhook]
    assert isinstance(sender, webhook.WebhookSender)
    monkeypatch.setattr(sender._poster._destinations, "_look_up", look_up)
    monkeypatch.setattr(addresses, "LOOK_UP_S", 0.2)
    async with receiving() as works, at_desk.running():
        at_desk.webhook("works", works.url)
        for number in range(60):
            at_desk.webhook(f"dark{number}", "http://dark.invalid/")
            at_desk.put(f"dark{number}", [1])
        at_desk.put("works", [1])
        await works.comes(1, seconds=5)
        await until(lambda: at_desk.tries()["dark59-1"] == 1)
    goes_on.set()
    assert at_desk.channels.view("dark0").error == "its host cannot be looked up"


async def test_a_fault_at_one_message_does_not_end_its_channel(at_desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    told = log_of(delivery_module, monkeypatch)
    monkeypatch.setattr(delivery_module, "AGAIN_S", 0.01)
    faults, real = iter(range(3)), at_desk.delivery._letters.next_for

    def next_for(name: str, left: int, opens_s: float) -> Letter | Pause:
        if next(faults, None) is not None:
            raise ZeroDivisionError
        return real(name, left, opens_s)

    monkeypatch.setattr(at_desk.delivery._letters, "next_for", next_for)
    async with receiving() as receiver, at_desk.running():
        at_desk.webhook("desk", receiver.url)
        at_desk.put("desk", [1])
        await receiver.comes(1)
    assert "delivery_failed" in events(told)
    assert "next_for" in repr(told)


async def test_a_sender_without_limits_of_its_own_is_given_up(at_desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    async def send(*_: object) -> None:
        await asyncio.Event().wait()

    monkeypatch.setattr(webhook.WebhookSender, "send", send)
    monkeypatch.setattr(delivery_module, "ATTEMPT_S", 0.05)
    at_desk.webhook("desk", "http://127.0.0.1:1/")
    assert (await at_desk.delivery.test("desk")).error == "no answer in time"


async def test_what_is_old_is_dropped_at_the_start_and_told(at_desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    told = log_of(delivery_module, monkeypatch)
    at_desk.put("desk", [1, 2])
    with at_desk.state.change() as connection:
        connection.execute("update outbox set state = 'dead'")
    at_desk.clock.advance(91 * 24 * HOUR_S)
    async with at_desk.running():
        await until(lambda: "outbox_forgotten" in events(told))
        assert at_desk.fates("desk") == {}


async def test_a_hundred_channels_that_hang_delay_none_that_works(at_desk: Desk) -> None:
    async with receiving() as works, receiving(Answer(HANGS)) as hangs, at_desk.running():
        at_desk.webhook("works", works.url)
        for number in range(99):
            at_desk.webhook(f"hangs{number}", hangs.url)
            at_desk.put(f"hangs{number}", [1])
        started = asyncio.get_running_loop().time()
        at_desk.put("works", [1])
        await works.comes(1)
        assert asyncio.get_running_loop().time() - started < 5
