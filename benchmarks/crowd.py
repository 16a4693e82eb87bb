"""A hundred people at once: dashboards and notebooks ask while fifty sockets follow a market of 5,000 trades a second.

Run as a module it is that crowd, in one process: it asks, follows, and tells what it saw.
"""

from __future__ import annotations

import argparse
import asyncio
import random
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import numpy as np
import websockets

from benchmarks.latency import PAIRS, RECEIVED, SENT, SYMBOLS, TRADES_PER_S, compare, following, sent_times
from benchmarks.processes import BenchmarkError, Child, Message, Server, say
from benchmarks.report import Goal, Section, Table

CLIENTS = 100
SOCKETS = 50
THINK_S = 3.0  # on average, between an answer and the next request
COMPILED_S = 300.0  # all kernels, on a cold cache
CALM_S = 20.0  # after the crowd has left, before memory is looked at
MOST_READ_MS = 1_000.0
MOST_UPDATE_MS = 500.0
MOST_MEMORY = 1.2  # of what it was before the crowd came
SEED = 7

# What a dashboard and a notebook ask for, how often of a hundred times, and whether it is a study.
ROUTES = (
    ("/ohlc/{y}/1m?limit=500", 25, False),
    ("/ohlc/{y}/1s?limit=1000", 15, False),
    ("/ticks/latest?symbol={y}&limit=200", 10, False),
    ("/status", 10, False),
    ("/health", 4, False),
    ("/config", 6, False),
    ("/analytics", 4, False),
    ("/analytics/{y}?metrics=rsi:period=21,adf_stat,volatility", 8, False),
    ("/status/tape", 2, False),
    ("/metrics/catalogue", 2, False),
    ("/analytics/pair?y={y}&x={x}&limit=300", 5, True),
    ("/analytics/pair?y={y}&x={x}&limit=1&tests=true", 3, True),
    ("/analytics/{y}/series?metrics=sma,ema,rsi&limit=1000", 3, True),
    ("/correlations?of=trades&window=300", 1, True),
    ("/clustering?window=300", 2, True),
)


def run(*, quick: bool, progress: Callable[[str], None]) -> Section:
    seconds = 20.0 if quick else 300.0
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        with following(folder, seconds) as (server, report):
            _warm(server)
            progress("pairscope follows the exchange, and its kernels are there")
            seen = _visited(server, seconds, folder / RECEIVED, progress)
        seen["cut_off"] = report["cut_off"]
        progress("comparing the updates with what was sent")
        delays = compare(sent_times(folder / SENT), folder / RECEIVED)
    updates_ms = {kind: measured.newest for kind, measured in delays.items()}
    return _section(seen, updates_ms, seconds)


def _warm(server: Server) -> None:
    """Ask everything until it is answered: kernels are compiled by then, which is another benchmark's matter."""
    end_s = time.monotonic() + COMPILED_S
    for path, _, _ in ROUTES:
        while True:
            try:
                server.get(path.format(y=SYMBOLS[1], x=SYMBOLS[0]))
                break
            except OSError as error:  # 503 while it is being prepared
                if time.monotonic() > end_s:
                    raise BenchmarkError(f"{path} is not answered: {error}") from error
                time.sleep(1)


