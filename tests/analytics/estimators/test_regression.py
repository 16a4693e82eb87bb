from __future__ import annotations

from collections.abc import Callable

import mpmath
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pairscope.analytics.entry.window import PairWindow
from pairscope.analytics.estimators.regression import Rows, huber_rows, past_rows, pearson, tls_rows, window_sums
from pairscope.analytics.kernels.rolling import last_pair
from pairscope.analytics.registry import CATALOGUE
from pairscope.analytics.values import Reason
from pairscope.base.errors import RequestError
from pairscope.base.model import FloatArray
from tests.fifty_digits import line_exactly

Walks = Callable[..., tuple[FloatArray, FloatArray]]
RowsOf = Callable[[FloatArray, FloatArray, int, int], Rows]
BETA, ALPHA, CORRELATION, SPREAD, MEAN, STD, Z = range(7)


def residuals(y: FloatArray, x: FloatArray, row: FloatArray) -> FloatArray:
    return np.asarray(y - row[ALPHA] - row[BETA] * x)


# --- orthogonal ---


def test_an_orthogonal_line_is_the_direction_of_the_largest_singular_value(walks: Walks) -> None:
    y, x = walks(seed=3, count=200, offset=11.0, step=1e-3)
    centred = np.column_stack([x - x.mean(), y - y.mean()])
    direction = np.linalg.svd(centred)[2][0]
    rows, _ = tls_rows(y, x, 200, 0)
    assert rows[BETA, -1] == pytest.approx(direction[1] / direction[0], rel=1e-10)
    left = residuals(y, x, rows[:, -1])
    assert rows[[SPREAD, STD], -1] == pytest.approx([left[-1], left.std(ddof=1)], rel=1e-8)
    assert rows[MEAN, -1] == 0.0
    assert rows[Z, -1] == rows[SPREAD, -1] / rows[STD, -1]


@settings(deadline=None, max_examples=50)
@given(seed=st.integers(0, 2**32))
def test_an_orthogonal_line_is_the_same_whichever_leg_is_y(walks: Walks, seed: int) -> None:
    y, x = walks(seed, 60)
    one, other = tls_rows(y, x, 60, 0)[0][BETA, -1], tls_rows(x, y, 60, 0)[0][BETA, -1]
    assert one * other == pytest.approx(1.0, rel=1e-9)


def test_points_that_point_nowhere_have_no_orthogonal_line() -> None:
    y, x = np.array([1.0, -1.0, 0.0, 0.0]), np.array([0.0, 0.0, 1.0, -1.0])
    for scale in (1.0, 1e-3):
        rows, n = tls_rows(scale * y, scale * x, 4, 0)
        assert n[-1] == 4
        assert np.isnan(rows[:, -1]).all()


def test_a_constant_y_has_a_flat_orthogonal_line() -> None:
    rows, _ = tls_rows(np.full(10, 11.1), np.arange(10.0), 10, 0)
    assert rows[[BETA, SPREAD, STD], -1].tolist() == [0.0, 0.0, 0.0]


# --- past only ---


def test_a_past_line_is_least_squares_without_the_bar_itself(walks: Walks) -> None:
    y, x = walks(seed=4, count=120)
    rows, n = past_rows(y, x, 50, 0)
    for t in (49, 80, 119):
        before = slice(t - 49, t)
        line = line_exactly(y[before], x[before])
        forecast_error = y[t] - line.alpha - line.beta * x[t]
        assert n[t] == 49
        assert rows[[ALPHA, BETA, SPREAD], t] == pytest.approx([line.alpha, line.beta, forecast_error], rel=1e-8)
        assert rows[Z, t] == pytest.approx(forecast_error / line.residual_std, rel=1e-8)


def test_a_past_line_does_not_move_with_the_bar_itself(walks: Walks) -> None:
    y, x = walks(seed=5, count=50)
    before = past_rows(y, x, 50, 0)[0][:, -1].copy()
    y[-1] += 100.0
    after = past_rows(y, x, 50, 0)[0][:, -1]
    assert after[[BETA, ALPHA, STD]].tolist() == before[[BETA, ALPHA, STD]].tolist()
    assert after[SPREAD] == pytest.approx(before[SPREAD] + 100.0)


@pytest.mark.parametrize("rows_of", [huber_rows, tls_rows, past_rows])
def test_positions_with_a_missing_value_are_left_out(walks: Walks, rows_of: RowsOf) -> None:
    y, x = walks(seed=10, count=80, offset=11.0)
    y[5], x[30], y[31] = np.nan, np.nan, np.inf
    kept = np.isfinite(y) & np.isfinite(x)
    gappy, whole = rows_of(y, x, 80, 0)[0][:, -1], rows_of(y[kept], x[kept], 77, 0)[0][:, -1]
    assert np.isfinite(gappy).all()
    assert gappy.tolist() == whole.tolist()


@pytest.mark.parametrize("rows_of", [huber_rows, tls_rows, past_rows])
def test_points_on_a_line_have_a_deviation_of_exactly_zero(walks: Walks, rows_of: RowsOf) -> None:
    _, x = walks(seed=8, count=60, offset=11.0, step=0.01)
    rows, _ = rows_of(0.1 + 0.7 * x, x, 60, 0)
    assert rows[BETA, -1] == pytest.approx(0.7)
    assert rows[STD, -1] == 0.0
    assert np.isnan(rows[Z, -1])


# --- sums ---


