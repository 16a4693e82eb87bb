"""Recorded frames: what a WebSocket delivered, byte for byte, with the time each frame arrived.

One frame per line, in a plain, gzip or zstd file: when it was received, and what came::

    1723161255088176367 {"stream":"btcusdt@trade","data":{...}}      nanoseconds (what `FrameWriter` writes)
    1626992741.06217: {"stream":"sushiusdt@bookTicker","data":{...}}  seconds, then a colon
    2025-05-20T14:00:00.007+02:00 {"stream":...,"data":{...}}         ISO 8601, in UTC when it names no offset

The first frame's time tells by its magnitude the unit of a file: ns, µs, ms or s. A time of another unit later in
the file is damage, and a file whose times are none since 1973 is refused.

A recording is read as far as it can be: lines that are no frame (headers, REST answers), garbage and a
torn end are counted and left out.
"""

from __future__ import annotations

import heapq
import os
import re
import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import IO, Protocol

import msgspec
import structlog
import zstandard

from pairscope.base.errors import FileNotWritten, RecordingError
from pairscope.base.files import not_written

_log = structlog.get_logger()
_CHUNK = 1 << 16
_LONGEST_LINE = 16 << 20
_GZIP, _ZSTD = b"\x1f\x8b", b"\x28\xb5\x2f\xfd"
_ISO = rb"(?P<iso>\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d)(?:[.,](?P<part>\d{1,9})\d*)?(?P<offset>Z|[+-]\d\d:?\d\d)?"
_TIME = rb"(?:" + _ISO + rb"|(?P<whole>\d{1,19})(?:\.(?P<fraction>\d{1,9})\d*)?):?"
_LINE = re.compile(_TIME + rb"[ \t]+(?P<payload>\{.*\})\s*", re.DOTALL)
# The least number that is a time in a unit (in 1973; the next unit's begins a thousand times higher), and its ns.
_UNITS = ((10**17, 1), (10**14, 1_000), (10**11, 1_000_000), (10**8, 1_000_000_000))
_END_NS = 2**63


@dataclass(frozen=True, slots=True)
class RecordedFrame:
    """The payload of one WebSocket message and when it was received, in ns since 1970."""

    received_ns: int
    payload: bytes


@dataclass(slots=True)
class ReadTally:
    """What reading found so far: frames given out, lines that are no frame, lines nobody can read."""

    frames: int = 0
    other_lines: int = 0
    bad_lines: int = 0
    damaged_files: int = 0


class _Shape(msgspec.Struct):
    """Decoding into this checks that a line is JSON and finds what makes it a frame."""

    stream: str | None = None
    e: str | None = None


_decode_shape = msgspec.json.Decoder(_Shape).decode


def read_frames(paths: Path | str | Sequence[Path | str], tally: ReadTally | None = None) -> Iterator[RecordedFrame]:
    """The frames of one or several recordings, merged by receive time; each file keeps its own order.

    ``tally``, when given, counts while the frames are taken; damage is also logged at the end of each file.

    Raises:
        RecordingError: at once, for a file that is missing, cannot be read or holds no frame.
    """
    tally = tally if tally is not None else ReadTally()
    files = [paths] if isinstance(paths, (str, Path)) else paths
    if not files:
        raise RecordingError("no recording named", cure="name at least one file")
    return heapq.merge(*[_opened(Path(path), tally) for path in files], key=lambda frame: frame.received_ns)


def _opened(path: Path, tally: ReadTally) -> Iterator[RecordedFrame]:
    frames = _frames_of(path, tally)
    try:
        first = next(frames, None)
    except OSError as error:
        raise RecordingError(
            f"cannot read recording {path}: {error.strerror or error}", cure="check the path and its permissions"
        ) from None
    if first is None:
        raise RecordingError(
            f"recording {path} holds no frame",
            cure='each line must be a time and a frame: 1723161255088176367 {"stream":...,"data":...}',
        )
    return _after(first, frames)


def _after(first: RecordedFrame, rest: Iterator[RecordedFrame]) -> Iterator[RecordedFrame]:
    yield first
    yield from rest


