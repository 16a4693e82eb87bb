"""Importing official files into a real tape: none twice, none lost, bars rebuilt, whatever interrupts it."""

from __future__ import annotations

import json
import signal
from collections.abc import AsyncGenerator, Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from structlog.testing import capture_logs

from pairscope.bars.builder import build_bars
from pairscope.base.clock import ManualClock
from pairscope.base.errors import ArchiveError
from pairscope.base.gaps import GapReason, Obstacle
from pairscope.base.id_ranges import no_runs, run
from pairscope.base.interval import Interval
from pairscope.base.model import BarSource, BarStatus, Cut, Gap, Origin, TradeBatch, TradeKind
from pairscope.feed.archive_files import ArchiveFile
from pairscope.feed.binance.archive import archive_file
from pairscope.feed.binance.protocol import Decoder
from pairscope.feed.continuity import ContinuityTracker
from pairscope.feed.judge import GoodTrades
from pairscope.ingest.history.file_import import FileImport, FileOutcome
from pairscope.ingest.history.merge import Merge
from pairscope.store.imports import ImportList
from pairscope.store.inventory import report_symbols
from pairscope.store.tape import Tape
from pairscope.store.verify import TapeVerdict, verify_symbol
from tests import prepared
from tests.archives import DAY_MS, START_MS, Row, agg_lines, raw_lines, rows, write_zip
from tests.judged import good
from tests.patience import COMMAND_S

NAME = "BTCUSDT-aggTrades-2024-08-08"
INTERVALS = [Interval.parse("1s"), Interval.parse("1m"), Interval.parse("1h")]


class ImportedTape:
    """A tape in a folder, and imports into it."""

    def __init__(self, folder: Path, kind: TradeKind = TradeKind.AGG) -> None:
        self.kind = kind
        self.clock = ManualClock(START_MS + 30 * DAY_MS)
        self.store = Tape.open(folder / "tape.duckdb", kind=kind, clock=self.clock, commit_ms=10)
        self.importer = Merge(self.store, INTERVALS, self.clock)

    def history(self, again: bool = False, replaces: bool = False, proofs: Sequence[ArchiveFile] = ()) -> FileImport:
        return FileImport(
            store=self.store,
            importer=self.importer,
            done=ImportList(self.store.path).read(),
            clock=self.clock,
            progress=lambda *_: None,
            again=again,
            replaces=replaces,
            proofs=proofs,
        )

    async def take(self, path: Path, again: bool = False) -> FileOutcome:
        """What comes of a file, but for the note that it does not cover its day: hardly a file of a test does."""
        outcome = await self.take_all(path, again)
        return replace(outcome, notes=tuple(note for note in outcome.notes if not note.startswith("covers ")))

    async def take_all(self, path: Path, again: bool = False) -> FileOutcome:
        file = archive_file(path)
        assert file is not None
        return await self.history(again).take(file)

    async def bring(self, trades: list[Row]) -> None:
        """Trades as a live feed would have left them, their bars included."""
        ids, price, size, times, maker = (np.array(column) for column in zip(*trades, strict=True))
        batch = TradeBatch(
            symbol_id=np.full(len(ids), self.store.symbols.add("BTCUSDT"), np.int32),
            id=ids,
            time_ms=times,
            price=price.astype(float),
            size=size.astype(float),
            buyer_is_maker=maker,
            received_ns=times * 1_000_000,
        )
        assert self.store.put_trades(good(batch))
        for interval in INTERVALS:
            self.store.put_bars(build_bars(batch, interval))
        await self.store.flushed()

    def ids(self) -> list[int]:
        ids: list[int] = self.store.trades("BTCUSDT").id.tolist()
        return ids

    def open_gaps(self) -> list[tuple[int, int, str, str | None]]:
        gaps = self.store.gaps("BTCUSDT", open_only=True)
        return [(gap.first_id, gap.last_id, gap.reason, gap.obstacle) for gap in gaps]

    def verdict(self, **options: Any) -> TapeVerdict:
        return verify_symbol(self.store, "BTCUSDT", kind=self.kind, intervals=INTERVALS, **options)

    def assert_sound(self) -> None:
        verdict = self.verdict()
        assert verdict.told == []
        assert verdict.bars > 0