@pytest.mark.parametrize("offset", [0.0, 1e5, 1e9])
def test_sums_equal_fifty_digit_arithmetic_at_any_offset(walks: Walks, offset: float) -> None:
    y, x = walks(seed=6, count=64, offset=offset)
    with mpmath.workdps(50):
        ys, xs = [mpmath.mpf(float(v)) for v in y], [mpmath.mpf(float(v)) for v in x]
        mean_y, mean_x = mpmath.fsum(ys) / 64, mpmath.fsum(xs) / 64
        syy = mpmath.fsum((v - mean_y) ** 2 for v in ys)
        sxx = mpmath.fsum((v - mean_x) ** 2 for v in xs)
        sxy = mpmath.fsum((a - mean_y) * (b - mean_x) for a, b in zip(ys, xs, strict=True))
        expected = [float(v) for v in (mean_y, mean_x, syy, sxx, sxy)]
    n, *found = window_sums(y, x)
    assert n == 64
    np.testing.assert_allclose(found, expected, rtol=1e-13)


def test_movement_of_a_few_units_in_the_last_place_is_summed_around_the_exact_mean() -> None:
    random = np.random.default_rng(7)
    y, x = 1e9 + random.normal(0, 2e-6, (2, 99))
    with mpmath.workdps(50):
        ys, xs = ([mpmath.mpf(float(value)) for value in values] for values in (y, x))
        mean_y, mean_x = mpmath.fsum(ys) / 99, mpmath.fsum(xs) / 99
        syy = mpmath.fsum((value - mean_y) ** 2 for value in ys)
        sxx = mpmath.fsum((value - mean_x) ** 2 for value in xs)
        sxy = mpmath.fsum((a - mean_y) * (b - mean_x) for a, b in zip(ys, xs, strict=True))
    np.testing.assert_allclose(window_sums(y, x)[3:], [float(syy), float(sxx), float(sxy)], rtol=1e-12)


def test_a_correlation_is_never_beyond_one() -> None:
    assert pearson(4.0, 1.0, 1.0) == 0.5
    assert (pearson(1.0, 1.0, 1.0 + 1e-15), pearson(1.0, 1.0, -1.0 - 1e-15)) == (1.0, -1.0)
    assert np.isnan([pearson(0.0, 1.0, 0.0), pearson(1.0, 0.0, 0.0)]).all()


def test_a_series_that_moves_by_rounding_alone_does_not_move() -> None:
    y = np.full(50, 1e9)
    y[25] = np.nextafter(1e9, 2e9)
    assert window_sums(y, np.arange(50.0))[3:] == pytest.approx((0.0, 10_412.5, 0.0))


def test_no_position_in_common_has_no_sums() -> None:
    nan = np.nan
    n, *sums = window_sums(np.array([nan, 1.0]), np.array([1.0, nan]))
    assert n == 0
    assert np.isnan(sums).all()


# --- requests that cannot be answered ---


@pytest.mark.parametrize("rows_of", [huber_rows, tls_rows, past_rows])
def test_a_window_below_two_bars_is_refused(rows_of: Callable[..., object]) -> None:
    with pytest.raises(RequestError, match="use at least 2 bars"):
        rows_of(np.arange(3.0), np.arange(3.0), 1, 0)
    with pytest.raises(RequestError, match="one length"):
        rows_of(np.arange(3.0), np.arange(4.0), 2, 0)


# --- a line that most points lie on, and one that all do ---


@pytest.mark.parametrize("level", [0.0, 1.0, 11.0, -6e4, 1e9])
@pytest.mark.parametrize("step", [1e-9, 1e-6, 1e-3, 1.0])
@pytest.mark.parametrize("beta", [1.0, -0.3, 7.0])
def test_a_line_is_exact_up_to_the_rounding_of_the_larger_series(level: float, step: float, beta: float) -> None:
    random = np.random.default_rng(8)
    x = level + step * np.cumsum(random.normal(size=200))
    if not np.ptp(x) > 1e3 * np.spacing(abs(level)):
        return  # it does not move
    y = beta * x - 3.0
    unit = np.spacing(max(abs(level), abs(beta * level), 3.0))
    for noise in (0.0, 1.0, 2.0):
        rounded = y + noise * unit * random.choice([-1.0, 1.0], 200)
        window = PairWindow(rounded, x, 7, 200, 525_600.0)
        reasons = {CATALOGUE[name].compute(window).reason for name in ("spread_z", "coint_p", "half_life", "cusum")}
        assert reasons == {Reason.EXACT_FIT}, noise
        last = last_pair(rounded, x, 200, 7)
        assert last[4] == 0.0
        assert last[1] == pytest.approx(beta, rel=1e-3)
        assert is_of_no_deviation(tls_rows(rounded, x, 200, 0)[0]) or beta == 7.0


def is_of_no_deviation(rows: FloatArray) -> bool:
    return bool(rows[5, -1] == 0.0)


@pytest.mark.parametrize("level", [1.0, 11.0, 6e4])
def test_a_spread_of_a_hundred_rounding_units_is_one(level: float) -> None:
    random = np.random.default_rng(9)
    x = level + 1e-8 * level * np.cumsum(random.normal(size=200))
    y = x + 100 * np.spacing(level) * random.normal(size=200)
    window = PairWindow(y, x, 7, 200, 525_600.0)
    z = CATALOGUE["spread_z"].compute(window)
    assert (z.reason is None) or np.var(y - x) <= 1e-12 * np.var(y)
    assert CATALOGUE["coint_p"].compute(window).reason == z.reason
