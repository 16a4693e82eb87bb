"""The simulated exchange in a process of its own, at a chosen rate; it remembers when it sent each trade.

On "report" it writes what was sent: symbol, trade time and the monotonic time of the send, in order.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from benchmarks.processes import say
from pairscope.base.clock import SystemClock, now_ms
from pairscope.base.logs import set_up_logs
from pairscope.feed.binance.simulator.exchange import SimulatedExchange
from pairscope.feed.binance.simulator.market import SimulatedMarket
from pairscope.feed.binance.simulator.source import MarketSource
from pairscope.feed.binance.simulator.wire import Frame

SEED = 1


def rate_for(symbols: Sequence[str], trades_per_s: float, minutes: float) -> float:
    """How many times the usual market has so many trades a second of these symbols in the minutes to come."""
    now = now_ms(SystemClock())
    usual = SimulatedMarket(SEED)
    span_ms = round(minutes * 60_000)
    found = sum(len(usual.trades(symbol, now, now + span_ms)) for symbol in symbols)
    return trades_per_s * span_ms / 1000 / found


class Sent:
    """Bursts as they were handed to the sockets. The time is taken before, so that sending counts as well."""

    def __init__(self) -> None:
        self._bursts: list[tuple[int, list[Frame]]] = []

    def watch(self, exchange: SimulatedExchange) -> None:
        publish = exchange.hub.publish

        def noted(frames: list[Frame]) -> None:
            if frames:
                self._bursts.append((time.monotonic_ns(), frames))
            publish(frames)

        exchange.hub.publish = noted  # type: ignore[method-assign]

    def write(self, path: Path) -> int:
        rows = []
        for sent_ns, frames in self._bursts:
            for frame in frames:
                trade = json.loads(frame.data)
                rows.append((trade["s"], trade["T"], sent_ns))
        path.write_text(json.dumps(rows), encoding="utf-8")
        return len(rows)


async def serve(rate: float, remember: Path | None) -> None:
    sent = Sent()
    async with SimulatedExchange(MarketSource(SimulatedMarket(SEED, rate), SystemClock())) as exchange:
        if remember:
            sent.watch(exchange)
        say("ready", ws_url=exchange.ws_url, rest_url=exchange.rest_url)
        while (await asyncio.to_thread(sys.stdin.readline)).strip() == "report" and remember:
            say("reported", trades=sent.write(remember), cut_off=exchange.hub.slow_clients_cut)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("rate", type=float, help="of the usual market")
    parser.add_argument("--remember", type=Path)
    arguments = parser.parse_args()
    set_up_logs("error", None)
    asyncio.run(serve(arguments.rate, arguments.remember))


if __name__ == "__main__":
    main()
