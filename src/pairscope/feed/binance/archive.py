"""The exchange's official daily and monthly files: what they are called, where they are, and whether they are whole.

A file is a zip of one CSV, or that CSV unpacked, and is called ``BTCUSDT-aggTrades-2024-08-08.zip`` (``trades``, or an
interval for klines; a month is ``2024-08``).
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable
from datetime import date, timedelta
from pathlib import Path

from pairscope.base.errors import ArchiveError, PairscopeError
from pairscope.base.interval import Interval
from pairscope.base.symbol import normal_symbol
from pairscope.feed.archive_files import ArchiveFile, ArchiveKind, day_ms
from pairscope.feed.binance.archive_identity import foreign, is_debris

_NAME = re.compile(
    r"(?P<symbol>[^/.]{1,40})-(?P<kind>aggTrades|trades|\d{1,2}(?:s|m|h|d))-(?P<date>\d{4}-\d{2}(?:-\d{2})?)\.(?:zip|csv)"
)


_MARKET_NAME = re.compile(r".{1,80}-\d{4}-\d{2}(?:-\d{2})?\.(?:zip|csv)")


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
        raise unreadable(path, error) from error


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
        raise unreadable(beside, error) from error


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


def unreadable(path: Path, error: Exception) -> ArchiveError:
    """The error of a file that cannot be read, and why."""
    why = getattr(error, "strerror", None) or str(error) or type(error).__name__
    return ArchiveError(f"{path.name} cannot be read: {why}", cure=anew(path))
