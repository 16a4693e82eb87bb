"""Recordings: both ways of writing the time, all three compressions, and every kind of damage."""

from __future__ import annotations

import gzip
import os
from collections.abc import Callable
from pathlib import Path

import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st
from structlog.testing import capture_logs

from pairscope.base.errors import RecordingError
from pairscope.feed.recording import FrameWriter, ReadTally, RecordedFrame, read_frames

FRAME = b'{"stream":"btcusdt@trade","data":{"e":"trade","t":%d}}'
LINES = b"".join(b"%d " % (1_000 + n) + FRAME % n + b"\n" for n in range(5_000))
PACKERS: dict[str, Callable[[bytes], bytes]] = {
    "plain": bytes,
    "gzip": gzip.compress,
    "zstd": lambda data: zstandard.ZstdCompressor().compress(data),
}


def written(folder: Path, data: bytes, name: str = "recording") -> Path:
    path = folder / name
    path.write_bytes(data)
    return path


@pytest.mark.parametrize("pack", PACKERS.values(), ids=PACKERS)
def test_frames_are_read_from_plain_and_compressed_files(tmp_path: Path, pack: Callable[[bytes], bytes]) -> None:
    frames = list(read_frames(written(tmp_path, pack(LINES))))
    assert frames == [RecordedFrame(1_000 + n, FRAME % n) for n in range(5_000)]


@pytest.mark.parametrize("kind", ["gzip", "zstd"])
def test_compressed_files_put_one_after_the_other_are_one_recording(tmp_path: Path, kind: str) -> None:
    half = LINES.index(b"\n", len(LINES) // 2) + 1
    data = PACKERS[kind](LINES[:half]) + PACKERS[kind](LINES[half:])
    assert len(list(read_frames(written(tmp_path, data)))) == 5_000


@pytest.mark.parametrize("kind", ["gzip", "zstd"])
def test_a_torn_compressed_file_gives_what_can_be_read_and_says_so(tmp_path: Path, kind: str) -> None:
    noise = b"".join(b"%d " % n + FRAME % int.from_bytes(os.urandom(6)) + b"\n" for n in range(50_000))
    whole = PACKERS[kind](noise)
    tally = ReadTally()
    with capture_logs() as logs:
        frames = list(read_frames(written(tmp_path, whole[: len(whole) // 2]), tally))
    assert 10_000 < len(frames) == tally.frames < 40_000
    assert tally.damaged_files == 1
    assert logs[0]["event"] == "recording_damaged"


def test_lines_that_are_no_frame_are_told_from_garbage(tmp_path: Path) -> None:
    data = b"\n".join(
        [
            b"wss://fstream.binance.com/stream?streams=a <-> 1626992740.179554",
            b'1000 {"lastUpdateId":5,"bids":[],"asks":[]}',
            b"1001 " + FRAME % 1,
            b"\x00\xff garbage",
            b'1002 {"stream":"btcusdt@trade","data":{"e":',
            b"yesterday " + FRAME % 2,
            b"1003.5 " + FRAME % 2,
            b"",
            b'1004 {"e":"trade","s":"BTCUSDT","t":3}',
        ]
    )
    tally = ReadTally()
    frames = list(read_frames(written(tmp_path, data), tally))
    assert [frame.received_ns for frame in frames] == [1001, 1004]
    assert tally == ReadTally(frames=2, other_lines=3, bad_lines=4)


def test_seconds_are_read_without_losing_digits(tmp_path: Path) -> None:
    data = b"1626992741.06217: " + FRAME % 1 + b"\n1626992742: " + FRAME % 2
    times = [frame.received_ns for frame in read_frames(written(tmp_path, data))]
    assert times == [1_626_992_741_062_170_000, 1_626_992_742_000_000_000]


def test_several_files_are_merged_by_receive_time(tmp_path: Path) -> None:
    odd = written(tmp_path, b"1 " + FRAME % 1 + b"\n3 " + FRAME % 3, "odd")
    even = written(tmp_path, b"2 " + FRAME % 2 + b"\n4 " + FRAME % 4, "even")
    assert [frame.received_ns for frame in read_frames([odd, even])] == [1, 2, 3, 4]


def test_a_file_without_a_frame_is_refused_at_once(tmp_path: Path) -> None:
    with pytest.raises(RecordingError, match="holds no frame"):
        read_frames(written(tmp_path, os.urandom(100_000)))


def test_a_missing_file_and_a_folder_are_refused_with_the_path(tmp_path: Path) -> None:
    for path in (tmp_path / "missing", tmp_path):
        with pytest.raises(RecordingError, match=str(path)):
            read_frames(path)
    with pytest.raises(RecordingError, match="no recording named"):
        read_frames([])


@given(
    st.lists(
        st.tuples(
            st.integers(0, 2**63 - 1),
            st.text().map(lambda text: b'{"e":"x","text":"%b"}' % text.encode("unicode_escape").hex().encode()),
        ),
        min_size=1,
    )
)
def test_what_is_written_is_read_back(tmp_path_factory: pytest.TempPathFactory, rows: list[tuple[int, bytes]]) -> None:
    path = tmp_path_factory.mktemp("recordings") / "frames.zst"
    with FrameWriter(path) as writer:
        writer.write_all(RecordedFrame(*row) for row in rows)
    assert list(read_frames(path)) == [RecordedFrame(*row) for row in rows]


def test_flushed_frames_can_be_read_while_the_file_is_still_open(tmp_path: Path) -> None:
    path = tmp_path / "open.zst"
    with FrameWriter(path) as writer:
        writer.write(5, FRAME % 1)
        writer.flush()
        assert list(read_frames(path)) == [RecordedFrame(5, FRAME % 1)]


def test_a_recording_is_never_overwritten(tmp_path: Path) -> None:
    path = written(tmp_path, LINES)
    with pytest.raises(RecordingError, match="exists already"), FrameWriter(path):
        pass
    assert path.read_bytes() == LINES


@pytest.mark.data
def test_the_recordings_of_2021_and_2024_are_read_completely(data_dir: Path) -> None:
    tally = ReadTally()
    pair = [data_dir / "usdm-trades-2024-08-08" / f"usdm_{coin}usdt_20240808.gz" for coin in ("btc", "eth")]
    times = [frame.received_ns for frame in read_frames(pair, tally)]
    assert len(times) == 93_954 + 74_655 - 2
    assert tally == ReadTally(frames=len(times), other_lines=2)
    old = ReadTally()
    assert len(list(read_frames(data_dir / "usdm-frames-2021-07-22" / "BINANCE_FUTURES.ws.1.0.gz", old))) == 1_535
    assert old.bad_lines == 0
