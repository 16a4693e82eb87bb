"""What every client shares: when its processor time begins to count, and how it reports."""

from __future__ import annotations

import argparse
import gc
import os
import ssl
import sys
import threading
import time
from dataclasses import dataclass
from pathlib import Path

import psutil

from benchmarks.processes import say


@dataclass(frozen=True, slots=True)
class Task:
    """What a client is asked to do."""

    url: str  # wss://host:port
    authority: Path  # certificate to trust
    trades: int  # how many will come
    folder: Path  # for what it keeps
    limit_s: float  # give up counting after so long

    def tls(self) -> ssl.SSLContext:
        return ssl.create_default_context(cafile=self.authority)


def read_task() -> Task:
    parser = argparse.ArgumentParser()
    parser.add_argument("url")
    parser.add_argument("authority", type=Path)
    parser.add_argument("trades", type=int)
    parser.add_argument("folder", type=Path)
    parser.add_argument("limit_s", type=float)
    return Task(**vars(parser.parse_args()))


class Stopwatch:
    """Starts on a line from the parent, just before the first frame is sent; imports and connecting do not count.

    ``loaded``: waited for before that, when a client goes on loading its code after it has connected.
    """

    def __init__(self, task: Task, loaded: threading.Event | None = None) -> None:
        self._task = task
        self._loaded = loaded
        self._cpu_s = 0.0
        self._started_s = float("inf")
        self._received = 0
        threading.Thread(target=self._wait, daemon=True).start()

    def _wait(self) -> None:
        sys.stdin.readline()
        if self._loaded is not None:
            self._loaded.wait()
        gc.collect()
        self._cpu_s, self._started_s = time.process_time(), time.monotonic()
        say("marked")

    def tick(self) -> None:
        """One more trade arrived; the last one, or the time limit, ends the process."""
        self._received += 1
        if self._received >= self._task.trades or self.is_over():
            self.finish(self._received)

    def is_over(self) -> bool:
        return time.monotonic() - self._started_s > self._task.limit_s

    def finish(self, trades: int, **facts: object) -> None:
        """Report and end, skipping whatever clean-up a library has."""
        at_s, cpu_s = time.monotonic(), time.process_time() - self._cpu_s
        memory_mb = psutil.Process().memory_info().rss / 2**20
        say("finished", trades=trades, at_s=at_s, cpu_s=cpu_s, memory_mb=memory_mb, **facts)
        os._exit(0)
