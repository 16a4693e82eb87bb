from __future__ import annotations

import gzip
import itertools
import math
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.feather
import pytest
from arch import arch_model
from hypothesis import given, settings
from hypothesis import strategies as st

from pairscope.analytics.entry.window import SymbolWindow
from pairscope.analytics.estimators.garch import (
    BARS,
    FEWEST_RETURNS,
    LEAST_GAIN,
    NEAR,
    RIVAL,
    STARTS,
    GarchFit,
    Rival,
    fit_garch,
)
from pairscope.analytics.estimators.garch_search import climb
from pairscope.analytics.metrics import volatility
from pairscope.analytics.registry import CATALOGUE
from pairscope.analytics.values import Flag, Reason, Value
from pairscope.base.model import FloatArray


def simulated(seed: int, count: int, scale: float = 1.0, alpha: float = 0.1, beta: float = 0.85) -> FloatArray:
    random = np.random.default_rng(seed)
    returns, variance = np.empty(count), 1.0
    for t, noise in enumerate(random.normal(0, 1, count)):
        returns[t] = math.sqrt(variance) * noise
        variance = 1.0 - alpha - beta + alpha * returns[t] ** 2 + beta * variance
    return scale * returns


def relative_squares(returns: FloatArray) -> FloatArray:
    squares: FloatArray = (returns - returns.mean()) ** 2
    return np.asarray(squares / squares.mean(), np.float64)


def shortfall(returns: FloatArray) -> float:
    """How far below the maximum that `arch` finds ours lies, in log-likelihood."""
    e = np.sqrt(relative_squares(returns)) * np.sign(returns - returns.mean())
    model = arch_model(e, mean="Zero", vol="GARCH", p=1, q=1, rescale=False)
    result = model.fit(disp="off", show_warning=False, tol=1e-10, backcast=1.0, options={"maxiter": 1000})
    fit = fit_garch(returns, fewest=10)
    scale = 100.0 * math.sqrt(np.mean((returns - returns.mean()) ** 2))
    return float(result.loglikelihood) - (fit.log_likelihood + len(e) * math.log(scale))


def recursion(fit: GarchFit, returns: FloatArray) -> FloatArray:
    """Variances of per cent, the last one of the return that follows."""
    e = 100.0 * (returns - returns.mean())
    variances = [fit.omega + (fit.alpha + fit.beta) * float(np.mean(e**2))]
    for error in e:
        variances.append(fit.omega + fit.alpha * error**2 + fit.beta * variances[-1])
    return np.array(variances)


# --- against what others have found ---


@pytest.mark.data
def test_the_fit_equals_the_published_benchmark(data_dir: Path) -> None:
    with gzip.open(data_dir / "reference" / "dem2gbp.csv.gz") as file:
        per_cent = np.genfromtxt(file, skip_header=1, delimiter=";").reshape(-1)
    fit = fit_garch(per_cent / 100.0, mean=-0.00619041 / 100.0)
    assert (fit.n, fit.converged, fit.starts_agreeing, fit.rival) == (1_974, True, 3, None)
    assert [fit.omega, fit.alpha, fit.beta] == pytest.approx([0.0107613, 0.153134, 0.805974], rel=1e-5)
    assert fit.log_likelihood == pytest.approx(-1106.60788104, abs=1e-7)


def windows_of_minutes(data_dir: Path, count: int) -> Iterator[FloatArray]:
    """Log returns of a thousand minutes from here and there in recorded symbols."""
    files = sorted((data_dir / "usdm-klines-1m-2025-05").glob("*.feather"))
    random = np.random.default_rng(9)
    for path in itertools.islice(itertools.cycle(files), count):
        close = pyarrow.feather.read_table(path)["close"].to_numpy()
        first = int(random.integers(0, len(close) - BARS))
        yield np.diff(np.log(close[first : first + BARS]))


@pytest.mark.data
def test_no_real_window_is_likelier_by_arch(data_dir: Path) -> None:
    below = [shortfall(returns) for returns in windows_of_minutes(data_dir, 32)]
    assert max(below) < 1e-6
    assert min(below) > -50.0  # the same likelihood


