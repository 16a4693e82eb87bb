"""The exchange's official daily and monthly files: found, checked, and read as columns.

A file is a zip of one CSV, or that CSV unpacked, and is called ``BTCUSDT-aggTrades-2024-08-08.zip`` (``trades``, or an
interval for klines; a month is ``2024-08``). Files of different years differ: some begin with a header row, times are
in ms or µs, rows may be out of order, doubled, missing, without a size, or of another period. All of that is told by
the file itself and counted; nothing about it is believed.
"""

from __future__ import annotations

import hashlib
import re
import zipfile
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from enum import StrEnum
from pathlib import Path
from typing import IO

import numpy as np

from pairscope.base.errors import ArchiveError, PairscopeError
from pairscope.base.interval import Interval
from pairscope.base.model import IntArray, TradeKind, normal_symbol
from pairscope.feed.binance.archive_identity import foreign, is_debris
from pairscope.feed.binance.rows import FLAG, NUMBER, SKIP, WHOLE, Table, Text, read_rows

_CHUNK = 8 << 20  # bytes of text read at once
_LONGEST_LINE = 4_096
_NAME = re.compile(
    r"(?P<symbol>[^/]{1,40})-(?P<kind>aggTrades|trades|\d{1,2}(?:s|m|h|d))-(?P<date>\d{4}-\d{2}(?:-\d{2})?)\.(?:zip|csv)"
)
FIRST_US = 10**14  # times from here on are in µs: as ms they would lie in the year 5138


_MARKET_NAME = re.compile(r".{1,80}-\d{4}-\d{2}(?:-\d{2})?\.(?:zip|csv)")


class ArchiveKind(StrEnum):
    AGG = "aggTrades"
    RAW = "trades"
    KLINES = "klines"

    @property
    def trade_kind(self) -> TradeKind | None:
        return {"aggTrades": TradeKind.AGG, "trades": TradeKind.RAW}.get(self.value)


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
class ArchiveFile:
    """An official file, as its name tells it. Its period is half-open."""

    path: Path
    symbol: str
    kind: ArchiveKind
    interval: Interval | None  # of klines
    from_ms: int
    to_ms: int

    @property
    def name(self) -> str:
        """The name without its ending: the same for a zip and for the CSV that was in it."""
        return self.path.stem


def archive_name(symbol: str, kind: ArchiveKind | Interval, day: date) -> str:
    """What the exchange calls a daily file.

    >>> archive_name("BTCUSDT", ArchiveKind.AGG, date(2024, 8, 8))
    'BTCUSDT-aggTrades-2024-08-08'
    """
    return f"{symbol}-{kind}-{day.isoformat()}"


def archive_file(path: Path) -> ArchiveFile | None:
    """What a file is by its name; None when it is not called like an official one.

    >>> file = archive_file(Path("ETHUSDT-1m-2024-08.zip"))
    >>> file.symbol, file.kind.value, str(file.interval), (file.to_ms - file.from_ms) // 86_400_000
    ('ETHUSDT', 'klines', '1m', 31)
    """
    match = _NAME.fullmatch(path.name)
    if match is None:
        return None
    trades = match["kind"] in (ArchiveKind.AGG.value, ArchiveKind.RAW.value)
    try:
        interval = None if trades else Interval.parse(match["kind"])
        symbol = normal_symbol(match["symbol"])
        first, after = _period(match["date"])
    except (PairscopeError, ValueError):  # 3d, or the 31st of February
        return None
    kind = ArchiveKind(match["kind"]) if trades else ArchiveKind.KLINES
    return ArchiveFile(path, symbol, kind, interval, day_ms(first), day_ms(after))


def _period(text: str) -> tuple[date, date]:
    if len(text) == len("2024-08-08"):
        day = date.fromisoformat(text)
        return day, day + timedelta(days=1)
    first = date.fromisoformat(f"{text}-01")
    return first, (first + timedelta(days=31)).replace(day=1)


def day_ms(day: date) -> int:
    """The first millisecond of a UTC day."""
    return int(datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp()) * 1_000