def _frames_of(path: Path, tally: ReadTally) -> Iterator[RecordedFrame]:
    found, reader = ReadTally(), _TimeReader(path)
    for line in _lines_of(path, found):
        frame = _frame_of(line, found, reader)
        if frame is not None:
            tally.frames += 1
            yield frame
    tally.other_lines += found.other_lines
    tally.bad_lines += found.bad_lines
    tally.damaged_files += found.damaged_files
    if found.bad_lines or found.damaged_files:
        _log.warning("recording_damaged", file=str(path), bad_lines=found.bad_lines, torn=bool(found.damaged_files))


def _frame_of(line: bytes, found: ReadTally, reader: _TimeReader) -> RecordedFrame | None:
    match = _LINE.fullmatch(line)
    if match is None:
        # A line that begins with an address is the header of some recorders, and no damage.
        if line.startswith((b"ws://", b"wss://", b"#")) or not line.strip():
            found.other_lines += 1
        else:
            found.bad_lines += 1
        return None
    payload = match["payload"]
    try:
        shape = _decode_shape(payload)
    except msgspec.DecodeError:
        found.bad_lines += 1
        return None
    if shape.stream is None and shape.e is None:
        found.other_lines += 1
        return None
    received_ns = reader.ns(match)
    if received_ns is None:
        found.bad_lines += 1
        return None
    return RecordedFrame(received_ns, payload)