@pytest.fixture
def tape(tmp_path: Path) -> Iterator[ImportedTape]:
    opened = ImportedTape(tmp_path / "data")
    yield opened
    opened.store.close()


@pytest.fixture
def day(tmp_path: Path) -> Callable[[list[Row]], Path]:
    """Writes the file of the day 2024-08-08."""
    return lambda trades: write_zip(tmp_path / f"{NAME}.zip", agg_lines(trades))


async def test_a_file_becomes_trades_bars_and_no_gap(tape: ImportedTape, day: Any) -> None:
    outcome = await tape.take(day(rows(10, 5_000)))
    assert (outcome.added, outcome.notes, outcome.different) == (5_000, (), ())
    assert tape.ids() == list(range(10, 5_010))
    assert set(tape.store.trades("BTCUSDT").origin.tolist()) == {Origin.IMPORT}
    bars = tape.store.bars("BTCUSDT", Interval.parse("1m"))
    assert len(bars) == 84
    # The file begins with its day, and ends in the middle of a minute: of that one nobody knows what it misses.
    assert bars["status"].tolist() == 83 * [BarStatus.CLOSED] + [BarStatus.PARTIAL]
    assert (bars["cut"][0], bars["cut"][-1]) == (Cut.NONE, Cut.END)
    assert set(bars["source"].tolist()) == {BarSource.IMPORT}
    assert not bars["backfilled"].any()
    assert tape.store.gaps() == []  # nobody had listened: there was never a hole
    (report,) = report_symbols(tape.store)
    assert (report.trades, report.backfilled, report.gaps_closed) == (5_000, 0, 0)
    tape.assert_sound()


async def test_importing_twice_changes_nothing(tape: ImportedTape, day: Any) -> None:
    path = day(rows(10, 500))
    await tape.take(path)
    before = (tape.ids(), tape.store.gaps("BTCUSDT"), tape.store.bars("BTCUSDT", INTERVALS[0]).tobytes())
    assert (await tape.take(path)).skipped
    again = await tape.take(path, again=True)
    assert (again.skipped, again.added, again.bars, again.different) == (False, 0, 0, ())
    assert (tape.ids(), tape.store.gaps("BTCUSDT"), tape.store.bars("BTCUSDT", INTERVALS[0]).tobytes()) == before


async def test_only_what_is_missing_beside_live_trades_is_added(tape: ImportedTape, day: Any) -> None:
    trades = rows(10, 600)
    await tape.bring(trades[100:200])
    tape.store.put_gaps([Gap("BTCUSDT", 210, 299, 5, GapReason.START, trades[199][3], trades[290][3])])
    await tape.bring(trades[290:300])
    outcome = await tape.take(day(trades))
    assert outcome.added == 490
    assert tape.ids() == list(range(10, 610))
    origins = tape.store.trades("BTCUSDT").origin
    assert [int((origins == origin).sum()) for origin in (Origin.WS, Origin.ARCHIVE, Origin.IMPORT)] == [110, 90, 400]
    (report,) = report_symbols(tape.store)
    assert (report.backfilled, report.gaps_closed) == (90, 1)
    # 12 s of the second minute had been heard: it is a live bar, and its imported row is gone.
    minutes = tape.store.bars("BTCUSDT", Interval.parse("1m"))
    assert minutes["source"].tolist() == [BarSource.IMPORT] + 4 * [BarSource.LIVE] + 5 * [BarSource.IMPORT]
    assert minutes["backfilled"].sum() == 90
    assert tape.open_gaps() == []
    (closed,) = [gap for gap in tape.store.gaps("BTCUSDT") if gap.reason == "start"]
    assert (closed.first_id, closed.last_id, closed.closed_ms is not None) == (210, 299, True)
    tape.assert_sound()


async def test_bars_that_change_are_revised_and_the_others_left_alone(tape: ImportedTape, day: Any) -> None:
    trades = rows(10, 600)
    await tape.bring(trades[:100])
    outcome = await tape.take(day(trades))
    minutes = tape.store.bars("BTCUSDT", Interval.parse("1m"))
    assert minutes["status"].tolist() == [
        BarStatus.CLOSED,
        BarStatus.REVISED,
        *7 * [BarStatus.CLOSED],
        BarStatus.PARTIAL,
    ]
    assert outcome.bars == 500 + 9 + 1
    tape.assert_sound()


