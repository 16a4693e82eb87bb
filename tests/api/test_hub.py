from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from pairscope.api import wire
from pairscope.api.errors import Busy
from pairscope.api.hub import ClientLimits, Follower, Hub
from pairscope.base.clock import ManualClock
from pairscope.base.interval import Interval
from pairscope.live.kernels import Kernels, Part, WarmingUp

if TYPE_CHECKING:
    from tests.api.conftest import MadeUpMarket

BTC = "symbol:BTCUSDT:1s"


def hub_of(market: MadeUpMarket, clock: ManualClock, **limits: Any) -> Hub:
    hub = Hub(live=market.live, status=market.status, clock=clock, window=30, limits=ClientLimits(**limits))
    market.live.listen(hub.on_update)
    return hub


@pytest.fixture
def hub(market: MadeUpMarket, clock: ManualClock) -> Hub:
    return hub_of(market, clock)


def ask(hub: Hub, client: Follower, op: str, topic: str, **options: Any) -> bool:
    return hub.receive(client, msgspec.json.encode({"op": op, "topic": topic, **options}))


async def read(client: Follower) -> list[Any]:
    """Every message that waits."""
    messages = []
    while True:
        try:
            async with asyncio.timeout(0):
                messages.append(msgspec.json.decode(await client.mailbox.next(), type=wire.ServerMessage))
        except TimeoutError:
            return messages


@pytest.mark.parametrize(
    ("asked", "topic", "kind"),
    [
        ("status", "status", wire.StatusMessage),
        ("symbol:btcusdt:1S", "symbol:BTCUSDT:1s", wire.SymbolSnapshot),
        ("symbol:BTCUSDT:60s", "symbol:BTCUSDT:1m", wire.SymbolSnapshot),
        ("pair:ethusdt:BTCUSDT:1s:030:OLS", "pair:ETHUSDT:BTCUSDT:1s:30:ols", wire.PairSnapshot),
        (
            "pair:ETHUSDT:BTCUSDT:1s:30:tls: Intercept=No:prices=LEVELS",
            "pair:ETHUSDT:BTCUSDT:1s:30:tls:prices=level:intercept=false",
            wire.PairSnapshot,
        ),
        (
            "pair:ETHUSDT:BTCUSDT:1s:30:ols:prices=log:intercept=",
            "pair:ETHUSDT:BTCUSDT:1s:30:ols",
            wire.PairSnapshot,
        ),
    ],
)
async def test_every_topic_begins_with_a_snapshot_under_its_own_spelling(
    hub: Hub, asked: str, topic: str, kind: type
) -> None:
    client = hub.connect()
    ask(hub, client, "sub", asked)
    (message,) = await read(client)
    assert isinstance(message, kind)
    assert message.topic == topic  # type: ignore[attr-defined]
    ask(hub, client, "unsub", asked)
    assert not client.topics


@pytest.mark.parametrize(
    ("sent", "words"),
    [
        ('{"op":"delete","topic":"status"}', '"sub" or "unsub"'),
        ('{"topic":"status"}', '"sub" or "unsub"'),
        ('{"op":"sub","topic":"status","updates":"all"}', '"changes" or "whole"'),
    ],
)
async def test_a_wrong_word_is_answered_with_those_that_there_are(hub: Hub, sent: str, words: str) -> None:
    client = hub.connect()
    hub.receive(client, sent)
    (message,) = await read(client)
    assert message.error.message.endswith(f", which is {words}")


