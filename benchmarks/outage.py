"""How soon the tape is complete again after the exchange was away for a minute, and what that costs of its budget.

Run as a module it is that exchange: "down" makes it refuse everybody, "up" lets them in again and tells when the first
client was back, "report" tells the weight of its busiest minute.
"""

from __future__ import annotations

import asyncio
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import numpy as np

from benchmarks.processes import Child, Message, Server, free_port, pairscope, say
from benchmarks.report import Goal, Section, Table
from pairscope.base.clock import SystemClock, now_ms
from pairscope.base.logs import set_up_logs
from pairscope.base.model import Gap, TradeKind
from pairscope.feed.binance.simulator.exchange import SimulatedExchange
from pairscope.feed.binance.simulator.faults import FaultyDoor
from pairscope.feed.binance.simulator.listing import crowd
from pairscope.feed.binance.simulator.market import SimulatedMarket
from pairscope.feed.binance.simulator.source import MarketSource
from pairscope.store.tape import Tape

SYMBOLS = 50
WEIGHT_PER_MINUTE = 2_400
GOAL_S = 10.0
SETTLE_S = 20.0
SEED = 1


def run(*, quick: bool, progress: Callable[[str], None]) -> Section:
    outage_s, outages = (10.0, 1) if quick else (60.0, 3)
    back_ms: list[int] = []
    with tempfile.TemporaryDirectory() as name:
        data = Path(name) / "data"
        with Child("benchmarks.outage") as exchange:
            with _following(data, exchange.expect("ready")) as server:
                server.wait("/status", lambda status: status["feed"]["state"] == "live")
                for turn in range(outages):
                    time.sleep(SETTLE_S if quick else 60)  # each outage finds the whole budget
                    exchange.tell("down")
                    time.sleep(outage_s)
                    exchange.tell("up")
                    back_ms.append(int(exchange.expect("back")["at_ms"]))
                    time.sleep(SETTLE_S)
                    server.wait("/status", _complete, patience_s=1_200)
                    progress(f"outage {turn + 1}/{outages} is over and everything is there")
            exchange.tell("report")
            weight = int(exchange.expect("reported")["most_weight"])
        gaps = _gaps(data)
    return _section(gaps, back_ms, weight, outage_s)


def _following(data: Path, ready: Message) -> Server:
    """pairscope on all symbols, without asking for what was before."""
    names = ",".join(listing.symbol for listing in crowd(SYMBOLS))
    settings = {"PAIRSCOPE_SYMBOLS": names, "PAIRSCOPE_PAIRS": "ETHUSDT/BTCUSDT", "PAIRSCOPE_HISTORY_MINUTES": "0"}
    return pairscope(free_port(), data, ready, **settings)


def _complete(status: Message) -> bool:
    return not any(symbol["ids_missing"] for symbol in status["symbols"])


def _gaps(data: Path) -> list[Gap]:
    (path,) = data.rglob("tape.duckdb")
    store = Tape.open(path, kind=TradeKind.AGG, clock=SystemClock())
    try:
        return store.gaps()
    finally:
        store.close()


def _closed_s(gaps: list[Gap], back_ms: list[int]) -> list[float]:
    """For each symbol and outage the seconds from the reconnect until its last missing trade was there."""
    last: dict[tuple[str, int], float] = {}
    for gap in gaps:
        outage = int(np.searchsorted(back_ms, gap.found_ms)) - 1
        if outage >= 0 and gap.closed_ms is not None:
            key = (gap.symbol, outage)
            last[key] = max(last.get(key, 0.0), (gap.closed_ms - back_ms[outage]) / 1_000)
    return list(last.values())


def _section(gaps: list[Gap], back_ms: list[int], weight: int, outage_s: float) -> Section:
    took_s = _closed_s(gaps, back_ms)
    still_open = sum(gap.ids for gap in gaps if gap.closed_ms is None)
    p50, p99 = np.percentile(took_s, [50, 99])
    ids = sum(gap.ids for gap in gaps)
    return Section(
        title="Outage: until every missing trade is on the tape",
        method=f"`pairscope run` follows {SYMBOLS} symbols of the simulated exchange, which goes away for "
        f"{outage_s:.0f} s, {len(back_ms)} times, and comes back with REST weights as Binance's: "
        f"{WEIGHT_PER_MINUTE:,} a minute, 20 a page.\n"
        "Each symbol is timed from the moment the stream is subscribed again to the moment its last missing trade is "
        "taken, so the wait for its first trade, which shows what is missing, counts as well.",
        tables=[
            Table(
                ("symbols × outages", "trades missed", "p50 s", "p99 s", "max s", "weight of the busiest minute"),
                [
                    (
                        f"{len(took_s)}",
                        f"{ids:,}",
                        *(f"{seconds:.2f}" for seconds in (p50, p99, max(took_s))),
                        f"{weight:,} of {WEIGHT_PER_MINUTE:,}",
                    )
                ],
            )
        ],
        goals=[
            Goal(f"complete {GOAL_S:.0f} s after the reconnect, p99", f"{p99:.2f} s", p99 < GOAL_S),
            Goal("half of the weight at most", f"{weight / WEIGHT_PER_MINUTE:.0%}", weight * 2 <= WEIGHT_PER_MINUTE),
            Goal("nothing stays missing", f"{still_open} trades", still_open == 0),
        ],
    )


class Away:
    """The exchange, with the weight it counted in each minute."""

    def __init__(self, exchange: SimulatedExchange) -> None:
        self._exchange = exchange
        self._weight: Counter[int] = Counter()
        self._spend = exchange.rest.budget.spend
        exchange.rest.budget.spend = self._counted  # type: ignore[method-assign]

    def _counted(self, weight: int) -> None:
        self._weight[now_ms(SystemClock()) // 60_000] += weight
        self._spend(weight)

    async def obey(self, command: str) -> None:
        faults, hub = self._exchange.faults, self._exchange.hub
        match command:
            case "down":
                for door in FaultyDoor:
                    faults.refuse(503, door=door)
                self._exchange.drop_connections(abort=True)
            case "up":
                for door in FaultyDoor:
                    faults.refuse(0, door=door)
                while not hub.wanted:
                    await hub.changed()
                say("back", at_ms=now_ms(SystemClock()))
            case "report":
                say("reported", most_weight=max(self._weight.values(), default=0))


async def serve() -> None:
    market = SimulatedMarket(SEED, listings=crowd(SYMBOLS))
    source = MarketSource(market, SystemClock())
    async with SimulatedExchange(source, weight_per_minute=WEIGHT_PER_MINUTE) as exchange:
        away = Away(exchange)
        say("ready", ws_url=exchange.ws_url, rest_url=exchange.rest_url)
        while command := (await asyncio.to_thread(sys.stdin.readline)).strip():
            await away.obey(command)


if __name__ == "__main__":
    set_up_logs("error", None)
    asyncio.run(serve())
