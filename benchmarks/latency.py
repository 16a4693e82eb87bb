"""From the trade at the exchange's socket to the update at a client of ``/ws``, through the whole running system.

Nothing in an update tells when its trades were sent, but a bar says how many trades it holds, and trades come in the
order they were sent: the newest trade of an update is the n-th one sent for that symbol and bar. The exchange notes
when it sends, the client when it receives; both read the monotonic clock, which is one for all processes.
"""

from __future__ import annotations

import contextlib
import itertools
import json
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from benchmarks.exchange import rate_for
from benchmarks.processes import BenchmarkError, Child, Message, Server, free_port, pairscope
from benchmarks.report import Goal, Section, Table, number

SYMBOLS = ("BTCUSDT", "ETHUSDT", "BNBUSDT", "SOLUSDT", "XRPUSDT")
PAIRS = tuple(itertools.combinations(SYMBOLS, 2))
TRADES_PER_S = 5_000
BAR_MS = 1_000
GOAL_MS = 100.0
SETTLE_S = 5.0
SENT, RECEIVED = "sent.json", "received.txt"

Bar = tuple[str, int]  # symbol and open time


@dataclass(slots=True)
class Delays:
    """In milliseconds."""

    newest: list[float] = field(default_factory=list)  # of the newest trade in each update
    every: list[float] = field(default_factory=list)  # of each trade until the first update that holds it


@dataclass(frozen=True, slots=True)
class Load:
    """What the server had to do meanwhile, and what it took."""

    trades_per_s: float
    messages_per_s: float
    cpu_share: float  # of one core
    resident_mb: float


def run(*, quick: bool, progress: Callable[[str], None]) -> Section:
    seconds = 6.0 if quick else 60.0
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        with following(folder, seconds) as (server, report):
            progress("pairscope follows the exchange")
            load = _watch(server, seconds, folder / RECEIVED)
        if report["cut_off"]:
            raise BenchmarkError("the exchange cut pairscope off: it was too slow")
        progress(f"{load.trades_per_s:,.0f} trades/s, {load.cpu_share:.0%} of a core; comparing")
        delays = compare(sent_times(folder / SENT), folder / RECEIVED)
    return _section(load, delays, seconds)


@contextlib.contextmanager
def following(folder: Path, seconds: float) -> Iterator[tuple[Server, Message]]:
    """A server that follows a market of an even pace for so long; what the market reports is there at the end.

    Both leave what they sent and received in the folder, in `SENT` and `RECEIVED`.
    """
    report: Message = {}
    rate = rate_for(SYMBOLS, TRADES_PER_S, seconds / 60)
    with Child("benchmarks.exchange", rate, "--remember", folder / SENT) as exchange:
        nothing_before = {"PAIRSCOPE_HISTORY_MINUTES": "0"}  # the watcher knows only trades it saw sent
        with pairscope(free_port(), folder / "data", exchange.expect("ready"), **nothing_before) as server:
            server.wait("/status", lambda status: status["feed"]["state"] == "live")
            time.sleep(SETTLE_S)
            yield server, report
        exchange.tell("report")
        report.update(exchange.expect("reported"))


def _watch(server: Server, seconds: float, path: Path) -> Load:
    topics = [f"symbol:{symbol}:1s" for symbol in SYMBOLS] + [f"pair:{y}:{x}:1s:300:ols" for x, y in PAIRS]
    with Child("benchmarks.watcher", f"ws://127.0.0.1:{server.port}/ws", ",".join(topics), seconds, path) as watcher:
        watcher.expect("watching")
        began_s, began_cpu_s, began = time.monotonic(), server.cpu_s(), server.status()["feed"]["trades"]
        watched = watcher.expect("watched", patience_s=seconds + 30)
        passed_s = time.monotonic() - began_s
    return Load(
        trades_per_s=(server.status()["feed"]["trades"] - began) / passed_s,
        messages_per_s=watched["messages"] / passed_s,
        cpu_share=(server.cpu_s() - began_cpu_s) / passed_s,
        resident_mb=server.resident_mb(),
    )


