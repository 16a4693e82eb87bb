"""The tape itself: files of the exchange onto it, days into sealed files, ten million trades opened, ids checked."""

from __future__ import annotations

import asyncio
import shutil
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import httpx
import numpy as np
from starlette.applications import Starlette

from benchmarks.clients.tape_client import SEALED_DAYS, SEED
from benchmarks.frames import NAMES, START_MS, make_tape
from benchmarks.judged import good
from benchmarks.processes import Child, Message
from benchmarks.report import Goal, Section, Spread, Table, number
from benchmarks.yardstick import in_yardsticks, yardstick_s
from pairscope.base.clock import SystemClock
from pairscope.base.gaps import GapReason
from pairscope.base.interval import DAY_MS
from pairscope.base.model import SymbolTable, TradeBatch, TradeKind
from pairscope.feed.binance.protocol import Decoder
from pairscope.feed.binance.simulator.archive import ArchiveDoor
from pairscope.feed.binance.simulator.market import SimulatedMarket
from pairscope.feed.continuity import ContinuityTracker
from pairscope.feed.recording import read_frames
from pairscope.store.tape import Tape

Progress = Callable[[str], None]

OURS = "pairscope import"
WAYS = {  # what each does, and the child that does it
    OURS: ("checksum and ids checked, on the tape, gaps written, 1s 5s 1m 5m bars", ("archive_client",)),
    "pandas": ("`read_csv`; nothing kept", ("pandas_client", "read")),
    "pandas to Parquet": ("`read_csv`, `to_parquet` (zstd)", ("pandas_client", "to_parquet")),
    "pandas to DuckDB": ("`read_csv`, into a table, four `resample`s into tables", ("pandas_client", "to_duckdb")),
}
IMPORT_DAY = date(2026, 5, 27)
IMPORT_GOAL = 25.0  # yardsticks for a million trades
BYTES_GOAL = 8.0
OPEN_GOAL = 50.0  # yardsticks
RECORDED = Path(__file__).parents[2] / "shared" / "data" / "usdm-trades-2024-08-08" / "usdm_trades_20240808.txt.zst"
CADENCES_MS = (40, 4_000)  # of market time in a batch: as trades come by the stream, and after a stall


def run(*, quick: bool, progress: Progress) -> Section:
    rate, rounds = (0.15, 1) if quick else (2.6, 7)  # of the market in the files
    trades, tape_rate, openings = (500_000, 0.04, 1) if quick else (10_000_000, 0.77, 7)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        imports, zip_bytes = _imports(folder, rate, rounds, progress)
        sealings, filled, opened = _tape(folder, trades, tape_rate, openings, progress)
        real = _recorded(folder / "recorded" / "tape.duckdb") if RECORDED.is_file() else None
    tracked = _tracked(20_000 if quick else 200_000, rounds)
    return _section(imports, zip_bytes, sealings, filled, opened, real, tracked)


def _imports(folder: Path, rate: float, rounds: int, progress: Progress) -> tuple[dict[str, list[Message]], int]:
    file = asyncio.run(_archive(folder, SimulatedMarket(SEED, rate), "BTCUSDT", IMPORT_DAY))
    warm_up = asyncio.run(_archive(folder, SimulatedMarket(SEED, 0.01), "LINKUSDT", IMPORT_DAY + timedelta(days=1)))
    facts: dict[str, list[Message]] = {way: [] for way in WAYS}
    ways = list(WAYS)
    for turn in range(rounds):
        start = turn % len(ways)
        for way in ways[start:] + ways[:start]:  # nobody always comes first
            with (
                tempfile.TemporaryDirectory() as own,
                Child(f"benchmarks.clients.{WAYS[way][1][0]}", *WAYS[way][1][1:], file, warm_up, own) as client,
            ):
                done = client.expect("brought")
            facts[way].append(done)
            per_s = done["trades"] / done["took_s"]
            progress(f"round {turn + 1}/{rounds}  {way}: {per_s:,.0f}/s, {done['cpu_s']:.2f} s CPU")
    return facts, file.stat().st_size


async def _archive(folder: Path, market: SimulatedMarket, symbol: str, day: date) -> Path:
    """An official file, with its checksum, as the simulated exchange serves it."""
    later_ms = round(datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp() * 1_000) + 2 * DAY_MS
    site = Starlette(routes=ArchiveDoor(market, lambda: later_ms).routes)
    path = folder / f"{symbol}-aggTrades-{day}.zip"
    async with httpx.AsyncClient(transport=httpx.ASGITransport(site), base_url="http://archive") as client:
        for target in (path, path.with_name(f"{path.name}.CHECKSUM")):
            answer = await client.get(f"/data/futures/um/daily/aggTrades/{symbol}/{target.name}")
            target.write_bytes(answer.raise_for_status().content)
    return path


