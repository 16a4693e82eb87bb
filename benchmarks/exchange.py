"""The simulated exchange in a process of its own, at a chosen rate; it remembers when it sent each trade.

On "report" it writes what was sent: symbol, trade time and the monotonic time of the send, in order.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
import time
from pathlib import Path

from benchmarks.processes import say
from pairscope.base.clock import SystemClock, now_ms
from pairscope.base.logs import set_up_logs
from pairscope.feed.simulator.exchange import SimulatedExchange
from pairscope.feed.simulator.market import Market
from pairscope.feed.simulator.source import MarketSource
from pairscope.feed.simulator.wire import Frame

RATE_WINDOW_MS = 120_000


def market_of(symbols: list[str], trades_per_s: float, seed: int = 1) -> Market:
    """A market in which these symbols have so many trades a second for the next two minutes, bursts and all."""
    now = now_ms(SystemClock())
    usual = Market(seed)
    found = sum(len(usual.trades(symbol, now, now + RATE_WINDOW_MS)) for symbol in symbols)
    return Market(seed, rate=trades_per_s * RATE_WINDOW_MS / 1000 / found)


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


async def serve(symbols: list[str], trades_per_s: float, remember: Path | None) -> None:
    sent = Sent()
    market = market_of(symbols, trades_per_s)
    async with SimulatedExchange(MarketSource(market, SystemClock())) as exchange:
        if remember:
            sent.watch(exchange)
        say("ready", ws_url=exchange.ws_url, rest_url=exchange.rest_url)
        while (await asyncio.to_thread(sys.stdin.readline)).strip() == "report" and remember:
            say("reported", trades=sent.write(remember), cut_off=exchange.hub.slow_clients_cut)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("symbols")
    parser.add_argument("trades_per_s", type=float)
    parser.add_argument("--remember", type=Path)
    arguments = parser.parse_args()
    set_up_logs("error", None)
    asyncio.run(serve(arguments.symbols.split(","), arguments.trades_per_s, arguments.remember))


if __name__ == "__main__":
    main()
