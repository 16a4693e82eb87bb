"""Imports and verifications beside a live feed, in real worker processes."""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pairscope.app import Parts, opened
from pairscope.base.clock import SystemClock
from pairscope.base.errors import PairscopeError, RequestError, UnknownName
from pairscope.base.model import TradeKind
from pairscope.base.settings import Settings
from pairscope.feed.binance.simulator.exchange import SimulatedExchange
from pairscope.feed.binance.simulator.market import SimulatedMarket
from pairscope.feed.binance.simulator.source import MarketSource
from pairscope.ingest.tape_jobs import MOST_DAYS, JobRefused
from pairscope.jobs.job import Job, JobState
from pairscope.store.inventory import VerifiedList
from pairscope.store.verify import verify_symbol
from tests.archives import DAY_MS, RAW_HEADER, agg_lines, raw_lines, rows, write_csv, write_zip
from tests.patience import START_S, WORK_S

NAME = "XRPUSDT-aggTrades-2024-08-08"  # of a symbol that is not watched


def day(days_ago: int) -> str:
    return (datetime.now(UTC) - timedelta(days=days_ago)).strftime("%Y-%m-%d")


@contextlib.asynccontextmanager
async def running(folder: Path, **settings: Any) -> AsyncIterator[Parts]:
    """Everything on the feed of an exchange that stands for the real one, until it is heard."""
    clock = SystemClock()
    async with SimulatedExchange(MarketSource(SimulatedMarket(1), clock)) as exchange:
        addresses: dict[str, Any] = {"exchange_ws_url": exchange.ws_url, "exchange_rest_url": exchange.rest_url}
        addresses["archive_url"] = exchange.rest_url
        assert exchange.archive is not None
        exchange.archive._zip = partial(small_day, folder)  # type: ignore[assignment]
        given: dict[str, Any] = {
            "source": "live",
            "symbols": ("BTCUSDT",),
            "history_minutes": 1,
            "window": 20,
            "data_dir": folder,
        }
        async with opened(Settings(**(given | addresses | settings)), clock) as parts:
            task = asyncio.create_task(parts.run())
            try:
                async with asyncio.timeout(START_S):
                    while parts.ingest.stream.health.state != "live":
                        assert not task.done(), task.result()
                        await asyncio.sleep(0.02)
                yield parts
            finally:
                task.cancel()
                with contextlib.suppress(asyncio.CancelledError):
                    await task


def small_day(folder: Path, symbol: str, day_ms: int, replaced: bool) -> bytes:
    """A day of few trades, in place of the million that the simulated market has."""
    name = f"{symbol}-aggTrades-{datetime.fromtimestamp(day_ms / 1_000, UTC):%Y-%m-%d}.zip"
    first_id = 1_000 + day_ms // DAY_MS * 500
    return write_zip(folder / name, agg_lines(rows(first_id, 500, day_ms, 100_000)), official=False).read_bytes()


async def over(parts: Parts, job: Job) -> Job:
    async with asyncio.timeout(WORK_S):
        while not parts.tape_jobs.jobs.get(job.id).state.is_over:
            await asyncio.sleep(0.02)
    return job


def put_files(folder: Path) -> Path:
    imports = folder / "imports"
    (imports / "more").mkdir(parents=True)
    write_zip(imports / f"{NAME}.zip", agg_lines(rows(10, 500)))
    return imports