def _tape(
    folder: Path, trades: int, rate: float, openings: int, progress: Progress
) -> tuple[list[Message], Message, list[Message]]:
    """Three days sealed and a fourth begun, killed, and opened again and again from that state."""
    killed = folder / "killed"
    with Child("benchmarks.clients.tape_client", "fill", killed, trades, rate) as client:
        sealings = []
        for _ in range(SEALED_DAYS):
            sealings.append(client.expect("sealed"))
            progress(f"sealed {sealings[-1]['trades']:,} trades in {sealings[-1]['took_s']:.2f} s")
        filled = client.expect("filled")
        client.usage.kill()
    opened = []
    for turn in range(openings):
        with tempfile.TemporaryDirectory() as own:
            shutil.copytree(killed, Path(own) / "data")
            with Child("benchmarks.clients.tape_client", "open", Path(own) / "data") as client:
                opened.append(client.expect("opened"))
        progress(f"opening {turn + 1}/{openings}: {opened[-1]['took_s']:.2f} s")
    return sealings, filled, opened


def _recorded(path: Path) -> tuple[int, int]:
    """Trades of the recorded market in a sealed day, and their bytes."""
    frames = list(read_frames(RECORDED))
    store = Tape.open(path, kind=TradeKind.RAW, clock=SystemClock())
    try:
        for symbol in ("BTCUSDT", "ETHUSDT"):
            store.symbols.add(symbol)
        decoded = Decoder(TradeKind.RAW, store.symbols).decode(
            [frame.payload for frame in frames], np.array([frame.received_ns for frame in frames])
        )
        assert store.put_trades(good(decoded.rows.trades))
        last = decoded.rows.trades.take(np.array([-1]))
        last.id[0], last.time_ms[0] = last.id[0] + 10**6, last.time_ms[0] + DAY_MS  # ends the day
        assert store.put_trades(good(last))
        asyncio.run(store.flushed())
        store.seal(10**15)
        parts = [part for part in store.days() if part.kind == "trades"]
        return sum(part.row_count for part in parts), sum(part.byte_count for part in parts)
    finally:
        store.close()


def _tracked(trades: int, rounds: int) -> dict[str, Spread]:
    """Processor nanoseconds for each trade, of ids in order and of a stream that loses and doubles some."""
    tape = make_tape(trades)
    symbols = SymbolTable(NAMES)
    whole = TradeBatch(
        symbol_id=tape.symbol.astype(np.int32),
        id=tape.id,
        time_ms=tape.time_ms,
        price=tape.price,
        size=tape.size,
        buyer_is_maker=tape.buyer_is_maker,
        received_ns=tape.time_ms * 1_000_000,
    )
    chance = np.random.default_rng(2).random(trades)
    torn = whole.take(np.repeat(np.arange(trades), np.where(chance < 1e-4, 0, np.where(chance > 1 - 1e-3, 2, 1))))
    kinds = {f"{ms} ms of the market in a batch": _cut(whole, ms) for ms in CADENCES_MS}
    kinds["the first, one trade in 10,000 lost and one in 1,000 doubled"] = _cut(torn, CADENCES_MS[0])
    took: dict[str, list[float]] = {kind: [] for kind in kinds}
    for _ in range(rounds + 1):
        for kind, batches in kinds.items():
            tracker, began_s = ContinuityTracker(symbols), time.process_time()
            for batch in batches:
                tracker.check(batch, START_MS, GapReason.SKIPPED)
            took[kind].append((time.process_time() - began_s) / trades * 1e9)
    return {f"{kind} ({trades / len(kinds[kind]):,.0f} trades)": Spread.of(each[1:]) for kind, each in took.items()}


