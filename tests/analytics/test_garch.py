from __future__ import annotations

import gzip
import math
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from pairscope.analytics.catalogue import CATALOGUE, Reason, SymbolWindow, Value
from pairscope.analytics.garch import FEWEST_RETURNS, GarchFit, MissingLibrary, fit_garch
from pairscope.base.model import FloatArray


def simulated(seed: int, count: int, scale: float = 1.0) -> FloatArray:
    random = np.random.default_rng(seed)
    returns, variance = np.empty(count), 1.0
    for t, noise in enumerate(random.normal(0, 1, count)):
        returns[t] = math.sqrt(variance) * noise
        variance = 0.05 + 0.1 * returns[t] ** 2 + 0.85 * variance
    return scale * returns


def recursion(fit: GarchFit, returns: FloatArray) -> FloatArray:
    """Variances of per cent, the last one of the return that follows."""
    e = 100.0 * (returns - returns.mean())
    variances = [float(np.mean(e**2))]
    variances = [fit.omega + (fit.alpha + fit.beta) * variances[0]]
    for error in e:
        variances.append(fit.omega + fit.alpha * error**2 + fit.beta * variances[-1])
    return np.array(variances)


@pytest.mark.data
def test_the_fit_equals_the_published_benchmark(data_dir: Path) -> None:
    pytest.importorskip("arch")
    with gzip.open(data_dir / "reference" / "dem2gbp.csv.gz") as file:
        per_cent = np.genfromtxt(file, skip_header=1, delimiter=";").reshape(-1)
    fit = fit_garch(per_cent / 100.0, mean=-0.00619041 / 100.0)
    assert (fit.n, fit.converged) == (1_974, True)
    assert [fit.omega, fit.alpha, fit.beta] == pytest.approx([0.0107613, 0.153134, 0.805974], rel=1e-5)
    assert fit.log_likelihood == pytest.approx(-1106.60788104, abs=1e-7)


def test_the_fit_finds_the_parameters_of_a_simulation() -> None:
    pytest.importorskip("arch")
    fit = fit_garch(simulated(seed=1, count=20_000, scale=1e-2))
    assert [fit.omega, fit.alpha, fit.beta] == pytest.approx([0.05, 0.1, 0.85], rel=0.2)


def test_deviations_follow_from_the_parameters() -> None:
    pytest.importorskip("arch")
    returns = simulated(seed=2, count=1_000, scale=1e-3)
    fit = fit_garch(returns)
    *_, last, following = np.sqrt(recursion(fit, returns)) / 100.0
    assert fit.converged
    assert [fit.volatility, fit.forecast] == pytest.approx([last, following], rel=1e-9)


@pytest.mark.parametrize("scale", [1e-2, 1e-5, 1e-8])
def test_the_size_of_returns_changes_nothing_but_the_size(scale: float) -> None:
    pytest.importorskip("arch")
    one, other = fit_garch(simulated(seed=3, count=1_000)), fit_garch(simulated(seed=3, count=1_000, scale=scale))
    assert [other.alpha, other.beta] == pytest.approx([one.alpha, one.beta], rel=1e-5)
    assert other.forecast == pytest.approx(scale * one.forecast, rel=1e-5)


def test_missing_returns_are_left_out() -> None:
    pytest.importorskip("arch")
    returns = simulated(seed=4, count=500)
    gappy = np.insert(returns, [3, 100, 400], np.nan)
    assert fit_garch(gappy) == fit_garch(returns)


@pytest.mark.parametrize("returns", [np.ones(500), np.zeros(500), np.zeros(FEWEST_RETURNS - 1)])
def test_nothing_to_fit_is_not_converged(returns: FloatArray) -> None:
    fit = fit_garch(returns)
    assert not fit.converged
    assert fit.message
    assert math.isnan(fit.forecast)


def test_a_missing_package_tells_how_to_install_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "arch", None)
    with pytest.raises(MissingLibrary, match=r"pip install 'pairscope\[garch\]'"):
        fit_garch(simulated(seed=5, count=500))


def test_the_metrics_are_those_of_the_fit_a_window_carries() -> None:
    fit = GarchFit(500, 0.1, 0.1, 0.8, -100.0, 0.002, 0.003, True, "")
    empty = np.zeros(0)
    window = SymbolWindow(empty, empty, empty, empty, np.zeros(0, np.int64), 1.0, 0, 10, fit)
    few = replace(window, garch=replace(fit, n=99, converged=False))
    lost = replace(window, garch=replace(fit, converged=False))
    none = replace(window, garch=None)
    assert CATALOGUE["garch_volatility"].compute(window) == Value(0.002, 500)
    forecast = CATALOGUE["garch_forecast"]
    assert [forecast.compute(each) for each in (window, few, lost, none)] == [
        Value(0.003, 500),
        Value(None, 99, Reason.TOO_FEW),
        Value(None, 500, Reason.NOT_CONVERGED),
        Value(None, 0, Reason.NOT_FITTED),
    ]