async def test_files_are_brought_to_the_tape_of_the_running_server_and_it_is_verified(tmp_path: Path) -> None:
    imports = put_files(tmp_path)
    write_csv(imports / "more" / "XRPUSDT-aggTrades-2024-08-09.csv", agg_lines(rows(510, 400, 1_723_161_600_000)))
    write_csv(imports / "more" / "XRPUSDT-aggTrades-2024-08-10.csv", ["nonsense"])
    async with running(tmp_path) as parts:
        job = await over(parts, parts.tape_jobs.bring([f"{NAME}.zip", "more"]))
        assert (job.state, job.error) == (JobState.DONE, None)
        assert job.result is not None
        assert job.result.startswith("900 trades added, ")
        assert job.result.endswith(" of 2 files; 1 files refused")
        assert any(line.startswith("refused: XRPUSDT-aggTrades-2024-08-10.csv") for line in job.lines)
        assert len(parts.tape.trades("XRPUSDT")) == 900
        again = await over(parts, parts.tape_jobs.bring([f"{NAME}.zip"]))
        assert again.result is not None
        assert "1 of them imported before" in again.result
        verified = await over(parts, parts.tape_jobs.verify([], None, None))
        assert verified.result is not None, verified.error
        assert verified.result.startswith("no differences in "), verified.lines
        assert set(VerifiedList(parts.tape.path).read()) >= {"XRPUSDT", "BTCUSDT"}
        some = await over(parts, parts.tape_jobs.verify(["xrpusdt"], "2024-08-09", "2024-08-09"))
        assert "of 1 symbols" in (some.result or "")
        assert not os.listdir(parts.tape.path.parent / "jobs")
        verdict = verify_symbol(parts.tape, "XRPUSDT", kind=TradeKind.AGG, intervals=())
        assert verdict.told == []
        path = parts.tape.path
    assert not (path.parent / "jobs").exists()


async def test_days_are_downloaded_beside_the_feed(tmp_path: Path) -> None:
    async with running(tmp_path) as parts:
        before = parts.ingest.tracker.highest(parts.tape.symbols.index("BTCUSDT")) or 0
        job = await over(parts, parts.tape_jobs.download("btcusdt", day(3), day(2)))
        assert (job.state, str(job.error)) == (JobState.DONE, "None")
        assert [line.partition(":")[0].strip()[:7] for line in job.lines[::2]] == ["BTCUSDT"] * 2
        held = parts.tape.trades("BTCUSDT")
        assert len(np.unique(held.id)) == len(held) > 1_000
        assert (parts.ingest.tracker.highest(parts.tape.symbols.index("BTCUSDT")) or 0) > before, "it was heard on"
        assert parts.tape.counters().rows_refused == 0
        told = [gap.obstacle for gap in parts.ingest.tracker.all_open()]
        assert told == ["not_imported"], "between the days and what was heard"
        none = await over(parts, parts.tape_jobs.download("NOSUCHUSDT", day(3), day(3)))
        assert isinstance(none.error, UnknownName)


async def test_an_import_that_is_cancelled_leaves_a_tape_that_agrees_with_itself(tmp_path: Path) -> None:
    imports = put_files(tmp_path)
    many = rows(1_000, 200_000, 1_723_161_600_000, 300)
    write_csv(imports / "XRPUSDT-aggTrades-2024-08-09.csv", agg_lines(many))
    async with running(tmp_path) as parts:
        job = parts.tape_jobs.bring(["XRPUSDT-aggTrades-2024-08-09.csv"])
        async with asyncio.timeout(WORK_S):
            while not job.words.startswith("brings") or job.share < 0.55:
                assert not job.state.is_over, job.error
                await asyncio.sleep(0)
        parts.tape_jobs.jobs.cancel(job.id)
        await over(parts, job)
        assert job.state is JobState.CANCELLED
        left = parts.tape.gaps("XRPUSDT", open_only=True)
        held = parts.tape.trades("XRPUSDT")
        assert sum(gap.ids for gap in left) + len(held) == 200_000
        assert 0 < len(held) < 200_000
        finished = await over(parts, parts.tape_jobs.bring(["."]))
        assert finished.state is JobState.DONE
        assert len(parts.tape.trades("XRPUSDT")) == 200_500


@pytest.mark.parametrize(
    "name", ["", "..", "../x.zip", "/etc/passwd", "a\0b", "link/secret.zip", "x" * 5_000, "missing.zip", "ring"]
)
async def test_nothing_outside_the_folder_of_imports_is_read(tmp_path: Path, name: str) -> None:
    imports = put_files(tmp_path)
    (tmp_path / "outside").mkdir()
    write_csv(tmp_path / "outside" / "secret.zip", [])
    (imports / "link").symlink_to(tmp_path / "outside")
    (imports / "ring").symlink_to(imports / "ring")
    async with opened(Settings(source="live", data_dir=tmp_path, **UNREACHABLE), SystemClock()) as parts:
        with pytest.raises(UnknownName, match="folder of imports") as refused:
            parts.tape_jobs.bring([name])
        assert str(imports) in refused.value.cure
        assert parts.tape_jobs.jobs.all() == []


