"""How rules are read: a bar waits while its hole is filled, in silence nothing is known, updates come at a pace."""

from __future__ import annotations

import random
from dataclasses import replace
from pathlib import Path
from typing import Any

from pairscope.alerts.engine import SYSTEM_S, Engine
from pairscope.alerts.panel import Slot
from pairscope.alerts.questions import questions_of
from pairscope.alerts.reader import UPDATE_S
from pairscope.alerts.rule import Clause, Comparison
from pairscope.base.model import Cut
from tests.alerts.played import START_MS, PlayedMarket, play, played, price_rule, reading


async def test_a_bar_whose_hole_is_being_filled_is_waited_for(market: PlayedMarket, engine: Engine) -> None:
    market.rule(price_rule())
    await play(market, engine, 90.0)
    market.is_filling = True
    market.second(90.0, lost=("BTCUSDT",))
    market.second(90.0)
    await engine.look()
    assert engine.status().behind_ms == 2_000  # the bar before the hole, and the one after it
    market.revise("BTCUSDT", START_MS + 1_000, 90.0)
    await engine.look()
    assert engine.status().behind_ms == 1_000
    market.revise("BTCUSDT", START_MS + 2_000, 101.0)
    await engine.look()
    assert market.changes() == [(3, "fired")]


async def test_it_is_not_waited_for_for_long_nor_again_at_the_next_bar(market: PlayedMarket, engine: Engine) -> None:
    market.rule(price_rule(missing_limit=1.0))
    await play(market, engine, 90.0, *[90.0] * 40)  # long after the start
    market.is_filling = True
    for _ in range(9):
        market.second(101.0, lost=("BTCUSDT",))
        await engine.look()
    assert market.changes() == [(43, "fired")]
    assert market.transitions()[0].recorded_ms == START_MS + 48_000  # five seconds after the hole was seen
    assert engine.status().behind_ms == 0


async def test_a_symbol_that_may_have_traded_unheard_is_waited_for_by_its_rules_alone(
    market: PlayedMarket, engine: Engine
) -> None:
    market.rule(price_rule(), price_rule(40.0, symbols=("ETHUSDT",), interval="10s"))
    await play(market, engine, *[90.0] * 10)
    market.unsure = {"BTCUSDT"}  # after a lost connection: it trades seldom
    for _ in range(3):
        market.second(None)
        await engine.look()
    assert [each.target for each in market.transitions()] == ["ETHUSDT"]
    market.trade({"BTCUSDT": 101.0}, at_ms=START_MS + 11_500)
    market.unsure = set()
    await engine.look()
    assert [(each.target, each.time_ms) for each in market.transitions()][1:] == [("BTCUSDT", START_MS + 12_000)]


async def test_after_a_start_holes_are_waited_for_longer(market: PlayedMarket) -> None:
    async with reading(market) as engine:
        market.rule(price_rule(missing_limit=1.0))
        await play(market, engine, 90.0)
        await engine.keep()
    market.clock.advance(60.0)
    market.is_filling = True
    async with reading(market) as engine:
        for _ in range(20):
            market.second(101.0, lost=("BTCUSDT",))
            await engine.look()
        assert market.changes() == []
        for _ in range(20):
            market.second(101.0, lost=("BTCUSDT",))
            await engine.look()
    assert market.changes()[-1] == (63, "fired")


async def test_a_back_fill_marks_the_open_episode_and_tells_nobody(market: PlayedMarket, engine: Engine) -> None:
    market.rule(price_rule(channels=("desk",)), price_rule(400.0), price_rule(name="closed", hold_ms=1_000))
    await play(market, engine, 90.0, 101.0, 101.0, 101.0)
    told = len(market.told)
    market.revise("ETHUSDT", START_MS + 3_000, 1.0)
    await engine.look()
    assert all(each.revised_ms is None for each in market.transitions())
    market.revise("BTCUSDT", START_MS + 3_000, 90.0)
    await engine.look()
    marked = [(each.name, each.change.value, each.revised_ms) for each in market.transitions(minor=False)]
    assert marked == [("Price", "fired", market.now_ms), ("closed", "fired", market.now_ms)]
    assert (len(market.told), len(market.outbox())) == (told, 1)


async def test_a_bar_is_read_once_whatever_becomes_of_it(market: PlayedMarket, engine: Engine) -> None:
    market.rule(price_rule())
    await play(market, engine, 90.0, 90.0)
    market.revise("BTCUSDT", START_MS + 1_000, 101.0)
    await play(market, engine, 90.0)
    assert market.changes() == []


