from __future__ import annotations

import math

import numpy as np
import pytest
from statsmodels.tsa.adfvalues import mackinnoncrit, mackinnonp

from pairscope.analytics.kernels import mackinnon
from pairscope.analytics.kernels.mackinnon import MOST_SERIES, NO_CONSTANT, critical_values, p_value

SURFACES = [(NO_CONSTANT, "n", 1), *((series, "c", series) for series in range(1, MOST_SERIES + 1))]


@pytest.mark.parametrize(("surface", "regression", "series"), SURFACES)
def test_probabilities_equal_statsmodels_from_end_to_end(surface: int, regression: str, series: int) -> None:
    edges = (mackinnon._LOWEST[surface], mackinnon._TURN[surface], mackinnon._HIGHEST[surface])
    for statistic in (*np.linspace(-30.0, 4.0, 1361), *filter(math.isfinite, edges)):
        expected = mackinnonp(statistic, regression=regression, N=series)
        assert p_value(statistic, surface) == pytest.approx(expected, rel=1e-12, abs=1e-15)


@pytest.mark.parametrize(("surface", "regression", "series"), SURFACES)
@pytest.mark.parametrize("observations", [20, 100, 999, 100_000])
def test_critical_values_equal_statsmodels(surface: int, regression: str, series: int, observations: int) -> None:
    expected = mackinnoncrit(N=series, regression=regression, nobs=observations)
    assert list(critical_values(surface, observations)) == pytest.approx(expected.tolist(), rel=1e-12)


@pytest.mark.parametrize("surface", range(MOST_SERIES + 1))
def test_the_asymptotic_critical_values_have_the_probabilities_they_are_named_for(surface: int) -> None:
    found = [p_value(value, surface) for value in critical_values(surface, 10**9)]
    assert found == pytest.approx([0.01, 0.05, 0.10], rel=0.02)


def test_no_statistic_has_no_probability() -> None:
    assert math.isnan(p_value(math.nan, 1))
