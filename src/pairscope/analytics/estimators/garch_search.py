"""The likelihood of GARCH(1,1) with its exact derivatives, and the climb from a start to a maximum of it.

Everything is in units of the mean square of the returns: ``squares`` are those of the returns less their mean, divided
by their own mean, so that neither the bounds nor the steps depend on how much a price moves. A climb goes in
(omega, share, total), with alpha = share · total and beta = (1 - share) · total: there all bounds are a box.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from pairscope.base.jit import kernel
from pairscope.base.model import BoolArray, FloatArray

LEAST_OMEGA, MOST_OMEGA = 1e-8, 10.0
LEAST_TOTAL = 1e-4  # of alpha + beta; at 0 the share of each would mean nothing
_LOG_2PI = math.log(2.0 * math.pi)
_MOST_PASSES = 50
_REST = 1e-7  # log-likelihood promised by the next step, below which a climb has ended
_SHARE_KEPT = 0.1  # of what a step promised, below which it was too long
_LEAST_DAMPING, _MOST_DAMPING = 1e-2, 1e9
_CASES = 27  # each of three parameters is free, at its low end, or at its high end
_LOW, _HIGH = 1, 2


class Climb(NamedTuple):
    """Where a climb has ended. Variances are in units of the mean square."""

    log_likelihood: float
    omega: float
    alpha: float
    beta: float
    last: float  # variance of the last return, given those before it
    following: float  # variance of the return after it
    gain: float  # log-likelihood that one more step within the bounds promises
    is_definite: bool  # whether minus the Hessian is positive definite, on the parameters that may move


@kernel
def log_likelihood(squares: FloatArray, omega: float, alpha: float, beta: float) -> float:
    """Of normal returns with variances h_t = omega + alpha y_(t-1) + beta h_(t-1); y and h before the first are 1.

    >>> round(log_likelihood(np.ones(2), 0.1, 0.2, 0.7), 12) == round(-math.log(2.0 * math.pi) - 1.0, 12)
    True
    """
    h = omega + alpha + beta
    logs = 0.0
    product = 1.0  # of sixteen variances: one logarithm for all
    relative = 0.0
    for t in range(len(squares)):
        relative += squares[t] / h
        product *= h
        if t % 16 == 15:
            logs += math.log(product)
            product = 1.0
        h = omega + alpha * squares[t] + beta * h
    return -0.5 * (len(squares) * _LOG_2PI + logs + math.log(product) + relative)


@kernel
def derivatives(
    squares: FloatArray, omega: float, alpha: float, beta: float,
    slope: FloatArray, hessian: FloatArray, information: FloatArray,
) -> tuple[float, float, float]:  # fmt: skip
    """`log_likelihood`, the variance of the last return and of the one that follows.

    Writes the gradient float64[3], the Hessian and Fisher's information, float64[3, 3], of (omega, alpha, beta). The
    derivatives of h come by recursion beside h; of the second ones only those with beta are not zero.
    """
    h = omega + alpha + beta
    last = h
    dw = da = db = 1.0
    dwb = dab = dbb = 0.0
    logs, product, relative = 0.0, 1.0, 0.0
    sw = sa = sb = 0.0
    hww = hwa = hwb = haa = hab = hbb = 0.0
    iww = iwa = iwb = iaa = iab = ibb = 0.0
    for t in range(len(squares)):
        y = squares[t]
        per = 1.0 / h
        ratio = y * per
        relative += ratio
        product *= h
        if t % 16 == 15:
            logs += math.log(product)
            product = 1.0
        first = 0.5 * per * (ratio - 1.0)  # of the log-likelihood in h
        known = 0.5 * per * per
        second = known * (1.0 - 2.0 * ratio)
        sw += first * dw
        sa += first * da
        sb += first * db
        ww, wa, wb, aa, ab, bb = dw * dw, dw * da, dw * db, da * da, da * db, db * db
        hww += second * ww
        hwa += second * wa
        haa += second * aa
        hwb += second * wb + first * dwb
        hab += second * ab + first * dab
        hbb += second * bb + first * dbb
        iww += known * ww
        iwa += known * wa
        iaa += known * aa
        iwb += known * wb
        iab += known * ab
        ibb += known * bb
        dwb = dw + beta * dwb
        dab = da + beta * dab
        dbb = 2.0 * db + beta * dbb
        dw = 1.0 + beta * dw
        da = y + beta * da
        db = h + beta * db
        last = h
        h = omega + alpha * y + beta * h
    slope[0], slope[1], slope[2] = sw, sa, sb
    _write(hessian, hww, hwa, hwb, haa, hab, hbb)
    _write(information, iww, iwa, iwb, iaa, iab, ibb)
    return -0.5 * (len(squares) * _LOG_2PI + logs + math.log(product) + relative), last, h


@kernel
def climb(squares: FloatArray, alpha: float, beta: float) -> Climb:
    """From (1 - alpha - beta, alpha, beta) to a maximum of the likelihood.

    Newton's method with the exact Hessian; Fisher's scoring where minus the Hessian is not definite. A step that keeps
    less than a tenth of its promise is made again with more damping.
    """
    low = np.array([LEAST_OMEGA, 0.0, LEAST_TOTAL])
    high = np.array([MOST_OMEGA, 1.0, 1.0])
    total = alpha + beta
    at = np.array([max(LEAST_OMEGA, 1.0 - total), alpha / total, total])
    there, step = np.empty(3), np.empty(3)
    slope, hessian, information = np.empty(3), np.empty((3, 3)), np.empty((3, 3))
    new_slope, new_hessian, new_information = np.empty(3), np.empty((3, 3)), np.empty((3, 3))
    bent = np.empty((3, 3))
    level, last, following = _in_box(squares, at, slope, hessian, information)
    damping = 0.0
    passes = 1
    while passes < _MOST_PASSES:
        promised = _next_step(slope, hessian, information, damping, at, low, high, bent, step)
        if promised < _REST and damping == 0.0:
            break
        if promised < _REST:
            damping = 0.0  # a short step promises little: see what a full one does
            continue
        for i in range(3):
            there[i] = min(high[i], max(low[i], at[i] + step[i]))
        new_level, new_last, new_following = _in_box(squares, there, new_slope, new_hessian, new_information)
        passes += 1
        if new_level - level > _SHARE_KEPT * promised:
            damping = 0.0 if damping <= _LEAST_DAMPING else 0.1 * damping
            level, last, following = new_level, new_last, new_following
            at, there = there, at
            slope, new_slope = new_slope, slope
            hessian, new_hessian = new_hessian, hessian
            information, new_information = new_information, information
        else:
            damping = max(4.0 * damping, _LEAST_DAMPING)
            if damping > _MOST_DAMPING:  # the likelihood's own rounding
                break
    gain = _next_step(slope, hessian, information, 0.0, at, low, high, bent, step)
    definite = _is_top(slope, hessian, at, low, high, bent, step)
    omega, share, total = at
    return Climb(level, omega, share * total, (1.0 - share) * total, last, following, gain, definite)


@kernel
def _write(
    matrix: FloatArray, ww: float, wa: float, wb: float, aa: float, ab: float, bb: float
) -> None:  # fmt: skip
    matrix[0, 0], matrix[1, 1], matrix[2, 2] = ww, aa, bb
    matrix[0, 1] = matrix[1, 0] = wa
    matrix[0, 2] = matrix[2, 0] = wb
    matrix[1, 2] = matrix[2, 1] = ab


@kernel
def _in_box(
    squares: FloatArray, at: FloatArray, slope: FloatArray, hessian: FloatArray, information: FloatArray
) -> tuple[float, float, float]:  # fmt: skip
    """`derivatives` in (omega, share, total)."""
    omega, share, total = at
    rest = 1.0 - share
    level, last, following = derivatives(squares, omega, share * total, rest * total, slope, hessian, information)
    sa, sb = slope[1], slope[2]
    slope[1] = total * (sa - sb)
    slope[2] = share * sa + rest * sb
    _turn(hessian, share, rest, total)
    _turn(information, share, rest, total)
    hessian[1, 2] += sa - sb  # alpha and beta are products of share and total
    hessian[2, 1] = hessian[1, 2]
    return level, last, following


@kernel
def _turn(matrix: FloatArray, share: float, rest: float, total: float) -> None:
    """J' matrix J, with J the derivatives of (omega, alpha, beta) in (omega, share, total)."""
    ww, wa, wb = matrix[0, 0], matrix[0, 1], matrix[0, 2]
    aa, ab, bb = matrix[1, 1], matrix[1, 2], matrix[2, 2]
    along_a, along_b = share * aa + rest * ab, share * ab + rest * bb
    _write(
        matrix, ww, total * (wa - wb), share * wa + rest * wb,
        total * total * (aa - 2.0 * ab + bb), total * (along_a - along_b), share * along_a + rest * along_b,
    )  # fmt: skip


