"""Lives of an engine that end at once, as by `kill -9`, at a point of their own; another takes up what each left.

A program of its own: it forks a process for each life, and prints what was not as it should be. What is played is the
same in each life, as a tape would have it; what arrives is written to a file at the moment it does.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import json
import os
import random
import sys
import traceback
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pairscope.alerts import engine as engine_module
from pairscope.alerts.delivery.addresses import Destinations
from pairscope.alerts.delivery.channel import Webhook
from pairscope.alerts.delivery.channels import Channels
from pairscope.alerts.delivery.delivery import Delivery
from pairscope.alerts.delivery.letter import Letter, payload
from pairscope.alerts.delivery.letters import Letters
from pairscope.alerts.delivery.outcome import Outcome
from pairscope.alerts.telling import account_of
from pairscope.base.clock import SystemClock
from pairscope.base.interval import Interval
from pairscope.base.tasks import end
from pairscope.store.state import State
from tests.alerts.played import PlayedMarket, played, price_rule

KILLED = 86
SECONDS = 24
KEY = "whsec_" + "A" * 43 + "="


class Points:
    """Counts what is done, and ends the process when so much was."""

    def __init__(self, left: int) -> None:
        self.left = left

    def pass_one(self) -> None:
        self.left -= 1
        if self.left == 0:
            os._exit(KILLED)


@dataclass(frozen=True)
class Arriving:
    """A receiver that takes everything."""

    file: Path
    points: Points

    async def send(self, letter: Letter) -> Outcome:
        self.points.pass_one()
        with self.file.open("a") as file:
            file.write(f"{letter.id} {hashlib.sha256(payload(letter)).hexdigest()}\n")
        self.points.pass_one()
        return Outcome()


def seam(points: Points) -> None:
    """Count evaluations, and the begin, the middle and the end of each transaction."""
    change = State.change

    @contextlib.contextmanager
    def changed(self: State) -> Iterator[Any]:
        points.pass_one()
        with change(self) as connection:
            yield connection
            points.pass_one()
        points.pass_one()

    def told(*given: Any) -> Any:
        points.pass_one()
        return account_of(*given)

    setattr(State, "change", changed)  # noqa: B010 - in the place of the one there is
    setattr(engine_module, "account_of", told)  # noqa: B010


def prepare(folder: Path) -> None:
    """Rules, and where they send to."""
    folder.mkdir(parents=True)
    with played(folder) as market:
        channels = Channels(market.state, SystemClock(), Destinations(("127.0.0.1",)))
        with market.state.change() as connection:
            connection.execute("delete from channels")
        for name in ("desk", "phone"):
            channels.add({"name": name, "kind": "webhook", "url": "http://127.0.0.1:9/hook", "secret": KEY})
        held = {"hold_ms": 2_000, "keep_ms": 1_000, "cooldown_ms": 4_000}
        rules = [
            price_rule(name="held", channels=("desk",), **held),
            price_rule(name="at once", channels=("desk", "phone")),
            price_rule(name="all", scope="all_symbols", symbols=(), channels=("phone",)),
        ]
        market.rule(*rules)
    (folder / "seconds").touch()  # a byte for each that was played: whole whenever the end comes


def path_of(seconds: int) -> list[tuple[float | None, float]]:
    """The price of one symbol, and of the others."""
    chance, price, found = random.Random(11), 100.0, list[tuple[float | None, float]]()
    for _ in range(seconds):
        price = 100.0 + 0.6 * (price - 100.0) + chance.gauss(0.0, 1.2)
        found.append((None if chance.random() < 0.06 else price, 100.0 + chance.gauss(0.0, 1.0)))
    return found


async def live(folder: Path, points: Points) -> None:
    """Go on where the life before ended, to the end of what is played."""
    seam(points)
    with played(folder) as market:
        letters, channels = (
            Letters(market.state, SystemClock()),
            Channels(market.state, SystemClock(), Destinations(())),
        )
        senders: dict[type, Any] = {Webhook: Arriving(folder / "arrived", points)}
        delivery = Delivery(letters, channels, senders, SystemClock(), per_minute=100_000)
        market.on_woken = delivery.wake
        sending = asyncio.create_task(delivery.run())
        try:
            await play(folder, market)
            while market.state.rows("select 1 from outbox where state = 'waiting' limit 1"):
                await asyncio.sleep(0.001)
        finally:
            await end(sending)


async def play(folder: Path, market: PlayedMarket) -> None:
    played_before = (folder / "seconds").stat().st_size
    prices = path_of(SECONDS)
    market.second(90.0)
    for price, others in prices[:played_before]:  # what is on the tape
        market.second(price, others=others)
    engine = market.engine()
    await engine.begin()
    await engine.look()
    for price, others in prices[played_before:]:
        with (folder / "seconds").open("ab") as file:
            file.write(b".")
        market.second(price, others=others)
        await engine.look()
    engine.end()


def life(folder: Path, point: int) -> int:
    """Fork one, and its exit code; with point 0 it is not killed."""
    process = os.fork()
    if process == 0:
        code = 1
        try:
            points = Points(point)
            asyncio.run(live(folder, points))
            (folder / "points").write_text(f"{-points.left}")
            code = 0
        except BaseException:  # noqa: BLE001 - whatever ends a life is to be read by who started it
            traceback.print_exc()
        finally:
            os._exit(code)
    return os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])


def outcome(folder: Path) -> dict[str, Any]:
    """What is written, and what arrived how often."""
    arrived = (folder / "arrived").read_text().splitlines()
    with State.open(folder / "state.sqlite") as state:
        history = state.rows("select rule, revision, target, change, time_ms, value, messages from alert_history")
        fates = state.rows("select id, state from outbox")
    return {
        "history": sorted(map(list, history), key=str),
        "fates": sorted(map(list, fates)),
        "arrived": sorted({each.split()[0] for each in arrived}),
        "bodies": len({*arrived}),
        "most": max(Counter(arrived).values()),
    }


def problems(folder: Path, points: Sequence[int], whole: dict[str, Any]) -> list[str]:
    """Kill a life at each of some points, and let the next one live to the end."""
    found = []
    for point in points:
        place = folder / str(point)
        prepare(place)
        codes = [life(place, point)]
        if codes[0] == KILLED:
            codes.append(life(place, 0))
        ended = outcome(place)
        if codes[-1] != 0 or (len(codes) == 2) is not (codes[0] == KILLED):
            found.append(f"point {point}: exit codes {codes}")
        for name in ("history", "fates", "arrived", "bodies"):
            if ended[name] != whole[name]:
                found.append(f"point {point}: {name} differ: {difference(whole[name], ended[name])}")
        if ended["most"] > 2:
            found.append(f"point {point}: a message came {ended['most']} times")
    return found


def difference(whole: Any, ended: Any) -> str:
    if isinstance(whole, int):
        return f"{ended} instead of {whole}"
    lost, more = ([each for each in one if each not in other] for one, other in ((whole, ended), (ended, whole)))
    return f"lost {lost[:3]}, too many {more[:3]}"


def warm_up(folder: Path) -> None:
    """Have the kernels loaded that each life takes."""
    with played(folder) as market:
        for _ in range(3):
            market.second(90.0)
        market.market.symbol_metrics("BTCUSDT", Interval(1_000), 2)


def main() -> None:
    folder, first, step = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
    warm_up(folder / "warm")
    prepare(folder / "whole")
    assert life(folder / "whole", 0) == 0
    points = int((folder / "whole" / "points").read_text())
    whole = outcome(folder / "whole")
    chosen = range(first, points + 1, step)
    found = problems(folder, chosen, whole)
    told = {"points": points, "killed": len(chosen), "transitions": len(whole["history"]), "problems": found}
    print(json.dumps(told | {"messages": len(whole["arrived"])}))
