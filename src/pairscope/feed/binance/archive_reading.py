"""Official files of this exchange behind the one interface: found, checked, and read."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date
from pathlib import Path

from pairscope.base.errors import ArchiveError
from pairscope.base.id_ranges import Runs
from pairscope.feed.archive_files import ArchiveFile, ArchiveKind, KlinesReport
from pairscope.feed.binance.archive import archive_file, archive_name, find_archives, verified_checksum
from pairscope.feed.binance.archive_klines import read_klines
from pairscope.feed.binance.archive_trades import KEPT_ROWS, TradesFile
from pairscope.feed.binance.archive_unused import unused_ids
from pairscope.feed.judge import Judge


class BinanceFiles:
    """Daily and monthly files of USD-M futures."""

    def find(
        self, paths: Iterable[Path], refused: list[ArchiveError] | None = None, *, later_first: bool = False
    ) -> list[ArchiveFile]:
        return find_archives(paths, refused, later_first=later_first)

    def named(self, path: Path) -> ArchiveFile | None:
        return archive_file(path)

    def name(self, symbol: str, kind: ArchiveKind, day: date) -> str:
        return archive_name(symbol, kind, day)

    def checked(self, path: Path) -> str:
        return verified_checksum(path)

    def trades(self, file: ArchiveFile, received_ns: int, judge: Judge, kept_rows: int = KEPT_ROWS) -> TradesFile:
        return TradesFile(file, received_ns, judge, kept_rows)

    def klines(self, file: ArchiveFile, symbol_id: int, *, last_stands: bool = False) -> KlinesReport:
        return read_klines(file, symbol_id, last_stands=last_stands)

    def unused_ids(self, absent: Runs, file: ArchiveFile, proofs: Iterable[ArchiveFile]) -> Runs:
        return unused_ids(absent, file, proofs)


FILES = BinanceFiles()