def _visited(server: Server, seconds: float, path: Path, progress: Callable[[str], None]) -> Message:
    before_mb, before_cpu_s = server.resident_mb(), server.cpu_s()
    topics = [f"symbol:{symbol}:1s" for symbol in SYMBOLS] + [f"pair:{y}:{x}:1s:300:ols" for x, y in PAIRS]
    url = f"ws://127.0.0.1:{server.port}/ws"
    with (
        Child("benchmarks.crowd", server.port, seconds, CLIENTS, SOCKETS - 1) as crowd,
        Child("benchmarks.watcher", url, ",".join(topics), seconds, path) as watcher,
    ):
        watcher.expect("watching")
        began = server.status()["feed"]
        began_s = time.monotonic()
        seen = crowd.expect("visited", patience_s=seconds + 60)
        watcher.expect("watched", patience_s=60)
    status = server.status()
    progress(f"the crowd has left after {len(seen['reads_ms']):,} reads and {len(seen['studies_ms']):,} studies")
    time.sleep(CALM_S)
    return seen | {
        "trades_per_s": (status["feed"]["trades"] - began["trades"]) / (time.monotonic() - CALM_S - began_s),
        "reconnects": status["feed"]["reconnects"],
        "cpu_share": (server.cpu_s() - before_cpu_s) / (seconds + CALM_S),
        "clients_cut": status["clients"]["cut_off"],
        "before_mb": before_mb,
        "after_mb": server.resident_mb(),
    }


def _section(seen: Message, updates_ms: dict[str, list[float]], seconds: float) -> Section:
    rows = []
    for name, values in (("reads", seen["reads_ms"]), ("studies", seen["studies_ms"])):
        rows.append((name, f"{len(values):,}", *_percentiles(values)))
    for kind, values in updates_ms.items():
        rows.append((f"updates of a {kind}", f"{len(values):,}", *_percentiles(values)))
    read_p99 = float(np.percentile(seen["reads_ms"], 99))
    update_p99 = max(float(np.percentile(values, 99)) for values in updates_ms.values())
    memory = seen["after_mb"] / seen["before_mb"]
    failed, told = seen["failed_reads"], seen["failed_studies"]
    statuses = ", ".join(f"{status}: {count:,}" for status, count in sorted(seen["statuses"].items()))
    return Section(
        title="A crowd: reads, studies and updates while a hundred ask and fifty follow",
        method=f"{CLIENTS} REST clients ask a mix of what a dashboard and a notebook ask ({THINK_S:g} s between an "
        f"answer and the next request, on average), {SOCKETS} WebSockets follow a symbol and a pair each, one of them "
        f"all {len(SYMBOLS)} symbols and {len(PAIRS)} pairs; {TRADES_PER_S:,} trades/s, {seconds:.0f} s.\n"
        "Exchange, pairscope, crowd and watcher are processes of this machine and share its processors. An update's "
        "delay is from the send of its newest trade to its arrival, as in the benchmark of latency.",
        tables=[
            Table(("what", "measured", "p50 ms", "p90 ms", "p99 ms", "max ms"), rows),
            Table(
                (
                    "answers by status",
                    "studies told to come back",
                    "trades/s",
                    "CPU of one core",
                    "MB before",
                    "MB after",
                ),
                [
                    (
                        statuses,
                        f"{seen['busy_studies']:,}",
                        f"{seen['trades_per_s']:,.0f}",
                        f"{seen['cpu_share']:.0%}",
                        f"{seen['before_mb']:.0f}",
                        f"{seen['after_mb']:.0f}",
                    )
                ],
            ),
        ],
        goals=[
            Goal("no read fails", f"{failed} failed", failed == 0),
            Goal("every study is answered, or told when to come back", f"{told} were not", told == 0),
            Goal(f"reads: p99 below {MOST_READ_MS:,.0f} ms", f"{read_p99:.0f} ms", read_p99 < MOST_READ_MS),
            Goal(f"updates: p99 below {MOST_UPDATE_MS:.0f} ms", f"{update_p99:.0f} ms", update_p99 < MOST_UPDATE_MS),
            Goal(
                "no connection to the exchange is lost",
                f"{seen['reconnects']} reconnects, {seen['cut_off']} cut off",
                seen["reconnects"] == 0 and seen["cut_off"] == 0,
            ),
            Goal(
                "no socket that reads is cut off",
                f"{seen['clients_cut']} cut off, {seen['sockets_lost']} lost",
                seen["clients_cut"] == 0 and seen["sockets_lost"] == 0,
            ),
            Goal("memory within 20 % of before", f"{memory:.2f}×", memory <= MOST_MEMORY),
        ],
    )


