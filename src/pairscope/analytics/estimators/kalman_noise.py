"""The noise variances of the Kalman hedge ratio: the parameters of `kalman.kalman_rows` that make the past likeliest.

A step of the filter waits for the division of the step before, so a second pair of parameters beside the first costs
next to nothing: sixteen of them in one pass take the time of three. The search is made of such passes.
"""

from __future__ import annotations

import math

import numpy as np

from pairscope.base.jit import kernel
from pairscope.base.model import FloatArray

LANES = 16  # four vectors of four; with fewer Numba makes no vectors at all
# Variance of a state nothing is known of, in units of the spread's innovation variance.
DIFFUSE = 1e6
# Observations that go into learning the two states nothing is known of; they carry no likelihood. One is enough for b
# alone, when there is no intercept and a is 0.
BURN = 2
# Bounds of the search: artanh(phi), and ln of the variance of beta's steps in scaled units.
PHI_BOUND = 4.5
DRIFT_LOW, DRIFT_HIGH = -16.0, 2.0
MOST_STENCILS = 12  # a net: nine in ten searches end after eight
_GAIN = 1e-11  # of log-likelihood a bar, promised by the next step, at which a search ends

# Where a search begins to look: artanh(phi) and ln(drift).
_GRID_A = np.array((0.0, 0.5, 1.0, 1.5, 2.0, 2.5, 3.0, 3.9))
_GRID_B = np.array((-16.0, -9.0, -6.5, -4.5, -2.5, -0.5))
# A stencil, in units of its radii: the nine points of a square, and seven further out.
_STENCIL_A = np.array((0.0, -1.0, 1.0, 0.0, 0.0, -1.0, -1.0, 1.0, 1.0, -3.0, 3.0, 0.0, 0.0, -3.0, 3.0, 0.5))
_STENCIL_B = np.array((0.0, 0.0, 0.0, -1.0, 1.0, -1.0, 1.0, -1.0, 1.0, 0.0, 0.0, -3.0, 3.0, 3.0, -3.0, 0.5))
_FAR = 3.0
_FIRST_RADII = (0.2, 0.7)
_WIDEST_RADII = (0.5, 2.0)
_LEAST_RADII = (1e-4, 1e-3)
_SMALL = 0.03**2  # squared radii, in deviations of the estimate: on a wider stencil the parabola's top is not the top

# Rows of the state of a pass: a, b, the three entries of their covariance; of the newest observation's spread the share
# that is left, the variance that has joined, that of the steps of b since; then what the likelihood is made of.
_A, _B, _AA, _AB, _BB, _LEFT, _JOINED, _WALKED, _SQUARES, _PRODUCT, _LOGS = range(11)


@kernel
def likelihoods(
    p: FloatArray, q: FloatArray, phi: FloatArray, drift: FloatArray, intercept: bool, out: FloatArray
) -> None:
    """`kalman.log_likelihood` for sixteen parameters at once, float64[16].

    The terms of each are summed in their order, whatever vectors the processor has.
    """
    state = np.zeros((11, LANES))
    burn = BURN if intercept else BURN - 1
    for j in range(LANES):
        state[_AA, j] = DIFFUSE if intercept else 0.0
        state[_BB, j] = DIFFUSE
        state[_JOINED, j] = 1.0 / (1.0 - phi[j] * phi[j])
        state[_PRODUCT, j] = 1.0
    before_p = before_q = 0.0
    n = 0
    for i in range(len(p)):
        now_p, now_q = p[i], q[i]
        if not (math.isfinite(now_p) and math.isfinite(now_q)):
            for j in range(LANES):
                state[_LEFT, j] *= phi[j]
                state[_JOINED, j] = phi[j] * phi[j] * state[_JOINED, j] + 1.0
                state[_WALKED, j] += drift[j]
            continue
        for j in range(LANES):
            a, b, aa, ab, bb = state[_A, j], state[_B, j], state[_AA, j], state[_AB, j], state[_BB, j]
            left, walked = state[_LEFT, j], state[_WALKED, j]
            of_a = 1.0 - left
            of_b = now_q - left * before_q
            gain_a = of_a * aa + of_b * ab
            gain_b = of_a * ab + of_b * bb
            own = now_q * now_q * walked + state[_JOINED, j]
            variance = (of_a * of_a * aa + 2.0 * of_a * of_b * ab) + (of_b * of_b * bb + own)
            gain_b += now_q * walked
            e = (now_p - left * before_p) - of_a * a - of_b * b
            per = 1.0 / variance
            by = e * per
            state[_A, j] = a + gain_a * by
            state[_B, j] = b + gain_b * by
            state[_AA, j] = aa - gain_a * gain_a * per
            state[_AB, j] = ab - gain_a * gain_b * per
            state[_BB, j] = bb + walked - gain_b * gain_b * per
            state[_LEFT, j] = phi[j]
            state[_JOINED, j] = 1.0
            state[_WALKED, j] = drift[j]
            state[_SQUARES, j] += e * by
            state[_PRODUCT, j] *= variance
        n += 1
        before_p, before_q = now_p, now_q
        if n == burn:
            for j in range(LANES):
                state[_SQUARES, j] = 0.0
                state[_PRODUCT, j] = 1.0
        if n % 8 == 7:
            for j in range(LANES):
                state[_LOGS, j] += math.log(state[_PRODUCT, j])
                state[_PRODUCT, j] = 1.0
    n -= burn
    for j in range(LANES):
        out[j] = -np.inf
        if n > 0 and state[_SQUARES, j] > 0.0:
            logs = state[_LOGS, j] + math.log(state[_PRODUCT, j])
            out[j] = -0.5 * (n * (math.log(2.0 * math.pi * (state[_SQUARES, j] / n)) + 1.0) + logs)


