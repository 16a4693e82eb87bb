"""The metrics of many pairs for one new bar, as columns: what alerts and tables of pairs are fed with.

The single pair and the many go through one kernel, so a column holds the very bits that `pair_metrics` gives.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np

from pairscope.analytics.estimators.regression import FEWEST_OF_LINE, ROWS, origin_line
from pairscope.analytics.estimators.terms import USUAL, Terms
from pairscope.analytics.kernels.rolling import inverses_up_to, sides_of, write_last_pair
from pairscope.base.errors import RequestError
from pairscope.base.jit import floats, integers, kernel
from pairscope.base.model import FloatArray, IntArray


@dataclass(frozen=True, slots=True)
class PairColumns:
    """Metrics by ordinary least squares, one row a pair; NaN where `pair_metrics` gives null with a reason."""

    n: IntArray  # positions of the window where both legs are present
    beta: FloatArray
    alpha: FloatArray
    r2: FloatArray
    spread: FloatArray
    spread_mean: FloatArray
    spread_std: FloatArray
    spread_z: FloatArray
    price_spread: FloatArray
    correlation: FloatArray
    correlation_levels: FloatArray


def pair_columns(
    log_close: FloatArray,
    y: IntArray,
    x: IntArray,
    window: int,
    first_index: int,
    terms: Terms = USUAL,
    closes: FloatArray | None = None,
) -> PairColumns:
    """The metrics of the newest bar for pairs of symbols.

    Args:
        log_close: log closes of the symbols on one grid of bars, float64[symbols, bars], oldest first, NaN where
            missing; the last ``window`` bars are used.
        y: the row of each pair's y, int64[pairs].
        x: the row of each pair's x, int64[pairs].
        window: bars in the window, at least 2.
        first_index: absolute index of the first bar: open_time_ms // interval_ms.
        terms: of which prices, and with an intercept or without; the method is least squares.
        closes: what the logarithms are of, to the last bit, where prices themselves are asked for.

    Raises:
        RequestError: for a window below 2, legs of different number, a row that is not there, or another method.

    >>> rows = np.log(np.array([[1.0, 2.0, 4.0, 8.0], [1.0, 4.0, 16.0, 64.0]]))
    >>> pair_columns(rows, np.array([1]), np.array([0]), 4, 0).beta.round(12).tolist()
    [2.0]
    """
    if terms.method != "ols":
        raise RequestError(f"columns of many pairs by {terms.method}", cure="ask for ols, or for one pair at a time")
    logs, y, x, from_index = _checked(log_close, y, x, window, first_index)
    returns = floats(logs[:, 1:] - logs[:, :-1])
    values = logs
    if terms.prices == "level":
        values, y, x, _ = _checked(np.exp(log_close) if closes is None else closes, y, x, window, first_index)
    n, out = _many(values, y, x, window, from_index)
    n_returns, out_returns = _many(returns, y, x, window - 1, from_index + 1)
    beta, alpha, spread, spread_std, spread_z, correlation_levels = _from_enough(out, n)
    spread_mean, correlation = np.where(np.isfinite(beta), 0.0, np.nan), correlation_levels
    if not terms.intercept:
        rows = _from_enough(_many_through_zero(values, y, x, window), n)
        beta, alpha, correlation, spread, spread_mean, spread_std, spread_z = rows
    price = _newest_prices(logs)
    return PairColumns(
        n=n,
        beta=beta,
        alpha=alpha,
        r2=correlation * correlation,
        spread=spread,
        spread_mean=spread_mean,
        spread_std=spread_std,
        spread_z=spread_z,
        price_spread=price[y] - price[x],
        correlation=_from_enough(out_returns, n_returns)[5],
        correlation_levels=correlation_levels,
    )


def correlations_of(
    log_close: FloatArray, y: IntArray, x: IntArray, window: int, first_index: int, on: Literal["returns", "levels"]
) -> tuple[IntArray, FloatArray]:
    """Observations and correlation of pairs alone, on returns or on levels; arguments are those of `pair_columns`."""
    values, y, x, first_index = _checked(log_close, y, x, window, first_index)
    if on == "returns":
        values, window, first_index = floats(values[:, 1:] - values[:, :-1]), window - 1, first_index + 1
    n, out = _many(values, y, x, window, first_index)
    return n, _from_enough(out, n)[5]


def _checked(
    log_close: FloatArray, y: IntArray, x: IntArray, window: int, first_index: int
) -> tuple[FloatArray, IntArray, IntArray, int]:
    """The window's closes and the legs as kernels want them, and the absolute index of the first close."""
    if window < 2:
        raise RequestError(f"a window of {window} bars has no deviation", cure="use at least 2 bars")
    if len(y) != len(x):
        raise RequestError(f"{len(y)} legs y and {len(x)} legs x", cure="give as many of each")
    if len(y) and not 0 <= min(y.min(), x.min()) <= max(y.max(), x.max()) < len(log_close):
        raise RequestError("a leg that is not there", cure=f"name rows from 0 to {len(log_close) - 1}")
    first = max(0, log_close.shape[1] - window)
    legs = [integers(leg) for leg in (y, x)]
    return floats(log_close[:, first:]), legs[0], legs[1], first_index + first


@kernel
def _many(
    values: FloatArray, y: IntArray, x: IntArray, window: int, first_index: int
) -> tuple[IntArray, FloatArray]:  # fmt: skip
    out = np.full((6, len(y)), np.nan)
    n = np.zeros(len(y), np.int64)
    if window < 2:  # one return has no deviation
        return n, out
    inverses = inverses_up_to(window)
    sides = sides_of(1)
    for pair in range(len(y)):
        column = slice(pair, pair + 1)
        write_last_pair(
            values[y[pair]], values[x[pair]], window, first_index, inverses, sides, out[:, column], n[column]
        )
    return n, out


@kernel
def _many_through_zero(values: FloatArray, y: IntArray, x: IntArray, window: int) -> FloatArray:
    """Rows of `lines.origin_rows` at the newest bar."""
    out = np.full((ROWS, len(y)), np.nan)
    if values.shape[1] >= window:
        for pair in range(len(y)):
            origin_line(values[y[pair]], values[x[pair]], window, out[:, pair])
    return out


def _from_enough(out: FloatArray, n: IntArray) -> FloatArray:
    out[:, n < FEWEST_OF_LINE] = np.nan
    return out


def _newest_prices(logs: FloatArray) -> FloatArray:
    """exp of the newest log closes, by the very function that `price_spread` uses; NaN where there is none."""
    newest = logs[:, -1].tolist() if logs.shape[1] else [math.nan] * len(logs)
    return np.array([math.exp(value) if value < 709.0 else math.nan for value in newest])