def sent_times(path: Path) -> dict[Bar, list[int]]:
    """When the trades of each bar were sent, in order."""
    bars: dict[Bar, list[int]] = defaultdict(list)
    for symbol, time_ms, sent_ns in json.loads(path.read_text(encoding="utf-8")):
        bars[symbol, time_ms // BAR_MS * BAR_MS].append(sent_ns)
    return bars


def _updates(path: Path) -> Iterator[tuple[str, int, Bar, int]]:
    """Topic, arrival, bar and its count of trades, for each update of a bar; of a pair, the bar of y is taken."""
    with path.open(encoding="utf-8") as file:
        for line in file:
            arrived_ns, text = line.split(" ", 1)
            message = json.loads(text)
            if message["type"] in ("symbol_bar", "pair_bar"):
                bar = message["bar" if message["type"] == "symbol_bar" else "y_bar"]
                if bar["trades"]:
                    symbol = message["topic"].split(":")[1]
                    yield message["topic"], int(arrived_ns), (symbol, bar["open_time_ms"][0]), bar["trades"][0]


def compare(sent: dict[Bar, list[int]], received: Path) -> dict[str, Delays]:
    """Delays by kind of topic: symbol or pair."""
    delays = {"symbol": Delays(), "pair": Delays()}
    shown: dict[tuple[str, Bar], int] = {}  # trades of a bar that a topic has shown already
    watched: dict[str, Bar] = {}  # the first bar of each topic: its beginning may have been shown by the snapshot
    for topic, arrived_ns, bar, count in _updates(received):
        times_ns = sent[bar]
        if count > len(times_ns):
            raise BenchmarkError(f"{topic} shows {count} trades in {bar}, but only {len(times_ns)} were sent")
        before = shown.get((topic, bar), 0)
        if watched.setdefault(topic, bar) == bar or count <= before:
            continue
        shown[topic, bar] = count
        kind = delays[topic.split(":", 1)[0]]
        kind.newest.append((arrived_ns - times_ns[count - 1]) / 1e6)
        kind.every += [(arrived_ns - sent_ns) / 1e6 for sent_ns in times_ns[before:count]]
    return delays


def _section(load: Load, delays: dict[str, Delays], seconds: float) -> Section:
    rows, goals = [], []
    for kind, measured in delays.items():
        for what, values in (
            ("newest trade in an update, until the update", measured.newest),
            ("every trade, until the first update that holds it", measured.every),
        ):
            p50, p90, p99 = np.percentile(values, [50, 90, 99])
            rows.append((kind, what, f"{len(values):,}", *(f"{ms:.0f}" for ms in (p50, p90, p99, max(values)))))
        p99 = float(np.percentile(measured.newest, 99))
        goals.append(Goal(f"{kind}: p99 at most {GOAL_MS:.0f} ms, waits included", f"{p99:.0f} ms", p99 <= GOAL_MS))
    return Section(
        title="Latency: from the trade at the exchange to the update at a WebSocket client",
        method=f"`pairscope run` against the simulated exchange at {TRADES_PER_S:,} trades/s over {len(SYMBOLS)} "
        f"symbols with bursts, {seconds:.0f} s; one client of `/ws` follows {len(SYMBOLS)} symbols and {len(PAIRS)} "
        "pairs at 1s bars.\n"
        "Exchange, pairscope and client are three processes on this machine; an update is matched to the trade by the "
        "count of trades in its bar (of a pair: of y).\n"
        "Delays run from before the send to the arrival, so they hold every wait on purpose: decoding in batches, and "
        "at most some sixteen updates of an open bar a second.",
        tables=[
            Table(("topics", "delay of", "measured", "p50 ms", "p90 ms", "p99 ms", "max ms"), rows),
            Table(
                ("trades/s", "messages/s to the client", "CPU of one core", "µs CPU per trade", "resident MB"),
                [
                    (
                        number(load.trades_per_s),
                        number(load.messages_per_s),
                        f"{load.cpu_share:.0%}",
                        number(load.cpu_share / load.trades_per_s * 1e6),
                        number(load.resident_mb),
                    )
                ],
            ),
        ],
        goals=goals,
    )
