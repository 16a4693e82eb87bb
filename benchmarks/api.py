"""``GET /ohlc`` with 1,000 bars, beside a FastAPI service that leaves serialisation to the framework."""

from __future__ import annotations

import json
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmarks.processes import BenchmarkError, Child, Server, free_port, pairscope
from benchmarks.report import Goal, Section, Spread, Table
from pairscope.base.clock import SystemClock, now_ms
from pairscope.base.model import BAR, BarStatus, TradeKind
from pairscope.store.tape import Store

SYMBOL = "BTCUSDT"
INTERVAL_MS = 60_000
BARS = 1_000
STORED_BARS = 3_000
CONNECTIONS = 4
QUIET_TRADES_PER_S = 20
GOAL = 8.0
QUERY = f"symbol={SYMBOL}&interval=1m&limit={BARS}"
OURS, MODELS, COLUMNS = "pairscope", "FastAPI, list of models", "FastAPI, one model of columns"


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
        with Child("benchmarks.exchange", SYMBOL, QUIET_TRADES_PER_S) as exchange:
            ready = exchange.expect("ready")
            with pairscope(
                free_port(), folder, ready, DATABASE_PATH=str(folder / "tape.duckdb"), SYMBOLS=SYMBOL
            ) as ours:
                ours.wait("/status", lambda status: status["feed"]["state"] == "live")
                answer = folder / "ohlc.json"
                answer.write_bytes(ours.get(f"/ohlc?{QUERY}"))
                if len(json.loads(answer.read_bytes())["bars"]["close"]) != BARS:
                    raise BenchmarkError("pairscope did not answer with all the bars")
                port = free_port()
                with Server(["benchmarks.fastapi_peer", answer, port], port) as peer:
                    peer.wait(f"/columns?{QUERY}")
                    targets = {OURS: (ours, "/ohlc"), MODELS: (peer, "/ohlc"), COLUMNS: (peer, "/columns")}
                    runs = _rounds(targets, rounds, seconds, progress)
    return _section(runs, rounds, seconds)


def fill_tape(path: Path) -> None:
    """Minute bars until now, put there by the product's own store."""
    store = Store.open(path, kind=TradeKind.AGG, clock=SystemClock())
    draw = np.random.default_rng(1)
    bars = np.zeros(STORED_BARS, BAR)
    end_ms = now_ms(SystemClock()) // INTERVAL_MS * INTERVAL_MS
    close = np.round(83_000 * np.exp(np.cumsum(draw.normal(0, 3e-4, STORED_BARS))), 1)
    bars["symbol_id"] = store.symbols.add(SYMBOL)
    bars["interval_ms"] = INTERVAL_MS
    bars["open_time_ms"] = end_ms - INTERVAL_MS * np.arange(STORED_BARS, 0, -1)
    bars["close"] = close
    bars["open"] = np.append(close[:1], close[:-1])
    bars["high"] = np.maximum(bars["open"], close) + 10
    bars["low"] = np.minimum(bars["open"], close) - 10
    bars["volume"] = np.round(draw.lognormal(3, 1, STORED_BARS), 3)
    bars["buy_volume"] = np.round(bars["volume"] / 2, 3)
    bars["quote_volume"] = np.round(bars["volume"] * close, 4)
    bars["trades"] = draw.integers(100, 5_000, STORED_BARS)
    bars["last_id"] = np.cumsum(bars["trades"])
    bars["first_id"] = bars["last_id"] - bars["trades"] + 1
    bars["status"] = BarStatus.CLOSED
    store.put_bars(bars)
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
    with Child("benchmarks.load", server.port, f"{path}?{QUERY}", CONNECTIONS, seconds) as load:
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
    )
