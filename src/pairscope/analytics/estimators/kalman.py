"""State-space hedge ratios: what the pair's line is now, when it moves.

`kalman_rows` is the filter to use; `naive_rows` is the textbook one, offered because people know it by name.

Both begin anew inside the window of each bar, so that a value depends on the bars of its window alone. The parameters
of `kalman_rows` are fitted on bars that lie before the bar asked about, and again every eighth of a window.
"""

from __future__ import annotations

import math
from typing import TypeAlias

import numpy as np

from pairscope.analytics.estimators.kalman_noise import BURN, DIFFUSE, fit_noise
from pairscope.analytics.estimators.regression import (
    ROWS,
    Rows,
    check_pair,
    pearson,
    squares_left,
    sums_of_line,
    window_sums,
)
from pairscope.analytics.kernels.rolling import is_exact
from pairscope.base.jit import floats, kernel
from pairscope.base.model import FloatArray, IntArray

FEWEST_BARS = 32  # in a window, for a fit of its noise
REFITS = 8  # in a window

NAIVE_DELTA = 1e-4
NAIVE_NOISE = 1e-3

# a and b; the three entries of their covariance; the newest observation p, q; then what has become of its spread since:
# the share that is left, the variance that has joined, and the variance of the steps of b; innovation and its variance.
State: TypeAlias = tuple[float, float, float, float, float, float, float, float, float, float, float, float]


def kalman_rows(y: FloatArray, x: FloatArray, window: int, first_index: int, intercept: bool = True) -> Rows:
    """The line by a filter whose state is a constant alpha, a beta that walks, and a spread that returns.

    With eta and epsilon normal, and m the mean of x over the bars of the fit::

        y_t = a + beta_t (x_t - m) + s_t
        beta_t = beta_(t-1) + eta_t            s_t = phi s_(t-1) + epsilon_t

    The line turns about the middle of the bars, where a is constant: alpha_t = a - beta_t m. (Turning about x = 0, a
    step of beta would move log prices by eleven times its size.) Without an intercept a and m are 0, and it does turn
    about x = 0.
    phi, var(epsilon) and var(eta) maximise the likelihood of past bars. The axis of bars is cut at the multiples of
    an eighth of the window. Each cut's parameters are fitted on the seven eighths before it, where the filter begins
    with nothing known of a and beta, and then serve until the next cut. So a value at t uses between 7/8 of the
    window and all of it, the fit none of the bars from the cut on, and the filter nothing later than t.

    The seven rows: beta and alpha given y_t; the correlation of y and x over the bars used; the spread
    y_t - alpha - beta_t x_t given y_t; its mean, 0; its deviation sqrt(var(epsilon) / (1 - phi²)); and z, the
    innovation e_t = y_t - E[y_t | past] over its deviation sqrt(S_t), which says how surprising the bar was.

    The spread is as good as the window is long beside its half-life: with phi = 0.97 (23 bars) the correlation with
    the true spread is about 0.89 at 300 bars, 0.95 at 1,000 and 0.97 at 1,500. No test for a unit root is ever to be
    run on it.

    NaN below 32 bars, and where a fit cannot be made: less than half of its bars present, x or y not moving, an exact
    line. Spread and z are NaN where the position is missing; the filter passes over it.

    Reference: M. Clegg and C. Krauss, "Pairs trading with partial cointegration", Quantitative Finance 18, 2018.
    """
    check_pair(y, x, window)
    out = np.full((ROWS, len(y)), np.nan)
    n = np.zeros(len(y), np.int64)
    if window >= FEWEST_BARS:
        _roll(floats(y), floats(x), window, first_index, intercept, out, n)
    return out, n


