from __future__ import annotations

from pairscope.base.gaps import BY_REFUSAL, OF_IMPORTS, SETTLED, Obstacle
from pairscope.feed.judge import Refusal


def test_every_refusal_of_a_row_that_may_be_a_trade_is_an_obstacle() -> None:
    assert {Obstacle(refusal.value) for refusal in Refusal if not refusal.is_no_trade} == BY_REFUSAL


def test_no_reason_is_both_settled_and_of_an_import() -> None:
    assert not SETTLED & OF_IMPORTS
