from __future__ import annotations

from dataclasses import fields

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pairscope.analytics.entry.window import PairWindow
from pairscope.analytics.estimators.panel import PairColumns, correlations_of, pair_columns
from pairscope.analytics.estimators.terms import ALL_TERMS, Terms
from pairscope.analytics.registry import pair_metrics
from pairscope.base.errors import RequestError
from pairscope.base.model import FloatArray

NAMES = [field.name for field in fields(PairColumns) if field.name != "n"]


def closes(seed: int, k: int, count: int, missing: float) -> FloatArray:
    random = np.random.default_rng(seed)
    steps = random.normal(0, 1e-3, (k, count)) + random.normal(0, 1e-3, count)
    rows: FloatArray = random.uniform(-2, 11, (k, 1)) + np.cumsum(steps, axis=1)
    rows[random.random(rows.shape) < missing] = np.nan
    rows[-1] = 3.0  # a price that does not move
    return rows


@settings(deadline=None, max_examples=60)
@given(
    seed=st.integers(0, 2**32),
    count=st.integers(1, 90),
    window=st.integers(3, 60),
    missing=st.sampled_from([0.0, 0.1, 0.5]),
    first_index=st.integers(0, 10**9),
    terms=st.sampled_from([terms for terms in ALL_TERMS if terms.method == "ols"]),
)
def test_columns_have_the_bits_of_each_pair_alone(
    seed: int, count: int, window: int, missing: float, first_index: int, terms: Terms
) -> None:
    prices = np.exp(closes(seed, 5, count, missing))
    rows = np.log(prices)
    y, x = np.triu_indices(5)
    columns = pair_columns(rows, y, x, window, first_index, terms, prices)
    for pair, legs in enumerate(zip(y.tolist(), x.tolist(), strict=True)):
        one = PairWindow.of_closes(prices[legs[0]], prices[legs[1]], first_index, window, 1.0)
        alone = pair_metrics(one, NAMES, terms)
        for name, value in alone.items():
            found = getattr(columns, name)[pair]
            assert (found if np.isfinite(found) else None) == value.value, name
        assert columns.n[pair] == alone["beta"].n


def test_correlations_alone_are_those_of_the_columns() -> None:
    rows = closes(1, 4, 100, 0.1)
    y, x = np.array([0, 2]), np.array([1, 1])
    columns = pair_columns(rows, y, x, 80, 7)
    assert correlations_of(rows, y, x, 80, 7, "returns")[1].tolist() == columns.correlation.tolist()
    assert correlations_of(rows, y, x, 80, 7, "levels")[1].tolist() == columns.correlation_levels.tolist()


def test_many_pairs_are_measured_by_least_squares_alone() -> None:
    with pytest.raises(RequestError, match="columns of many pairs by kalman"):
        pair_columns(closes(1, 4, 100, 0.1), np.array([0]), np.array([1]), 80, 7, Terms("kalman"))


def test_no_pairs_give_empty_columns() -> None:
    nothing = np.zeros(0, np.int64)
    assert pair_columns(closes(2, 3, 50, 0.0), nothing, nothing, 30, 0).beta.tolist() == []


def test_prices_beyond_all_floats_are_null() -> None:
    rows = np.array([[0.0, 1.0, 800.0], [0.0, 1.0, 3.0]])
    assert np.isnan(pair_columns(rows, np.array([0]), np.array([1]), 3, 0).price_spread[0])


def test_two_bars_have_one_return_and_no_number_of_it() -> None:
    found = pair_columns(closes(3, 3, 50, 0.0), np.array([1]), np.array([0]), 2, 0)
    assert np.isnan([found.correlation, found.beta, found.spread_z]).all()
    assert found.n.tolist() == [2]


def test_requests_that_make_no_sense_are_refused() -> None:
    rows, one = closes(3, 3, 50, 0.0), np.array([1])
    with pytest.raises(RequestError, match="at least 2 bars"):
        pair_columns(rows, one, one, 1, 0)
    with pytest.raises(RequestError, match="as many of each"):
        pair_columns(rows, one, np.array([1, 2]), 30, 0)
    for wrong in (-1, 3):
        with pytest.raises(RequestError, match="from 0 to 2"):
            pair_columns(rows, one, np.array([wrong]), 30, 0)
