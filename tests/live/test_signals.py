from __future__ import annotations

import pytest

from pairscope.analytics.estimators.conditions import HELD, Condition
from pairscope.live.signals import Muted, signal_of


@pytest.mark.parametrize("condition", Condition)
def test_a_signal_of_a_pair_that_is_not_held_is_muted_by_what_the_pair_is(condition: Condition) -> None:
    signal = signal_of(2.5, condition, ())
    assert signal.muted == (None if condition in HELD else Muted(condition.value))


def test_what_is_not_of_now_is_said_before_a_silent_leg_and_that_before_the_pair() -> None:
    assert signal_of(2.5, Condition.BROKEN, ("ETHUSDT",), is_now=False).muted is Muted.NOT_NOW
    assert signal_of(2.5, Condition.BROKEN, ("ETHUSDT",)).muted is Muted.LEG_LATE
    assert signal_of(2.5, None, ()).muted is Muted.UNJUDGED
