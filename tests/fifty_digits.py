"""Lines and unit-root statistics in fifty-digit arithmetic, by the textbook formulas and nothing clever.

Numbers of other packages depend on the kernel BLAS chooses for a processor: far from zero statsmodels'
pseudo-inverse is wrong in the ninth digit on some. They are oracles for data around zero; here are those for the rest.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import mpmath
import numpy as np

from pairscope.base.model import FloatArray

Number = Any  # mpmath.mpf
DIGITS = 50


def exact(values: FloatArray) -> list[Number]:
    return [mpmath.mpf(float(value)) for value in values]


def around_mean(values: list[Number]) -> list[Number]:
    mean = mpmath.fsum(values) / len(values)
    return [value - mean for value in values]


def adf_exactly(level: list[Number], most_lags: int, constant: bool) -> tuple[Number, int]:
    """ADF statistic and lags by AIC."""
    step = [after - before for before, after in pairwise(level)]
    count = len(step)
    factor = _factor([level[most_lags:-1], *(_lagged(step, k, most_lags) for k in range(1, most_lags + 1)),
                      step[most_lags:]], constant)  # fmt: skip
    residual = factor[-1][-1] ** 2
    criteria = {}
    for k in range(most_lags, -1, -1):
        criteria[k] = (count - most_lags) * mpmath.log(residual) + 2 * k
        residual += factor[-1][k] ** 2
    lags = min(criteria, key=lambda k: (criteria[k], k))
    factor = _factor([*(_lagged(step, k, lags) for k in range(1, lags + 1)), level[lags:-1], step[lags:]], constant)
    return factor[-1][-2] / factor[-1][-1] * mpmath.sqrt(count - 2 * lags - 1 - constant), lags


def engle_granger_exactly(y: FloatArray, x: FloatArray, most_lags: int) -> tuple[Number, int]:
    """Statistic and lags of the residual of y on x."""
    return adf_exactly(residual_exactly(y, x), most_lags, False)


@dataclass(frozen=True, slots=True)
class Line:
    """y on x by least squares, rounded once at the end."""

    alpha: float
    beta: float
    beta_stderr: float
    r2: float
    residuals: list[float]
    residual_std: float  # of the sample
    correlation: float


def line_exactly(y: FloatArray, x: FloatArray) -> Line:
    with mpmath.workdps(DIGITS):
        exact_y, exact_x = exact(y), exact(x)
        ys, xs = around_mean(exact_y), around_mean(exact_x)
        sxx, sxy, syy = mpmath.fdot(xs, xs), mpmath.fdot(xs, ys), mpmath.fdot(ys, ys)
        beta = sxy / sxx
        residuals = [a - beta * b for a, b in zip(ys, xs, strict=True)]
        squares = mpmath.fdot(residuals, residuals)
        count = len(residuals)
        return Line(
            alpha=float(mpmath.fsum(exact_y) / count - beta * mpmath.fsum(exact_x) / count),
            beta=float(beta),
            beta_stderr=float(mpmath.sqrt(squares / (count - 2) / sxx)),
            r2=float(1 - squares / syy),
            residuals=[float(value) for value in residuals],
            residual_std=float(mpmath.sqrt(squares / (count - 1))),
            correlation=float(sxy / mpmath.sqrt(sxx * syy)),
        )


def residual_exactly(y: FloatArray, x: FloatArray) -> list[Number]:
    ys, xs = around_mean(exact(y)), around_mean(exact(x))
    beta = mpmath.fdot(xs, ys) / mpmath.fdot(xs, xs)
    return [a - beta * b for a, b in zip(ys, xs, strict=True)]


def degenerate_series(count: int, seed: int) -> dict[str, FloatArray]:
    """Series on which careless arithmetic loses its digits."""
    random = np.random.default_rng(seed)
    noise = random.standard_normal(count)
    walk = np.cumsum(random.standard_normal(count))
    time = np.arange(count)
    return {
        "far from zero": 1e9 + walk,
        "noise far from zero": 1e9 + noise,
        "tiny movement": 5 + 1e-9 * walk,
        "tiny numbers": 1e-150 * walk,
        "huge numbers": 1e150 * walk,
        "nearly a unit root": _autoregression(0.9999, noise),
        "explosive": _autoregression(1.03, noise),
        "integrated twice": np.cumsum(walk),
        "integrated three times": np.cumsum(np.cumsum(walk)),
        "nearly a straight line": time + 1e-6 * noise,
        "nearly a sine": np.sin(0.1 * time) + 1e-5 * noise,
        "nearly alternating": (-1.0) ** time + 1e-6 * noise,
        "one jump": np.where(time < count // 2, 0.0, 1.0) + 1e-6 * noise,
        "one spike": np.where(time == count // 2, 1e6, 0.0) + noise,
    }


def _autoregression(phi: float, noise: FloatArray) -> FloatArray:
    values = np.zeros(len(noise))
    for t in range(1, len(noise)):
        values[t] = phi * values[t - 1] + noise[t]
    return values


def _lagged(step: list[Number], k: int, first: int) -> list[Number]:
    return step[first - k : len(step) - k]


def _factor(columns: list[list[Number]], constant: bool) -> list[list[Number]]:
    """Cholesky factor of the products of columns."""
    if constant:
        columns = [around_mean(column) for column in columns]
    rows = [[mpmath.fdot(a, b) for b in columns[: i + 1]] for i, a in enumerate(columns)]
    for j in range(len(rows)):
        rows[j][j] = mpmath.sqrt(rows[j][j] - mpmath.fsum(value**2 for value in rows[j][:j]))
        for i in range(j + 1, len(rows)):
            rows[i][j] = (rows[i][j] - mpmath.fdot(rows[i][:j], rows[j][:j])) / rows[j][j]
    return rows