async def test_a_silent_feed_is_a_time_in_which_nothing_is_known(market: PlayedMarket, engine: Engine) -> None:
    market.rule(price_rule(channels=("desk",)))
    await play(market, engine, 90.0, 101.0, 101.0)
    for _ in range(20):
        market.silence(1.0)
        await engine.look()
    assert market.changes() == [(3, "fired"), (17, "no_data")]  # known for three seconds without a trade
    (lost,) = [each for each in market.transitions() if each.change.value == "no_data"]
    assert (lost.reason, lost.value) == ("leg_late", None)
    (standing,) = engine.standing().values()
    assert (standing.stage, standing.veil, standing.reason) == ("firing", "no_data", "leg_late")
    await play(market, engine, 99.0, 99.0)
    assert market.changes()[2:] == [(25, "data_back"), (25, "resolved")]


async def test_the_last_bar_before_a_silence_is_read_though_no_later_trade_ends_it(
    market: PlayedMarket, engine: Engine
) -> None:
    market.rule(price_rule())
    await play(market, engine, 90.0, 101.0)
    market.silence(3.0)
    await engine.look()
    assert market.changes() == [(3, "fired")]


async def test_a_bar_that_was_cut_off_is_not_taken_to_be_over(market: PlayedMarket, engine: Engine) -> None:
    market.rule(price_rule())
    await play(market, engine, 90.0, 101.0)
    open_ones = market.memory.open_bars([0])
    open_ones["cut"] = Cut.END
    market.memory.put(open_ones)
    market.silence(5.0)
    await engine.look()
    assert market.changes() == []


async def test_what_was_missed_in_a_silence_is_read_when_it_comes(market: PlayedMarket, engine: Engine) -> None:
    market.rule(price_rule(channels=("desk",)))
    await play(market, engine, 90.0, 90.0)
    for _ in range(20):
        market.silence(1.0)
        await engine.look()
    for second in range(3, 23):  # it was another connection that had failed
        market.trade({"BTCUSDT": 101.0 if second < 10 else 90.0}, at_ms=START_MS + 1_000 * second + 500)
        await engine.look()
    assert market.changes() == [(16, "no_data"), (4, "data_back"), (4, "fired"), (11, "resolved")]


async def test_a_symbol_that_is_not_heard_is_not_known_while_others_are(market: PlayedMarket, engine: Engine) -> None:
    market.rule(price_rule())
    await play(market, engine, 90.0, *[None] * 16)
    (lost,) = market.transitions()
    assert (lost.change.value, lost.reason) == ("no_data", "leg_late")
    assert lost.time_ms == START_MS + 15_000  # ten seconds after the last that was known


async def test_trades_that_are_missing_make_a_value_unknown(market: PlayedMarket, engine: Engine) -> None:
    market.rule(price_rule(window=9))
    await play(market, engine, *[90.0] * 9)
    for _ in range(12):
        market.second(101.0, lost=("BTCUSDT",))
        await engine.look()
    (lost,) = market.transitions()
    assert (lost.change.value, lost.reason, lost.value) == ("no_data", "missing_trades", 101.0)
    assert lost.time_ms == START_MS + 19_000  # ten seconds after the last that was known


async def test_a_symbol_nobody_watches_is_an_error_of_its_rule(market: PlayedMarket, engine: Engine) -> None:
    market.rule(price_rule(symbols=("XRPUSDT",)), price_rule())
    await play(market, engine, 90.0, *[90.0] * 10, 101.0, 101.0)
    assert [(each.target, each.change.value, each.reason) for each in market.transitions()] == [
        ("XRPUSDT", "error", "not_watched"),
        ("BTCUSDT", "fired", None),
    ]


# --- what is there now --------------------------------------------------------------------------------------


async def test_a_rule_on_each_update_is_read_before_its_bar_is_over(market: PlayedMarket, engine: Engine) -> None:
    market.rule(price_rule(on_update=True, interval="1m"))
    await play(market, engine, 90.0)
    for price in (101.0, 99.0, 101.5):
        market.clock.advance(0.2)
        market.trade({"BTCUSDT": price})
        await engine.look()
    found = [(each.change.value, each.value, each.bar_ms) for each in market.transitions()]
    assert found == [("fired", 101.0, START_MS), ("resolved", 99.0, START_MS), ("fired", 101.5, START_MS)]
    assert market.transitions()[0].time_ms == START_MS + 2_200


async def test_updates_are_read_at_a_pace_and_the_last_one_is_not_passed_over(
    market: PlayedMarket, engine: Engine
) -> None:
    market.rule(price_rule(on_update=True))
    await play(market, engine, 90.0)
    for price in (91.0, 101.0):
        market.clock.advance(0.01)
        market.trade({"BTCUSDT": price})
        due_s = await engine.look()
    assert market.changes() == []
    assert 0.0 < due_s < UPDATE_S
    market.clock.advance(due_s)
    await engine.look()
    assert [each.value for each in market.transitions()] == [101.0]