@kernel
def _next_step(
    slope: FloatArray, hessian: FloatArray, information: FloatArray, damping: float,
    at: FloatArray, low: FloatArray, high: FloatArray, bent: FloatArray, step: FloatArray,
) -> float:  # fmt: skip
    """Write the step of Newton, or of scoring where there is none; what it promises, 0 where there is neither."""
    for scoring in range(2):
        for i in range(3):
            for j in range(3):
                bent[i, j] = information[i, j] if scoring == 1 else -hessian[i, j]
            bent[i, i] += damping * information[i, i]
        if _step_in_box(bent, slope, at, low, high, step):
            promised = 0.0
            for i in range(3):
                promised += slope[i] * step[i]
                for j in range(3):
                    promised -= 0.5 * step[i] * bent[i, j] * step[j]
            return promised
    return 0.0


@kernel
def _step_in_box(
    bent: FloatArray, slope: FloatArray, at: FloatArray, low: FloatArray, high: FloatArray, step: FloatArray
) -> bool:  # fmt: skip
    """Write the step to where slope · step - step · bent · step / 2 is greatest within the box; False without a top.

    A parameter is free or at one of its ends. Of the 27 cases that one is the answer whose step stays within the box
    while the slope at each end that is used points out of it. That nothing is at an end is tried first.
    """
    free = np.empty(3, np.bool_)
    for case in range(_CASES):
        left = case
        for i in range(3):
            end = left % 3
            free[i] = end == 0
            step[i] = 0.0 if end == 0 else (low[i] if end == _LOW else high[i]) - at[i]
            left //= 3
        if not _solve(bent, slope, free, step):
            return False
        left = case
        fits = True
        for i in range(3):
            end = left % 3
            if end == 0:
                slack = 1e-12 * (high[i] - low[i])
                fits = fits and low[i] - slack <= at[i] + step[i] <= high[i] + slack
            else:
                pull = slope[i]
                for j in range(3):
                    pull -= bent[i, j] * step[j]
                fits = fits and (pull <= 0.0 if end == _LOW else pull >= 0.0)
            left //= 3
        if fits:
            return True
    return False


