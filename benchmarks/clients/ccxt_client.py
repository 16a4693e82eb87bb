"""ccxt.pro watching the trades of all symbols: decoding, its unified structures and its cache, nothing kept."""

from __future__ import annotations

import asyncio
from typing import Any

import aiohttp
import ccxt.pro
from ccxt.async_support.base.ws.client import Client

from benchmarks.clients.stopwatch import Stopwatch, read_task
from benchmarks.frames import SYMBOLS

MESSAGE_OVERHEAD_BYTES = 128


def market(name: str, price_decimals: int, size_decimals: int) -> dict[str, Any]:
    """What ccxt would load from the exchange's REST API."""
    base = name.removesuffix("USDT")
    return {
        "id": name,
        "lowercaseId": name.lower(),
        "symbol": f"{base}/USDT:USDT",
        **{"base": base, "quote": "USDT", "settle": "USDT", "baseId": base, "quoteId": "USDT", "settleId": "USDT"},
        **{"type": "swap", "spot": False, "margin": False, "swap": True, "future": False, "option": False},
        **{"active": True, "contract": True, "linear": True, "inverse": False, "contractSize": 1.0},
        "precision": {"amount": 10.0**-size_decimals, "price": 10.0**-price_decimals},
        "limits": {"amount": {}, "price": {}, "cost": {}, "leverage": {}},
        "info": {},
    }


def redirected(urls: Any, to: str) -> Any:
    if isinstance(urls, dict):
        return {key: redirected(value, to) for key, value in urls.items()}
    return urls.replace("wss://fstream.binance.com", to) if isinstance(urls, str) else urls


def keep_reading() -> None:
    """Let ccxt survive a burst.

    It empties aiohttp's queue behind its back and gives the bytes back, but not all of them: aiohttp 3.14 also counts
    128 bytes for each message, so that after a burst it holds the queue for full for ever and reads no more.
    """
    receive_loop = Client.receive_loop

    def corrected(client: Any) -> None:
        waiting = len(client.buffer or ())
        receive_loop(client)
        if waiting > 1:
            message, size = client.buffer[0]
            client.buffer[0] = (message, size + MESSAGE_OVERHEAD_BYTES * (waiting - 1))

    Client.receive_loop = corrected


async def main() -> None:
    keep_reading()
    task = read_task()
    watch = Stopwatch(task)
    exchange = ccxt.pro.binanceusdm({"newUpdates": True, "options": {"tradesLimit": 1000}})
    exchange.urls = redirected(exchange.urls, task.url)
    exchange.set_markets([market(name, price, size) for name, _, price, size in SYMBOLS])
    exchange.open()
    exchange.ssl_context = task.tls()
    exchange.tcp_connector = aiohttp.TCPConnector(ssl=exchange.ssl_context)
    exchange.session = aiohttp.ClientSession(connector=exchange.tcp_connector)
    # A burst wakes the loop below once: messages are counted where the library handles each of them.
    handle_trade = exchange.handle_trade

    def counted(client: Any, message: Any) -> None:
        handle_trade(client, message)
        watch.tick()

    exchange.handle_trade = counted
    symbols = list(exchange.markets)
    while True:
        await exchange.watch_trades_for_symbols(symbols, params={"name": "aggTrade"})


if __name__ == "__main__":
    asyncio.run(main())