@kernel
def fit_noise(p: FloatArray, q: FloatArray, intercept: bool) -> tuple[float, float]:
    """The phi and drift that maximise `kalman.log_likelihood`.

    The best of a grid of 48, then Newton's method: on each stencil of sixteen points the top of the parabola through
    the nine in its middle is the centre of the next one, whose radii shrink with the curvature.
    """
    phi, drift, found = np.empty(LANES), np.empty(LANES), np.empty(LANES)
    top = np.array([-np.inf, 0.0, 0.0])  # the highest likelihood seen, and where
    _look_at_grid(p, q, phi, drift, intercept, found, top)
    centre = top[1:].copy()
    radii = np.array(_FIRST_RADII)
    parabola = np.empty(5)
    least = _GAIN * len(p)
    fine = 0.1  # of the estimate's deviation: the radii of the next stencil
    for _ in range(MOST_STENCILS):
        before = top[0]
        best = _look_around(p, q, centre, radii, phi, drift, intercept, found, top)
        if found[best] < before - least:  # the step led down
            centre[:] = top[1:]
            radii *= 0.25
        elif _top_of(found, best, least, parabola):
            da, db, gain, aa, bb = parabola
            centre[0] = _on_bound(centre[0] + radii[0] * da, -PHI_BOUND, PHI_BOUND)
            centre[1] = _on_bound(centre[1] + radii[1] * db, DRIFT_LOW, DRIFT_HIGH)
            if gain < least and max(-aa, -bb) < _SMALL:
                return math.tanh(centre[0]), math.exp(centre[1])
            radii[0] *= min(1.0, max(fine / math.sqrt(-aa), 0.2 * abs(da)))
            radii[1] *= min(1.0, max(fine / math.sqrt(-bb), 0.2 * abs(db)))
            if abs(da) <= 1.0 and abs(db) <= 1.0:
                fine = 0.01
        elif best == 0:
            if radii[0] < _LEAST_RADII[0] and radii[1] < _LEAST_RADII[1]:
                break
            radii *= 0.25
        else:
            _move_out(best, centre, radii, top)
    return math.tanh(top[1]), math.exp(top[2])


