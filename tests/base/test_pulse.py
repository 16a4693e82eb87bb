from __future__ import annotations

from pairscope.base.clock import ManualClock
from pairscope.base.pulse import BEAT_S, KEPT_S, LONGEST_BEAT_S, Pulse


def beating(clock: ManualClock, beats: int = 1) -> Pulse:
    """A pulse that has beaten in time."""
    pulse = Pulse(clock)
    pulse.beat()
    for _ in range(beats):
        clock.advance(BEAT_S)
        pulse.beat()
    return pulse


def test_a_standstill_is_no_time_in_which_others_were_silent() -> None:
    clock = ManualClock()
    pulse = beating(clock)
    before_s = pulse.awake_s()
    assert LONGEST_BEAT_S < 1
    clock.advance(20)
    assert pulse.awake_s() - before_s < LONGEST_BEAT_S + 1e-9  # asked before the pulse itself has noticed
    pulse.beat()
    assert pulse.awake_s() - before_s < LONGEST_BEAT_S + 1e-9
    clock.advance(BEAT_S)
    assert pulse.awake_s() - before_s <= LONGEST_BEAT_S + BEAT_S + 1e-9


def test_awake_time_never_goes_back_and_without_a_pulse_it_is_the_clock() -> None:
    clock = ManualClock()
    pulse = Pulse(clock)
    clock.advance(100)
    assert pulse.awake_s() == 100
    pulse.beat()
    last_s = pulse.awake_s()
    for step_s in (0.05, 3.0, 0.01, 40.0, 0.05):
        clock.advance(step_s)
        assert pulse.awake_s() >= last_s
        last_s = pulse.awake_s()
        pulse.beat()
        assert pulse.awake_s() >= last_s - 1e-9


def test_lateness_is_told_with_what_is_wrong_about_it() -> None:
    clock = ManualClock()
    pulse = beating(clock, 100)
    assert pulse.lag().longest_ms < 1
    assert pulse.lag().problem is None
    clock.advance(20 + BEAT_S)
    pulse.beat()
    assert pulse.lag().longest_ms == 20_000
    assert "stood still for 20 s" in (pulse.lag().problem or "")
    clock.advance(KEPT_S + 1)
    assert pulse.lag().problem is None
    pulse = beating(clock)
    for _ in range(20):
        clock.advance(3 + BEAT_S)
        pulse.beat()
    assert "3.0 s late" in (pulse.lag().problem or "")