@pytest.mark.parametrize(
    ("sent", "code", "cure"),
    [
        ('{"op":"sub","topic":"symbol:BTCUSD:1s"}', "unknown_symbol", "did you mean BTCUSDT?"),
        ('{"op":"sub","topic":"symbol:BTCUSDT:1min"}', "unknown_interval", "did you mean 1m?"),
        ('{"op":"sub","topic":"symbol:BTCUSDT:2m"}', "unknown_interval", "kept intervals"),
        ('{"op":"sub","topic":"pair:ETHUSDT:ETHUSDT:1s:30:ols"}', "same_symbol", "name another"),
        ('{"op":"sub","topic":"pair:ETHUSDT:BTCUSDT:1s:1:ols"}', "bad_parameter", "from 2 to 5,000"),
        ('{"op":"sub","topic":"pair:ETHUSDT:BTCUSDT:1s:1e3:ols"}', "bad_parameter", "from 2 to 5,000"),
        ('{"op":"sub","topic":"pair:ETHUSDT:BTCUSDT:1s:9999999999:ols"}', "bad_parameter", "from 2 to 5,000"),
        ('{"op":"sub","topic":"pair:ETHUSDT:BTCUSDT:1s:30:ransac"}', "bad_parameter", "choose from ols"),
        ('{"op":"sub","topic":"pair:ETHUSDT:BTCUSDT:1s"}', "unknown_topic", "pair:{Y}:{X}"),
        ('{"op":"sub","topic":"pair:ETHUSDT:BTCUSDT:1s:30:ols:prices=cents"}', "bad_parameter", "choose from log"),
        ('{"op":"sub","topic":"pair:ETHUSDT:BTCUSDT:1s:30:ols:price=log"}', "unknown_parameter", "write prices="),
        ('{"op":"sub","topic":"pair:ETHUSDT:BTCUSDT:1s:30:ols:"}', "unknown_parameter", "known: prices, intercept"),
        (
            '{"op":"sub","topic":"pair:ETHUSDT:BTCUSDT:1s:30:ols:prices=log:prices=log"}',
            "bad_request",
            "give it once",
        ),
        ('{"op":"sub","topic":""}', "unknown_topic", "status"),
        ('{"op":"sub","topic":"status","limit":0}', "bad_parameter", "from 1 to 5,000"),
        ('{"op":"sub","topic":"status","limit":5001}', "bad_parameter", "from 1 to 5,000"),
        ('{"op":"sub","topic":"pair:ETHUSDT:BTCUSDT:5s:61s:ols"}', "bad_parameter", "multiple of 5s"),
        ('{"op":"sub","topic":"symbol:BTCUSDT:1M"}', "unknown_interval", "did you mean 1m?"),
        ('{"op":"sub","topic":"symbol:BTCUSDT:60"}', "unknown_interval", "did you mean 60s?"),
        ('{"op":"sub","topic":"symbol::1s"}', "unknown_symbol", "known symbols"),
        ('{"op":"sub","topic":"status","topic":"status"}', "bad_request", "give it once"),
        ('{"op":"sub","topic":"status","limits":5}', "bad_message", "send"),
        ('{"op":"sub","topic":"status","limit":"ten"}', "bad_message", "send"),
        ('{"op":"sub","topic":"status","since":1.5}', "bad_message", "send"),
        ('{"op":"sub"}', "bad_message", "send"),
        ('{"op":"delete","topic":"status"}', "bad_message", "send"),
        ("", "bad_message", "send"),
        ("null", "bad_message", "send"),
        ("[" * 3_000, "bad_message", "send"),
        ("x" * 5_000, "too_long", "at most 4,096"),
        (b"\xff\xfe", "bad_message", "send"),
        ('{"op":"unsub","topic":"symbol:NOPE:1s"}', "unknown_symbol", "known symbols"),
    ],
)
async def test_a_bad_message_is_answered_with_the_cure_and_changes_nothing(
    hub: Hub, sent: str | bytes, code: str, cure: str
) -> None:
    client = hub.connect()
    assert hub.receive(client, sent)
    (message,) = await read(client)
    assert isinstance(message, wire.ErrorMessage)
    assert message.error.code == code
    assert cure in message.error.cure
    assert not client.topics
    assert hub.counters().topics == 0


async def test_a_client_that_only_sends_nonsense_is_let_go(market: MadeUpMarket, clock: ManualClock) -> None:
    hub = hub_of(market, clock, bad_messages=3)
    client = hub.connect()
    assert [hub.receive(client, "?") for _ in range(3)] == [True, True, False]


async def test_leaving_a_topic_that_is_not_followed_is_no_error(hub: Hub) -> None:
    client = hub.connect()
    ask(hub, client, "unsub", BTC)
    assert await read(client) == []


async def test_bars_reach_those_who_follow_them_and_nobody_else(hub: Hub, market: MadeUpMarket) -> None:
    follower, other = hub.connect(), hub.connect()
    ask(hub, follower, "sub", BTC)
    ask(hub, other, "sub", "symbol:ETHUSDT:1m")
    market.trade(2_000)
    await read(follower)
    await read(other)
    market.trade(1_000, symbols=("BTCUSDT",))
    messages = await read(follower)
    assert any(isinstance(one, wire.SymbolBar) and one.bar.status == ["closed"] for one in messages)
    assert {one.topic for one in messages} == {BTC}
    assert await read(other) == []