async def test_older_days_leave_a_gap_with_its_reason_between_them_and_the_tape(tape: ImportedTape, day: Any) -> None:
    await tape.bring(rows(5_000, 50, START_MS + DAY_MS))
    await tape.take(day(rows(10, 500)))
    assert tape.open_gaps() == [(510, 4_999, GapReason.NEVER_RECORDED, Obstacle.NOT_IMPORTED)]
    (gap,) = tape.store.gaps("BTCUSDT", open_only=True)
    assert (gap.after_ms, gap.before_ms) == (START_MS + 499_000, START_MS + DAY_MS)
    lost = tape.store.bars("BTCUSDT", INTERVALS[0], from_ms=START_MS + DAY_MS)["lost"]
    assert lost.tolist() == [4_490] + 49 * [0]
    tape.assert_sound()


async def test_the_days_between_close_that_gap(tape: ImportedTape, day: Any, tmp_path: Path) -> None:
    await tape.bring(rows(1_000, 50, START_MS + DAY_MS))
    await tape.take(day(rows(10, 500)))
    await tape.take(day(rows(10, 990)))
    assert tape.open_gaps() == []
    assert tape.ids() == list(range(10, 1_050))
    tape.assert_sound()


@pytest.mark.parametrize("is_known", [False, True])
async def test_rows_of_a_symbol_that_is_on_no_tape_yet_are_judged_and_named_like_any(
    tape: ImportedTape, day: Any, is_known: bool
) -> None:
    if is_known:
        await tape.bring(rows(1_000, 5, START_MS + DAY_MS))
    trades = rows(10, 400)
    trades[5] = (15, "0", *trades[5][2:])  # no price, and one far from those around it
    trades[9] = (19, "900", *trades[9][2:])
    with capture_logs() as lines:
        await tape.take(day(trades))
    judged = [(line["event"], line["symbol"], line["id"]) for line in lines if line["event"].startswith("row_")]
    assert judged == [("row_refused", "BTCUSDT", 15), ("row_noted", "BTCUSDT", 19)]
    assert tape.importer.judge.tally.oddities() == {"price_jump": 1}


async def test_holes_of_a_file_are_gaps_and_are_told(tape: ImportedTape, day: Any) -> None:
    outcome = await tape.take(day(rows(10, 40) + rows(60, 40, START_MS + 60_000)))
    assert tape.open_gaps() == [(50, 59, GapReason.ARCHIVE_HOLE, Obstacle.NOT_IN_ARCHIVE)]
    assert outcome.notes == ("10 ids are missing in it",)
    assert tape.store.bars("BTCUSDT", Interval.parse("1m"))["lost"].tolist() == [0, 10]
    tape.assert_sound()


async def test_rows_out_of_order_and_doubled_land_once(tape: ImportedTape, day: Any) -> None:
    trades = rows(10, 500)
    outcome = await tape.take(day([*trades[250:], *trades[:260]]))
    assert tape.ids() == list(range(10, 510))
    assert outcome.notes == ("10 rows are doubled", "260 rows are out of order")
    tape.assert_sound()


async def test_rows_without_size_are_written_down_as_no_trades(tape: ImportedTape, day: Any) -> None:
    trades = rows(10, 50)
    trades[20] = (30, "100", "0.0", START_MS, True)
    await tape.take(day(trades))
    assert tape.open_gaps() == []
    assert 30 not in tape.ids()
    assert [(gap.first_id, gap.last_id) for gap in tape.store.gaps() if gap.reason == "not_a_trade"] == [(30, 30)]
    tape.assert_sound()


async def test_trades_that_the_tape_tells_otherwise_are_told_and_left(tape: ImportedTape, day: Any) -> None:
    trades = rows(10, 50)
    await tape.bring(trades)
    changed = [(i, "999", q, t, m) if i == 30 else (i, p, q, t, m) for i, p, q, t, m in trades]
    outcome = await tape.take(day(changed))
    assert outcome.different == (30,)
    assert 999 not in tape.store.trades("BTCUSDT").price.tolist()