async def test_only_what_was_touched_is_computed_again(market: PlayedMarket, engine: Engine) -> None:
    one = price_rule(on_update=True)
    market.rule(one, price_rule(on_update=True, symbols=("ETHUSDT",)))
    await play(market, engine, 90.0)
    asked: list[str] = []
    present = engine.reader._values.present

    async def watched(questions: Any, event_ms: int) -> Any:
        asked.extend(each.target[0] for each in questions)
        return await present(questions, event_ms)

    engine.reader._values.present = watched  # type: ignore[method-assign]
    market.clock.advance(0.2)
    market.trade({"ETHUSDT": 50.0})
    await engine.look()
    assert asked == ["ETHUSDT"]
    assert {each.value for each in engine.standing().values()} == {90.0, 50.0}


async def test_updates_that_do_not_come_are_a_silence_too(market: PlayedMarket, engine: Engine) -> None:
    market.rule(price_rule(on_update=True), price_rule(on_update=True, symbols=("ETHUSDT",)))
    await play(market, engine, 90.0)
    for _ in range(20):
        market.clock.advance(1.0)
        market.trade({"ETHUSDT": 50.0})
        await engine.look()
    assert [(each.target, each.change.value, each.reason) for each in market.transitions()] == [
        ("BTCUSDT", "no_data", "leg_late")
    ]
    for _ in range(15):
        market.silence(1.0)
        await engine.look()
    assert [(each.target, each.change.value) for each in market.transitions()][1:] == [("ETHUSDT", "no_data")]


async def test_rules_on_pairscope_itself_are_read_every_few_seconds(market: PlayedMarket, engine: Engine) -> None:
    lag = Clause(metric="loop_lag", comparison=Comparison.ABOVE, high=100.0, reset_high=50.0)
    market.rule(price_rule(scope="system", symbols=(), first=lag, name="Lag", hold_ms=2_000))
    lags = [10.0, 150.0, 200.0, None, 200.0, 40.0]
    for each in lags:
        market.clock.advance(SYSTEM_S)
        market.system = replace(market.system, at_ms=market.now_ms, loop_lag_ms=each)
        await engine.look()
        await engine.look()  # not before its time
    assert market.changes(minor=True) == [(5, "pending"), (7, "fired"), (13, "resolved")]
    fired = market.transitions(minor=False)[0]
    assert (fired.target, fired.value, fired.interval, fired.window, fired.bar_ms) == (
        "system",
        200.0,
        None,
        None,
        None,
    )


async def test_pairscope_itself_is_read_though_no_trade_ever_came(tmp_path: Path) -> None:
    with played(tmp_path) as market:
        age = Clause(metric="feed_age", comparison=Comparison.ABOVE, high=10.0, reset_high=3.0)
        market.rule(price_rule(scope="system", symbols=(), first=age), price_rule())
        async with reading(market) as engine:
            await engine.look()
            market.clock.advance(SYSTEM_S)
            market.system = replace(market.system, at_ms=market.now_ms, feed_age_s=12.0)
            await engine.look()
            assert (engine.status().state, engine.status().rules) == ("starting", 1)
        assert [each.change.value for each in market.transitions()] == ["fired"]


# --- what takes long ------------------------------------------------------------------------------------------


async def test_what_takes_long_is_read_by_itself_and_of_the_same_bar(market: PlayedMarket, engine: Engine) -> None:
    second = Clause(metric="adf_pvalue", comparison=Comparison.BELOW, low=2.0, reset_low=3.0)
    market.rule(price_rule(name="slow", second=second, window=30), price_rule(name="quick"))
    chance = random.Random(3)
    for _ in range(40):
        market.second(90.0 + chance.gauss(0.0, 0.5))
        await engine.look()
    market.second(101.0)
    market.second(101.0)
    await engine.look()
    assert [each.name for each in market.transitions()] == ["quick"]
    await engine.look(is_slow=True)
    quick, slow = market.transitions()
    assert (slow.name, slow.time_ms, slow.value) == ("slow", quick.time_ms, quick.value)
    measured = await engine.reader._values.study(
        questions_of([Slot(("BTCUSDT",), "1s", 30, "adf_pvalue")])[0], slow.bar_ms or 0
    )
    assert slow.second == measured["adf_pvalue"].value is not None


async def test_a_window_longer_than_memory_takes_its_bars_from_the_disk(tmp_path: Path) -> None:
    with played(tmp_path, history_bars=100) as market:
        market.second(90.0)
        async with reading(market) as engine:
            market.rule(price_rule(window=200))
            await play(market, engine, 90.0, 101.0, 101.0)
            assert market.transitions() == []
            await engine.look(is_slow=True)
            assert [each.value for each in market.transitions()] == [101.0]