def naive_rows(y: FloatArray, x: FloatArray, window: int, first_index: int, intercept: bool = True) -> Rows:
    """The textbook filter y_t = beta_t x_t + v_t, begun with beta = 0 at the first bar of each window.

    One state and no intercept, var(v) = 1e-3 and a step variance of delta / (1 - delta) with delta = 1e-4, as commonly
    printed. Its beta follows y / x so closely that the spread y_t - beta_t x_t is rounding noise: on a cointegrated
    pair it correlates about 0.13 with the true spread, and a unit-root test on it "finds" stationarity everywhere.

    Rows as of `kalman_rows`, with alpha 0, and mean and deviation (ddof 1) of the spread over the window. It has no
    intercept either way, and var(v) is 1e-3 whatever the prices are.

    Reference: E. P. Chan, "Algorithmic Trading", 2013, chapter 3.
    """
    check_pair(y, x, window)
    out = np.full((ROWS, len(y)), np.nan)
    n = np.zeros(len(y), np.int64)
    _roll_naive(floats(y), floats(x), window, out, n)
    return out, n


@kernel
def log_likelihood(p: FloatArray, q: FloatArray, phi: float, drift: float, intercept: bool) -> tuple[float, float]:
    """Concentrated log-likelihood of p = a + b q + s, and the innovation variance of s that it is the best for.

    ``drift`` is the variance of a step of b in units of that variance. The first two observations only teach a and b;
    without an intercept a is 0, and the first one teaches b. Minus infinity and 0 with no observation after them.
    """
    state = _begin(phi, intercept)
    burn = BURN if intercept else BURN - 1
    n = 0
    squares = 0.0
    log_s = 0.0
    product = 1.0  # of several S, which are at least 1: one logarithm for all
    for i in range(len(p)):
        if math.isfinite(p[i]) and math.isfinite(q[i]):
            state = _update(state, p[i], q[i])
            n += 1
            if n > burn:
                squares += state[10] * state[10] / state[11]
                product *= state[11]
                if product > 1e100:
                    log_s += math.log(product)
                    product = 1.0
        state = _wait(state, phi, drift)
    n -= burn
    if n < 1 or not squares > 0.0:
        return -np.inf, 0.0
    log_s += math.log(product)
    variance = squares / n
    return -0.5 * (n * (math.log(2.0 * math.pi * variance) + 1.0) + log_s), variance


@kernel
def _begin(phi: float, intercept: bool) -> State:
    of_a = DIFFUSE if intercept else 0.0  # nothing to learn: a stays 0
    return 0.0, 0.0, of_a, 0.0, DIFFUSE, 0.0, 0.0, 0.0, 1.0 / (1.0 - phi * phi), 0.0, 0.0, 0.0


@kernel
def _wait(state: State, phi: float, drift: float) -> State:
    a, b, aa, ab, bb, p, q, left, joined, walked, e, variance = state
    return a, b, aa, ab, bb, p, q, phi * left, phi * phi * joined + 1.0, walked + drift, e, variance


@kernel
def _update(state: State, p: float, q: float) -> State:
    """Learn from an observation. A known a and b would leave nothing unknown of its spread p - a - b q, which is all
    that the next needs: so the spread is no part of the state."""
    a, b, aa, ab, bb, old_p, old_q, left, joined, walked, _, _ = state
    of_a = 1.0 - left
    of_b = q - left * old_q
    ka = of_a * aa + of_b * ab
    kb = of_a * ab + of_b * bb
    variance = (of_a * of_a * aa + 2.0 * of_a * of_b * ab) + (of_b * of_b * bb + (q * q * walked + joined))
    kb += q * walked
    e = (p - left * old_p) - of_a * a - of_b * b
    per = 1.0 / variance
    by = e * per
    return (
        a + ka * by, b + kb * by, aa - ka * ka * per, ab - ka * kb * per, bb + walked - kb * kb * per,
        p, q, 1.0, 0.0, 0.0, e, variance,
    )  # fmt: skip


@kernel
def _roll(
    y: FloatArray, x: FloatArray, window: int, first_index: int, intercept: bool, out: FloatArray, n: IntArray
) -> None:
    block = window // REFITS
    past = block * (REFITS - 1)
    for cut in range(-first_index % block, len(y), block):
        end = min(cut + block, len(y))
        if end >= window:  # then cut >= past
            first = cut - past
            wanted = window - 1 - first
            block_out, block_n = out[:, first:end], n[first:end]
            _filter_block(y[first:end], x[first:end], past, window, wanted, intercept, block_out, block_n)


