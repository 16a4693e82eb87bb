from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pairscope.analytics.entry.window import PairWindow
from pairscope.analytics.estimators.conditions import HELD, PER_WINDOW, Condition
from pairscope.analytics.estimators.readings import READINGS, PairHistory, Readings, history_bars, read, step_of
from pairscope.analytics.metrics.health import Health, judge
from pairscope.analytics.registry import CATALOGUE
from tests import paths

WINDOW = 120
MINUTE_MS = 60_000
STEP = step_of(WINDOW)
BARS = history_bars(WINDOW)


def history(draw: paths.Draw, seed: int = 1, count: int = BARS, last_index: int = 999_999) -> PairHistory:
    y, x = draw(np.random.default_rng([5, seed]), count)
    return PairHistory(y, x, last_index, MINUTE_MS)


def ending(whole: PairHistory, earlier: int, count: int = BARS) -> PairHistory:
    """The history as it was so many bars earlier."""
    end = len(whole.y) - earlier
    rows = slice(max(0, end - count), end)
    return PairHistory(whole.y[rows], whole.x[rows], whole.last_index - earlier, whole.bar_ms)


def found(draw: paths.Draw, seed: int = 1, count: int = BARS) -> Health:
    return judge(history(draw, seed, count), WINDOW)


# --- the words ---


def test_a_sound_pair_is_cointegrated_and_nothing_speaks_against_it() -> None:
    health = found(paths.sound(1.2))
    assert (health.condition, health.reasons, health.is_held) == (Condition.COINTEGRATED, (), True)
    assert health.shares[Condition.COINTEGRATED] == 1.0
    assert health.is_since_before
    assert health.windows == 5.0
    assert health.visible_half_life is None
    assert health.held_until_ms is None


def test_walks_that_share_a_factor_are_not_shown_and_never_broken() -> None:
    health = found(paths.walks(0.7), seed=2)
    assert health.condition == Condition.NOT_SHOWN
    assert health.reasons[0].startswith("cointegration is not shown: p = 0.")
    assert health.visible_half_life == WINDOW / 41
    assert health.shares[Condition.BROKEN] == 0.0


def test_independent_walks_and_a_stationary_leg_are_unrelated_for_different_reasons() -> None:
    apart = found(paths.walks())
    assert apart.condition == Condition.UNRELATED
    assert apart.reasons[0].startswith("returns hardly move together: correlation ")
    leg = found(paths.stationary_leg(0.8, 0.7))
    assert leg.condition == Condition.UNRELATED
    assert leg.reasons == ("a leg is stationary: it returns by itself, and needs no other",)


def test_a_line_that_jumps_is_broken_and_says_since_when() -> None:
    at = BARS - WINDOW // 2
    health = found(paths.broken(1.2, "jump", 6.0, at))
    assert health.condition == Condition.BROKEN
    assert health.reasons[0].startswith("the line has moved")
    assert health.since_ms is not None
    bars_since_the_break = health.since_ms // MINUTE_MS - (999_999 - BARS + 1 + at)
    assert 0 < bars_since_the_break < WINDOW // 2
    assert not health.is_since_before


def test_a_broken_pair_fades_and_says_until_when_it_was_held() -> None:
    whole = history(paths.broken(1.2, "leaves", 1.0, 7 * WINDOW), count=BARS + 3 * WINDOW)
    words = [judge(ending(whole, earlier), WINDOW) for earlier in range(3 * WINDOW, -1, -STEP)]
    conditions = [health.condition for health in words]
    assert conditions[0] == Condition.COINTEGRATED
    assert Condition.BROKEN in conditions
    assert conditions[-1] in (Condition.NOT_SHOWN, Condition.UNRELATED)
    last_held = max(i for i, condition in enumerate(conditions) if condition in HELD)
    until, last = words[-1].held_until_ms, words[last_held].as_of_ms
    assert until is not None
    assert last is not None
    assert abs(until - last) < WINDOW * MINUTE_MS  # a replay that begins later may hold it a little longer


@pytest.mark.parametrize(("gone", "reason"), [
    (slice(BARS - WINDOW, BARS - 50), "less than half"),
    (slice(BARS - WINDOW + 1, BARS, 3), "gaps"),
])  # fmt: skip
def test_bars_that_are_missing_make_it_unknown_with_a_reason(gone: slice, reason: str) -> None:
    whole = history(paths.sound(1.2))
    whole.y[gone] = math.nan
    health = judge(whole, WINDOW)
    assert health.condition == Condition.UNKNOWN
    assert reason in health.reasons[0]


