from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import pytest
from statsmodels.tsa.stattools import adfuller, coint

from pairscope.analytics.entry.window import PairWindow
from pairscope.analytics.estimators.engle_granger import engle_granger, engle_granger_many
from pairscope.analytics.estimators.evidence import closes_to_test, weigh
from pairscope.analytics.registry import CATALOGUE, pair_metrics
from pairscope.analytics.values import Reason
from pairscope.base.model import FloatArray
from tests import paths

NAMES = ["coint_p", "coint_t", "coint_direction", "johansen_rank", "johansen_trace", "half_life"]


def window_of(y: FloatArray, x: FloatArray) -> PairWindow:
    return PairWindow(y, x, 0, len(y), 525_600.0)


def passing(draw: paths.Draw, count: int, draws: int, seed: int, level: float = 0.05) -> float:
    """Share of windows whose p, after the rule for a leg and without spikes, lies below a level."""
    found = []
    for y, x in zip(*paths.windows(draw, count, draws, seed, count), strict=True):
        closes = closes_to_test(y, x, count)
        found.append(weigh(closes.y, closes.x).believed.p < level)
    return float(np.mean(found))


# --- the rule, by other tests' numbers ---


def test_the_rule_is_that_of_its_two_comparisons() -> None:
    flagged = 0
    for seed in range(40):
        draw = (paths.stationary_leg(0.9), paths.sound(3.0), paths.sound(10.0, 2.0), paths.walks())[seed % 4]
        y, x = draw(np.random.default_rng([31, seed]), 300)
        statistic = min(coint(y, x).coint_t, coint(x, y).coint_t)
        p = 2 * min(coint(y, x).pvalue, coint(x, y).pvalue)
        legs = [adfuller(leg, result_object=True) for leg in (y, x)]
        own = min(legs, key=lambda leg: float(leg.statistic))
        expected = p < 0.10 and own.pvalue < 0.05 and own.statistic <= 0.8 * statistic
        assert weigh(y, x).leg_is_stationary == expected, seed
        flagged += expected
    assert 8 <= flagged <= 14


def test_without_a_spike_the_test_has_the_bits_of_engle_and_granger() -> None:
    for seed in range(20):
        y, x = paths.walks(0.7, steps=3)(np.random.default_rng([32, seed]), 300)
        closes = closes_to_test(y, x, 300)
        assert str(weigh(closes.y, closes.x).test) == str(engle_granger(y, x))


def test_the_legs_are_tested_on_the_stretch_of_the_pair() -> None:
    y, x = paths.stationary_leg(0.9)(np.random.default_rng(33), 300)
    whole = weigh(y, x)
    gappy = np.concatenate([np.sin(np.arange(100.0)), [math.nan], y])
    longer = np.concatenate([np.arange(101.0) ** 2, x])
    assert str(weigh(gappy, longer)) == str(whole)


def test_a_stationary_leg_is_null_with_its_reason_and_keeps_the_raw_numbers_under_their_naive_names() -> None:
    y, x = paths.stationary_leg(0.9)(np.random.default_rng(34), 500)
    for legs in ((y, x), (x, y)):
        metrics = pair_metrics(window_of(*legs), [*NAMES, "coint_p_naive", "coint_t_naive", "johansen_rank_naive"])
        assert {(metrics[name].value, metrics[name].reason) for name in NAMES} == {(None, Reason.LEG_IS_STATIONARY)}
        raw = engle_granger(*legs)
        assert [metrics["coint_t_naive"].value, metrics["coint_p_naive"].value] == [raw.statistic, raw.p]
        assert raw.p < 1e-3
        rank = metrics["johansen_rank_naive"].value
        assert isinstance(rank, int | float)
        assert rank >= 1


def test_naive_names_have_the_closes_as_they_are() -> None:
    y, x = paths.spiked(paths.walks(0.7), 178.0)(np.random.default_rng(35), 300)
    metrics = pair_metrics(window_of(y, x), ["coint_p", "coint_p_naive", "spike_bars"])
    p, naive = metrics["coint_p"].value, metrics["coint_p_naive"].value
    assert isinstance(p, float)
    assert isinstance(naive, float)
    assert naive < 0.01 < 0.05 < p
    assert metrics["spike_bars"].value == 1.0


def test_no_remark_says_any_more_that_a_rank_of_two_is_a_sign_of_stationary_legs() -> None:
    assert "a third of sound pairs have it" in CATALOGUE["johansen_rank"].remark
    draws = zip(*paths.windows(paths.sound(3.0), 300, 100, 36), strict=True)
    ranks = [pair_metrics(window_of(y, x), ["johansen_rank"])["johansen_rank"].value for y, x in draws]
    assert 20 <= ranks.count(2) <= 45


# --- the truths, by simulation ---


@dataclass(frozen=True)
class Truth:
    name: str
    draw: paths.Draw
    count: int
    low: float = 0.0
    high: float = 1.0