class _TimeReader:
    """Reads the times of one file, all in the unit of the first."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._unit_ns = 0  # 0 of a time as text, once a frame was read
        self._known = False

    def ns(self, match: re.Match[bytes]) -> int | None:
        """The time of a line; None when it is of another unit, or no time.

        Raises:
            RecordingError: when the first time of the file is in no unit.
        """
        unit_ns = self._unit_of(match)
        if not self._known:
            if unit_ns is None:
                raise RecordingError(
                    f"recording {self._path} begins with the time {_shown(match)}, which is in no unit we know",
                    cure="write times since 1970 in ns, µs, ms or s, or as 2025-05-20T12:00:00.007Z",
                )
            self._unit_ns, self._known = unit_ns, True
        if unit_ns is None or unit_ns != self._unit_ns:
            return None
        if unit_ns == 0:
            return _iso_ns(match)
        fraction = int((match["fraction"] or b"0").ljust(9, b"0"))
        time_ns = int(match["whole"]) * unit_ns + fraction * unit_ns // 1_000_000_000
        return time_ns if time_ns < _END_NS else None

    @staticmethod
    def _unit_of(match: re.Match[bytes]) -> int | None:
        if match["iso"]:
            return None if _iso_ns(match) is None else 0
        whole = int(match["whole"])
        return next((unit_ns for least, unit_ns in _UNITS if whole >= least), None)


def _iso_ns(match: re.Match[bytes]) -> int | None:
    """Nanoseconds since 1970 of a time as text; None when there is no such day or hour."""
    offset = (match["offset"] or b"Z").decode()
    try:
        at = datetime.fromisoformat(match["iso"].decode() + offset)
    except ValueError:
        return None
    return int(at.timestamp()) * 1_000_000_000 + int((match["part"] or b"0").ljust(9, b"0"))


def _shown(match: re.Match[bytes]) -> str:
    return match[0][: match.start("payload")].decode("ascii").strip(" :\t")


class _Decompressor(Protocol):
    """What the decompressors of zlib and zstandard have in common; one lasts for one compressed frame."""

    @property
    def eof(self) -> bool: ...
    @property
    def unused_data(self) -> bytes: ...
    def decompress(self, data: bytes, /) -> bytes: ...


def _lines_of(path: Path, found: ReadTally) -> Iterator[bytes]:
    """Lines without their end; the last one may be torn and is given out too."""
    tail = b""
    with path.open("rb") as file:
        for chunk in _chunks_of(file, found):
            *lines, tail = (tail + chunk).split(b"\n")
            yield from lines
            if len(tail) > _LONGEST_LINE:
                found.bad_lines += 1
                tail = b""
    if tail:
        yield tail


def _chunks_of(file: IO[bytes], found: ReadTally) -> Iterator[bytes]:
    head = file.read(4)
    file.seek(0)
    if head.startswith(_GZIP):
        return _decompressed(file, _new_gzip, found)
    if head.startswith(_ZSTD):
        return _decompressed(file, _new_zstd, found)
    return iter(lambda: file.read(_CHUNK), b"")


def _new_gzip() -> _Decompressor:
    return zlib.decompressobj(wbits=31)


def _new_zstd() -> _Decompressor:
    return zstandard.ZstdDecompressor().decompressobj()


def _decompressed(file: IO[bytes], make: Callable[[], _Decompressor], found: ReadTally) -> Iterator[bytes]:
    """All that can be decompressed, over the joints of several compressed frames; stops at damage."""
    decompressor = make()
    while data := file.read(_CHUNK):
        while data:
            if decompressor.eof:
                data = data.lstrip(b"\0")  # padding some tools leave between frames
                decompressor = make()
            try:
                yield decompressor.decompress(data)
            except (zlib.error, zstandard.ZstdError):
                found.damaged_files += 1
                return
            data = decompressor.unused_data if decompressor.eof else b""
    if not decompressor.eof:
        found.damaged_files += 1


class FrameWriter:
    """Writes a recording: ``<ns> <payload>`` lines in a new zstd file.

    What was written before the last `flush` survives a kill of the process.

    Raises:
        RecordingError: on entering, when the file exists already or cannot be made.
    """

    def __init__(self, path: Path, *, level: int = 3) -> None:
        self.path = path
        self._level = level
        self._file: IO[bytes] | None = None
        self.frames = 0
        self._safe_bytes = 0  # up to here every block is whole
        self._safe_frames = 0
        self._failed: FileNotWritten | None = None

    def __enter__(self) -> FrameWriter:
        try:
            self._file = self.path.open("xb")
        except FileExistsError:
            raise RecordingError(f"{self.path} exists already", cure="choose another name") from None
        except OSError as error:
            raise RecordingError(f"cannot write {self.path}: {error.strerror}", cure="choose another folder") from None
        self._compressor = zstandard.ZstdCompressor(level=self._level).compressobj()
        return self

    @property
    def failed(self) -> bool:
        """Whether the file takes no more: its disk is full, or fails."""
        return self._failed is not None

    def write(self, received_ns: int, payload: bytes) -> None:
        """Append one frame; a line end inside the payload, which JSON never has, becomes a space.

        Raises:
            FileNotWritten: when the disk is full or fails; the frames up to the last `flush` stay readable.
        """
        line = b"%d %b\n" % (received_ns, payload.replace(b"\n", b" "))
        with self._writing() as sink:
            sink.write(self._compressor.compress(line))
        self.frames += 1

    def write_all(self, frames: Iterable[RecordedFrame]) -> None:
        for frame in frames:
            self.write(frame.received_ns, frame.payload)

    def flush(self) -> None:
        """Hand all written frames to the operating system, in a block a reader can read.

        Raises:
            FileNotWritten: as `write`.
        """
        with self._writing() as sink:
            sink.write(self._compressor.flush(zstandard.COMPRESSOBJ_FLUSH_BLOCK))
            sink.flush()
        self._safe_bytes, self._safe_frames = sink.tell(), self.frames

    @contextmanager
    def _writing(self) -> Iterator[IO[bytes]]:
        """The file; when it cannot be written, what is no whole block is cut off, and nothing more is taken."""
        if self._failed is not None:
            raise self._failed
        sink = self._sink()
        try:
            yield sink
        except OSError as error:
            self.frames = self._safe_frames
            self._failed = not_written(self.path, error)
            with suppress(OSError):
                sink.close()  # what is still in its buffer is part of what is cut off
            with suppress(OSError):
                os.truncate(self.path, self._safe_bytes)
            raise self._failed from error

    def _sink(self) -> IO[bytes]:
        if self._file is None:
            raise RecordingError(f"{self.path} is not open", cure="use the writer in a with statement")
        return self._file

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if self._failed is None:
                with self._writing() as sink:
                    sink.write(self._compressor.flush())
                    sink.close()
        finally:
            self._file = None