def _cut(trades: TradeBatch, span_ms: int) -> list[TradeBatch]:
    places = np.flatnonzero(np.diff(trades.time_ms // span_ms)) + 1
    return [trades.take(part) for part in np.split(np.arange(len(trades)), places)]


def _section(
    imports: dict[str, list[Message]],
    zip_bytes: int,
    sealings: list[Message],
    filled: Message,
    opened: list[Message],
    real: tuple[int, int] | None,
    tracked: dict[str, Spread],
) -> Section:
    ours = imports[OURS]
    rate = Spread.of([each["trades"] / each["took_s"] for each in ours])
    bytes_live = Spread.of([each["trades_bytes"] / each["trades"] for each in sealings])
    bytes_imported = ours[0]["sealed_bytes"] / ours[0]["sealed"]
    sizes = [
        ("recorded live: every trade with its own time of arrival", f"{sealings[0]['trades']:,}", bytes_live.text()),
        ("imported from an official file", f"{ours[0]['sealed']:,}", number(bytes_imported)),
    ]
    if real is not None:
        sizes.append(
            ("Binance, 2024-08-08, six minutes of raw BTCUSDT and ETHUSDT", f"{real[0]:,}", number(real[1] / real[0]))
        )
    largest = max([*bytes_live.values, bytes_imported])
    open_s = Spread.of([each["took_s"] for each in opened])
    stick_s = yardstick_s()
    return Section(
        title="Storage: files in, days sealed, the tape opened",
        method=f"Import: an official aggTrades zip of {ours[0]['trades']:,} trades of the simulated market "
        f"({zip_bytes / 1e6:.0f} MB) by each way in a process of its own that was warmed up with a small file; "
        f"{len(ours)} rounds, interleaved, in rotated order. pandas reads the same zip. Time for pairscope runs until "
        "everything is committed, with bars.\n"
        f"Tape: three days of eight symbols of the simulated market and a part of the fourth, {filled['trades']:,} "
        "trades with their bars; each day is sealed when it is over; then the process is killed. Opening is timed from "
        "that state, in a new process each time, the files in the page cache.\n"
        "Medians (min–max); ratios are of the same round; CPU is that of all threads of the process.",
        tables=[
            _import_table(imports),
            _sealing_table(sealings, ours),
            Table(("a sealed day", "trades", "bytes per trade"), sizes),
            _opening_table(filled, opened),
            Table(
                ("continuity: batches", "ns CPU per trade"), [(kind, spread.text()) for kind, spread in tracked.items()]
            ),
        ],
        goals=[
            in_yardsticks("import a million trades", 1e6 / rate.median, IMPORT_GOAL, stick_s),
            Goal(f"at most {BYTES_GOAL:g} bytes per sealed trade", number(largest), largest <= BYTES_GOAL),
            in_yardsticks(
                f"open and answer with {filled['trades']:,} trades, the slowest", max(open_s.values), OPEN_GOAL, stick_s
            ),
        ],
    )


def _import_table(imports: dict[str, list[Message]]) -> Table:
    rows = []
    for way, (does, _) in WAYS.items():
        own = imports[way]
        ratio = Spread.of([theirs["took_s"] / mine["took_s"] for mine, theirs in zip(imports[OURS], own, strict=True)])
        rows.append(
            (
                way,
                does,
                Spread.of([each["trades"] / each["took_s"] for each in own]).text(),
                Spread.of([each["cpu_s"] / each["trades"] * 1e6 for each in own]).text(),
                "1" if way == OURS else ratio.text(),
                f"{max(each['memory_mb'] for each in own):.0f}",
            )
        )
    columns = ("way", "what it does", "trades/s", "CPU µs per trade", "pairscope is × faster", "resident MB")
    return Table(columns, rows)


def _sealing_table(sealings: list[Message], ours: list[Message]) -> Table:
    rows = [
        (
            f"day {place} of eight symbols",
            *(f"{each[what]:,}" for what in ("trades", "bars", "files")),
            f"{each['took_s']:.2f}",
            f"{each['cpu_s']:.2f}",
        )
        for place, each in enumerate(sealings, 1)
    ]
    took = (Spread.of([each[what] for each in ours]).text() for what in ("seal_s", "seal_cpu_s"))
    rows.append(("the imported day", f"{ours[0]['sealed']:,}", f"{ours[0]['bars']:,}", "5", *took))
    return Table(("sealing", "trades", "bars", "files", "s", "s CPU"), rows)


def _opening_table(filled: Message, opened: list[Message]) -> Table:
    keys = ("opened_s", "took_s", "cpu_s", "first_ms", "again_ms")
    figures = (Spread.of([each[key] for each in opened]).text() for key in keys)
    columns = (
        "trades",
        "MB of the open day",
        "s to open",
        "s until the newest 1,000 trades of each symbol are read",
        "s CPU",
        "ms for an hour of a sealed day, its file checked first",
        "ms for it again",
    )
    return Table(columns, [(f"{filled['trades']:,}", number(filled["open_bytes"] / 1e6), *figures)])
