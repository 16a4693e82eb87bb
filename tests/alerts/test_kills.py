"""`kill -9` loses no fire and no resolve, and what is sent twice has one id.

First of an engine alone, at points between evaluating, writing and sending; then of the whole program at any moment,
whose history must be what the bars of its tape say.
"""

from __future__ import annotations

import asyncio
import json
import random
import signal
from collections import Counter
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pairscope.alerts.book import Kept, RuleBook
from pairscope.alerts.delivery.addresses import Destinations
from pairscope.alerts.delivery.channels import Channels
from pairscope.alerts.history import AlertHistory
from pairscope.alerts.machine import Life
from pairscope.alerts.relive import ValueRows, relive
from pairscope.alerts.rule import Clause, Comparison
from pairscope.alerts.transition import HistoryQuery
from pairscope.analytics.registry import metric_requests
from pairscope.base.clock import SystemClock
from pairscope.base.interval import Interval
from pairscope.live.span import Span
from pairscope.live.windows import measure_symbol
from pairscope.store.state import State
from pairscope.store.tape import Tape
from tests import prepared
from tests.alerts.delivery.desk import KEY
from tests.alerts.delivery.receiver import Receiver, receiving
from tests.alerts.played import price_rule
from tests.faults.test_process_kills import SYMBOLS, Program, tape
from tests.patience import START_S, WORK_S

ROOT = Path(__file__).parent.parent.parent
MOTHER = f"import sys; sys.path.insert(0, {str(ROOT)!r})\nfrom tests.alerts.killed import main\nmain()"
pytestmark = pytest.mark.skipif(not prepared.CAN_COPY, reason="each life would load pairscope by itself")


def killed_from(folder: Path, first: int, step: int, seconds: float) -> dict[str, Any]:
    """Lives that are killed at each `step`-th point from one on."""
    done = prepared.run("-c", MOTHER, str(folder), str(first), str(step), seconds=seconds)
    assert done.returncode == 0, done.stderr
    told: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    assert told["problems"] == []
    assert told["points"] > 200
    assert min(told["transitions"], told["messages"]) > 30
    return told


@pytest.mark.parametrize("first", [1, 4, 7, 10])
def test_an_engine_killed_at_points_of_its_life_tells_what_it_would_have_told(tmp_path: Path, first: int) -> None:
    assert killed_from(tmp_path, first, 12, WORK_S)["killed"] > 20


@pytest.mark.slow
@pytest.mark.timeout(3_600)
def test_an_engine_killed_at_any_point_of_its_life_tells_what_it_would_have_told(tmp_path: Path) -> None:
    assert killed_from(tmp_path, 1, 1, 3_000.0)["killed"] > 200


# --- the whole program ------------------------------------------------------------------------------------------


def prepare(folder: Path, url: str) -> None:
    """Rules on returns of a second, which turn again and again, and a receiver."""
    folder.mkdir()
    with State.open(folder / "state.sqlite") as state:
        channels = Channels(state, SystemClock(), Destinations(("127.0.0.1",)))
        channels.add({"name": "desk", "kind": "webhook", "url": url, "secret": KEY}, "ann")
        book = RuleBook(state, SystemClock())
        up = Clause(metric="last_return", comparison=Comparison.ABOVE, high=0.0, reset_high=0.0)
        turns: dict[str, Any] = {"first": up, "missing_limit": 1.0}
        book.create(price_rule(name="turns", scope="all_symbols", symbols=(), **turns), "ann")
        book.create(price_rule(name="told", cooldown_ms=5_000, channels=("desk",), **turns), "ann")