async def test_a_replaced_file_is_noticed_and_what_is_new_in_it_added(tape: ImportedTape, day: Any) -> None:
    await tape.take(day(rows(10, 500)))
    outcome = await tape.take(day(rows(10, 600)))
    assert outcome.added == 100
    assert outcome.notes == ("the exchange has replaced it since it was imported",)
    tape.assert_sound()


async def test_a_file_whose_trades_are_gone_from_the_tape_is_imported_again(tmp_path: Path, day: Any) -> None:
    path = day(rows(10, 50))
    first = ImportedTape(tmp_path / "one")
    await first.take(path)
    first.store.close()
    (tmp_path / "two").mkdir()
    second = ImportedTape(tmp_path / "two")
    (known,) = ImportList(tmp_path / "one" / "tape.duckdb").read()
    ImportList(second.store.path).add(known)
    await second.bring(rows(60, 1, START_MS + DAY_MS))
    assert (await second.take(path)).added == 50
    second.store.close()


async def test_klines_that_are_no_longer_on_the_tape_are_imported_again(tape: ImportedTape, tmp_path: Path) -> None:
    path = write_zip(tmp_path / "BTCUSDT-1m-2024-08-08.zip", [kline(START_MS + 60_000 * i) for i in range(3)], None)
    assert (await tape.take(path)).bars == 3
    tape.store.close()
    for file in (tmp_path / "data").glob("tape.duckdb"):
        file.unlink()
    tape.store = Tape.open(tmp_path / "data" / "tape.duckdb", kind=tape.kind, clock=tape.clock, commit_ms=10)
    tape.importer = Merge(tape.store, INTERVALS, tape.clock)
    tape.store.symbols.add("BTCUSDT")
    assert (await tape.take(path)).bars == 3
    assert (await tape.take(path)).skipped


async def test_klines_that_tell_another_story_leave_the_tape_as_it_is_and_are_counted(
    tape: ImportedTape, tmp_path: Path
) -> None:
    for close, outcome in (("11", (3, 0)), ("11.5", (0, 3))):
        lines = [kline(START_MS + 60_000 * i, close) for i in range(3)]
        path = write_zip(tmp_path / "BTCUSDT-1m-2024-08-08.zip", lines, None)
        done = await tape.take(path)
        told = f"{outcome[1]} bars of {path} differ from those of {path}, which stand" in done.notes
        assert (done.bars, told) == (outcome[0], bool(outcome[1]))
    assert tape.store.bars("BTCUSDT", Interval.parse("1m"))["close"].tolist() == [11, 11, 11]


async def test_trades_that_end_long_before_their_day_are_told(cases_dir: Path, tape: ImportedTape) -> None:
    short = cases_dir / "data/07_short_or_zero_klines/short/BTCUSDT-aggTrades-2025-05-20.csv"
    tape.clock.advance(400 * 86_400)
    assert (await tape.take_all(short)).notes == ("covers 00:00–13:51 of its day",)


@pytest.mark.parametrize(
    ("trades", "notes"),
    [
        (rows(10, 1_440, step_ms=60_000), ()),
        (rows(10, 6, START_MS + 3_600_000, step_ms=3 * 3_600_000), ()),  # so quiet that hours mean nothing
        (rows(10, 600, START_MS + 40_000_000), ("covers 11:06–11:16 of its day",)),
    ],
)
async def test_a_file_is_short_by_the_measure_of_its_own_trades(
    tape: ImportedTape, day: Any, trades: list[Row], notes: tuple[str, ...]
) -> None:
    assert (await tape.take_all(day(trades))).notes == notes


async def test_a_damaged_file_changes_nothing(tape: ImportedTape, tmp_path: Path) -> None:
    path = write_zip(tmp_path / f"{NAME}.zip", agg_lines(rows(10, 5_000)), official=False)
    octets = bytearray(path.read_bytes())
    octets[-5_000] ^= 1
    path.write_bytes(octets)
    with pytest.raises(ArchiveError):
        await tape.take(path)
    assert "BTCUSDT" not in tape.store.symbols
    assert tape.store.gaps() == []