def truth(name: str, draw: paths.Draw, count: int, low: float = 0.0, high: float = 1.0) -> Truth:
    return Truth(name, draw, count, low, high)


TRUTHS = [
    truth("y reverts at once", paths.stationary_leg(0.0), 300, high=0.041),
    truth("y AR 0.5", paths.stationary_leg(0.5), 300, high=0.041),
    truth("y AR 0.9", paths.stationary_leg(0.9), 300, high=0.041),
    truth("y AR 0.9, long", paths.stationary_leg(0.9), 1000, high=0.041),
    truth("y AR 0.95", paths.stationary_leg(0.95), 300, high=0.045),  # 4.45 % of 20,000 draws: the worst of them
    truth("y AR 0.98", paths.stationary_leg(0.98), 1000, high=0.041),
    truth("y AR 0.9, shocks shared", paths.stationary_leg(0.9, 0.7), 300, high=0.041),
    truth("100 half-lives", paths.sound(3.0), 300, low=0.99),
    truth("100 half-lives, long", paths.sound(10.0), 1000, low=0.995),
    truth("100 half-lives, wide spread", paths.sound(10.0, 2.0), 1000, low=0.95),
    truth("walks", paths.walks(0.7), 300, high=0.055),
    truth("walks with a spike of 50 steps", paths.spiked(paths.walks(0.7), 50.0), 300, high=0.055),
    truth("walks with a spike of 178 steps", paths.spiked(paths.walks(0.7), 178.0), 300, high=0.055),
    truth("walks with a spike, long", paths.spiked(paths.walks(0.7), 178.0), 1000, high=0.055),
    truth("a sound pair with a spike", paths.spiked(paths.sound(3.0), 178.0), 300, low=0.98),
]


@pytest.mark.parametrize("truth", TRUTHS, ids=lambda truth: truth.name)
def test_windows_pass_as_their_truth_wants(truth: Truth) -> None:
    share = passing(truth.draw, truth.count, 300, 41)
    assert share <= truth.high + paths.two_errors(truth.high, 300)
    assert share >= truth.low - paths.two_errors(truth.low, 300)


@pytest.mark.slow
@pytest.mark.parametrize("truth", TRUTHS, ids=lambda truth: truth.name)
def test_windows_pass_as_their_truth_wants_by_more_draws(truth: Truth) -> None:
    share = passing(truth.draw, truth.count, 4000, 44)
    assert share <= truth.high + paths.two_errors(truth.high, 4000)
    assert share >= truth.low - paths.two_errors(truth.low, 4000)


def test_no_test_counts_combinations_of_a_price_and_its_multiple() -> None:
    x = 60_000.0 * np.exp(0.001 * np.cumsum(np.random.default_rng(3).normal(size=300)))
    y = np.round(2.0 * x, 9)  # what is left is rounding, and rounding reverts
    metrics = pair_metrics(window_of(np.log(y), np.log(x)), NAMES)
    assert {value.reason for value in metrics.values()} == {Reason.EXACT_FIT}


def test_johansen_is_not_deceived_by_a_stationary_leg() -> None:
    for phi in (0.0, 0.5, 0.9):
        draws = zip(*paths.windows(paths.stationary_leg(phi), 300, 300, 43, int(100 * phi)), strict=True)
        ranks = [pair_metrics(window_of(y, x), ["johansen_rank"])["johansen_rank"].value for y, x in draws]
        claimed = sum(isinstance(rank, int | float) and rank > 0 for rank in ranks) / 300
        assert claimed <= 0.038 + paths.two_errors(0.038, 300)


# --- the tail, where a scan decides ---


def tail(noise: float, pairs: int, seed: int, count: int = 1000) -> float:
    """Share of independent walks with p <= 1e-3, as a multiple of it."""
    found = 0
    random = np.random.default_rng([51, seed])
    for _ in range(pairs // 500):
        series = random.normal(size=(1000, count)).cumsum(axis=1) + noise * random.normal(size=(1000, count))
        rows = np.arange(500)
        found += int((engle_granger_many(series, rows, rows + 500).p <= 1e-3).sum())
    return found / pairs / 1e-3


TAILS = [(0.0, 1.5), (0.5, 1.5), (1.0, 2.0)]


@pytest.mark.parametrize(("noise", "most"), TAILS)
def test_the_tail_holds_its_level_on_walks_with_bounce(noise: float, most: float) -> None:
    assert tail(noise, 4000, 1) <= most + 2 * math.sqrt(most / 4.0)


@pytest.mark.slow
@pytest.mark.parametrize(("noise", "most"), TAILS)
def test_the_tail_holds_its_level_on_walks_with_bounce_by_more_pairs(noise: float, most: float) -> None:
    factor = tail(noise, 40_000, 2)
    assert factor <= most + 2 * math.sqrt(most / 40.0)
    assert factor >= 0.5  # and is no blunter than it says
