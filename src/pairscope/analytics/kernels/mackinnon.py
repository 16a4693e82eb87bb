"""Probabilities and critical values of unit-root and cointegration statistics, from MacKinnon's response surfaces.

The coefficients are those printed in

* J. G. MacKinnon, "Approximate asymptotic distribution functions for unit-root and cointegration tests",
  Journal of Business & Economic Statistics 12, 1994, tables 3 and 4: probabilities;
* J. G. MacKinnon, "Critical values for cointegration tests", Queen's University working paper 1227, 2010,
  tables 1 and 2: critical values of finite samples.

A surface is named by a number: `NO_CONSTANT`, or the count of series of a regression with a constant: 1 for the plain
Dickey-Fuller test, 2 for the residual of one series on another, and so on up to 6; `NO_CONSTANT_PAIR` for the residual
of one series on another without a constant. For that one the paper of 2010 has no table: its critical values are where
the probabilities of 1994 are 1, 5 and 10 %, which holds for long series.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from pairscope.base.jit import kernel

NO_CONSTANT = 0
MOST_SERIES = 6
NO_CONSTANT_PAIR = 7

# Probabilities; row by surface. Beyond the two ends the probability is 0 or 1.
_LOWEST = np.array([-19.04, -18.83, -18.86, -23.48, -28.07, -25.96, -23.27, -19.62])
_HIGHEST = np.array([np.inf, 2.74, 0.92, 0.55, 0.61, 0.79, 1.0, 1.51])
# Up to the turn the normal quantile is a parabola in the statistic, above it a cubic.
_TURN = np.array([-1.04, -1.61, -2.62, -3.13, -3.47, -3.78, -3.93, -1.53])
_LEFT = np.array(
    [
        [0.6344, 1.2378, 0.032496],
        [2.1659, 1.4412, 0.038269],
        [2.92, 1.5012, 0.039796],
        [3.4699, 1.4856, 0.03164],
        [3.9673, 1.4777, 0.026315],
        [4.5509, 1.5338, 0.029545],
        [5.1399, 1.6036, 0.034445],
        [1.9129, 1.3857, 0.035322],
    ]
)
_RIGHT = np.array(
    [
        [0.4797, 0.93557, -0.06999, 0.033066],
        [1.7339, 0.93202, -0.12745, -0.010368],
        [2.1945, 0.64695, -0.29198, -0.042377],
        [2.5893, 0.45168, -0.36529, -0.050074],
        [3.0387, 0.45452, -0.33666, -0.041921],
        [3.5049, 0.52098, -0.29158, -0.033468],
        [3.9489, 0.58933, -0.25359, -0.02721],
        [1.5578, 0.8558, -0.2083, -0.033549],
    ]
)
# Critical values at 1, 5 and 10 %: polynomials in 1 / observations.
_CRITICAL = np.array(
    [
        [[-2.56574, -2.2358, -3.627, 0.0], [-1.94100, -0.2686, -3.365, 31.223], [-1.61682, 0.2656, -2.714, 25.364]],
        [[-3.43035, -6.5393, -16.786, -79.433], [-2.86154, -2.8903, -4.234, -40.040], [-2.56677, -1.5384, -2.809, 0.0]],
        [[-3.89644, -10.9519, -33.527, 0.0], [-3.33613, -6.1101, -6.823, 0.0], [-3.04445, -4.2412, -2.720, 0.0]],
        [[-4.29374, -14.4354, -33.195, 47.433], [-3.74066, -8.5632, -10.852, 27.982], [-3.45218, -6.2143, -3.718, 0.0]],
        [[-4.64332, -18.1031, -37.972, 0.0], [-4.09600, -11.2349, -11.175, 0.0], [-3.81020, -8.3931, -4.137, 0.0]],
        [[-4.95756, -21.8883, -45.142, 0.0], [-4.41519, -14.0405, -12.575, 0.0], [-4.13157, -10.7417, -3.784, 0.0]],
        [
            [-5.24568, -25.6688, -57.737, 88.639],
            [-4.70693, -16.9178, -17.492, 60.007],
            [-4.42501, -13.1875, -5.104, 27.877],
        ],
        [[-3.34439, 0.0, 0.0, 0.0], [-2.76192, 0.0, 0.0, 0.0], [-2.45949, 0.0, 0.0, 0.0]],
    ]
)


class Critical(NamedTuple):
    """Values a statistic must lie below to be significant."""

    percent_1: float
    percent_5: float
    percent_10: float


@kernel
def p_value(statistic: float, surface: int) -> float:
    """Probability of a statistic at or below this one when there is a unit root; NaN for NaN.

    Asymptotic: in short samples compare with `critical_values` where the two disagree.

    >>> round(p_value(-2.86154, 1), 4), round(p_value(-3.33613, 2), 4)
    (0.05, 0.05)
    """
    if math.isnan(statistic):
        return math.nan
    if statistic > _HIGHEST[surface]:
        return 1.0
    if statistic < _LOWEST[surface]:
        return 0.0
    if statistic <= _TURN[surface]:
        a = _LEFT[surface]
        quantile = a[0] + statistic * (a[1] + statistic * a[2])
    else:
        a = _RIGHT[surface]
        quantile = a[0] + statistic * (a[1] + statistic * (a[2] + statistic * a[3]))
    return 0.5 * math.erfc(-quantile / math.sqrt(2.0))


def critical_values(surface: int, observations: int) -> Critical:
    """Critical values at 1, 5 and 10 % for a count of observations.

    >>> [round(value, 3) for value in critical_values(1, 100)]
    [-3.498, -2.891, -2.582]
    """
    powers = (1.0 / observations) ** np.arange(4)
    return Critical(*(_CRITICAL[surface] @ powers).tolist())
