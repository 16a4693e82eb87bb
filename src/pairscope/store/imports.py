"""What was imported into a tape: one line for each file, beside the tape.

The tape itself says which ids it has; this only spares reading a file again, and tells when the exchange has replaced
one. A list that is lost costs nothing but time.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import msgspec

from pairscope.base import files
from pairscope.base.errors import DataFolderError


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


class ImportList:
    """The files of one tape. A torn last line, of a killed process, is as if it had not been written."""

    def __init__(self, tape: Path) -> None:
        self._path = tape.with_name(f"{tape.name}.imports.jsonl")
        self._files: dict[tuple[str, str], ImportedFile] = {}  # by name and checksum, the newest last

    def read(self) -> ImportList:
        """Take in what is written; the last line of a name and a checksum counts."""
        decode = msgspec.json.Decoder(ImportedFile).decode
        try:
            lines = self._path.read_bytes().splitlines()
        except FileNotFoundError:
            return self
        except OSError as error:
            raise DataFolderError(
                f"cannot read {self._path}: {error.strerror}", cure="check its permissions"
            ) from error
        for line in lines:
            try:
                file = decode(line)
            except msgspec.DecodeError:
                continue
            self._take_in(file)
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
            FileNotWritten: when the list cannot be written.
        """
        files.append_line(self._path, msgspec.json.encode(asdict(file)))
        self._take_in(file)

    def __iter__(self) -> Iterator[ImportedFile]:
        return iter(self._files.values())

    def __len__(self) -> int:
        return len(self._files)