def find_archives(
    paths: Iterable[Path], refused: list[ArchiveError] | None = None, *, later_first: bool = False
) -> list[ArchiveFile]:
    """The official files among these paths and in these folders, newest period first; of a zip and its CSV the zip.

    Newest first, because then no hole opens between what is there already and what is coming. Files whose periods
    overlap (a day and its month, or one name in several folders) come in the order of the paths.

    Args:
        refused: takes an error for each official file that is of another market or kind.
        later_first: of files whose periods overlap, those of later paths come first.

    Raises:
        ArchiveError: for a path that is not there, a file that is not called like an official one, or nothing found.
    """
    found: dict[Path, ArchiveFile] = {}
    strangers = [] if refused is None else refused
    for path in paths:
        if not path.exists():
            raise ArchiveError(f"no file or folder {path}", cure="check the path")
        for each in sorted(path.rglob("*")) if path.is_dir() else [path]:
            file = None if is_debris(each) else _considered(each, strangers)
            if file is None and each is path and not strangers:
                raise ArchiveError(
                    f"{path.name} is not called like an official file",
                    cure="keep the exchange's names, such as BTCUSDT-aggTrades-2024-08-08.zip",
                )
            if file is not None and (each.with_suffix("") not in found or each.suffix == ".zip"):
                found[each.with_suffix("")] = file
    if not found and strangers and refused is None:
        raise strangers[0]
    if not found and not strangers:
        raise ArchiveError(
            f"no official files in {', '.join(str(path) for path in paths)}",
            cure="they are called like BTCUSDT-aggTrades-2024-08-08.zip",
        )
    return _ordered(list(found.values()), later_first)


def _ordered(files: list[ArchiveFile], later_first: bool) -> list[ArchiveFile]:
    """Files by symbol and kind, newest period first, and in the order they came where periods overlap."""
    place = {id(file): -i if later_first else i for i, file in enumerate(files)}
    in_turn = sorted(files, key=lambda file: (file.symbol, file.kind, file.interval or 0, -file.to_ms))
    groups: list[list[ArchiveFile]] = []
    for file in in_turn:
        same = groups and (file.symbol, file.kind, file.interval) == _what(groups[-1][0])
        if same and file.to_ms > min(other.from_ms for other in groups[-1]):
            groups[-1].append(file)
        else:
            groups.append([file])
    return [file for group in groups for file in sorted(group, key=lambda file: place[id(file)])]


def _what(file: ArchiveFile) -> tuple[str, ArchiveKind, Interval | None]:
    return file.symbol, file.kind, file.interval


def _considered(path: Path, refused: list[ArchiveError]) -> ArchiveFile | None:
    """What a path is by name; one of another market or kind is refused."""
    what = foreign(path) if path.suffix in (".zip", ".csv") else None
    file = archive_file(path)
    if what is None or (file is None and _MARKET_NAME.fullmatch(path.name) is None):
        return file
    refused.append(
        ArchiveError(f"{path} is {what}", cure="only aggTrades, trades and klines of USD-M futures can be imported")
    )
    return None


def anew(path: Path) -> str:
    """What to do about a file that cannot be used: nobody can download anew what is his own."""
    if path.with_name(f"{path.name}.CHECKSUM").is_file():
        return "download it again"
    return "download it again if it is the exchange's, correct it if it is your own"


def checksum(path: Path) -> str:
    """The SHA-256 of a file.

    Raises:
        ArchiveError: when it cannot be read.
    """
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise _unreadable(path, error) from error


def expected_checksum(path: Path) -> str | None:
    """What the ``.CHECKSUM`` beside a file says; None without one.

    Raises:
        ArchiveError: when it says nothing of this file.
    """
    beside = path.with_name(f"{path.name}.CHECKSUM")
    if not beside.is_file():
        return None
    try:
        return told_checksum(beside.read_text(encoding="utf-8", errors="replace"), path.name)
    except OSError as error:
        raise _unreadable(beside, error) from error