@pytest.mark.parametrize(("alpha", "beta"), [(0.05, 0.9), (0.1, 0.6), (0.2, 0.1), (0.02, 0.975), (0.2, 0.799)])
def test_no_seeded_window_is_likelier_by_arch(alpha: float, beta: float) -> None:
    for seed in range(6):
        below = shortfall(simulated(seed, 700, 1e-3, alpha, beta))
        assert -50.0 < below < 1e-6, seed


@pytest.mark.parametrize(
    ("name", "alpha", "beta", "least"), [("19042", 0.0068, 0.9905, 6.40e-4), ("19024", 0.0071, 0.9906, 5.99e-4)]
)
def test_a_window_whose_usual_fit_stops_too_low_is_fitted_to_the_top(
    cases_dir: Path, name: str, alpha: float, beta: float, least: float
) -> None:
    close = np.loadtxt(cases_dir / "statistics" / f"garch_XLM_{name}_close.csv")
    fit = fit_garch(np.diff(np.log(close)))
    assert [fit.alpha, fit.beta] == pytest.approx([alpha, beta], abs=1e-4)
    assert fit.forecast == pytest.approx(least, rel=2e-3)
    assert (fit.n, fit.converged, fit.starts_agreeing, fit.no_arch) == (999, True, 1, False)


@pytest.mark.data
def test_the_other_window_known_to_mislead_is_fitted_to_the_top(data_dir: Path) -> None:
    table = pyarrow.feather.read_table(data_dir / "usdm-klines-1m-2025-05" / "BCH_USDT_USDT-1m-futures.feather")
    fit = fit_garch(np.diff(np.log(table["close"].to_numpy()[19_000 : 19_000 + BARS])))
    assert [fit.alpha, fit.beta] == pytest.approx([0.1849, 0.6162], abs=5e-5)


# --- against its own search from many more places ---


def test_no_start_of_thirty_finds_a_higher_maximum() -> None:
    random = np.random.default_rng(4)
    missed = []
    for seed in range(100):
        total = random.uniform(0.3, 0.999)
        alpha = total * random.uniform(0.02, 0.6)
        returns = simulated(seed, 999, 1.0, alpha, total - alpha)
        fit, squares = fit_garch(returns), relative_squares(returns)
        scale = math.log(100.0 * math.sqrt(np.mean((returns - returns.mean()) ** 2)))
        found = fit.log_likelihood + len(returns) * scale
        for _ in range(30):
            top = random.uniform(0.05, 0.9999)
            share = random.uniform(0.0, 1.0) ** 2
            other = climb(squares, share * top, (1.0 - share) * top)
            if fit.gain >= LEAST_GAIN and other.log_likelihood > found + NEAR:
                missed.append(seed)
    assert missed == []


def test_the_fit_finds_the_parameters_of_a_simulation() -> None:
    fit = fit_garch(simulated(seed=1, count=20_000, scale=1e-2))
    assert [fit.omega, fit.alpha, fit.beta] == pytest.approx([0.05, 0.1, 0.85], rel=0.2)


# --- what it says of itself ---


def test_deviations_follow_from_the_parameters() -> None:
    returns = simulated(seed=2, count=1_000, scale=1e-3)
    fit = fit_garch(returns)
    *_, last, following = np.sqrt(recursion(fit, returns)) / 100.0
    assert fit.converged
    assert [fit.volatility, fit.forecast] == pytest.approx([last, following], rel=1e-9)


def test_independent_returns_have_no_arch_but_in_one_of_a_hundred_windows() -> None:
    fits = [fit_garch(np.random.default_rng(seed).normal(0, 1e-3, 999)) for seed in range(300)]
    assert sum(fit.no_arch for fit in fits) >= 0.97 * 300
    none = next(fit for fit in fits if fit.no_arch)
    plain = np.random.default_rng(fits.index(none)).normal(0, 1e-3, 999).std()
    assert [none.forecast, none.volatility] == pytest.approx([plain, plain], rel=1e-12)
    assert none.gain < LEAST_GAIN


def test_a_clear_model_is_never_taken_for_a_constant_variance() -> None:
    assert not any(fit_garch(simulated(seed, 999)).no_arch for seed in range(100))


def test_a_second_maximum_close_below_is_a_rival() -> None:
    fits = [fit_garch(simulated(seed, 999, 1.0, 0.03, 0.95)) for seed in range(200)]
    rivals = [fit for fit in fits if fit.rival is not None]
    assert 3 <= len(rivals) <= 30
    assert not any(fit.no_arch for fit in rivals)
    for fit in rivals:
        assert fit.rival is not None
        assert NEAR <= fit.log_likelihood - fit.rival.log_likelihood <= RIVAL
        assert fit.starts_agreeing < len(STARTS)
        assert abs(fit.rival.alpha - fit.alpha) + abs(fit.rival.beta - fit.beta) > 1e-3


