from hypothesis import given
from hypothesis import strategies as st

from pairscope.feed.silence_model import LEAST_S, UNKNOWN_S, SilenceModel


def heard_every(gap_s: float, for_s: float) -> SilenceModel:
    expectation = SilenceModel()
    now_s = 0.0
    while now_s < for_s:
        expectation.heard(now_s)
        now_s += gap_s
    return expectation


def test_a_busy_symbol_is_missed_after_ten_seconds() -> None:
    assert heard_every(0.05, 120).limit_s() == LEAST_S


def test_a_quiet_symbol_is_given_twenty_times_its_usual_gap() -> None:
    assert 600 < heard_every(60, 7_200).limit_s() < 1_800


def test_nothing_is_known_of_a_symbol_never_heard() -> None:
    assert SilenceModel().last_s is None
    assert SilenceModel().limit_s() == UNKNOWN_S


@given(st.floats(0.001, 0.24), st.integers(1, 20))
def test_a_burst_teaches_no_more_than_one_trade(gap_s: float, trades: int) -> None:
    burst, single = SilenceModel(), SilenceModel()
    for minute in range(60):
        for trade in range(trades):
            burst.heard(minute * 60 + trade * gap_s / 20)
        single.heard(minute * 60)
    assert burst.limit_s() > 0.5 * single.limit_s()