def told_checksum(text: str, name: str) -> str:
    """The hash in a line ``<sha256>  <file name>``.

    Raises:
        ArchiveError: when the text is no such line, or is of another file.
    """
    match = re.match(r"([0-9a-fA-F]{64})\s+\*?(\S+)", text)
    if match is None or match[2] != name:
        raise ArchiveError(f"the checksum of {name} says nothing of it: {text[:100]!r}", cure="download both again")
    return match[1].lower()


def verified_checksum(path: Path) -> str:
    """The SHA-256 of a file, compared with the official one when that lies beside it.

    Raises:
        ArchiveError: when the two differ.
    """
    found, expected = checksum(path), expected_checksum(path)
    if expected not in (None, found):
        raise ArchiveError(f"{path.name} is damaged: its SHA-256 is not the official one", cure="download it again")
    return found


def read_tables(file: ArchiveFile) -> Iterator[Table]:
    """The rows of a file, a few MB of text at a time, columns as in `FIELDS` of its kind, times in ms.

    Raises:
        ArchiveError: when the file is damaged, is not what its name says, or is of the spot market.
    """
    for table in read_fields(file, FIELDS[file.kind]):
        if file.kind is ArchiveKind.KLINES:
            _to_ms(table.whole[0])
        yield table


def read_fields(file: ArchiveFile, fields: tuple[int, ...]) -> Iterator[Table]:
    """As `read_tables`, other fields of the rows.

    Raises:
        ArchiveError: when the file is damaged, is not what its name says, or is of the spot market.
    """
    first = True
    for text in _texts(file.path):
        yield read_rows(_without_header(file, text) if first else text, fields)
        first = False


def read_numbered(file: ArchiveFile) -> Iterator[tuple[Table, IntArray, IntArray]]:
    """As `read_tables`, times as they are written, with the line of each row and the lines that cannot be read.

    Raises:
        ArchiveError: when the file is damaged, or is not what its name says.
    """
    fields, line = FIELDS[file.kind], 1
    for text in _texts(file.path):
        rows = _without_header(file, text) if line == 1 else text
        line += int((text[: len(text) - len(rows)] == ord("\n")).sum())
        table = read_rows(rows, fields)
        yield table, *_lines_of(rows, table, fields, line)
        line += int((rows == ord("\n")).sum())


def _lines_of(text: Text, table: Table, fields: tuple[int, ...], first: int) -> tuple[IntArray, IntArray]:
    """The numbers of the lines of rows, and of the lines that are none; `first` is that of the first line."""
    ends = np.flatnonzero(text == ord("\n"))
    starts = np.append(0, ends[:-1] + 1)
    written = np.flatnonzero((ends > starts + 1) | ((ends == starts + 1) & (text[starts] != ord("\r"))))
    if len(written) == table.rows:
        return written + first, np.empty(0, np.int64)
    read = np.array([read_rows(text[starts[i] : ends[i] + 1], fields).rows == 1 for i in written.tolist()], np.bool_)
    return written[read] + first, written[~read] + first


def _to_ms(times: IntArray) -> None:
    in_us = times >= FIRST_US
    if in_us.any():
        times[in_us] //= 1_000


def _without_header(file: ArchiveFile, text: Text) -> Text:
    """The rows after a header, if there is one; the number of fields tells whether the file is what it says."""
    end = int(np.argmax(text == ord("\n"))) + 1
    line = text[:end].tobytes().decode("utf-8", "replace").removeprefix("\ufeff").strip()
    count = line.count(",") + 1
    if count == _SPOT_FIELDS.get(file.kind):
        raise ArchiveError(
            f"{file.path.name} is of the spot market, whose ids are not those of the futures",
            cure="give the files of data/futures/um",
        )
    if count != len(FIELDS[file.kind]):
        raise ArchiveError(
            f"{file.path.name} is no file of {file.kind}: {count} fields instead of {len(FIELDS[file.kind])}",
            cure=anew(file.path),
        )
    return text if line[:1].isdigit() else text[end:]


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
        raise _unreadable(path, error) from error
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


def _unreadable(path: Path, error: Exception) -> ArchiveError:
    why = getattr(error, "strerror", None) or str(error) or type(error).__name__
    return ArchiveError(f"{path.name} cannot be read: {why}", cure=anew(path))