def test_variances_that_never_come_back_are_called_integrated() -> None:
    fits = [fit_garch(simulated(seed, 999, 1.0, 0.2, 0.8)) for seed in range(60)]
    called = [fit for fit in fits if fit.integrated]
    assert 5 <= len(called) < 60
    assert all(fit.alpha + fit.beta == pytest.approx(1.0, abs=1e-12) for fit in called)
    assert all(fit.alpha + fit.beta < 1.0 - 1e-9 for fit in fits if not fit.integrated)


@pytest.mark.parametrize(
    ("returns", "reason"),
    [
        (np.ones(600), Reason.CONSTANT),
        (np.zeros(600), Reason.CONSTANT),
        (1e9 + 1e-8 * np.sin(np.arange(600.0)), Reason.CONSTANT),
        (simulated(1, FEWEST_RETURNS - 1), Reason.TOO_FEW),
        (np.full(600, np.nan), Reason.TOO_FEW),
        (np.zeros(0), Reason.TOO_FEW),
    ],
)
def test_nothing_to_fit_is_told_with_the_reason(returns: FloatArray, reason: Reason) -> None:
    fit = fit_garch(returns)
    assert (fit.reason, fit.converged, fit.starts_agreeing) == (reason, False, 0)
    assert math.isnan(fit.forecast)


def test_returns_that_alternate_have_no_arch() -> None:
    fit = fit_garch(np.where(np.arange(600) % 2 == 0, 1e-3, -1e-3))
    assert (fit.no_arch, fit.reason) == (True, None)
    assert fit.forecast == pytest.approx(1e-3, rel=1e-12)


def test_one_jump_gives_a_finite_answer_or_none() -> None:
    for place in (0, 1, 300, 598, 599):
        returns = np.zeros(600)
        returns[place] = 0.1
        fit = fit_garch(returns)
        assert fit.no_arch or not fit.converged or 0.0 < fit.forecast < 0.1, place


def test_as_many_returns_as_are_needed_are_enough() -> None:
    assert fit_garch(simulated(1, FEWEST_RETURNS)).reason is None


# --- what must not matter ---


@pytest.mark.parametrize("scale", [2.0**-30, 2.0**-500, 2.0**500])
def test_the_size_of_returns_changes_nothing_but_the_size(scale: float) -> None:
    returns = simulated(seed=3, count=1_000)
    one, other = fit_garch(returns), fit_garch(scale * returns)
    assert (other.alpha, other.beta, other.gain) == (one.alpha, one.beta, one.gain)
    assert other.forecast == scale * one.forecast


def test_missing_returns_are_left_out() -> None:
    returns = simulated(seed=4, count=700)
    gappy = np.insert(returns, [3, 100, 400], [np.nan, np.inf, -np.inf])
    assert fit_garch(gappy) == fit_garch(returns)


def test_a_fit_depends_on_its_returns_alone() -> None:
    returns = simulated(seed=7, count=999)
    first = fit_garch(returns)
    for seed in range(5):
        fit_garch(simulated(seed, 999, 1.0, 0.2, 0.5))
    assert fit_garch(returns) == first


def test_another_process_fits_the_same_bits() -> None:
    code = "import sys, numpy as np; from pairscope.analytics.estimators.garch import fit_garch\n"
    code += "print(fit_garch(np.frombuffer(sys.stdin.buffer.read())))"
    returns = simulated(8, 999)
    said = subprocess.run([sys.executable, "-c", code], input=returns.tobytes(), capture_output=True, check=True)
    assert said.stdout.decode().strip() == repr(fit_garch(returns))


