"""Rules read as the market goes on: each bar once, written before it is told, and the same after any restart."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import pytest

from pairscope.alerts import engine as module
from pairscope.alerts import reader, values
from pairscope.alerts.engine import Engine
from pairscope.alerts.ledger import Entry, Ledger, Written
from pairscope.alerts.rule import AlertRule, Clause, Comparison
from pairscope.alerts.transition import Transition
from pairscope.base.errors import DiskFull
from pairscope.live.windows import measure_symbol
from tests.alerts.played import START_MS, PlayedMarket, play, played, price_rule, reading


async def test_what_is_told_is_on_the_disk_by_then(market: PlayedMarket, engine: Engine) -> None:
    found = []
    market.on_told = lambda told: found.append([market.history.get(each.number) == each for each in told])
    market.rule(price_rule(channels=("desk",)))
    await play(market, engine, 90.0, 101.0, 101.0)
    assert found == [[True]]


async def test_a_number_that_several_rules_ask_for_is_computed_once(
    market: PlayedMarket, engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[list[str]] = []

    def measured(*given: Any) -> Any:
        asked.append([each.name for each in given[3]])
        return measure_symbol(*given)

    monkeypatch.setattr(values, "measure_symbol", measured)
    market.rule(*(price_rule(float(high)) for high in range(100)))
    market.rule(price_rule(first=Clause(metric="last_return", comparison=Comparison.ABOVE, high=1.0)))
    await play(market, engine, 90.0, 90.0)
    asked.clear()
    await play(market, engine, 90.0)
    assert asked == [["last_price", "last_return"]]


async def test_a_rule_is_read_at_each_bar_and_told_once(market: PlayedMarket, engine: Engine) -> None:
    market.rule(price_rule(hold_ms=2_000, channels=("desk",)))
    await play(market, engine, 90.0, 101.0, 102.0, 103.0, 104.0, 104.0, 99.0, 99.0)
    assert market.changes(minor=True) == [(3, "pending"), (5, "fired"), (8, "resolved")]
    fired, resolved = market.transitions(minor=False)
    assert (fired.value, fired.interval, fired.window, fired.missing) == (103.0, "1s", 2, 0.0)
    assert (fired.fire, resolved.fire, resolved.value) == (fired.number, fired.number, 99.0)
    (one, other) = market.outbox()
    assert one[1:] == ("desk", one[2] | {"transition": "fired", "number": fired.number, "value": 103.0})
    assert other[2]["transition"] == "resolved"
    assert fired.messages == {"desk": one[0]}
    assert [each.number for each in market.told] == [1, 2, 3]
    assert market.woken == 2


# --- restarts ---------------------------------------------------------------------------------------------


def rules_of(chance: random.Random) -> list[AlertRule]:
    """Rules of every kind on one price, with short times."""
    times = {name: chance.choice([0, 1_000, 3_000]) for name in ("hold_ms", "keep_ms", "cooldown_ms")}
    crosses = Clause(metric="last_price", comparison=Comparison.CROSSES_BELOW, low=100.0, reset_low=101.0)
    band = Clause(
        metric="last_price", comparison=Comparison.OUTSIDE, low=98.0, high=102.0, reset_low=99.0, reset_high=101.0
    )
    pair = Clause(metric="price_spread", comparison=Comparison.BELOW, low=-50.0, reset_low=-50.5)
    both = Clause(metric="last_return", comparison=Comparison.ABOVE, high=0.0, reset_high=0.0)
    return [
        price_rule(name="held", channels=("desk",), **times),
        price_rule(name="crosses", first=crosses, channels=("desk", "phone")),
        price_rule(name="band", first=band, interval="5s", keep_ms=5_000, channels=("phone",)),
        price_rule(name="merged", interval="10s", channels=("desk",)),
        price_rule(name="both", second=both, hold_ms=1_000, channels=("desk",)),
        price_rule(name="all", scope="all_symbols", symbols=(), channels=("desk",)),
        price_rule(name="pairs", scope="all_pairs", symbols=(), first=pair, window=30, channels=("desk",)),
    ]


def path_of(chance: random.Random, seconds: int) -> list[float | None]:
    """Prices around the thresholds, with seconds in which one symbol does not trade, and longer times."""
    price, found, silent = 100.0, list[float | None](), 0
    for _ in range(seconds):
        price = 100.0 + 0.7 * (price - 100.0) + chance.gauss(0.0, 1.5)
        silent = max(silent - 1, chance.choice([0] * 30 + [1, 2, 18]))
        found.append(None if silent else round(price, 2))
    return found


@pytest.mark.parametrize("seed", range(4))
async def test_a_restart_at_any_moment_changes_nothing_of_what_is_told(tmp_path: Path, seed: int) -> None:
    whole, broken = [await lived(tmp_path / str(restarts), seed, restarts) for restarts in (False, True)]
    assert whole == broken
    assert len(whole[0]) > 100
    assert {"no_data", "data_back", "fired", "resolved"} <= {each[3] for each in whole[0]}


async def lived(folder: Path, seed: int, restarts: bool) -> tuple[list[Any], list[str]]:
    """What is told of a random market, by one engine, or by several one after the other with pauses between them."""
    chance, whim, others = (random.Random(f"{seed} {of}") for of in ("market", "restarts", "others"))
    with played(folder) as market:
        market.second(100.0)
        engine, absent = market.engine(), 0
        await engine.begin()
        market.rule(*rules_of(chance))
        await engine.look()
        for price in path_of(chance, 150):
            market.second(price, others=100.0 + others.gauss(0.0, 1.0))
            if restarts and not absent and whim.random() < 0.08:
                engine.end()  # nothing is written by it
                engine, absent = market.engine(), whim.choice([1, 1, 2, 9, 30])
                await engine.begin()
            absent = max(0, absent - 1)
            if not absent:
                await engine.look()
        await engine.look()
        engine.end()
        told = [(*key_of(each), each.value, each.second, each.messages) for each in market.transitions()]
        return sorted(told, key=str), sorted(identity for identity, _, _ in market.outbox())


def key_of(each: Transition) -> tuple[str, str, int, str]:
    return each.name, each.target, each.time_ms, each.change.value


async def test_a_rule_that_was_made_while_nobody_read_begins_with_the_next_bar(market: PlayedMarket) -> None:
    async with reading(market) as engine:
        market.rule(price_rule(200.0))
        await play(market, engine, 90.0, 90.0)
        await engine.keep()
    market.second(101.0)
    market.rule(price_rule())
    for price in (101.0, 101.0, 99.0):
        market.second(price)
    async with reading(market) as engine:
        await play(market, engine, 99.0, 101.0, 101.0)
    assert market.changes() == [(9, "fired")]


async def test_what_is_too_far_back_is_passed_over_and_counted(
    market: PlayedMarket, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reader, "MOST_BEHIND", 3)
    async with reading(market) as engine:
        market.rule(price_rule(hold_ms=2_000))
        await play(market, engine, 90.0, 101.0, 101.0)
        await engine.keep()
    for price in (101.0, 101.0, 101.0, 101.0, 101.0):
        market.second(price)
    async with reading(market) as engine:
        await play(market, engine, 101.0)
        assert engine.status().skipped == 3
    assert market.changes(minor=True) == [(3, "pending"), (9, "fired")]  # of the 7th to the 9th


async def test_nothing_of_before_the_first_start_is_told(tmp_path: Path) -> None:
    with played(tmp_path) as market:
        market.rule(price_rule())
        async with reading(market) as engine:
            market.clock.advance(600.0)
            for second in range(20):  # fetched from before the start
                market.trade({"BTCUSDT": 101.0}, at_ms=START_MS + 1_000 * second)
                await engine.look()
            assert engine.status().state == "starting"
            await play(market, engine, 90.0, 90.0, 101.0, 101.0)
        assert market.changes() == [(603, "fired")]


# --- rules that are others ----------------------------------------------------------------------------------


async def change(market: PlayedMarket, engine: Engine, number: int, rule: AlertRule) -> None:
    market.book.replace(number, rule, "ann")
    engine.changed()
    await engine.look()


async def test_another_condition_ends_an_open_episode_without_saying_that_it_came_back(
    market: PlayedMarket, engine: Engine
) -> None:
    market.rule(price_rule(channels=("desk",)))
    await play(market, engine, 90.0, 101.0, 101.0)
    await change(market, engine, 1, price_rule(100.5, channels=("desk",), name="Other"))
    await play(market, engine, 101.0, 101.0)
    assert market.changes() == [(3, "fired"), (3, "superseded"), (4, "fired")]
    ended, fired = market.transitions()[1:]
    assert (ended.revision, ended.fire, fired.revision) == (1, 1, 2)
    assert [body["transition"] for _, _, body in market.outbox()] == ["fired", "fired"]
    assert len({identity for identity, _, _ in market.outbox()}) == 2


async def test_another_name_or_channel_changes_nothing_of_what_goes_on(market: PlayedMarket, engine: Engine) -> None:
    market.rule(price_rule(channels=("desk",)))
    await play(market, engine, 90.0, 101.0, 101.0)
    await change(market, engine, 1, price_rule(name="New", channels=("desk", "phone"), cooldown_ms=60_000))
    await play(market, engine, 99.0, 99.0, 101.0, 101.0)
    assert market.changes() == [(3, "fired"), (5, "resolved")]
    assert {(channel, body["rule"]) for _, channel, body in market.outbox()} == {
        ("desk", "Price"),
        ("desk", "New"),
        ("phone", "New"),
    }


async def test_the_cooldown_of_the_fire_before_holds_for_the_next_condition(
    market: PlayedMarket, engine: Engine
) -> None:
    market.rule(price_rule(cooldown_ms=10_000))
    await play(market, engine, 90.0, 101.0, 101.0)
    await change(market, engine, 1, price_rule(100.5, cooldown_ms=10_000))
    await play(market, engine, *[101.0] * 12)
    assert market.changes() == [(3, "fired"), (3, "superseded"), (13, "fired")]


@pytest.mark.parametrize("is_deleted", [True, False])
async def test_a_rule_that_is_no_more_ends_and_begins_anew_when_it_is_back(
    market: PlayedMarket, engine: Engine, is_deleted: bool
) -> None:
    market.rule(price_rule(), price_rule(200.0))
    await play(market, engine, 90.0, 101.0, 101.0)
    if is_deleted:
        market.book.delete(1, "ann")
    else:
        market.book.replace(1, price_rule(enabled=False), "ann")
    engine.changed()
    await play(market, engine, 101.0, 101.0)
    assert market.changes() == [(3, "fired"), (3, "superseded")]
    assert [each.rule for each in engine.standing().values()] == [2]
    if is_deleted:
        market.book.undo(1, "ann")
    else:
        market.book.replace(1, price_rule(), "ann")
    engine.changed()
    await play(market, engine, 101.0, 101.0)
    assert market.changes()[2:] == [(7, "fired")]


async def test_a_rule_that_became_another_while_nobody_read_begins_anew(market: PlayedMarket) -> None:
    async with reading(market) as engine:
        market.rule(price_rule(), price_rule(), price_rule())
        await play(market, engine, 90.0, 101.0, 101.0)
    market.book.replace(1, price_rule(100.5), "ann")
    market.book.delete(2, "ann")
    async with reading(market) as engine:
        await play(market, engine, 101.0, 101.0)
    found = [(each.rule, each.change.value) for each in market.transitions()][3:]
    assert found == [(1, "superseded"), (2, "superseded"), (1, "fired")]
    async with reading(market) as engine:  # and not once more at the next start
        await play(market, engine, 101.0)
    assert len(market.transitions()) == 6


async def test_a_symbol_that_comes_is_read_and_one_that_goes_is_not(market: PlayedMarket, engine: Engine) -> None:
    market.watched = ("BTCUSDT",)
    market.rule(price_rule(40.0, scope="all_symbols", symbols=()))
    await play(market, engine, 30.0, 101.0, 101.0)
    market.watched = ("BTCUSDT", "ETHUSDT")
    await play(market, engine, 101.0, 101.0)
    market.watched = ("ETHUSDT",)
    await play(market, engine, 101.0)
    assert [(each.target, each.change.value) for each in market.transitions()] == [
        ("BTCUSDT", "fired"),
        ("ETHUSDT", "fired"),
        ("BTCUSDT", "superseded"),
    ]


# --- a database that fails --------------------------------------------------------------------------------------


async def test_nobody_is_told_of_what_cannot_be_written_and_nothing_is_lost_by_it(
    market: PlayedMarket, engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "AGAIN_S", 0.001)
    market.rule(price_rule(channels=("desk",)))
    await play(market, engine, 90.0, 101.0)
    write, failures = Ledger.write, iter(range(3))

    def failing(ledger: Ledger, entry: Entry) -> Written:
        if next(failures, None) is not None:
            assert (market.told, market.woken) == ([], 0)
            raise DiskFull("no room")
        return write(ledger, entry)

    monkeypatch.setattr(Ledger, "write", failing)
    await play(market, engine, 101.0)
    assert engine.error is None
    assert [each.change.value for each in market.told] == ["fired"]
    assert len(market.outbox()) == 1


async def test_how_far_was_read_is_written_now_and_then(market: PlayedMarket, engine: Engine) -> None:
    market.rule(price_rule(hold_ms=60_000))
    await play(market, engine, 90.0, *[101.0] * 40)
    held = engine._books.ledger.read()
    assert START_MS + 30_000 <= held.cursors["1s"] <= START_MS + 42_000
    (life,) = held.lives
    assert life.life.held_ms == life.life.seen_ms - START_MS - 3_000 > 25_000