@kernel
def _look_at_grid(
    p: FloatArray, q: FloatArray, phi: FloatArray, drift: FloatArray, intercept: bool,
    found: FloatArray, top: FloatArray,
) -> None:  # fmt: skip
    columns = len(_GRID_A)
    for first in range(0, columns * len(_GRID_B), LANES):
        for j in range(LANES):
            phi[j] = math.tanh(_GRID_A[(first + j) % columns])
            drift[j] = math.exp(_GRID_B[(first + j) // columns])
        likelihoods(p, q, phi, drift, intercept, found)
        for j in range(LANES):
            if found[j] > top[0]:
                top[0], top[1], top[2] = found[j], _GRID_A[(first + j) % columns], _GRID_B[(first + j) // columns]


@kernel
def _look_around(
    p: FloatArray, q: FloatArray, centre: FloatArray, radii: FloatArray,
    phi: FloatArray, drift: FloatArray, intercept: bool, found: FloatArray, top: FloatArray,
) -> int:  # fmt: skip
    """The likelihoods on a stencil; the place of the highest, which becomes the top when it is one."""
    radii[0] = _radius(radii[0], centre[0], -PHI_BOUND, PHI_BOUND)
    radii[1] = _radius(radii[1], centre[1], DRIFT_LOW, DRIFT_HIGH)
    for j in range(LANES):
        phi[j] = math.tanh(_mirrored(centre[0] + radii[0] * _STENCIL_A[j], -PHI_BOUND, PHI_BOUND))
        drift[j] = math.exp(_mirrored(centre[1] + radii[1] * _STENCIL_B[j], DRIFT_LOW, DRIFT_HIGH))
    likelihoods(p, q, phi, drift, intercept, found)
    best = 0
    for j in range(LANES):
        if found[j] > found[best]:
            best = j
    if found[best] > top[0]:
        top[0] = found[best]
        top[1] = _mirrored(centre[0] + radii[0] * _STENCIL_A[best], -PHI_BOUND, PHI_BOUND)
        top[2] = _mirrored(centre[1] + radii[1] * _STENCIL_B[best], DRIFT_LOW, DRIFT_HIGH)
    return best


@kernel
def _top_of(found: FloatArray, best: int, least: float, parabola: FloatArray) -> bool:
    """Write the way, in radii, to the top of a parabola through the square's nine points; its gain and curvatures.

    False where it has no top, or one more than three radii away or below the best of the sixteen points.
    """
    ga = (found[2] + found[7] + found[8] - found[1] - found[5] - found[6]) / 6.0
    gb = (found[4] + found[6] + found[8] - found[3] - found[5] - found[7]) / 6.0
    aa = found[1] + found[2] - 2.0 * found[0]
    bb = found[3] + found[4] - 2.0 * found[0]
    ab = 0.25 * (found[8] + found[5] - found[6] - found[7])
    if abs(bb) + abs(gb) + abs(ab) < least:  # flat: so small a drift changes nothing
        gb, ab, bb = 0.0, 0.0, aa
    determinant = aa * bb - ab * ab
    if not (aa < 0.0 and determinant > 1e-6 * aa * bb):
        return False
    da = (ab * gb - bb * ga) / determinant
    db = (ab * ga - aa * gb) / determinant
    gain = 0.5 * (ga * da + gb * db)
    parabola[0], parabola[1], parabola[2], parabola[3], parabola[4] = da, db, gain, aa, bb
    return bool(abs(da) <= _FAR and abs(db) <= _FAR and found[0] + gain >= found[best] - least)


@kernel
def _move_out(best: int, centre: FloatArray, radii: FloatArray, top: FloatArray) -> None:
    """To the best point so far, looking further where it lies far out."""
    centre[0] = _on_bound(top[1], -PHI_BOUND, PHI_BOUND)
    centre[1] = _on_bound(top[2], DRIFT_LOW, DRIFT_HIGH)
    if abs(_STENCIL_A[best]) == _FAR:
        radii[0] = min(2.0 * radii[0], _WIDEST_RADII[0])
    if abs(_STENCIL_B[best]) == _FAR:
        radii[1] = min(2.0 * radii[1], _WIDEST_RADII[1])


@kernel
def _mirrored(value: float, low: float, high: float) -> float:
    """Thrown back from the bounds: the likelihood is then even about them, and a top there is a top."""
    value = low + abs(value - low)
    return max(low, high - abs(high - value))


@kernel
def _radius(radius: float, centre: float, low: float, high: float) -> float:
    """Not across a bound, unless the centre lies on it."""
    if centre > low:
        radius = min(radius, centre - low)
    return min(radius, high - centre) if centre < high else radius


@kernel
def _on_bound(value: float, low: float, high: float) -> float:
    """Near a bound is on it."""
    if value < low + 1e-3:
        return low
    return high if value > high - 1e-3 else value