@kernel
def _solve(bent: FloatArray, slope: FloatArray, free: BoolArray, step: FloatArray) -> bool:
    """Solve bent · step = slope for the free parameters, by Cholesky; False where bent is not definite on them."""
    factor = np.zeros((3, 3))
    for i in range(3):
        if not free[i]:
            continue
        value = slope[i]
        for j in range(3):
            if not free[j]:
                value -= bent[i, j] * step[j]
        for j in range(i + 1):
            if not free[j]:
                continue
            entry = bent[i, j]
            for k in range(j):
                entry -= factor[i, k] * factor[j, k]
            if j < i:
                factor[i, j] = entry / factor[j, j]
                value -= factor[i, j] * step[j]
            elif entry > 1e-13 * bent[i, i]:
                factor[i, i] = math.sqrt(entry)
            else:
                return False
        step[i] = value / factor[i, i]
    for i in range(2, -1, -1):
        if free[i]:
            for k in range(i + 1, 3):
                if free[k]:
                    step[i] -= factor[k, i] * step[k]
            step[i] /= factor[i, i]
    return True


@kernel
def _is_top(
    slope: FloatArray, hessian: FloatArray, at: FloatArray, low: FloatArray, high: FloatArray,
    bent: FloatArray, step: FloatArray,
) -> bool:  # fmt: skip
    """Whether the likelihood bends down in every direction that its slope does not close."""
    free = np.empty(3, np.bool_)
    for i in range(3):
        for j in range(3):
            bent[i, j] = -hessian[i, j]
        step[i] = 0.0
        closed = (at[i] <= low[i] and slope[i] <= 0.0) or (at[i] >= high[i] and slope[i] >= 0.0)
        free[i] = not closed
    return _solve(bent, slope, free, step)
