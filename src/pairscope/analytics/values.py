"""What a metric answers: a number with its count of observations, or null with a reason."""

from __future__ import annotations

import enum
import math
from dataclasses import dataclass


class Reason(enum.StrEnum):
    """Why a number cannot be given."""

    TOO_FEW = "too_few_observations"
    CONSTANT = "constant_series"
    EXACT_FIT = "exact_fit"  # the spread is zero but for rounding
    COLLINEAR = "collinear"  # the columns of a regression depend on each other
    GAPPY = "gaps"  # enough values, but not without a gap between them
    NOT_REVERTING = "not_mean_reverting"  # a unit root cannot be excluded
    LEG_IS_STATIONARY = "leg_is_stationary"  # one leg reverts by itself, so that it needs no other to revert
    BELOW_ONE_BAR = "below_one_bar"  # nothing of a deviation is left at the next bar that could be measured
    STALE = "stale"  # the newest price is missing or too old
    NO_VOLUME = "no_volume"
    NO_TRADES = "no_trades"  # too few trades, or none at hand
    NO_VARIANCE = "no_variance"  # the price does not move, but for bounce between bid and ask
    NOT_CONVERGED = "not_converged"  # a fit that found no answer
    UNCERTAIN = "uncertain"  # its interval is as wide as the search for it
    NO_ARCH = "no_arch"  # a constant variance is as good as the model
    NO_RIVAL = "no_rival"  # there is no second answer
    OUT_OF_RANGE = "out_of_range"  # the estimate lies where its definition has no meaning
    NOT_FINITE = "not_finite"  # an overflow, or a division by zero


class Flag(enum.StrEnum):
    """What is to be known of a number that is given all the same."""

    NO_ARCH = "no_arch"  # a constant variance is as good as the model: it is the plain deviation
    RIVAL = "rival"  # another fit is nearly as likely, and says something else
    INTEGRATED = "integrated"  # alpha + beta is 1: good for the next bar, without a long-run value
    BEYOND_ONE = "beyond_one"  # an estimate of a correlation outside of [-1, 1]
    BELOW_ONE_BAR = "below_one_bar"  # a time shorter than the bars it is measured with
    OF_QUANTITIES = "ratio_of_quantities"  # a hedge ratio of prices, not of their logarithms


@dataclass(frozen=True, slots=True)
class Value:
    """A metric's answer; never NaN or infinite. ``n`` observations were used, or were there when null."""

    value: float | str | None
    n: int
    reason: Reason | None = None
    flags: tuple[Flag, ...] = ()


def given(value: float, n: int, *flags: Flag) -> Value:
    """A number, or null when it is none.

    >>> given(1.5, 10).value, given(float("nan"), 10).reason
    (1.5, <Reason.NOT_FINITE: 'not_finite'>)
    """
    return Value(value, n, None, flags) if math.isfinite(value) else Value(None, n, Reason.NOT_FINITE)


def is_beyond_one(correlation: float) -> bool:
    """Whether an estimate of a correlation lies outside of [-1, 1], by more than rounding.

    >>> is_beyond_one(-1.1), is_beyond_one(1.0000000000000002), is_beyond_one(float("nan"))
    (True, False, False)
    """
    return abs(correlation) > 1.0 + 1e-12


def null(reason: Reason, n: int) -> Value:
    return Value(None, n, reason)
