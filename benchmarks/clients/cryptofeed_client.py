"""cryptofeed with a callback that only counts: decoding and normalising, nothing kept."""

from __future__ import annotations

from typing import Any

from cryptofeed import FeedHandler
from cryptofeed.connection import WebsocketEndpoint
from cryptofeed.defines import TRADES
from cryptofeed.exchanges import BinanceFutures
from cryptofeed.symbols import Symbols

from benchmarks.clients.stopwatch import Stopwatch, read_task
from benchmarks.frames import NAMES


def main() -> None:
    task = read_task()
    watch = Stopwatch(task)
    names = {f"{name.removesuffix('USDT')}-USDT-PERP": name for name in NAMES}
    # Its own list of symbols would come from the exchange's REST API.
    Symbols.set(BinanceFutures.id, names, {"instrument_type": dict.fromkeys(names, "perpetual")})
    BinanceFutures.websocket_endpoints = [WebsocketEndpoint(task.url, options={"compression": None, "ssl": task.tls()})]

    async def count(trade: Any, received: float) -> None:
        watch.tick()

    handler = FeedHandler(config={"log": {"disabled": True}})
    handler.add_feed(BinanceFutures(symbols=list(names), channels=[TRADES], callbacks={TRADES: count}))
    handler.run(install_signal_handlers=False)


if __name__ == "__main__":
    main()
