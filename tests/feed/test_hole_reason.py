import pytest

from pairscope.base.gaps import GapReason
from pairscope.feed.hole_reason import JUST_CONNECTED_S, HoleReasons

REPLAY = HoleReasons(at_start=GapReason.RECORDING, later=GapReason.RECORDING)


@pytest.mark.parametrize(
    ("reasons", "for_s", "reconnects", "reason"),
    [
        (HoleReasons(), 1.0, 0, "restart"),
        (HoleReasons(at_start=GapReason.LOG_DAMAGED), JUST_CONNECTED_S, 0, "log_damaged"),
        (HoleReasons(), JUST_CONNECTED_S, 1, "disconnected"),
        (HoleReasons(), JUST_CONNECTED_S + 0.1, 1, "skipped"),
        (HoleReasons(), None, 0, "skipped"),
        (REPLAY, 1.0, 0, "recording"),
        (REPLAY, 1.0, 2, "disconnected"),
        (REPLAY, 99.0, 2, "recording"),
    ],
)
def test_the_reason_of_a_hole_follows_from_when_it_is_found(
    reasons: HoleReasons, for_s: float | None, reconnects: int, reason: str
) -> None:
    assert reasons.of(for_s, reconnects) == reason