async def test_a_file_that_ends_in_the_middle_leaves_the_rest_to_others(tape: ImportedTape) -> None:
    async def breaks() -> AsyncGenerator[GoodTrades, None]:
        yield next(iter([good(batch(range(10, 20)))]))
        raise ArchiveError("torn")

    await tape.bring(rows(5, 1))
    await tape.bring(rows(40, 1))
    tape.store.put_gaps([Gap("BTCUSDT", 6, 39, 1, GapReason.DISCONNECTED)])
    with pytest.raises(ArchiveError):
        await tape.importer.bring("BTCUSDT", breaks(), run(10, 30), {}, no_runs())
    assert tape.open_gaps() == [
        (6, 9, GapReason.DISCONNECTED, None),
        (20, 30, GapReason.DISCONNECTED, None),
        (31, 39, GapReason.DISCONNECTED, None),
    ]
    assert tape.verdict().ids_missing == 24


def aggregated(path: Path, *ranges: tuple[int, int, int]) -> Path:
    """A file of aggregated trades: the id, and the first and last raw id of each."""
    lines = [f"{i},100,0.1,{first},{last},{START_MS + i},true" for i, first, last in ranges]
    return write_zip(path / f"{NAME}.zip", lines)


async def test_absent_raw_ids_are_missing_unless_the_aggregated_trades_prove_otherwise(tmp_path: Path) -> None:
    tape = ImportedTape(tmp_path / "raw", TradeKind.RAW)
    trades = rows(10, 200)
    path = write_zip(
        tmp_path / "BTCUSDT-trades-2024-08-08.zip", raw_lines(trades[:50] + trades[60:90] + trades[95:]), None
    )
    assert (await tape.take(path)).notes == ("15 ids are missing in it",)
    holes = [(60, 69, GapReason.ARCHIVE_HOLE, Obstacle.NOT_IN_ARCHIVE)]
    assert tape.open_gaps() == [*holes, (100, 104, GapReason.ARCHIVE_HOLE, Obstacle.NOT_IN_ARCHIVE)]
    assert tape.verdict().ids_missing == 15
    # 60 to 64 lie between neighbours, 65 to 69 within one; between 99 and 105 an aggregated trade is absent itself.
    proof = archive_file(aggregated(tmp_path, (1, 10, 59), (2, 65, 99), (4, 105, 209)))
    file = archive_file(path)
    assert proof is not None
    assert file is not None
    outcome = await tape.history(again=True, proofs=[proof]).take(file)
    assert "5 ids have no trade, as the aggregated trades of its day prove" in outcome.notes
    assert [gap[:2] for gap in tape.open_gaps()] == [(65, 69), (100, 104)]
    assert (tape.verdict().ids_missing, tape.verdict().ids_unused) == (10, 5)
    tape.assert_sound()
    tape.store.close()


def told_by_the_stream(tape: ImportedTape, trades: list[Row], x: dict[int, str]) -> tuple[list[Row], list[Gap]]:
    """Those of some raw trades that a stream leaves on a tape, and the gaps it shows; `x` is what they came as."""
    frames = [
        json.dumps(
            {"e": "trade", "E": t, "T": t, "s": "BTCUSDT", "t": i, "p": p, "q": q, "X": x.get(i, "MARKET"), "m": m}
        ).encode()
        for i, p, q, t, m in trades
    ]
    tape.store.symbols.add("BTCUSDT")
    judge = tape.importer.judge
    judged = judge.judge(
        Decoder(TradeKind.RAW, tape.store.symbols).decode(frames, np.zeros(len(frames), np.int64)).rows
    )
    ids = ContinuityTracker(tape.store.symbols).check(judged.rows, START_MS, GapReason.SKIPPED, judged.verdict)
    kept = judged.good(ids.fresh).id.tolist()
    return [row for row in trades if row[0] in kept], ids.gaps


async def test_raw_ids_that_came_as_no_trade_of_the_market_are_missing_nowhere(tmp_path: Path) -> None:
    tape = ImportedTape(tmp_path / "raw", TradeKind.RAW)
    trades = rows(10, 200)
    no_trades = {55: "INSURANCE_FUND", 56: "ADL", 70: "NA"}
    heard, gaps = told_by_the_stream(tape, trades[20:120], no_trades)
    assert [row[0] for row in heard] == [i for i in range(30, 130) if i not in no_trades]
    assert gaps == []
    await tape.bring(heard)
    assert (tape.verdict().ids_missing, tape.verdict().ids_unused) == (0, 3)
    # The official file leaves them out, and 150 besides, of which nobody has heard.
    told = [row for row in trades if row[0] not in {*no_trades, 150}]
    outcome = await tape.take(write_zip(tmp_path / "BTCUSDT-trades-2024-08-08.zip", raw_lines(told), None))
    assert "1 ids are missing in it" in outcome.notes
    assert tape.open_gaps() == [(150, 150, GapReason.ARCHIVE_HOLE, Obstacle.NOT_IN_ARCHIVE)]
    assert (tape.verdict().ids_missing, tape.verdict().ids_unused) == (1, 3)
    tape.assert_sound()
    tape.store.close()