async def killed_often(folder: Path, kills: int, seed: int) -> None:
    chance = random.Random(seed)
    async with receiving() as receiver:
        prepare(folder, receiver.url)
        start = partial(Program, folder, alerts_from_simulator="true", alert_hosts_allowed="127.0.0.1")
        for number in range(kills):
            program = await asyncio.to_thread(start)
            if number % 4 == 1:  # while it starts, and catches up with what the last kill left
                await asyncio.sleep(chance.uniform(0.0, 2.0))
            else:
                await asyncio.to_thread(program.until, lambda status: status["feed"]["trades"] > 0, START_S)
                await asyncio.sleep(chance.uniform(1.0, 3.0))
            await asyncio.to_thread(program.end)
        program = await asyncio.to_thread(start)
        await asyncio.to_thread(program.until, lambda status: status["feed"]["trades"] > 200, START_S)
        began_ms = newest_end_ms(folder)
        await until(lambda: newest_end_ms(folder) > began_ms and nothing_waits(folder))
        await asyncio.to_thread(program.end, signal.SIGINT)
        assert_all_arrived(folder, receiver)
    with tape(folder) as store:
        assert_history_is_that_of_the_tape(folder, store)


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(2 * WORK_S):
        while not await asyncio.to_thread(condition):
            await asyncio.sleep(0.1)  # another process: there is nothing to await


def looked_at(folder: Path, query: str) -> list[tuple[Any, ...]]:
    with State.look(folder / "state.sqlite") as state:
        return state.rows(query)


def newest_end_ms(folder: Path) -> int:
    rows = looked_at(folder, "select coalesce(max(time_ms), 0) from alert_history")
    return int(rows[0][0])


def nothing_waits(folder: Path) -> bool:
    return not looked_at(folder, "select 1 from outbox where state = 'waiting' and carried_by is null limit 1")


def assert_all_arrived(folder: Path, receiver: Receiver) -> None:
    rows = looked_at(folder, "select id, state, carried_by from outbox")
    carried = {identity: digest for identity, _, digest in rows if digest}
    told = Counter(receiver.ids)
    assert {state for _, state, _ in rows} == {"sent"}
    assert {carried.get(identity, identity) for identity, _, _ in rows} <= set(told)
    assert len({(each.id, each.body) for each in receiver.received}) == len(told), (
        "a repetition is the same to the byte"
    )


def assert_history_is_that_of_the_tape(folder: Path, store: Tape) -> None:
    """What was told is what the bars of the tape say, transition by transition."""
    with State.look(folder / "state.sqlite") as state:
        rules = RuleBook(state, SystemClock()).all()
        begun = dict(state.rows("select rule, begun_ms from alert_begun"))
        ((read_ms,),) = state.rows("select read_ms from alert_cursors where beat = '1s'")
        history = AlertHistory(state).transitions(HistoryQuery(limit=10**6, minor=True))
    found = 0
    for kept in rules:
        for symbol in kept.rule.symbols or SYMBOLS:
            told = [
                (each.time_ms, each.change.value)
                for each in history
                if (each.rule, each.target) == (kept.number, symbol)
            ]
            expected = relived(kept, store, symbol, begun[kept.number], max(read_ms, *(at_ms for at_ms, _ in told), 0))
            assert told[::-1] == expected[: len(told)], f"{kept.rule.name} of {symbol}"
            assert all(at_ms > read_ms for at_ms, _ in expected[len(told) :])
            found += len(told)
    assert found > 3


def relived(kept: Kept, store: Tape, symbol: str, begun_ms: int, until_ms: int) -> list[tuple[int, str]]:
    second, wanted = Interval(1_000), metric_requests(["last_return"], "symbol")
    bars = store.bars(symbol, second)
    times = np.arange(begun_ms + second.ms, until_ms + 1, second.ms)
    values = [
        measure_symbol(bars, Span(second, kept.rule.window), int(end_ms) - second.ms, wanted)["last_return"].value
        for end_ms in times
    ]
    rows = ValueRows(times, np.array([[np.nan if each is None else each for each in values]], np.float64))
    lived = relive(kept.rule, Life(seen_ms=begun_ms), rows)
    return [(int(times[each.place]), change.value) for each in lived for change in each.changes]


@pytest.mark.parametrize("seed", [1, 2, 3, 4, 5])
async def test_the_program_killed_twice_tells_what_its_tape_says(tmp_path: Path, seed: int) -> None:
    await killed_often(tmp_path / "data", 2, seed)


@pytest.mark.slow
@pytest.mark.timeout(3_600)
async def test_three_hundred_kills_of_the_program_change_nothing_of_what_is_told(tmp_path: Path) -> None:
    await killed_often(tmp_path / "data", 300, 4)