@settings(max_examples=60)
@given(
    seed=st.integers(0, 2**32 - 1),
    count=st.integers(0, 60),
    places=st.lists(
        st.tuples(st.integers(0, 59), st.sampled_from([np.nan, np.inf, 0.0, 1e300, -1e308, 5e-324, 1.0])), max_size=20
    ),
    scale=st.sampled_from([1.0, 0.0, 1e-300, 1e300]),
)
def test_any_returns_give_a_fit_within_the_bounds_or_a_reason(
    seed: int, count: int, places: list[tuple[int, float]], scale: float
) -> None:
    returns = scale * np.random.default_rng(seed).standard_t(2, count)
    for place, value in places:
        returns[place : place + 1] = value
    fit = fit_garch(returns, fewest=10)
    if fit.reason is not None:
        assert math.isnan(fit.forecast)
        return
    quarter = float(np.ptp(0.25 * returns[np.isfinite(returns)]))
    assert fit.alpha >= 0.0
    assert fit.beta >= 0.0
    assert fit.alpha + fit.beta <= 1.0 + 1e-12
    assert fit.gain > -1e-6
    assert fit.starts_agreeing >= 1
    assert 0.0 < 0.01 * fit.forecast <= quarter


# --- the metrics ---

NAMES = ["garch_forecast", "garch_volatility", "garch_rival", "garch_alpha", "garch_beta", "garch_starts", "garch_gain"]
FIT = GarchFit(999, 0.1, 0.1, 0.8, -100.0, 0.002, 0.003, 20.0, True, 2)


def window_of(close: Any) -> SymbolWindow:
    empty = np.zeros(0)
    return SymbolWindow(empty, empty, empty, empty, np.zeros(0, np.int64), 1.0, 0, 10, close)


def prices(seed: int, count: int = BARS) -> FloatArray:
    return np.exp(np.cumsum(simulated(seed, count, 1e-3)))


def test_the_metrics_are_those_of_a_fit_to_the_closed_bars() -> None:
    close = prices(1, BARS + 200)
    fit = fit_garch(np.diff(np.log(close[-BARS:])))
    told = [CATALOGUE[name].compute(window_of(close)).value for name in NAMES]
    assert told == [fit.forecast, fit.volatility, None, fit.alpha, fit.beta, 3.0, fit.gain]


@pytest.mark.parametrize(
    ("fit", "told"),
    [
        (
            FIT,
            [Value(0.003, 999), Value(None, 999, Reason.NO_RIVAL), Value(0.1, 999), Value(2.0, 999), Value(20.0, 999)],
        ),
        (
            replace(FIT, rival=Rival(-101.0, 0.2, 0.5, 0.004), integrated=True),
            [
                Value(0.003, 999, None, (Flag.RIVAL, Flag.INTEGRATED)),
                Value(0.004, 999),
                Value(0.1, 999),
                Value(2.0, 999),
                Value(20.0, 999),
            ],
        ),
        (
            replace(FIT, no_arch=True, converged=False, gain=1.0),
            [Value(0.003, 999, None, (Flag.NO_ARCH,)), *[Value(None, 999, Reason.NO_ARCH)] * 3, Value(1.0, 999)],
        ),
        (
            replace(FIT, converged=False),
            [*[Value(None, 999, Reason.NOT_CONVERGED)] * 4, Value(20.0, 999)],
        ),
        (
            replace(FIT, n=499, reason=Reason.TOO_FEW),
            [Value(None, 499, Reason.TOO_FEW)] * 5,
        ),
    ],
)
def test_what_is_known_of_a_fit_is_told_apart(
    monkeypatch: pytest.MonkeyPatch, fit: GarchFit, told: list[Value]
) -> None:
    monkeypatch.setattr(volatility, "fit_garch", lambda _: fit)
    window = window_of(np.ones(BARS))
    names = ["garch_forecast", "garch_rival", "garch_alpha", "garch_starts", "garch_gain"]
    assert [CATALOGUE[name].compute(window) for name in names] == told


def test_without_closed_bars_or_a_newest_price_there_is_no_fit() -> None:
    stale = np.append(prices(1), np.nan)
    forecast = CATALOGUE["garch_forecast"]
    assert forecast.compute(window_of(stale)) == Value(None, 0, Reason.STALE)
    assert forecast.compute(window_of(None)) == Value(None, 0, Reason.TOO_FEW)
    assert forecast.compute(window_of(np.zeros(0))) == Value(None, 0, Reason.TOO_FEW)
    assert forecast.compute(window_of(prices(1, FEWEST_RETURNS))) == Value(None, 499, Reason.TOO_FEW)
    gappy = prices(2)
    gappy[100:110] = np.nan
    assert forecast.compute(window_of(gappy)).n == 999 - 11