def kline(open_ms: int, close: str = "11") -> str:
    return f"{open_ms},10,12,9,{close},5.5,{open_ms + 59_999},60.5,3,2.5,27.5,0"


async def test_klines_become_imported_bars_where_there_are_no_trades(tape: ImportedTape, tmp_path: Path) -> None:
    await tape.bring(rows(10, 60))
    path = write_zip(tmp_path / "BTCUSDT-1m-2024-08-08.zip", [kline(START_MS + 60_000 * i) for i in range(3)], None)
    assert (await tape.take(path)).bars == 2
    assert (await tape.take(path)).skipped
    assert (await tape.take(path, again=True)).bars == 0
    bars = tape.store.bars("BTCUSDT", Interval.parse("1m"))
    assert bars["source"].tolist() == [BarSource.LIVE, BarSource.IMPORT, BarSource.IMPORT]
    assert (
        await tape.take(write_zip(tmp_path / f"{NAME}.zip", agg_lines(rows(70, 60, START_MS + 60_000))))
    ).added == 60
    assert (await tape.take(path, again=True)).bars == 0  # what trades made stands, imported ones too
    bars = tape.store.bars("BTCUSDT", Interval.parse("1m"))
    assert bars["source"].tolist() == [BarSource.LIVE, BarSource.IMPORT, BarSource.IMPORT]
    assert bars["first_id"].tolist() == [10, 70, 0]
    tape.assert_sound()


# Killed in the middle.

IMPORT_AND_DIE = """
import asyncio, sys
from pathlib import Path
from tests.ingest.history.dying import DiesAfter
from tests.ingest.history.test_merge import ImportedTape
from pairscope.feed.binance import archive_text
from pairscope.store.tape import Tape

archive_text._CHUNK = 10_000  # several batches
DiesAfter(int(sys.argv[3])).within(Tape, "put_trades", "put_gaps", "put_bars", "gaps", "bars")
tape = ImportedTape(Path(sys.argv[1]))
asyncio.run(tape.take(Path(sys.argv[2])))
tape.store.close()
"""


def import_in_a_process(folder: Path, path: Path, calls: int) -> int:
    done = prepared.run("-c", IMPORT_AND_DIE, str(folder), str(path), str(calls), seconds=COMMAND_S)
    assert done.returncode in (0, -signal.SIGKILL), done.stderr
    return done.returncode


@pytest.mark.parametrize(
    "calls", [1, 7, 15, *(pytest.param(calls, marks=pytest.mark.slow) for calls in (0, 2, 3, 11, 14, 16, 17))]
)
async def test_an_import_that_was_killed_is_completed_by_the_next(tmp_path: Path, day: Any, calls: int) -> None:
    folder = tmp_path / "data"
    trades = rows(10, 2_000)
    tape = ImportedTape(folder)
    await tape.bring(trades[500:700])
    tape.store.close()
    path = day(trades)
    assert import_in_a_process(folder, path, calls) == -signal.SIGKILL

    after = ImportedTape(folder)
    torn = [each for each in after.verdict().told if "neither on the tape nor in a gap" in each]
    assert torn == []
    await after.take(path)
    assert after.ids() == list(range(10, 2_010))
    assert after.open_gaps() == []
    after.assert_sound()
    after.store.close()


def batch(ids: range) -> TradeBatch:
    count = len(ids)
    return TradeBatch(
        symbol_id=np.zeros(count, np.int32),
        id=np.array(ids),
        time_ms=START_MS + 1_000 * np.array(ids),
        price=np.full(count, 10.0),
        size=np.ones(count),
        buyer_is_maker=np.zeros(count, np.bool_),
        received_ns=np.ones(count, np.int64),
    )
