"""What is known of the pairs that somebody follows: judged once a close at most, one pair's failure is its own."""

from __future__ import annotations

from typing import cast

import pytest

from pairscope.analytics.estimators.conditions import Condition
from pairscope.analytics.estimators.terms import Terms
from pairscope.analytics.metrics.health import Health
from pairscope.base.clock import ManualClock
from pairscope.base.errors import PairscopeError
from pairscope.base.interval import Interval
from pairscope.live.analysis import Analyses, PairVerdict
from pairscope.live.kernels import WarmingUp
from pairscope.live.market import Market
from pairscope.live.span import PairKey
from pairscope.live.verdicts import LEAST_S, Verdicts

ONE, OTHER = (PairKey(y, "BTCUSDT", Interval(1_000), 300, Terms()) for y in ("ETHUSDT", "SOLUSDT"))
SHOWN, LOST = (PairVerdict(Health(each), None, None) for each in (Condition.COINTEGRATED, Condition.BROKEN))


class Bars:
    closed_ms = 0

    def newest_closed_ms(self, *_: object) -> int:
        return self.closed_ms


class Told:
    """Studies that answer what the test says, or fail."""

    def __init__(self) -> None:
        self.answers: dict[PairKey, PairVerdict | Exception] = {ONE: SHOWN, OTHER: SHOWN}
        self.asked: list[PairKey] = []

    async def verdict(self, key: PairKey) -> PairVerdict:
        self.asked.append(key)
        answer = self.answers[key]
        if isinstance(answer, Exception):
            raise answer
        return answer


class Desk:
    def __init__(self) -> None:
        self.bars, self.told, self.clock = Bars(), Told(), ManualClock(0)
        self.verdicts = Verdicts(cast(Market, self.bars), cast(Analyses, self.told), self.clock)

    async def closes(self, after_s: float = LEAST_S) -> None:
        self.bars.closed_ms += 1_000
        self.clock.advance(after_s)
        await self.verdicts.look()


async def test_a_pair_is_judged_while_somebody_follows_it() -> None:
    desk = Desk()
    desk.verdicts.follow(ONE)
    desk.verdicts.follow(ONE)
    assert desk.verdicts.of(ONE) is None
    await desk.verdicts.look()
    assert desk.verdicts.of(ONE) is SHOWN
    desk.verdicts.leave(ONE)
    assert desk.verdicts.of(ONE) is SHOWN  # one is still there
    desk.verdicts.leave(ONE)
    assert desk.verdicts.of(ONE) is None
    await desk.closes()
    assert desk.told.asked == [ONE]


async def test_it_is_judged_anew_after_a_close_but_not_before_its_time() -> None:
    desk = Desk()
    desk.verdicts.follow(ONE)
    await desk.verdicts.look()
    desk.told.answers[ONE] = LOST
    desk.clock.advance(2 * LEAST_S)
    await desk.verdicts.look()  # no bar has closed
    await desk.closes(0.0)
    assert desk.verdicts.of(ONE) is LOST
    await desk.closes(0.5 * LEAST_S)
    assert len(desk.told.asked) == 2


@pytest.mark.parametrize("failure", [ValueError("a fault of our own"), PairscopeError("no disk", cure="make room")])
async def test_what_was_known_stays_when_a_pair_cannot_be_judged_and_the_others_go_on(failure: Exception) -> None:
    desk = Desk()
    desk.verdicts.follow(ONE)
    desk.verdicts.follow(OTHER)
    await desk.verdicts.look()
    desk.told.answers = {ONE: failure, OTHER: LOST}
    await desk.closes()
    assert (desk.verdicts.of(ONE), desk.verdicts.of(OTHER)) == (SHOWN, LOST)


async def test_while_kernels_are_prepared_it_is_asked_again_at_the_next_look() -> None:
    desk = Desk()
    desk.told.answers[ONE] = WarmingUp("not yet", cure="later")
    desk.verdicts.follow(ONE)
    await desk.verdicts.look()
    desk.told.answers[ONE] = SHOWN
    await desk.verdicts.look()
    assert desk.verdicts.of(ONE) is SHOWN
