"""The budget in virtual time, against an exchange that counts for itself."""

from __future__ import annotations

import asyncio
import random
from collections import Counter

import pytest

from pairscope.feed.binance.budget import WeightBudget
from tests.faults.virtual import VirtualClock, run_virtually

MINUTE_START_MS = 1_790_000_040_000  # a whole UTC minute


async def spend(budget: WeightBudget, weight: int = 20, took_s: float = 0.0) -> float:
    """Send one request; when it was sent."""
    async with budget.spend(weight):
        sent_s = asyncio.get_running_loop().time()
        await asyncio.sleep(took_s)
        return sent_s


@pytest.mark.parametrize("seed", range(20))
def test_no_minute_of_the_exchange_sees_more_than_half_of_its_limit(seed: int) -> None:
    """Wherever its minutes begin, however long requests are under way, and whatever happens to our wall clock."""

    async def main() -> Counter[int]:
        rng = random.Random(seed)
        clock = VirtualClock(MINUTE_START_MS + rng.randrange(60_000))
        budget = WeightBudget(clock)
        offset_s = rng.uniform(0, 60)
        seen: Counter[int] = Counter()

        async def request() -> None:
            async with budget.spend(20):
                await asyncio.sleep(rng.uniform(0, 2))
                seen[int((asyncio.get_running_loop().time() + offset_s) // 60)] += 20
                await asyncio.sleep(rng.uniform(0, 2))

        async def client() -> None:
            while clock.monotonic_s() < 600:
                await request()
                if rng.random() < 0.01:
                    clock.jump(rng.choice([-3_600, -30, 30, 3_600]))

        await asyncio.gather(*(client() for _ in range(4)))
        return seen

    seen = run_virtually(main())
    assert max(seen.values()) <= 1_200
    assert sum(seen.values()) > 0.8 * 1_200 * 10  # and it is used


def test_a_burst_within_the_share_does_not_wait() -> None:
    async def main() -> list[float]:
        budget = WeightBudget(VirtualClock(MINUTE_START_MS))
        return [await spend(budget) for _ in range(60)]

    sent = run_virtually(main())
    assert set(sent[:59]) == {0.0}  # a little is kept for the questions of a start
    assert sent[59] == pytest.approx(60.0, abs=0.05)


def test_a_429_waits_for_the_next_minute() -> None:
    async def main() -> float:
        budget = WeightBudget(VirtualClock(MINUTE_START_MS + 20_000))
        budget.too_many()
        return await spend(budget)

    assert run_virtually(main()) == pytest.approx(40.25)


def test_a_ban_stops_everything_until_it_is_over_also_when_the_wall_clock_jumps() -> None:
    async def main() -> float:
        clock = VirtualClock(MINUTE_START_MS)
        budget = WeightBudget(clock)
        budget.banned(300)
        clock.jump(3_600)
        return await spend(budget)

    assert run_virtually(main()) == pytest.approx(300.25)


def test_a_wall_clock_set_back_makes_nobody_wait_for_an_hour() -> None:
    async def main() -> float:
        clock = VirtualClock(MINUTE_START_MS)
        budget = WeightBudget(clock)
        budget.too_many()
        clock.jump(-3_600)
        return await spend(budget)

    assert run_virtually(main()) == pytest.approx(60.25)


def test_others_on_the_same_address_are_left_their_part() -> None:
    async def main() -> float:
        budget = WeightBudget(VirtualClock(MINUTE_START_MS + 30_000))
        budget.told(2_150)
        return await spend(budget)

    assert run_virtually(main()) == pytest.approx(30.25)


def test_a_request_dearer_than_the_whole_share_goes_alone() -> None:
    async def main() -> float:
        budget = WeightBudget(VirtualClock(MINUTE_START_MS))
        budget.limit = 30
        await spend(budget)
        return await spend(budget)

    assert run_virtually(main()) == pytest.approx(60.0, abs=0.05)


def test_what_was_used_before_a_restart_counts_for_the_rest_of_its_minute() -> None:
    async def main() -> tuple[list[float], int]:
        budget = WeightBudget(VirtualClock(MINUTE_START_MS + 20_000))
        used = 1_000  # by the process before this one

        async def ask() -> float:
            nonlocal used
            sent_s = await spend(budget, took_s=0.5)
            used = 20 if sent_s >= 40 else used + 20
            budget.told(used)
            return sent_s

        return sorted(await asyncio.gather(*(ask() for _ in range(12)))), budget.most_used

    sent_s, most_used = run_virtually(main())
    assert sent_s[0] == 0.0
    assert sent_s[1] >= 0.5, "the first answer is waited for"
    assert sum(each < 40 for each in sent_s) == 9, "half of the limit, with what was used before"
    assert most_used <= 1_200


def test_a_start_is_not_held_up_by_the_back_fill_of_the_process_before_it() -> None:
    async def main() -> list[float]:
        budget = WeightBudget(VirtualClock(MINUTE_START_MS + 20_000))
        ping_s = await spend(budget, weight=1)
        budget.told(1_180 + 1)  # all that a process before this one may have used
        return [ping_s, await spend(budget, weight=1), await spend(budget)]

    ping_s, question_s, page_s = run_virtually(main())
    assert (ping_s, question_s) == (0.0, 0.0)
    assert page_s == pytest.approx(40.0, abs=0.5), "a page waits for the exchange's next minute, and no longer"
