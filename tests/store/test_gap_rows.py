from __future__ import annotations

import pytest

from pairscope.base.gaps import GapReason, Obstacle
from pairscope.base.model import Gap
from pairscope.store.gap_rows import gap_of, obstacle_text


@pytest.mark.parametrize("reason", GapReason)
@pytest.mark.parametrize("obstacle", [None, *Obstacle])
def test_a_gap_is_the_same_after_its_row(reason: GapReason, obstacle: Obstacle | None) -> None:
    looked_ms = 1_763_650_800_000 if obstacle is Obstacle.NO_FILE else None
    gap = Gap("BTCUSDT", 5, 9, 1, reason, 2, 3, None, obstacle, looked_ms)
    row = (5, 9, 1, reason.value, 2, 3, None, obstacle_text(gap))
    assert gap_of("BTCUSDT", row) == gap
    assert obstacle is not Obstacle.NO_FILE or row[-1] == "no_archive_file 2025-11-20T15:00:00Z"


def test_when_a_file_was_looked_for_belongs_to_that_obstacle_alone() -> None:
    gap = Gap("BTCUSDT", 5, 9, 1, GapReason.START, obstacle=Obstacle.TOO_OLD, looked_ms=5_000)
    assert gap.looked_ms is None
    assert gap_of("BTCUSDT", (5, 9, 1, "start", None, None, None, "no_archive_file")).looked_ms is None
