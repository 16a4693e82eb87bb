"""`import --replace`: the file of the later path corrects the tape, wholly, whatever interrupts it."""

from __future__ import annotations

import signal
import subprocess
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np
import pytest

from pairscope.bars.rebuild import same_bars
from pairscope.base.gaps import GapReason
from pairscope.base.interval import Interval
from pairscope.base.model import BarArray, BarSource, BarStatus, Origin
from pairscope.feed.binance.archive import find_archives
from pairscope.ingest.history.file_import import FileOutcome
from tests import prepared
from tests.archives import DAY_MS, START_MS, Row, agg_lines, rows, write_zip
from tests.ingest.history.test_merge import INTERVALS, NAME, ImportedTape, kline
from tests.patience import COMMAND_S

MINUTE = Interval.parse("1m")
Write = Callable[[str, list[Row]], Path]


@pytest.fixture
def tape(tmp_path: Path) -> Iterator[ImportedTape]:
    opened = ImportedTape(tmp_path / "data")
    yield opened
    opened.store.close()


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Writes a file of the day 2024-08-08 into a folder of its own."""

    def write_(folder: str, trades: list[Row]) -> Path:
        (tmp_path / folder).mkdir(exist_ok=True)
        return write_zip(tmp_path / folder / f"{NAME}.zip", agg_lines(trades))

    return write_


async def take(tape: ImportedTape, *paths: Path, replaces: bool = True) -> list[FileOutcome]:
    """What `import` does with these paths, by rising place of the paths; without what is said of short files."""
    history = tape.history(replaces=replaces)
    outcomes = [await history.take(file) for file in find_archives(paths, later_first=replaces)]
    return outcomes[::-1] if replaces else outcomes


def told(outcome: FileOutcome) -> list[str]:
    return [note for note in outcome.notes if not note.startswith("covers ")]


def changed(trades: Sequence[Row], **by_id: Row | None) -> list[Row]:
    """Trades of which some are others, or none."""
    new = {int(key[1:]): row for key, row in by_id.items()}
    return [row for each in trades if (row := new.get(each[0], each)) is not None]


def seal(tape: ImportedTape) -> None:
    """Days that are over go to files; there must be a later one."""
    assert tape.store.seal(START_MS + 20 * DAY_MS) is not None


def bars_of(tape: ImportedTape) -> BarArray:
    return np.concatenate([tape.store.bars("BTCUSDT", each) for each in INTERVALS])


async def assert_as_imported(tape: ImportedTape, path: Path, folder: Path, later: list[Row] | None = None) -> None:
    """The tape is, to the bit, what it would be had only this file been imported."""
    fresh = ImportedTape(folder)
    if later:
        await fresh.bring(later)
    await take(fresh, path)
    one, other = tape.store.trades("BTCUSDT"), fresh.store.trades("BTCUSDT")
    for name in ("id", "price", "size", "time_ms", "buyer_is_maker", "origin"):
        assert getattr(one, name).tolist() == getattr(other, name).tolist(), name
    mine, theirs = bars_of(tape), bars_of(fresh)
    assert mine["open_time_ms"].tolist() == theirs["open_time_ms"].tolist()
    assert same_bars(mine, theirs).all()
    assert mine["source"].tolist() == theirs["source"].tolist()
    gaps = [(gap.first_id, gap.last_id, gap.reason, gap.closed_ms is None) for gap in tape.store.gaps()]
    assert gaps == [(gap.first_id, gap.last_id, gap.reason, gap.closed_ms is None) for gap in fresh.store.gaps()]
    tape.assert_sound()
    fresh.store.close()


TRADES = rows(10, 600)
# Another price, another second (its bar of a second stays without a trade), no trade, and one that had been none.
FIRST = changed(TRADES, _50=(50, "100", "0.0", START_MS + 40_000, True))
REPAIRED = changed(
    TRADES,
    _30=(30, "999.5", "0.25", START_MS + 20_000, False),
    _200=(200, "101", "0.5", START_MS + 189_000, True),
    _300=(300, "0", "0", START_MS + 290_000, True),
)
LATER = rows(2_000, 50, START_MS + 5 * DAY_MS)


@pytest.mark.parametrize("sealed", [False, True], ids=["open day", "sealed day"])
async def test_a_corrected_file_corrects_trades_bars_and_gaps(
    tape: ImportedTape, write: Write, tmp_path: Path, sealed: bool
) -> None:
    await tape.bring(LATER)
    await take(tape, write("first", FIRST))
    if sealed:
        seal(tape)
    (outcome,) = await take(tape, write("repaired", REPAIRED))
    assert outcome.replaced == 4
    assert told(outcome) == [
        f"another file of this name was imported: {tmp_path / 'first' / NAME}.zip",
        "1 rows have no price or no size",
        f"3 trades of the tape were replaced, which were those of {tmp_path / 'first' / NAME}.zip",
        f"1 trades of the tape were taken away, which were those of {tmp_path / 'first' / NAME}.zip: they are none",
    ]
    await assert_as_imported(tape, tmp_path / "repaired" / f"{NAME}.zip", tmp_path / "fresh", LATER)
    (minute,) = tape.store.bars("BTCUSDT", MINUTE, from_ms=START_MS, to_ms=START_MS + 60_000)
    assert (minute["high"], minute["status"]) == (999.5, BarStatus.REVISED)
    seal(tape)
    tape.store.seal(START_MS + 20 * DAY_MS)
    await assert_as_imported(tape, tmp_path / "repaired" / f"{NAME}.zip", tmp_path / "again", LATER)


async def test_without_the_flag_the_tape_stands_and_both_files_are_named(
    tape: ImportedTape, write: Write, tmp_path: Path
) -> None:
    first, repaired = write("first", FIRST), write("repaired", REPAIRED)
    _, second = await take(tape, first, repaired, replaces=False)
    assert (second.replaced, second.different) == (0, (30, 50, 200))
    assert told(second)[-3:] == [
        f"2 trades of {repaired} differ from those of {first}, which stand",
        f"1 trades of {repaired} have ids that are no trades by {first}, which stands",
        f"1 ids that are no trades by {repaired} are trades by {first}, which stand",
    ]
    assert 50 not in tape.ids()
    assert 300 in tape.ids()
    assert [each.skipped for each in await take(tape, first, repaired, replaces=False)] == [True, True]
    await assert_as_imported(tape, first, tmp_path / "fresh")


async def test_of_two_files_in_one_call_that_of_the_later_path_stands(
    tape: ImportedTape, write: Write, tmp_path: Path
) -> None:
    first, repaired = write("first", FIRST), write("repaired", REPAIRED)
    outcomes = await take(tape, first, repaired)
    assert [each.replaced for each in outcomes] == [0, 0]
    assert f"2 trades of {first} differ from those of {repaired}, which stand" in told(outcomes[0])
    await assert_as_imported(tape, repaired, tmp_path / "fresh")
    before = bars_of(tape).tobytes()
    again = await take(tape, first, repaired)
    assert ([each.bars for each in again], bars_of(tape).tobytes()) == ([0, 0], before)
    await take(tape, repaired, first)
    await assert_as_imported(tape, first, tmp_path / "other")


async def test_a_file_that_was_read_without_the_flag_can_still_correct(
    tape: ImportedTape, write: Write, tmp_path: Path
) -> None:
    first, repaired = write("first", FIRST), write("repaired", REPAIRED)
    await take(tape, first, repaired, replaces=False)
    (outcome,) = await take(tape, repaired)
    assert outcome.replaced == 4
    await assert_as_imported(tape, repaired, tmp_path / "fresh")


async def test_trades_that_were_heard_are_corrected_too(tape: ImportedTape, write: Write) -> None:
    await tape.bring(TRADES)
    (outcome,) = await take(tape, write("repaired", REPAIRED))
    assert outcome.replaced == 3
    stored = tape.store.trades("BTCUSDT")
    assert stored.origin[stored.id == 30].tolist() == [Origin.ARCHIVE]
    assert int((stored.origin == Origin.WS).sum()) == 597
    assert (tape.store.bars("BTCUSDT", MINUTE)["source"] == BarSource.LIVE).all()
    tape.assert_sound()


async def test_what_the_corrected_file_lacks_stays_and_is_told(tape: ImportedTape, write: Write) -> None:
    await take(tape, write("first", TRADES))
    (outcome,) = await take(tape, write("repaired", changed(TRADES, _100=None, _101=None)))
    assert told(outcome)[-1] == "2 trades of the tape are not in it, and stay"
    assert tape.ids() == list(range(10, 610))
    tape.assert_sound()


async def test_the_case_of_a_repaired_file(cases_dir: Path, tape: ImportedTape, tmp_path: Path) -> None:
    first, repaired = (cases_dir / "data/15_repaired_file" / each for each in ("first", "repaired"))
    for path in (first, repaired):
        (file,) = find_archives([path])
        await tape.history(replaces=True).take(file)
    fresh = ImportedTape(tmp_path / "fresh")
    (file,) = find_archives([repaired])
    await fresh.history().take(file)
    one, other = (each.store.trades("ETHUSDT") for each in (tape, fresh))
    assert one.id.tolist() == other.id.tolist()
    assert one.size.tolist() == other.size.tolist()
    assert [gap.reason for gap in tape.store.gaps() if gap.reason == GapReason.NOT_A_TRADE] == []
    assert same_bars(*(each.store.bars("ETHUSDT", MINUTE) for each in (tape, fresh))).all()
    fresh.store.close()


def klines(folder: Path, *closes: str) -> Path:
    folder.mkdir(exist_ok=True)
    lines = [kline(START_MS + 60_000 * i, close) for i, close in enumerate(closes)]
    return write_zip(folder / "BTCUSDT-1m-2024-08-08.zip", lines, None)


@pytest.mark.parametrize("sealed", [False, True], ids=["open day", "sealed day"])
async def test_klines_of_the_later_import_stand(tape: ImportedTape, tmp_path: Path, sealed: bool) -> None:
    first, repaired = klines(tmp_path / "first", "11", "11", "11"), klines(tmp_path / "repaired", "11", "11.5")
    await take(tape, first)
    if sealed:
        await tape.bring(LATER)
        seal(tape)
    (outcome,) = await take(tape, repaired)
    assert (outcome.bars, outcome.replaced) == (1, 1)
    assert f"1 bars of the tape were replaced, which were those of {first}" in outcome.notes
    bars = tape.store.bars("BTCUSDT", MINUTE, to_ms=START_MS + DAY_MS)
    assert bars["close"].tolist() == [11, 11.5, 11]
    assert bars["status"].tolist() == [BarStatus.CLOSED, BarStatus.REVISED, BarStatus.CLOSED]
    outcomes = await take(tape, first, repaired)
    assert [each.replaced for each in outcomes] == [0, 0]
    assert f"1 bars of {first} differ from those of {repaired}, which stand" in outcomes[0].notes


async def test_klines_never_replace_bars_that_are_made_of_trades(tape: ImportedTape, tmp_path: Path) -> None:
    await tape.bring(rows(10, 60))
    (outcome,) = await take(tape, klines(tmp_path / "first", "11", "11"))
    assert (outcome.bars, outcome.replaced) == (1, 0)
    assert tape.store.bars("BTCUSDT", MINUTE)["first_id"].tolist() == [10, 0]


REPLACE_AND_DIE = """
import asyncio, sys
from pathlib import Path
from pairscope.store import data_folder
from pairscope.store.disk import Disk
from tests.ingest.history.dying import DiesAfter
from tests.ingest.history.test_merge import ImportedTape
from tests.ingest.history.test_replace import take

