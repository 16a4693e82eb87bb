"""What rules see of the market: the very values of the one entry point, of any bars, each by itself."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest

from pairscope.alerts import values as module
from pairscope.alerts.panel import MetricNow, Slot
from pairscope.alerts.questions import Question, metric_now, questions_of
from pairscope.alerts.values import FAULT, LATE, NOT_HELD, NOT_WATCHED, MarketValues
from pairscope.analytics.registry import BY_SCOPE
from pairscope.bars.cuts import MissingReason
from pairscope.base.clock import ManualClock
from pairscope.base.interval import Interval
from pairscope.live.analysis import Analyses
from pairscope.live.kernels import Kernels
from tests.alerts.played import PAIRS, SYMBOLS
from tests.api.conftest import MadeUpMarket

PAIR, SYMBOL = PAIRS[0], ("BTCUSDT",)


@pytest.fixture(scope="module")
def market(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MadeUpMarket]:
    market = MadeUpMarket(tmp_path_factory.mktemp("market"), ManualClock(0))
    market.trade(180_000, burst_ms=10_000)
    yield market
    market.store.close()


@pytest.fixture
def values(market: MadeUpMarket) -> MarketValues:
    return MarketValues(market.live, Analyses(market.live, market.store), ManualClock(0), lambda: SYMBOLS)


def ask(*names: str, target: tuple[str, ...] = PAIR, interval: str = "1s", window: int = 30) -> list[Question]:
    return questions_of([Slot(target, interval, window, name) for name in names])


async def test_they_are_those_of_the_one_entry_point_at_the_bar(market: MadeUpMarket, values: MarketValues) -> None:
    live, second = market.live, Interval(1_000)
    open_ms = live.newest_closed_ms((), second) - 7_000
    pair = live.pair_metrics(*PAIR, second, 30, at_ms=open_ms)
    symbol = live.symbol_metrics("BTCUSDT", second, 30, at_ms=open_ms)
    for target, whole in ((PAIR, pair), (SYMBOL, symbol)):
        found = await values.closed(ask(*whole, target=target), open_ms + 1_000)
        assert [known for _, known in sorted(found)] == [metric_now(each) for each in whole.values()]


async def test_bars_that_are_not_kept_are_merged_of_those_that_are(market: MadeUpMarket, values: MarketValues) -> None:
    ten = Interval(10_000)
    open_ms = market.live.newest_closed_ms((), ten) - ten.ms
    found = dict(await values.closed(ask("spread_z", "beta", interval="10s", window=12), open_ms + ten.ms))
    whole = await values.study(ask("spread_z", "beta", interval="10s", window=12)[0], open_ms)
    assert [found[0], found[1]] == [metric_now(whole["spread_z"]), metric_now(whole["beta"])]
    assert found[0].value is not None


async def test_the_present_is_that_of_the_open_bar(market: MadeUpMarket, values: MarketValues) -> None:
    whole = market.live.symbol_metrics("BTCUSDT", Interval(1_000), 30)
    found = await values.present(ask("last_price", "rsi", target=SYMBOL), market.live.exchange_ms)
    assert [known.value for _, known in found] == [whole["last_price"].value, whole["rsi"].value]


async def test_each_metric_with_every_bar_is_had_from_the_code_that_its_question_names(market: MadeUpMarket) -> None:
    cheap = {each.name for scope in BY_SCOPE.values() for each in scope.values() if each.cadence == "bar"}
    for name in sorted(cheap):
        target = SYMBOL if name in BY_SCOPE["symbol"] else PAIR
        (question,) = ask(name, target=target)
        assert (question.is_dear, question.part) == (False, "symbols" if target == SYMBOL else "pairs")
    assert [each.part for each in ask("spread_z:method=huber")] == ["tests"]
    assert [each.part for each in ask("spread_z:prices=level")] == ["pairs"]
    for name, target in (("coint_p", PAIR), ("health", PAIR), ("adf_pvalue", SYMBOL), ("garch_forecast", SYMBOL)):
        (question,) = ask(name, target=target)
        assert (question.is_dear, question.part) == (True, "rest")


async def test_it_is_not_asked_before_its_code_is_there(market: MadeUpMarket, values: MarketValues) -> None:
    whole, market.live.kernels = market.live.kernels, Kernels(ready=("symbols",))
    try:
        assert values.is_ready(ask("rsi", target=SYMBOL))
        assert not values.is_ready(ask("rsi", target=SYMBOL) + ask("beta"))
    finally:
        market.live.kernels = whole


async def test_a_symbol_that_is_not_watched_or_not_heard_has_no_value(
    market: MadeUpMarket, values: MarketValues
) -> None:
    open_ms = market.live.newest_closed_ms((), Interval(1_000))
    assert await values.closed(ask("beta", target=("XRPUSDT", "BTCUSDT")), open_ms) == [(0, NOT_WATCHED)]
    heard_ms = market.live.exchange_ms // 1_000 * 1_000 + 1_000
    for end_ms, is_known in ((heard_ms + 3_000, True), (heard_ms + 4_000, False)):
        ((_, known),) = await values.closed(ask("beta"), end_ms)
        assert (known.value is not None) is is_known
        assert (known == LATE) is not is_known


async def test_what_is_not_in_memory_is_not_made_up(
    market: MadeUpMarket, values: MarketValues, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(market.live, "held", lambda *_: None)
    end_ms = market.live.newest_closed_ms((), Interval(1_000)) + 1_000
    assert await values.closed(ask("beta"), end_ms) == [(0, NOT_HELD)]


async def test_a_metric_that_fails_is_an_error_of_its_rules_and_of_no_others(
    market: MadeUpMarket, values: MarketValues, monkeypatch: pytest.MonkeyPatch
) -> None:
    def failing(*_: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(module, "measure_pair", failing)
    end_ms = market.live.newest_closed_ms((), Interval(1_000)) + 1_000
    found = await values.closed([*ask("beta"), *ask("rsi", target=SYMBOL)], end_ms)
    assert found[0] == (0, FAULT)
    assert found[1][1].value is not None
    assert values.failures == 1


async def test_a_study_that_fails_is_too(market: MadeUpMarket, values: MarketValues) -> None:
    values._studies.close()
    (question,) = ask("coint_p")
    assert await values.studied(question, 0, market.live.exchange_ms) == [(0, FAULT)]


def test_a_window_that_a_hole_cuts_is_seen_as_cut_and_one_that_begins_with_listening_is_not(
    market: MadeUpMarket,
) -> None:
    whole = market.live.symbol_metrics("BTCUSDT", Interval(1_000), 30)["trend"]
    assert metric_now(whole) == MetricNow(whole.value, 0.0)
    seen = {why: metric_now(replace(whole, missing=None, unknown=why)).is_cut for why in MissingReason}
    assert {why for why, is_cut in seen.items() if is_cut} == {MissingReason.HOLE, MissingReason.END}