async def test_an_open_bar_that_had_to_wait_is_sent_by_the_next_tick(
    hub: Hub, market: MadeUpMarket, clock: ManualClock
) -> None:
    client = hub.connect()
    ask(hub, client, "sub", BTC)
    market.trade(500)
    await read(client)
    market.trade(250)
    assert not [one for one in await read(client) if isinstance(one, wire.SymbolBar)]
    clock.advance(0.1)
    hub.tick()
    (bar,) = [one for one in await read(client) if isinstance(one, wire.SymbolBar)]
    assert bar.bar.trades == [3]


async def test_every_client_is_pinged_each_second_and_only_the_newest_ping_waits(hub: Hub, clock: ManualClock) -> None:
    client = hub.connect()
    hub.tick()
    for _ in range(50):
        clock.advance(0.05)
        hub.tick()
    (ping,) = await read(client)
    assert ping == wire.Ping(now_ms=clock.now_ns() // 1_000_000 - 500)
    assert hub.counters().conflated == 2


async def test_a_topic_nobody_follows_can_be_resumed_for_a_minute_and_then_is_gone(
    hub: Hub, market: MadeUpMarket, clock: ManualClock
) -> None:
    first = hub.connect()
    ask(hub, first, "sub", BTC)
    (snapshot,) = await read(first)
    hub.disconnect(first)
    market.trade(3_000)
    clock.advance(59)
    hub.tick()
    assert hub.counters().topics == 1
    second = hub.connect()
    ask(hub, second, "sub", BTC, since=snapshot.seq)
    messages = await read(second)
    assert [one.seq for one in messages if isinstance(one, wire.SymbolBar)] == [
        *range(snapshot.seq + 1, snapshot.seq + 4),
        snapshot.seq + 3,
    ]
    clock.advance(120)
    hub.tick()
    assert hub.counters().topics == 1  # followed again: it stays
    hub.disconnect(second)
    clock.advance(60)
    hub.tick()
    assert hub.counters().topics == 0


async def test_numbers_of_another_incarnation_are_never_taken_for_present_ones(
    market: MadeUpMarket, clock: ManualClock
) -> None:
    """The same topic, made again after it was given up, or by a server started again."""
    old = hub_of(market, clock)
    client = old.connect()
    ask(old, client, "sub", BTC)
    market.trade(10_000)
    last = max(one.seq for one in await read(client))
    clock.advance(11)
    new = hub_of(market, clock)
    client = new.connect()
    ask(new, client, "sub", BTC, since=last)
    (snapshot,) = await read(client)
    assert isinstance(snapshot, wire.SymbolSnapshot)
    assert snapshot.seq > last


async def test_numbers_rise_within_a_process_even_when_the_clock_goes_back(hub: Hub, clock: ManualClock) -> None:
    client = hub.connect()
    ask(hub, client, "sub", BTC)
    clock.set_wall(0)
    ask(hub, client, "sub", "symbol:ETHUSDT:1s")
    first, second = await read(client)
    assert second.seq > first.seq


async def test_limits_hold_for_clients_and_topics(market: MadeUpMarket, clock: ManualClock) -> None:
    hub = hub_of(market, clock, clients=2, topics=3, topics_per_client=2)
    first, second = hub.connect(), hub.connect()
    with pytest.raises(Busy):
        hub.connect()
    for client, topics in (
        (first, ["status", BTC, "symbol:BTCUSDT:5s"]),
        (second, ["symbol:BTCUSDT:1m", "symbol:BTCUSDT:5m"]),
    ):
        for topic in topics:
            ask(hub, client, "sub", topic)
    told = {
        client: [one for one in await read(client) if isinstance(one, wire.ErrorMessage)] for client in (first, second)
    }
    assert [one.error.code for one in told[first]] == ["too_many"]
    assert [one.error.code for one in told[second]] == ["busy"]
    assert hub.counters().topics == 3
    hub.disconnect(first)
    hub.connect()


async def test_a_client_with_a_full_mailbox_may_not_ask_for_more(hub: Hub) -> None:
    client = hub.connect()
    for _ in range(2_000):
        if client.mailbox.crowded:
            break
        ask(hub, client, "unsub", "?")
    assert client.mailbox.crowded
    ask(hub, client, "sub", BTC)
    assert (await read(client))[-1].error.code == "busy"


async def test_a_topic_that_fails_is_dropped_and_told_while_the_feed_and_others_go_on(
    hub: Hub, market: MadeUpMarket, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = hub.connect()
    for topic in (BTC, "pair:ETHUSDT:BTCUSDT:1s:30:ols"):
        ask(hub, client, "sub", topic)
    await read(client)

    def broken(*_: Any) -> None:
        raise ZeroDivisionError("a secret")

    monkeypatch.setattr(market.live, "pair_series", broken)
    market.trade(2_000)
    messages = await read(client)
    errors = [one for one in messages if isinstance(one, wire.ErrorMessage)]
    assert [(one.topic, one.error.code) for one in errors] == [("pair:ETHUSDT:BTCUSDT:1s:30:ols", "internal_error")]
    assert sum(isinstance(one, wire.SymbolBar) for one in messages) >= 2
    assert list(client.topics) == [BTC]
    ask(hub, client, "sub", "pair:ETHUSDT:BTCUSDT:1s:30:ols")
    assert (await read(client))[-1].error.code == "internal_error"
    hub.disconnect(client)
    assert hub.counters().clients == 0


async def test_a_hub_that_runs_listens_and_ticks_and_stops_listening(market: MadeUpMarket, clock: ManualClock) -> None:
    hub = Hub(live=market.live, status=market.status, clock=clock, window=30)
    client = hub.connect()
    ask(hub, client, "sub", BTC)
    running = asyncio.create_task(hub.run())
    await asyncio.sleep(0)
    await client.mailbox.next()
    market.trade(1_000)
    assert "symbol_bar" in await client.mailbox.next()
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    await read(client)
    market.trade(1_000)
    assert await read(client) == []


async def test_a_topic_whose_code_is_being_compiled_says_so_and_begins_by_itself(
    market: MadeUpMarket, clock: ManualClock
) -> None:
    market.live.kernels = Kernels(ready=["symbols"])
    hub = hub_of(market, clock)
    client = hub.connect()
    pair, huber = "pair:ETHUSDT:BTCUSDT:1s:30:ols", "pair:ETHUSDT:BTCUSDT:1s:30:huber"
    for topic in (BTC, pair, huber, "status"):
        assert ask(hub, client, "sub", topic)
    told = {message.topic: type(message) for message in await read(client)}
    assert told == {
        BTC: wire.SymbolSnapshot,
        pair: wire.Preparing,
        huber: wire.Preparing,
        "status": wire.StatusMessage,
    }
    ask(hub, client, "unsub", huber)
    parts: tuple[Part, ...] = ("pairs", "tests")
    for part in parts:
        market.live.kernels.add([part])
    assert [(message.topic, type(message)) for message in await read(client)] == [(pair, wire.PairSnapshot)]


async def test_a_pair_whose_code_is_there_before_the_bars_of_the_tape_waits_for_them(
    market: MadeUpMarket, clock: ManualClock
) -> None:
    market.live.kernels = Kernels(ready=())
    held = len(market.live.bars("BTCUSDT", Interval.parse("1s"), 1_000))
    market.live.kernels.before("symbols", lambda: market.trade(5_000))
    hub = hub_of(market, clock)
    client = hub.connect()
    ask(hub, client, "sub", "pair:ETHUSDT:BTCUSDT:1s:30:ols")
    market.live.kernels.add(["pairs"])
    assert [type(message) for message in await read(client)] == [wire.Preparing]
    with pytest.raises(WarmingUp):
        market.live.pair_series("ETHUSDT", "BTCUSDT", Interval.parse("1s"), 30, 10)
    market.live.kernels.add(["symbols"])
    (snapshot,) = await read(client)
    assert snapshot.series.open_time_ms[-1] == market.live.bars("BTCUSDT", Interval.parse("1s"), 1)["open_time_ms"][0]
    assert len(snapshot.series.open_time_ms) == held + 5


async def test_what_waits_for_its_code_counts_as_followed(market: MadeUpMarket, clock: ManualClock) -> None:
    market.live.kernels = Kernels(ready=["symbols"])
    hub = hub_of(market, clock, topics_per_client=1)
    client = hub.connect()
    ask(hub, client, "sub", "pair:ETHUSDT:BTCUSDT:1s:30:ols")
    ask(hub, client, "sub", BTC)
    assert {type(message) for message in await read(client)} == {wire.Preparing, wire.ErrorMessage}
    hub.disconnect(client)
    market.live.kernels.add(["pairs"])
    assert hub.counters().topics == 0