def test_a_price_that_does_not_move_is_unknown() -> None:
    whole = history(paths.sound(1.2))
    whole.x[:] = 3.0
    assert judge(whole, WINDOW).reasons == ("the price of a leg did not move",)


def test_a_reading_that_cannot_be_made_forgets_nothing_and_a_window_of_them_everything() -> None:
    whole = history(paths.sound(1.2), count=BARS + 400)
    whole.x[BARS : BARS + 70] = math.nan  # half of a window without bars
    words = [judge(ending(whole, earlier), WINDOW).condition for earlier in range(400, -1, -STEP)]
    assert Condition.UNKNOWN in words
    after = words[words.index(Condition.UNKNOWN) :]
    first_known = next(word for word in after if word != Condition.UNKNOWN)
    assert first_known == Condition.COINTEGRATED
    whole.x[BARS : BARS + 200] = math.nan
    words = [judge(ending(whole, earlier), WINDOW).condition for earlier in range(400, -1, -STEP)]
    after = words[words.index(Condition.UNKNOWN) :]
    assert next(word for word in after if word != Condition.UNKNOWN) == Condition.NOT_SHOWN


# --- how much tape there is ---


def test_without_a_window_of_bars_it_is_unknown() -> None:
    for count in (0, 1, 50, WINDOW - STEP):
        health = found(paths.sound(1.2), count=count)
        assert health.condition == Condition.UNKNOWN
        assert health.reasons == (f"the two have {count} closed bars in common, of the {WINDOW} of a window",)
    assert judge(history(paths.sound(1.2)), 20).reasons[0].startswith("a window of 20 bars cannot be tested")


STRONG, GOOD, LEG = 0.001, 0.02, math.nan


@pytest.mark.parametrize(("p", "moved", "missing", "said"), [
    ([GOOD] * 7, (), (), 7),
    ([GOOD] * 4 + [LEG] * 3 + [GOOD] * 2, (), (), 6),  # a stationary leg is passed over
    ([GOOD] * 4 + [GOOD] * 3 + [GOOD] * 2, (), range(4, 7), 6),  # and so is what could not be tested
    ([STRONG] * 89, range(45, 89), (), 1),  # broken at 47, faded at 87: what was good before counts no more
    ([GOOD] * 9 + [GOOD] * 20 + [GOOD] * 2, (), range(9, 29), 2),  # a window of it makes all begin anew
])  # fmt: skip
def test_the_good_readings_that_are_named_are_those_that_count(
    monkeypatch: pytest.MonkeyPatch, p: list[float], moved: Sequence[int], missing: Sequence[int], said: int
) -> None:
    count = len(p)
    places = np.arange(count)
    readings = Readings(
        index=places * STEP,
        p=np.where(np.isin(places, list(missing)), math.nan, p),
        leg=np.isnan(p),
        correlation=np.full(count, 0.7),
        shift=np.where(np.isin(places, list(moved)), 6.0, 0.0),
        outcome=np.isin(places, list(missing)).astype(np.int64),
    )
    monkeypatch.setattr("pairscope.analytics.metrics.health.read", lambda *_: readings)
    health = judge(history(paths.walks(), count=2), WINDOW)
    assert f"but for {said} of the 10 readings in a row that are wanted" in health.reasons[0]


def test_a_tape_that_is_shorter_than_the_replay_says_so() -> None:
    health = found(paths.sound(1.2), count=3 * WINDOW)
    assert health.condition == Condition.COINTEGRATED
    assert health.reasons == ("the tape holds 2 of the 5 windows that are replayed",)
    assert not health.is_since_before


# --- a pure function of the bars ---


def test_a_longer_history_gives_the_same_words() -> None:
    long = history(paths.sound(3.0), count=3 * BARS)
    assert judge(ending(long, 0), WINDOW) == judge(long, WINDOW)


