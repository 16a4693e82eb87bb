"""What was imported into a tape: a row for each file, in the state database.

The tape itself says which ids it has; this only spares reading a file again, and tells when the exchange has replaced
one. A list that is lost costs nothing but time.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from pairscope.store.tape_notes import TapeNotes


@dataclass(frozen=True, slots=True)
class ImportedFile:
    """A file whose trades or bars are all on the tape."""

    name: str
    sha256: str
    symbol: str
    rows: int  # trades, or bars
    first_id: int  # 0 for bars
    last_id: int
    imported_ms: int
    path: str = ""  # where it was; not told by 0.1.0

    @property
    def place(self) -> str:
        """What a person knows it by."""
        return self.path or self.name


_COLUMNS = "name, sha256, symbol, rows, first_id, last_id, imported_ms, path"


class ImportList:
    """The files of one tape."""

    def __init__(self, tape: Path) -> None:
        self._notes = TapeNotes(tape)
        self._files: dict[tuple[str, str], ImportedFile] = {}  # by name and checksum, the newest last

    def read(self) -> ImportList:
        """Take in what is written.

        Raises:
            DataFolderError: when the state cannot be read.
        """
        for row in self._notes.rows(f"select {_COLUMNS} from imported_files where tape = :tape order by rowid"):
            self._take_in(ImportedFile(*row))
        return self

    def _take_in(self, file: ImportedFile) -> None:
        self._files.pop((file.name, file.sha256), None)
        self._files[file.name, file.sha256] = file

    def get(self, name: str, sha256: str) -> ImportedFile | None:
        """The very file; others may have had its name."""
        return self._files.get((name, sha256))

    def named(self, name: str) -> list[ImportedFile]:
        """All that had this name, the newest last."""
        return [file for file in self._files.values() if file.name == name]

    def of(self, symbol: str) -> list[ImportedFile]:
        """All of a symbol, the newest last."""
        return [file for file in self._files.values() if file.symbol == symbol]

    def add(self, file: ImportedFile) -> None:
        """Note a file for good.

        Raises:
            FileNotWritten: when it cannot be written; `DiskFull` when there is no room.
        """
        values = (file.name, file.sha256, file.symbol, file.rows, file.first_id, file.last_id, file.imported_ms)
        with self._notes.change() as change:
            change.execute(
                f"insert or replace into imported_files (tape, {_COLUMNS}) values (?, ?, ?, ?, ?, ?, ?, ?, ?)",
                (change.tape, *values, file.path),
            )
        self._take_in(file)

    def __iter__(self) -> Iterator[ImportedFile]:
        return iter(self._files.values())

    def __len__(self) -> int:
        return len(self._files)