calls = DiesAfter(int(sys.argv[3]))
from pairscope.store import corrections
from pairscope.store.tape import Tape
calls.within(Disk, "make_folder", "sync", "rename", "remove", "sha256")
calls.within(Tape, "correct_trades", "remove_bars", "put_bars", "put_gaps", "bars")
calls.within(corrections, "delete_parts", "insert_part", "replace_gaps", "digest_of", "described")
tape = ImportedTape(Path(sys.argv[1]))
asyncio.run(take(tape, Path(sys.argv[2])))
tape.store.close()
print(int(sys.argv[3]) - calls.left, flush=True)
"""


def replace_in_a_process(folder: Path, path: Path, calls: int) -> subprocess.CompletedProcess[str]:
    done = prepared.run("-c", REPLACE_AND_DIE, str(folder), str(path), str(calls), seconds=COMMAND_S)
    assert done.returncode in (0, -signal.SIGKILL), done.stderr
    return done


async def killed(tape_folder: Path, repaired: Path, fresh: Path, calls: int) -> bool:
    """Correct, and be killed after so many calls; the next correction completes it. False when nothing was killed."""
    done = replace_in_a_process(tape_folder, repaired, calls)
    after = ImportedTape(tape_folder)
    ids = after.ids()
    assert len(ids) == len(set(ids))
    assert set(ids) | {50, 300} == {*range(10, 610), *range(2_000, 2_050)}
    await take(after, repaired)
    await assert_as_imported(after, repaired, fresh, LATER)
    root = after.store.path.with_suffix(".days")
    on_disk = {file.relative_to(root) for file in root.rglob("*") if file.is_file()}
    assert on_disk == {part.path for part in after.store.days()}
    after.store.close()
    return done.returncode != 0


async def sealed_folder(tmp_path: Path, write: Write) -> Path:
    tape = ImportedTape(tmp_path / "sealed")
    await tape.bring(LATER)
    await take(tape, write("first", FIRST))
    seal(tape)
    tape.store.close()
    return tmp_path / "sealed"


@pytest.mark.parametrize("calls", [12, 22, *(pytest.param(calls, marks=pytest.mark.slow) for calls in (4, 17, 30))])
async def test_a_correction_that_was_killed_is_completed_by_the_next(tmp_path: Path, write: Write, calls: int) -> None:
    folder, repaired = await sealed_folder(tmp_path, write), write("repaired", REPAIRED)
    assert await killed(folder, repaired, tmp_path / "fresh", calls)
