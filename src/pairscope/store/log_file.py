"""The write-ahead log of a tape's file, looked at before DuckDB does.

DuckDB replays a log up to the first entry that is cut off and drops the rest without a word, which is right after a
kill and wrong after damage; it refuses a log with a wrong checksum altogether; and a log without its file it deletes.
So what stands in a log is looked at first: a header, then entries of a length, a checksum and that many bytes. A
commit ends with the entry `_COMMITTED`. What is cut off after the last commit was never acknowledged. A commit behind
the first bad entry was: such a log is damaged. A mark behind the commits is none: DuckDB leaves it before it takes them
into the file, and knows by it, after a kill, whether it had done so.
"""

from __future__ import annotations

import glob
import shutil
import struct
from dataclasses import dataclass
from pathlib import Path

import numpy as np

_PREFIX = struct.Struct("<QQ")  # bytes of the entry, and their checksum
_COMMITTED = b"\x64\x00\x64\xff\xff"
_MARK = b"\x64\x00\x63\x65\x00\x64\x00"  # how it begins
_HEADER_END = b"\xff\xff"
_LONGEST_HEADER = 80
_64_BITS = (1 << 64) - 1


@dataclass(frozen=True, slots=True)
class LogState:
    """What a log holds."""

    byte_count: int
    header_bytes: int  # 0 when there is no header that can be read
    commits: int  # whole ones before the first bad entry
    good_bytes: int  # to the end of the last of them, and of the mark behind them
    lost_commits: int  # behind the first bad entry: these were acknowledged, and cannot be replayed

    @property
    def torn_bytes(self) -> int:
        """After the last whole commit: the rest of one that a kill cut off, or worse."""
        return self.byte_count - self.good_bytes


def log_path(path: Path) -> Path:
    """The log beside the file of a tape."""
    return path.with_name(f"{path.name}.wal")


def read_log(path: Path) -> LogState | None:
    """What the log beside a tape's file holds; None when there is none, or nothing in it."""
    try:
        content = log_path(path).read_bytes()
    except OSError:
        return None
    return judge(content) if content else None


def judge(content: bytes) -> LogState:
    """Walk through a log as far as its entries are whole."""
    header = place = good = _header_bytes(content)
    commits = 0
    while place + _PREFIX.size <= len(content):
        length, told = _PREFIX.unpack_from(content, place)
        start, end = place + _PREFIX.size, place + _PREFIX.size + length
        if not length or end > len(content) or checksum(content[start:end]) != told:
            break
        place = end
        if content[start:end] == _COMMITTED:
            commits += not content.startswith(_MARK, good + _PREFIX.size)
            good = end
    return LogState(len(content), header, commits, good, _commits_in(content[place:]))


def _header_bytes(content: bytes) -> int:
    """How long the header is; 0 when there is none that can be read."""
    if not content.startswith(b"\x64\x00\x62"):
        return 0
    end = content.find(_HEADER_END, 3, _LONGEST_HEADER)
    return end + len(_HEADER_END) if end > 0 else 0


def _commits_in(rest: bytes) -> int:
    ended = rest.count(_PREFIX.pack(len(_COMMITTED), checksum(_COMMITTED)) + _COMMITTED)
    return max(0, ended - rest.count(_MARK))


def checksum(data: bytes) -> int:
    """That of DuckDB: each eight bytes multiplied, the rest hashed, all combined by exclusive or."""
    whole = len(data) // 8 * 8
    words = np.frombuffer(data, np.uint64, whole // 8)
    found = 5381 ^ int(np.bitwise_xor.reduce(words * np.uint64(0xBF58476D1CE4E5B9)))
    return found ^ _hashed(data[whole:]) if whole < len(data) else found


def _hashed(rest: bytes) -> int:
    """MurmurHash64A of less than eight bytes."""
    factor = 0xC6A4A7935BD1E995
    value = (0xE17A1465 ^ (len(rest) * factor & _64_BITS)) ^ int.from_bytes(rest, "little")
    value = value * factor & _64_BITS
    value = (value ^ value >> 47) * factor & _64_BITS
    return value ^ value >> 47


def set_aside(path: Path) -> Path:
    """Keep a copy of a log under a name of its own.

    Raises:
        OSError: when there is no room for it, or the disk fails.
    """
    log = log_path(path)
    number = 1 + max((int(each.suffix[1:]) for each in kept_logs(path)), default=0)
    target = log.with_name(f"{log.name}.damaged.{number}")
    shutil.copyfile(log, target)
    return target


def kept_logs(path: Path) -> list[Path]:
    """The damaged logs that were set aside beside a tape's file."""
    found = path.parent.glob(f"{glob.escape(log_path(path).name)}.damaged.*")
    return sorted(each for each in found if each.suffix[1:].isdigit())