UNREACHABLE: dict[str, Any] = {
    "exchange_ws_url": "ws://127.0.0.1:9",
    "exchange_rest_url": "http://127.0.0.1:9",
    "archive_url": "http://127.0.0.1:9",
}


@pytest.mark.parametrize(
    ("symbol", "first", "last", "why"),
    [
        ("BTCUSDT", "yesterday", "yesterday", "'from' cannot be"),
        ("BTCUSDT", "2026-11-1", "2026-11-01", "'from' cannot be"),
        ("BTCUSDT", "20261101", "20261101", "'from' cannot be"),
        ("BTCUSDT", "2024-02-30", "2024-03-01", "'from' cannot be"),
        ("BTCUSDT", "2024-03-02", "2024-03-01", "'from' is after 'to'"),
        ("BTCUSDT", "2024-03-02", "2999-03-01", "is not over"),
        ("BTCUSDT", day(0), day(0), "is not over"),
        ("BTCUSDT", "2020-01-01", "2024-03-01", "days at once"),
        ("../x", "2024-03-01", "2024-03-01", "cannot be a symbol"),
    ],
)
async def test_an_order_that_cannot_be_is_refused_with_its_cure(
    tmp_path: Path, symbol: str, first: str, last: str, why: str
) -> None:
    async with opened(Settings(source="live", data_dir=tmp_path, **UNREACHABLE), SystemClock()) as parts:
        with pytest.raises(PairscopeError, match=why) as refused:
            parts.tape_jobs.download(symbol, first, last)
        assert refused.value.cure
        assert parts.tape_jobs.jobs.all() == []
    assert MOST_DAYS == 366


async def test_a_file_of_the_other_kind_of_trade_is_refused_with_its_cure(tmp_path: Path) -> None:
    imports = put_files(tmp_path)
    write_csv(imports / "XRPUSDT-trades-2024-08-08.csv", raw_lines(rows(10, 5)), RAW_HEADER)
    async with running(tmp_path) as parts:
        job = await over(parts, parts.tape_jobs.bring(["XRPUSDT-trades-2024-08-08.csv"]))
        assert job.state is JobState.FAILED
        assert "pairscope import" in (job.error.cure if job.error else "")


async def test_a_simulated_market_takes_no_official_files(tmp_path: Path) -> None:
    put_files(tmp_path)
    async with opened(Settings(source="simulator", data_dir=tmp_path), SystemClock()) as parts:
        with pytest.raises(JobRefused, match="simulated market"):
            parts.tape_jobs.bring([f"{NAME}.zip"])


async def test_days_that_cannot_be_compared_are_refused(tmp_path: Path) -> None:
    async with opened(Settings(source="simulator", data_dir=tmp_path), SystemClock()) as parts:
        with pytest.raises(RequestError, match="after"):
            parts.tape_jobs.verify([], "2024-08-09", "2024-08-08")
        with pytest.raises(UnknownName):
            parts.tape_jobs.verify(["NOSUCHUSDT"], None, None)


async def test_a_tape_that_is_looked_at_takes_no_orders(tmp_path: Path) -> None:
    async with running(tmp_path) as parts:
        await parts.tape.flushed()
    async with opened(Settings(source="tape", data_dir=tmp_path), SystemClock()) as parts:
        task = asyncio.create_task(parts.tape_jobs.run())
        orders: list[Callable[[], Job]] = [
            lambda: parts.tape_jobs.download("BTCUSDT", "2024-08-08", "2024-08-08"),
            lambda: parts.tape_jobs.bring(["a"]),
            lambda: parts.tape_jobs.verify([], None, None),
        ]
        for order in orders:
            with pytest.raises(JobRefused, match="a tape is looked at") as refused:
                order()
            assert "pairscope " in refused.value.cure
        task.cancel()
        await asyncio.wait([task])
        assert not (parts.tape.path.parent / "jobs").exists()
