"""The text of official files, read as columns, each row with the line it stands in.

Files of different years differ: some begin with a header row, times are in ms or µs, rows may be out of order, doubled,
missing, without a size, or of another period. All of that is told by the file itself; nothing about it is believed.
"""

from __future__ import annotations

import re
import zipfile
import zlib
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import numpy as np

from pairscope.base.errors import ArchiveError
from pairscope.base.model import IntArray
from pairscope.feed.archive_files import ArchiveFile, ArchiveKind
from pairscope.feed.binance.archive import anew, unreadable
from pairscope.feed.binance.archive_identity import foreign_header, is_debris
from pairscope.feed.binance.rows import FLAG, NUMBER, SKIP, WHOLE, Table, Text, read_rows

_CHUNK = 8 << 20  # bytes of text read at once
_LONGEST_LINE = 4_096
_LOOKED_AT = 100  # lines whose fields are counted
_NEWLINE, _RETURN = 10, 13
_MARK = b"\xef\xbb\xbf"  # of UTF-8, which editors put before the first line
_FIELD_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_ ]*")

# agg_trade_id,price,quantity,first_trade_id,last_trade_id,transact_time,is_buyer_maker
# id,price,qty,quote_qty,time,is_buyer_maker
# open_time,open,high,low,close,volume,close_time,quote_volume,count,taker_buy_volume,taker_buy_quote_volume,ignore
FIELDS = {
    ArchiveKind.AGG: (WHOLE, NUMBER, NUMBER, SKIP, SKIP, WHOLE, FLAG),
    ArchiveKind.RAW: (WHOLE, NUMBER, NUMBER, SKIP, WHOLE, FLAG),
    ArchiveKind.KLINES: (
        *(WHOLE, NUMBER, NUMBER, NUMBER, NUMBER, NUMBER),
        *(WHOLE, NUMBER, WHOLE, NUMBER, SKIP, SKIP),
    ),
}
AGG_RANGES = (WHOLE, SKIP, SKIP, WHOLE, WHOLE, SKIP, SKIP)  # which raw trades an aggregated one is made of
# The same files of the spot market: their ids are other sequences, and must never meet on one tape.
_SPOT_FIELDS = {ArchiveKind.AGG: 8, ArchiveKind.RAW: 7}


@dataclass(frozen=True, slots=True)
class Lines:
    """The numbers of the lines of a table, from 1, by the order in which its rows and its bad lines came."""

    first: int
    written: IntArray | None  # None: one after the other

    def at(self, order: IntArray) -> IntArray:
        found: IntArray = order + self.first if self.written is None else self.written[order]
        return found


def order_of_bad(table: Table) -> IntArray:
    """The places of the bad lines of a table among all of its lines."""
    before = np.array([place for place, _ in table.bad], np.int64)
    return before + np.arange(len(before))


def read_numbered(file: ArchiveFile) -> Iterator[tuple[Table, Lines]]:
    """The rows of a file, a few MB of text at a time, columns as in `FIELDS`, times as they are written, and lines.

    Raises:
        ArchiveError: when the file is damaged, is not what its name says, or is of another market.
    """
    line = 1
    for text in _texts(file.path):
        rows = _without_header(file, text) if line == 1 else text
        line += int(np.count_nonzero(text[: len(text) - len(rows)] == _NEWLINE))
        table = read_rows(rows, FIELDS[file.kind])
        ends = int(np.count_nonzero(rows == _NEWLINE))
        plain = ends == table.rows + len(table.bad)
        yield table, Lines(line, None if plain else _written(rows) + line)
        line += ends


def read_fields(file: ArchiveFile, fields: tuple[int, ...]) -> Iterator[Table]:
    """As `read_numbered`, other fields of the rows.

    Raises:
        ArchiveError: when the file is damaged, is not what its name says, or is of another market.
    """
    first = True
    for text in _texts(file.path):
        yield read_rows(_without_header(file, text) if first else text, fields)
        first = False


def _written(text: Text) -> IntArray:
    """Which lines are not empty, from 0."""
    ends = np.flatnonzero(text == _NEWLINE)
    starts = np.append(0, ends[:-1] + 1)
    return np.flatnonzero(np.logical_or.reduceat((text != _NEWLINE) & (text != _RETURN), starts))


def _without_header(file: ArchiveFile, text: Text) -> Text:
    """The rows after a header, if there is one; the number of fields tells whether the file is what it says."""
    text = text[len(_MARK) :] if text[: len(_MARK)].tobytes() == _MARK else text
    sample = text[: _LOOKED_AT * _LONGEST_LINE].tobytes().split(b"\n", _LOOKED_AT)[:_LOOKED_AT]
    lines = [line.decode("utf-8", "replace").strip() for line in sample]
    names = [name.strip() for name in lines[0].split(",")]
    named = len(names) > 1 and all(_FIELD_NAME.fullmatch(name) for name in names)
    counts = Counter(line.count(",") + 1 for line in (lines[1:] if named else lines) if line)
    count = counts.most_common(1)[0][0] if counts else len(names)
    _refuse_others(file, count, names if named else [])
    return text[int(np.argmax(text == _NEWLINE)) + 1 :] if named else text


def _refuse_others(file: ArchiveFile, count: int, names: list[str]) -> None:
    """Refuse rows of another number of fields than those of the file's kind, and names of other fields."""
    name, kind = file.path.name, file.kind
    what = "of the spot market, whose ids are not those of the futures" if count == _SPOT_FIELDS.get(kind) else None
    what = what or foreign_header(names)
    if what is not None:
        raise ArchiveError(f"{name} is {what}", cure="give the files of data/futures/um")
    if count != len(FIELDS[kind]):
        raise ArchiveError(
            f"{name} is no file of {kind}: {count} fields instead of {len(FIELDS[kind])}", cure=anew(file.path)
        )
    if names and len(names) != count:
        raise ArchiveError(
            f"the header of {name} names {len(names)} fields, and its rows have {count}", cure=anew(file.path)
        )


def _texts(path: Path) -> Iterator[Text]:
    """The text of a file in pieces of whole lines."""
    tail = b""
    try:
        with _opened(path) as source:
            while chunk := source.read(_CHUNK):
                end = chunk.rfind(b"\n") + 1
                if end:
                    yield np.frombuffer(tail + chunk[:end], np.uint8)
                    tail = chunk[end:]
                else:
                    tail += chunk
                if len(tail) > _LONGEST_LINE:
                    raise ArchiveError(f"{path.name} holds no lines of text", cure=anew(path))
    except (OSError, zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError) as error:
        raise unreadable(path, error) from error
    if tail:
        yield np.frombuffer(tail + b"\n", np.uint8)


def _opened(path: Path) -> IO[bytes]:
    if path.suffix != ".zip":
        return path.open("rb")
    archive = zipfile.ZipFile(path)
    members = [info for info in archive.infolist() if info.filename.endswith(".csv") and not is_debris(info.filename)]
    if len(members) != 1:
        archive.close()
        raise ArchiveError(f"{path.name} holds {len(members)} CSV files instead of one", cure=anew(path))
    member = archive.open(members[0])
    archive.close()  # the member keeps the file open for as long as it is read
    return member
