"""pairscope itself, wired by its own `opened`: every trade checked, stored and committed, bars of four intervals built,
kept and stored. Nothing is left out but the web server."""

from __future__ import annotations

import asyncio
import os
import threading

from benchmarks.clients.stopwatch import Stopwatch, Task, read_task
from benchmarks.frames import NAMES
from pairscope.app import opened
from pairscope.base.clock import SystemClock
from pairscope.base.logs import set_up_logs
from pairscope.base.model import BarArray
from pairscope.base.settings_sources import load_settings
from pairscope.live.kernels import LATER

INTERVALS = ("1s", "5s", "1m", "5m")


async def follow(task: Task, watch: Stopwatch, loaded: threading.Event) -> None:
    chosen = {
        "source": "live",
        "symbols": NAMES,
        "intervals": INTERVALS,
        "database_path": task.folder / "tape.duckdb",
        "exchange_ws_url": task.url,
        "exchange_rest_url": "http://127.0.0.1:9",  # no REST here; it would only give the steps of prices
    }
    settings = load_settings(chosen, environment={})
    async with opened(settings, SystemClock()) as system:
        everything_came = asyncio.Event()
        counters = system.ingest.intake.counters

        def look(bars: BarArray) -> None:
            if counters.received >= task.trades:
                everything_came.set()

        def look_at_kernels() -> None:
            if not set(LATER) & set(system.market.kernels.missing):
                loaded.set()

        system.market.listen(look)
        system.market.kernels.when_ready(look_at_kernels)
        async with asyncio.timeout(task.limit_s), asyncio.TaskGroup() as tasks:
            tasks.create_task(system.run())
            await everything_came.wait()
            await system.tape.flushed()
            watch.finish(counters.stored)


def main() -> None:
    task = read_task()
    loaded = threading.Event()  # compiled code, which is an import that goes on behind the server
    watch = Stopwatch(task, loaded)
    set_up_logs("error", None)
    os.environ["SSL_CERT_FILE"] = str(task.authority)
    asyncio.run(follow(task, watch, loaded))


if __name__ == "__main__":
    main()