def test_readings_at_one_bar_have_the_same_bits_whenever_they_are_made() -> None:
    whole = history(paths.broken(1.5, "jump", 2.0, BARS // 2), count=BARS + 200)
    now = read(whole, WINDOW)
    for earlier in (1, 5, 6, 7, 100, 200):
        then = read(ending(whole, earlier), WINDOW)
        common = np.isin(then.index, now.index)
        rows = np.isin(now.index, then.index)
        assert common.sum() > 50
        for name in ("p", "leg", "correlation", "shift", "outcome"):
            assert np.array_equal(getattr(then, name)[common], getattr(now, name)[rows], equal_nan=True), name


def test_readings_lie_on_the_absolute_grid_of_bars() -> None:
    for last_index in range(999_990, 1_000_000):
        readings = read(history(paths.sound(3.0), last_index=last_index), WINDOW)
        assert len(readings) == READINGS
        assert set((readings.index % STEP).tolist()) == {0}
        assert last_index - STEP < readings.index[-1] <= last_index


def test_between_two_readings_the_word_stands() -> None:
    whole = history(paths.sound(4.0), last_index=999_999 // STEP * STEP + STEP - 1)
    words = [judge(ending(whole, earlier, BARS - STEP), WINDOW) for earlier in range(STEP)]
    assert len({(word.condition, word.as_of_ms, word.since_ms) for word in words}) == 1


@settings(deadline=None, max_examples=20)
@given(seed=st.integers(0, 2**32), cut=st.integers(0, 400))
def test_nothing_later_changes_a_word(seed: int, cut: int) -> None:
    whole = history(paths.sound(3.0), seed, count=BARS + 400)
    changed = PairHistory(whole.y.copy(), whole.x.copy(), whole.last_index, MINUTE_MS)
    end = BARS + 400 - cut
    changed.y[end:] = 7.0
    assert judge(ending(changed, cut), WINDOW) == judge(ending(whole, cut), WINDOW)


# --- what is read ---


def test_the_p_of_a_reading_has_the_bits_of_coint_p() -> None:
    whole = history(paths.spiked(paths.sound(4.0), 178.0))
    readings = read(whole, WINDOW)
    first = whole.last_index - len(whole.y) + 1
    for row in range(0, READINGS, 7):
        end = int(readings.index[row]) - first + 1
        stretch = slice(end - WINDOW - 1, end)
        window = PairWindow(whole.y[stretch], whole.x[stretch], 0, WINDOW, 1.0)
        coint_p = CATALOGUE["coint_p"]
        value = coint_p.compute(window).value
        assert value == readings.p[row] or (value is None and math.isnan(readings.p[row]))


def test_below_a_minute_the_correlation_is_not_pulled_down_by_late_closes_and_bounce() -> None:
    random = np.random.default_rng(8)
    y, x = paths.walks(0.8)(random, BARS)
    late = np.where(random.random(BARS) < 0.5, np.nan, y + 0.5 * random.normal(size=BARS))
    for t in range(1, BARS):  # carried forward
        late[t] = late[t - 1] if math.isnan(late[t]) else late[t]
    late[0] = y[0]
    fine = read(PairHistory(late, x, 999_999, 1_000), WINDOW).correlation
    coarse = read(PairHistory(late, x, 999_999, MINUTE_MS), WINDOW).correlation
    assert coarse.mean() < 0.55
    assert fine.mean() == pytest.approx(0.8, abs=0.15)


# --- as metrics ---


def test_the_metric_is_the_word_and_needs_a_history() -> None:
    whole = history(paths.sound(1.2))
    window = PairWindow(whole.y[-WINDOW:], whole.x[-WINDOW:], 0, WINDOW, 1.0, history=whole)
    word = CATALOGUE["health"].compute(window)
    assert (word.value, word.n) == (judge(whole, WINDOW).condition.value, 5 * PER_WINDOW)
    assert CATALOGUE["health_share"].compute(window).value == 1.0
    short = PairHistory(whole.y[-50:], whole.x[-50:], whole.last_index, MINUTE_MS)
    early = PairWindow(short.y, short.x, 0, WINDOW, 1.0, history=short)
    assert (CATALOGUE["health"].compute(early).value, CATALOGUE["health"].compute(early).n) == ("unknown", 0)
    assert CATALOGUE["health_share"].compute(early).reason == "too_few_observations"
    without = CATALOGUE["health"].compute(PairWindow(whole.y, whole.x, 0, WINDOW, 1.0))
    assert (without.value, without.reason) == (None, "too_few_observations")
