"""What is measured when a rule is saved, on bars of a market whose half-life and whose deviations are known."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest

from pairscope.alerts.measuring import MeasuredHalfLife, Measuring, terms_of
from pairscope.alerts.reading import Known, read_rule
from pairscope.analytics.estimators.terms import Terms
from pairscope.analytics.values import Flag, Reason
from pairscope.base.clock import ManualClock
from pairscope.base.interval import Interval
from pairscope.base.model import FloatArray
from pairscope.live.analysis import Analyses, PairQuestion, PairStudy
from pairscope.live.span import Span
from pairscope.live.windows import Measured, PairSeries, SymbolSeries
from tests.api.conftest import SYMBOLS, MadeUpMarket

SECOND, FIVE = Interval(1_000), Interval(5_000)
HALF_LIFE_S = 60.0
PAIR = ("ETHUSDT", "BTCUSDT")
IN_HALF_LIVES = {"pair": "ETHUSDT/BTCUSDT", "metric": "spread_z", "condition": ">", "threshold": 2, "window": "12hl"}


class Reverting(MadeUpMarket):
    """ETHUSDT returns to BTCUSDT, and SOLUSDT walks alone."""

    def prices(self, count: int) -> FloatArray:
        steps = self._random.normal(size=(count // 3, 3)) * 2e-4
        walks = np.cumsum(steps, axis=0)
        apart, found = 0.0, np.empty(count // 3)
        for i, shock in enumerate(steps[:, 1].tolist()):
            apart = apart * 0.5 ** (0.25 / HALF_LIFE_S) + shock
            found[i] = apart
        logs = np.column_stack([walks[:, 0], walks[:, 0] + found, walks[:, 2]])
        return 100.0 * np.exp(logs).ravel()


def opened(kind: type[MadeUpMarket], folder: Path, minutes: int) -> MadeUpMarket:
    market = kind(folder, ManualClock())
    market.trade(60_000 * minutes, burst_ms=60_000 * minutes)
    return market


@pytest.fixture(scope="module")
def reverting(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MadeUpMarket]:
    market = opened(Reverting, tmp_path_factory.mktemp("reverting"), 180)
    yield market
    market.store.close()


@pytest.fixture(scope="module")
def noisy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MadeUpMarket]:
    market = opened(MadeUpMarket, tmp_path_factory.mktemp("noisy"), 10)
    yield market
    market.store.close()


def known_of(market: MadeUpMarket, interval: Interval = SECOND) -> Known:
    return Known(SYMBOLS, list(market.live.pairs), market.live.intervals, interval, 300)


def measuring(market: MadeUpMarket) -> Measuring:
    return Measuring(Analyses(market.live, market.store), market.live)


async def test_a_rule_in_half_lives_is_given_that_of_its_pair(reverting: MadeUpMarket) -> None:
    draft = read_rule(IN_HALF_LIVES, known_of(reverting))
    facts = await measuring(reverting).facts(draft)
    assert facts.half_life_ms == pytest.approx(1_000 * HALF_LIFE_S, rel=0.6)
    assert facts.deviations == {}
    rule = draft.rule(facts)
    assert facts.half_life_ms is not None
    assert rule.half_life_ms == round(facts.half_life_ms)
    assert 5 <= rule.half_life_ms / rule.bars.ms <= 30


async def test_it_is_the_half_life_of_the_first_view_that_shows_it_in_a_fit_number_of_bars(
    reverting: MadeUpMarket,
) -> None:
    found = measuring(reverting)
    halves, fives, seconds = (Span(each, 300) for each in (Interval(30_000), FIVE, SECOND))
    in_halves, in_fives, in_seconds = [await found.half_life(PAIR, [each]) for each in (halves, fives, seconds)]
    assert in_halves.ms is not None
    assert in_halves.ms < 5 * 30_000, "seen, in too few bars"
    assert in_fives.ms is not None
    assert 5 * 5_000 <= in_fives.ms <= 50 * 5_000
    assert (in_seconds.ms, in_seconds.reason) == (None, "not_mean_reverting")
    assert await found.half_life(PAIR, [seconds, halves, fives]) == in_fives
    assert await found.half_life(PAIR, [seconds, halves]) == in_halves


class Told:
    """Studies that answer one after the other what the test says."""

    pairs = ()

    def __init__(self, *answers: tuple[float | None, Reason | None, tuple[Flag, ...]]) -> None:
        self._answers = iter(answers)

    def newest_closed_ms(self, *_: object) -> int:
        return 0

    async def pair(self, y: str, x: str, terms: Terms, span: Span, question: PairQuestion) -> PairStudy:
        value, reason, flags = next(self._answers)
        measured = Measured(value, "ms", span.window, 1, 0, 0.0, reason, flags=flags)
        return PairStudy(cast(PairSeries, None), {question.wanted[0].name: measured})

    async def symbol_series(self, *_: object) -> SymbolSeries:
        raise AssertionError


async def test_a_half_life_below_one_bar_is_none_and_of_unfit_ones_it_is_the_first() -> None:
    below: tuple[float, None, tuple[Flag, ...]] = (500.0, None, (Flag.BELOW_ONE_BAR,))
    stale = (None, Reason.STALE, ())
    cases: list[tuple[tuple[Any, ...], MeasuredHalfLife]] = [
        ((below, (90_000.0, None, ()), stale, (70_000.0, None, ())), MeasuredHalfLife(90_000.0)),
        ((below, stale), MeasuredHalfLife(None, "below_one_bar")),
        ((stale, below), MeasuredHalfLife(None, "stale")),
        ((stale, (90_000.0, None, ()), (50_000.0, None, ())), MeasuredHalfLife(50_000.0)),
        (((5_000.0, None, ()),), MeasuredHalfLife(5_000.0)),
        (((4_999.0, None, ()), (50_001.0, None, ()), (9_000.0, None, ())), MeasuredHalfLife(9_000.0)),
        ((), MeasuredHalfLife(None)),
    ]
    for answers, expected in cases:
        told = Told(*answers)
        assert await Measuring(told, told).half_life(PAIR, [Span(SECOND, 300)] * len(answers)) == expected


async def test_where_no_view_shows_one_it_is_not_known_and_the_reason_is_the_first(noisy: MadeUpMarket) -> None:
    draft = read_rule(IN_HALF_LIVES, known_of(noisy))
    facts = await measuring(noisy).facts(draft)
    assert facts.half_life_ms is None
    assert facts.why_no_half_life
    with pytest.raises(Exception, match=f"is not known: {facts.why_no_half_life}"):
        draft.rule(facts)


async def test_a_default_reset_is_given_the_deviation_of_the_last_day(noisy: MadeUpMarket) -> None:
    body: dict[str, Any] = {"symbol": "BTCUSDT", "metric": "last_price", "condition": ">", "threshold": 130}
    draft = read_rule(body, known_of(noisy))
    facts = await measuring(noisy).facts(draft)
    assert facts.deviations["last_price"] == pytest.approx(10.0, rel=0.4)
    assert draft.rule(facts).first.reset_high == 130 - facts.deviations["last_price"] / 2


async def test_that_of_a_pair_is_of_the_metric_with_its_parameters(noisy: MadeUpMarket) -> None:
    of_levels = {**IN_HALF_LIVES, "metric": "spread_std:prices=level", "window": 60}
    levels = await measuring(noisy).facts(read_rule(of_levels, known_of(noisy)))
    logs = await measuring(noisy).facts(read_rule({**of_levels, "metric": "spread_std"}, known_of(noisy)))
    ratio = levels.deviations["spread_std:prices=level"] / logs.deviations["spread_std"]
    assert ratio == pytest.approx(100.0, rel=0.2)


@pytest.mark.parametrize(
    "body",
    [
        {"scope": "all_symbols", "metric": "last_price", "condition": ">", "threshold": 130},
        {"scope": "all_pairs", "metric": "correlation", "condition": "<", "threshold": 0, "window": 60},
    ],
)
async def test_that_of_all_is_in_the_middle_of_the_first_of_them(noisy: MadeUpMarket, body: dict[str, Any]) -> None:
    facts = await measuring(noisy).facts(read_rule(body, known_of(noisy)))
    assert facts.deviations[body["metric"]] == pytest.approx(10.0 if "symbols" in body["scope"] else 0.13, rel=0.5)


async def test_of_what_is_not_there_yet_no_deviation_is_made_up(tmp_path: Path) -> None:
    market = MadeUpMarket(tmp_path, ManualClock())
    try:
        market.trade(4_000)
        body = {"symbol": "BTCUSDT", "metric": "rsi", "condition": ">", "threshold": 70}
        facts = await measuring(market).facts(read_rule(body, known_of(market)))
        assert facts.deviations == {"rsi": 0.0}
    finally:
        market.store.close()


async def test_what_says_all_of_itself_is_measured_by_nobody(noisy: MadeUpMarket) -> None:
    class Nobody:
        pairs = ()

        def __getattr__(self, name: str) -> Any:
            raise AssertionError("nothing is to be measured")

    nobody: Any = Nobody()
    for body in (
        {**IN_HALF_LIVES, "window": 300},
        {**IN_HALF_LIVES, "half_life": "5m"},
        {"metric": "feed_age", "condition": ">", "threshold": 9},
        {"metric": "health", "condition": "is", "threshold": "broken"},
    ):
        facts = await Measuring(nobody, nobody).facts(read_rule(body, known_of(noisy)))
        assert (facts.half_life_ms, dict(facts.deviations)) == (None, {})


def test_terms_are_those_that_a_metric_names() -> None:
    assert terms_of("spread_z:method=huber:prices=level:intercept=false") == Terms("huber", "level", False)
    assert terms_of("rsi:period=21") == Terms()