def _percentiles(values: list[float]) -> tuple[str, ...]:
    if not values:
        raise BenchmarkError("nothing was measured")
    return tuple(f"{ms:.0f}" for ms in (*np.percentile(values, [50, 90, 99]), max(values)))


# --- the crowd ---------------------------------------------------------------------------------------


class Crowd:
    """What all clients saw together."""

    def __init__(self, port: int, end_s: float) -> None:
        self.port = port
        self.end_s = end_s
        self.reads_ms: list[float] = []
        self.studies_ms: list[float] = []
        self.statuses: Counter[int] = Counter()
        self.failed_reads = 0
        self.failed_studies = 0
        self.busy_studies = 0
        self.sockets_lost = 0

    async def ask(self, dice: random.Random) -> None:
        """One client: think, ask, read; a connection that was idle too long is opened anew, as a browser does."""
        streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None
        while True:
            await asyncio.sleep(dice.expovariate(1 / THINK_S))
            if time.monotonic() >= self.end_s:
                break
            ((route, _, is_study),) = dice.choices(ROUTES, [weight for _, weight, _ in ROUTES])
            y, x = dice.sample(SYMBOLS, 2)
            began_s = time.perf_counter()
            if streams is None or streams[0].at_eof():
                streams = await asyncio.open_connection("127.0.0.1", self.port, limit=2**23)
            try:
                status, retry = await self._answer(streams, route.format(y=y, x=x))
            except (OSError, asyncio.IncompleteReadError):
                streams, status, retry = None, 0, False
            self._note(status, retry, is_study, (time.perf_counter() - began_s) * 1_000)
        if streams is not None:
            streams[1].close()

    async def _answer(self, streams: tuple[asyncio.StreamReader, asyncio.StreamWriter], path: str) -> tuple[int, bool]:
        reader, writer = streams
        writer.write(f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{self.port}\r\n\r\n".encode())
        head = (await reader.readuntil(b"\r\n\r\n")).lower()
        await reader.readexactly(int(head.split(b"content-length:", 1)[1].split(b"\r\n", 1)[0]))
        return int(head.split(b" ", 2)[1]), b"\r\nretry-after:" in head

    def _note(self, status: int, retry: bool, is_study: bool, took_ms: float) -> None:
        self.statuses[status] += 1
        if is_study:
            self.studies_ms.append(took_ms)
            self.busy_studies += status == 503 and retry
            self.failed_studies += status != 200 and not (status == 503 and retry)
        else:
            self.reads_ms.append(took_ms)
            self.failed_reads += status != 200

    async def follow(self, dice: random.Random) -> None:
        y, x = dice.sample(SYMBOLS, 2)
        async with websockets.connect(f"ws://127.0.0.1:{self.port}/ws", compression=None, max_size=None) as socket:
            for topic in ("status", f"symbol:{y}:1s", f"pair:{y}:{x}:1s:300:ols"):
                await socket.send(f'{{"op": "sub", "topic": "{topic}"}}')
            try:
                while time.monotonic() < self.end_s:
                    await socket.recv(decode=False)
            except websockets.ConnectionClosed:
                self.sockets_lost += 1


async def visit(port: int, seconds: float, clients: int, sockets: int) -> None:
    crowd = Crowd(port, time.monotonic() + seconds)
    dice = random.Random(SEED)
    async with asyncio.TaskGroup() as tasks:
        for _ in range(clients):
            tasks.create_task(crowd.ask(random.Random(dice.random())))
        for _ in range(sockets):
            tasks.create_task(crowd.follow(random.Random(dice.random())))
    said = {name: value for name, value in vars(crowd).items() if name not in ("port", "end_s")}
    say("visited", **said)


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("port", type=int)
    parser.add_argument("seconds", type=float)
    parser.add_argument("clients", type=int)
    parser.add_argument("sockets", type=int)
    given = parser.parse_args()
    asyncio.run(visit(given.port, given.seconds, given.clients, given.sockets))
