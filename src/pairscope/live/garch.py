"""GARCH fits, made in a process of their own and kept until they are old.

The package that fits brings 150 MB and a second of importing with it, so the process is started when the first fit is
asked for, and ends when none was asked for in a while.
"""

from __future__ import annotations

import asyncio
import contextlib
import multiprocessing
import multiprocessing.process
import os
import threading
from collections.abc import Awaitable, Callable
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool

import structlog

from pairscope.analytics.garch import GarchFit, MissingLibrary, fit_garch
from pairscope.base.clock import Clock
from pairscope.base.interval import Interval
from pairscope.base.model import FloatArray
from pairscope.live.windows import Fitted

log = structlog.get_logger()

REFIT_S = 15.0
OLD = 4  # times as long as a fit is good for
IDLE_S = 300.0
LONGEST_WAIT_S = 20.0
MOST_KEPT = 2_000

Fit = Callable[[FloatArray], Awaitable[GarchFit]]
Inputs = Callable[[], Awaitable[tuple[FloatArray, int]]]


class GarchProcess:
    """Fits in one other process, which is started when needed."""

    def __init__(self) -> None:
        self._pool: ProcessPoolExecutor | None = None

    async def fit(self, returns: FloatArray) -> GarchFit:
        """Fit to the returns.

        Raises:
            MissingLibrary: when `arch` is not installed.
        """
        for _ in range(2):  # a process that was killed is replaced once
            if self._pool is None:
                context = multiprocessing.get_context("spawn")
                self._pool = ProcessPoolExecutor(1, mp_context=context, initializer=end_with_parent)
            try:
                return await asyncio.get_running_loop().run_in_executor(self._pool, fit_garch, returns)
            except BrokenProcessPool:
                self.stop()
        raise BrokenProcessPool("the process that fits GARCH has ended twice")

    def stop(self) -> None:
        if self._pool is not None:
            self._pool.shutdown(wait=False, cancel_futures=True)
            self._pool = None


def end_with_parent() -> None:
    """Have this process end when the one that started it is killed: its pool would wait for work for ever."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        threading.Thread(target=_end_after, args=(parent,), daemon=True).start()


def _end_after(parent: multiprocessing.process.BaseProcess) -> None:
    parent.join()
    os._exit(1)


class GarchDesk:
    """The newest fit of each symbol and interval that was asked about.

    A fit that is older than `REFIT_S` and than a bar is given once more, and replaced behind the scenes. The first one
    is waited for, and so is one that nobody has asked about for four times as long.
    """

    def __init__(self, clock: Clock, process: GarchProcess | None = None) -> None:
        self._clock = clock
        self._process = process or GarchProcess()
        self._kept: dict[tuple[str, Interval], tuple[Fitted, float]] = {}  # with the time it was made
        self._under_way: dict[tuple[str, Interval], asyncio.Task[Fitted | None]] = {}
        self._last_asked_s = 0.0
        self._missing = False

    async def fitted(self, symbol: str, interval: Interval, inputs: Inputs) -> Fitted | None:
        """The newest fit; None when there cannot be one, or when the first takes too long."""
        self._last_asked_s = now_s = self._clock.monotonic_s()
        key = (symbol, interval)
        kept, made_s = self._kept.get(key, (None, 0.0))
        age_s, good_s = now_s - made_s, max(REFIT_S, interval.ms / 1_000)
        if kept is not None and age_s < good_s:
            return kept
        if key not in self._under_way:
            self._under_way[key] = asyncio.create_task(self._make(key, inputs), name=f"garch {symbol}")
        if kept is not None and age_s < OLD * good_s:
            return kept
        with contextlib.suppress(TimeoutError):
            return await asyncio.wait_for(asyncio.shield(self._under_way[key]), LONGEST_WAIT_S)
        return None

    async def run(self) -> None:
        """End the process when nobody has asked for a while, and when this is cancelled."""
        try:
            while True:
                await asyncio.sleep(IDLE_S / 10)
                if self._clock.monotonic_s() - self._last_asked_s > IDLE_S:
                    self._process.stop()
        finally:
            self._process.stop()

    async def _make(self, key: tuple[str, Interval], inputs: Inputs) -> Fitted | None:
        try:
            fitted = await self._fit(inputs)
            if fitted is not None:
                if len(self._kept) >= MOST_KEPT:
                    del self._kept[next(iter(self._kept))]
                self._kept.pop(key, None)
                self._kept[key] = fitted, self._clock.monotonic_s()
            return fitted
        finally:
            del self._under_way[key]

    async def _fit(self, inputs: Inputs) -> Fitted | None:
        if self._missing:
            return None
        returns, as_of_ms = await inputs()
        try:
            return Fitted(await self._process.fit(returns), as_of_ms)
        except MissingLibrary as error:
            self._missing = True
            log.warning("garch_unavailable", cause=error.message, cure=error.cure)
        except BrokenProcessPool as error:
            log.warning("garch_failed", cause=str(error))
        return None