@kernel
def _filter_block(
    y: FloatArray, x: FloatArray, past: int, window: int, wanted: int, intercept: bool,
    out: FloatArray, counts: IntArray,
) -> None:  # fmt: skip
    """Fit on the first ``past`` positions, filter all, and write those from ``past`` and from ``wanted`` on."""
    n, mean_y, mean_x, syy, sxx, sxy = window_sums(y[:past], x[:past])
    known = 2 * n >= past and sxx > 0.0 and syy > 0.0
    unit_x = unit_y = slope = 1.0
    if known:
        _, xx, xy = sums_of_line(n, mean_y, mean_x, syy, sxx, sxy, intercept)
        slope = xy / xx
        rest = squares_left(n, mean_y, mean_x, syy, sxx, sxy, slope, intercept)
        known = not is_exact(rest, n, syy, mean_y, slope * mean_x)
        unit_x = math.sqrt(xx / n)
        unit_y = math.sqrt(max(rest, 0.0) / n)
    first = max(past, wanted)
    if not known:
        counts[first:] = n
        return
    if not intercept:
        mean_y = mean_x = 0.0  # what the line turns about
    q = (x - mean_x) / unit_x
    p = ((y - mean_y) - slope * (x - mean_x)) / unit_y
    phi, drift = fit_noise(p[:past], q[:past], intercept)
    variance = log_likelihood(p[:past], q[:past], phi, drift, intercept)[1]
    deviation = unit_y * math.sqrt(variance)
    state = _begin(phi, intercept)
    seen = 0
    for i in range(len(y)):
        present = math.isfinite(p[i]) and math.isfinite(q[i])
        if present:
            state = _update(state, p[i], q[i])
            seen += 1
        if i >= first:
            counts[i] = seen
        if i >= first and 2 * seen >= window:
            beta = slope + state[1] * unit_y / unit_x
            out[0, i] = beta
            out[1, i] = mean_y + state[0] * unit_y - beta * mean_x
            n, used_y, used_x, syy, sxx, sxy = window_sums(y[: i + 1], x[: i + 1])
            syy, sxx, sxy = sums_of_line(n, used_y, used_x, syy, sxx, sxy, intercept)
            out[2, i] = pearson(syy, sxx, sxy)
            out[4, i] = 0.0
            out[5, i] = deviation / math.sqrt(1.0 - phi * phi)
            if present:
                out[3, i] = (p[i] - state[0] - state[1] * q[i]) * unit_y
                out[6, i] = state[10] / math.sqrt(state[11] * variance)
        state = _wait(state, phi, drift)


@kernel
def _roll_naive(y: FloatArray, x: FloatArray, window: int, out: FloatArray, n: IntArray) -> None:
    spreads = np.empty(window)
    for t in range(window - 1, len(y)):
        n[t] = _naive(y[t - window + 1 : t + 1], x[t - window + 1 : t + 1], window, spreads, out[:, t])


@kernel
def _naive(y: FloatArray, x: FloatArray, window: int, spreads: FloatArray, row: FloatArray) -> int:
    n = 0
    beta = 0.0
    certainty = 1.0
    drift = NAIVE_DELTA / (1.0 - NAIVE_DELTA)
    z = np.nan
    for i in range(len(y)):
        certainty += drift
        z = np.nan
        if math.isfinite(y[i]) and math.isfinite(x[i]):
            variance = x[i] * certainty * x[i] + NAIVE_NOISE
            e = y[i] - beta * x[i]
            gain = certainty * x[i] / variance
            beta += gain * e
            certainty *= 1.0 - gain * x[i]
            z = e / math.sqrt(variance)
            spreads[n] = y[i] - beta * x[i]
            n += 1
    if 2 * n < window or n < 2:
        return n
    mean = spreads[:n].mean()
    row[0] = beta
    row[1] = 0.0
    _, _, _, syy, sxx, sxy = window_sums(y, x)
    row[2] = pearson(syy, sxx, sxy)
    row[4] = mean
    row[5] = math.sqrt(((spreads[:n] - mean) ** 2).sum() / (n - 1.0))
    if math.isfinite(z):
        row[3] = spreads[n - 1]
        row[6] = z
    return n
