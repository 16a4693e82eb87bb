"""``GET /ohlc`` with 1,000 bars, beside a FastAPI service that leaves serialisation to the framework."""

from __future__ import annotations

import json
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmarks.exchange import SEED
from benchmarks.judged import good
from benchmarks.processes import BenchmarkError, Child, Server, free_port, pairscope
from benchmarks.report import Goal, Section, Spread, Table
from pairscope.bars.builder import build_bars
from pairscope.base.clock import SystemClock, now_ms
from pairscope.base.interval import Interval
from pairscope.base.model import TradeBatch, TradeKind
from pairscope.feed.binance.simulator.market import SimulatedMarket
from pairscope.store.tape import Tape

SYMBOL = "BTCUSDT"
INTERVAL = Interval.parse("1m")
BARS = 1_000
STORED_BARS = 1_500
CONNECTIONS = 4
QUIET_RATE = 0.1  # of the usual market
GOAL = 8.0
QUERY = f"symbol={SYMBOL}&interval={INTERVAL}&limit="
OURS, MODELS, COLUMNS = "pairscope", "FastAPI, list of models", "FastAPI, one model of columns"
ANEW = "pairscope, nothing encoded before"


@dataclass(frozen=True, slots=True)
class Run:
    per_s: float
    cpu_us: float  # of the server, for each request
    kilobytes: float


def run(*, quick: bool, progress: Callable[[str], None]) -> Section:
    seconds, rounds = (1.0, 1) if quick else (4.0, 5)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        fill_tape(folder / "tape.duckdb")
        with Child("benchmarks.exchange", QUIET_RATE) as exchange:
            ready = exchange.expect("ready")
            with pairscope(
                free_port(), folder, ready, DATABASE_PATH=str(folder / "tape.duckdb"), SYMBOLS=SYMBOL
            ) as ours:
                ours.wait("/status", lambda status: status["feed"]["state"] == "live")
                answer = folder / "ohlc.json"
                answer.write_bytes(ours.get(f"/ohlc?{QUERY}{BARS}"))
                if len(json.loads(answer.read_bytes())["bars"]["close"]) != BARS:
                    raise BenchmarkError("pairscope did not answer with all the bars")
                port = free_port()
                with Server(["benchmarks.fastapi_peer", answer, port], port) as peer:
                    peer.wait(f"/columns?{QUERY}{BARS}")
                    targets = {
                        OURS: (ours, f"/ohlc?{QUERY}{BARS}"),
                        ANEW: (ours, f"/ohlc?{QUERY}LIMIT"),
                        MODELS: (peer, f"/ohlc?{QUERY}{BARS}"),
                        COLUMNS: (peer, f"/columns?{QUERY}{BARS}"),
                    }
                    runs = _rounds(targets, rounds, seconds, progress)
    return _section(runs, rounds, seconds)


def fill_tape(path: Path) -> None:
    """The market until now, put there by the product's own builder and store."""
    clock = SystemClock()
    store = Tape.open(path, kind=TradeKind.AGG, clock=clock)
    symbol_id = store.symbols.add(SYMBOL)
    now = now_ms(clock)
    past = SimulatedMarket(SEED, QUIET_RATE).trades(SYMBOL, INTERVAL.floor(now) - STORED_BARS * INTERVAL.ms, now)
    trades = TradeBatch(
        symbol_id=np.full(len(past), symbol_id, np.int32),
        id=past.id,
        time_ms=past.time_ms,
        price=past.price,
        size=past.size,
        buyer_is_maker=past.buyer_is_maker,
        received_ns=past.time_ms * 1_000_000,
    )
    store.put_trades(good(trades))
    store.put_bars(build_bars(trades, INTERVAL)[:-1])  # the last one is still open
    store.close()


def _rounds(
    targets: dict[str, tuple[Server, str]], rounds: int, seconds: float, progress: Callable[[str], None]
) -> dict[str, list[Run]]:
    runs: dict[str, list[Run]] = {name: [] for name in targets}
    for turn in range(rounds):
        names = list(targets)[turn % len(targets) :] + list(targets)[: turn % len(targets)]
        for name in names:
            server, path = targets[name]
            _load(server, path, min(0.5, seconds / 4))  # not counted
            runs[name].append(done := _load(server, path, seconds))
            progress(f"round {turn + 1}/{rounds}  {name}: {done.per_s:,.0f} requests/s, {done.cpu_us:.0f} µs CPU each")
    return runs


def _load(server: Server, path: str, seconds: float) -> Run:
    before_s = server.cpu_s()
    with Child("benchmarks.load", server.port, path, CONNECTIONS, seconds) as load:
        done = load.expect("loaded", patience_s=seconds + 30)
    time.sleep(0.05)
    cpu_s = server.cpu_s() - before_s
    return Run(done["requests"] / done["seconds"], cpu_s / done["requests"] * 1e6, done["bytes"] / 1000)


def _section(runs: dict[str, list[Run]], rounds: int, seconds: float) -> Section:
    rows = []
    ratios = {}
    for name, own in runs.items():
        ratios[name] = Spread.of([mine.per_s / theirs.per_s for mine, theirs in zip(runs[OURS], own, strict=True)])
        rows.append(
            (
                name,
                Spread.of([each.per_s for each in own]).text(),
                Spread.of([each.cpu_us for each in own]).text(),
                "1" if name == OURS else ratios[name].text(),
                f"{own[-1].kilobytes:.0f}",
            )
        )
    ratio = ratios[MODELS].median
    return Section(
        title=f"API: GET /ohlc with {BARS:,} bars",
        method=f"`pairscope run` with {STORED_BARS:,} minute bars of its own tape and a quiet market, beside a FastAPI "
        "service that holds the same bars as rows in memory, builds its models and lets the framework serialise them; "
        "its second address answers with pairscope's columns as one model.\n"
        f"A load generator in its own process asks over {CONNECTIONS} keep-alive connections for {seconds:.0f} s; "
        f"{rounds} rounds, interleaved, in rotated order.\n"
        "CPU is that of the whole server process. Medians (min–max); ratios are of the same round.",
        tables=[Table(("server", "requests/s", "CPU µs per request", "pairscope is × faster", "kB per answer"), rows)],
        goals=[Goal(f"at least {GOAL:g}× FastAPI's default model serialisation", f"{ratio:.1f}×", ratio >= GOAL)],
        remarks=[
            "pairscope keeps an encoded answer for as long as no bar in it changes; a service on FastAPI could be "
            "taught the same. The second row asks for ever other numbers of bars, 1,000 on average, so that each "
            "answer is encoded anew."
        ],
    )
