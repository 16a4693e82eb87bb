"""Official files read in another process: what a worker does, and the reader that stands for it here.

The worker reads and checks a file, and leaves its trades in a draft beside it, column by column as they are in memory;
here they are only taken from there. It judges by the same rules, and what it counts is counted here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from pairscope.base import files
from pairscope.base.errors import ArchiveError
from pairscope.base.id_ranges import Runs, contains
from pairscope.base.instrument import Instrument
from pairscope.base.model import TRADE_COLUMNS, SymbolTable, TradeBatch
from pairscope.base.symbol import venue_of
from pairscope.feed.archive_files import ArchiveFile, ArchiveFiles, FileReport, KlinesReport
from pairscope.feed.judge import GoodTrades, Judge, Judged
from pairscope.feed.tally import Tally
from pairscope.feed.venues import VENUES
from pairscope.jobs.executor import Progress

T = TypeVar("T")

Call = Callable[..., Any]  # runs a function elsewhere and waits, in a thread
KEPT_ROWS = 5_000_000  # of a file that a worker holds in memory


@dataclass(frozen=True, slots=True)
class TradesRead:
    """What a worker found in a file of trades."""

    report: FileReport
    tally: Tally  # what it refused and noted


def files_of(symbol: str) -> ArchiveFiles:
    """How the official files of a symbol's venue are read.

    Raises:
        ArchiveError: when its venue has none.
    """
    opener = VENUES.get(venue_of(symbol))
    if opener is None or opener.files is None:
        raise ArchiveError(f"there are no official files of {symbol}", cure="name a symbol of a venue that has files")
    return opener.files


def read_trades(
    progress: Progress, file: ArchiveFile, received_ns: int, now_ms: int, known: Instrument | None, draft: Path
) -> TradesRead:
    """For a worker: read and check a file of trades, and leave them in a draft.

    Raises:
        ArchiveError: when it cannot be used.
        FileNotWritten: when the draft cannot be written.
    """
    judge = Judge(SymbolTable([file.symbol]), lambda: now_ms)
    if known is not None:
        judge.learn([known])
    progress(0.0, f"reads {file.name}")
    reader = files_of(file.symbol).trades(file, received_ns, judge, KEPT_ROWS)
    report = reader.examine()
    done = 0
    with files.telling(draft), draft.open("wb") as out:
        for batch in reader.batches(0, report.ids):
            for column in TRADE_COLUMNS:
                np.save(out, getattr(batch, column), allow_pickle=False)
            done += len(batch)
            progress(0.5 + 0.5 * done / report.trades, f"reads {file.name}")
    return TradesRead(report, judge.tally)


def read_klines(progress: Progress, file: ArchiveFile, symbol_id: int, last_stands: bool) -> KlinesReport:
    """For a worker: read and check a file of klines.

    Raises:
        ArchiveError: when it cannot be used.
    """
    progress(0.0, f"reads {file.name}")
    return files_of(file.symbol).klines(file, symbol_id, last_stands=last_stands)


class DraftedTrades:
    """The trades of a file as a worker read them; to be used in threads."""

    def __init__(self, file: ArchiveFile, judge: Judge, call: Callable[[Path], TradesRead], draft: Path) -> None:
        self._file = file
        self._judge = judge
        self._call = call
        self._draft = draft

    def examine(self) -> FileReport:
        """As `TradesReader.examine`: a worker does it."""
        read = self._call(self._draft)
        self._judge.tally.add(read.tally)
        return read.report

    def batches(self, symbol_id: int, wanted: Runs) -> Iterator[GoodTrades]:
        """As `TradesReader.batches`."""
        for judged in self.judged(symbol_id, wanted):
            yield judged.good()

    def judged(self, symbol_id: int, wanted: Runs) -> Iterator[Judged]:
        """The kept rows; those that are refused are in the report."""
        with self._draft.open("rb") as draft:
            while draft.peek(1):
                columns = {name: np.load(draft, allow_pickle=False) for name in TRADE_COLUMNS}
                columns["symbol_id"] = np.full(len(columns["id"]), symbol_id, np.int32)
                rows = TradeBatch(**columns).take(contains(wanted, columns["id"]))
                if len(rows):
                    yield Judged(rows, np.zeros(len(rows), np.uint8))


class FilesInWorkers:
    """As `ArchiveFiles`, but that files are read in worker processes.

    Args:
        files: how names are read and checksums are compared.
        call: runs a function in a worker, and waits for it in a thread.
        known: what the exchange lists.
        folder: drafts lie here while they are used.
    """

    def __init__(
        self, files: ArchiveFiles, call: Call, known: Callable[[str], Instrument | None], folder: Path
    ) -> None:
        self._call = call
        self._known = known
        self._folder = folder
        self.find, self.named, self.name, self.checked = files.find, files.named, files.name, files.checked
        self._files = files

    def trades(self, file: ArchiveFile, received_ns: int, judge: Judge, kept_rows: int) -> DraftedTrades:
        """As `ArchiveFiles.trades`."""

        def call(draft: Path) -> TradesRead:
            known = self._known(file.symbol)
            read: TradesRead = self._call(read_trades, file, received_ns, judge.now_ms(), known, draft)
            return read

        return DraftedTrades(file, judge, call, self._folder / "trades.draft")

    def klines(self, file: ArchiveFile, symbol_id: int, *, last_stands: bool = False) -> KlinesReport:
        """As `ArchiveFiles.klines`."""
        report: KlinesReport = self._call(read_klines, file, symbol_id, last_stands)
        return report

    def unused_ids(self, absent: Runs, file: ArchiveFile, proofs: Iterable[ArchiveFile]) -> Runs:
        """As `ArchiveFiles.unused_ids`."""
        return self._files.unused_ids(absent, file, proofs)
