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
FIRST_NS = 1_723_161_255_000_000_000
LINES = b"".join(b"%d " % (FIRST_NS + n) + FRAME % n + b"\n" for n in range(5_000))
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
    assert frames == [RecordedFrame(FIRST_NS + n, FRAME % n) for n in range(5_000)]


@pytest.mark.parametrize("kind", ["gzip", "zstd"])
def test_compressed_files_put_one_after_the_other_are_one_recording(tmp_path: Path, kind: str) -> None:
    half = LINES.index(b"\n", len(LINES) // 2) + 1
    data = PACKERS[kind](LINES[:half]) + PACKERS[kind](LINES[half:])
    assert len(list(read_frames(written(tmp_path, data)))) == 5_000


@pytest.mark.parametrize("kind", ["gzip", "zstd"])
def test_a_torn_compressed_file_gives_what_can_be_read_and_says_so(tmp_path: Path, kind: str) -> None:
    noise = b"".join(b"%d " % (FIRST_NS + n) + FRAME % int.from_bytes(os.urandom(6)) + b"\n" for n in range(50_000))
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
            b'1723161255000001000 {"lastUpdateId":5,"bids":[],"asks":[]}',
            b"1723161255000001001 " + FRAME % 1,
            b"\x00\xff garbage",
            b'1723161255000001002 {"stream":"btcusdt@trade","data":{"e":',
            b"yesterday " + FRAME % 2,
            b"1723161255000001003.5 " + FRAME % 2,
            b"",
            b'1723161255000001004 {"e":"trade","s":"BTCUSDT","t":3}',
        ]
    )
    tally = ReadTally()
    frames = list(read_frames(written(tmp_path, data), tally))
    assert [frame.received_ns for frame in frames] == [FIRST_NS + n for n in (1_001, 1_003, 1_004)]
    assert tally == ReadTally(frames=3, other_lines=3, bad_lines=3)


def test_seconds_are_read_without_losing_digits(tmp_path: Path) -> None:
    data = b"1626992741.06217: " + FRAME % 1 + b"\n1626992742: " + FRAME % 2
    times = [frame.received_ns for frame in read_frames(written(tmp_path, data))]
    assert times == [1_626_992_741_062_170_000, 1_626_992_742_000_000_000]


SAME_INSTANT = [
    *(b"1723161255007000000", b"1723161255007000", b"1723161255007", b"1723161255.007:", b"1723161255007.0"),
    *(b"2024-08-08T23:54:15.0070000Z", b"2024-08-09T01:54:15.007+02:00", b"2024-08-08 23:54:15.007"),
]


@pytest.mark.parametrize("time", SAME_INSTANT)
def test_the_unit_of_times_is_told_by_their_magnitude(tmp_path: Path, time: bytes) -> None:
    (frame,) = read_frames(written(tmp_path, time + b" " + FRAME % 1))
    assert frame.received_ns == 1_723_161_255_007_000_000


@pytest.mark.parametrize("time", [b"5", b"20240808", b"2024-13-08T00:00:00Z"])
def test_a_recording_whose_times_are_in_no_unit_is_refused(tmp_path: Path, time: bytes) -> None:
    with pytest.raises(RecordingError, match=f"begins with the time {time.decode()}"):
        read_frames(written(tmp_path, time + b" " + FRAME % 1))


@pytest.mark.parametrize("odd", [b"1723161256007000", b"1723161256.5", b"2024-08-08T23:54:16Z"])
def test_a_time_in_another_unit_than_the_first_is_damage(tmp_path: Path, odd: bytes) -> None:
    lines = [b"1723161255007 " + FRAME % 1, odd + b" " + FRAME % 2, b"1723161257007 " + FRAME % 3]
    tally = ReadTally()
    assert len(list(read_frames(written(tmp_path, b"\n".join(lines)), tally))) == 2
    assert tally.bad_lines == 1


@pytest.mark.parametrize("unit", ["ns", "us", "ms", "iso"])
def test_one_recording_in_four_units_is_one_recording(cases_dir: Path, unit: str) -> None:
    folder = cases_dir / "data" / "10_recordings_other_units"
    assert list(read_frames(folder / f"{unit}.txt")) == list(read_frames(folder / "ns.txt"))


def test_several_files_are_merged_by_receive_time(tmp_path: Path) -> None:
    odd = written(tmp_path, b"1723161255000000001 " + FRAME % 1 + b"\n1723161255000000003 " + FRAME % 3, "odd")
    even = written(tmp_path, b"1723161255000000002 " + FRAME % 2 + b"\n1723161255000000004 " + FRAME % 4, "even")
    assert [frame.received_ns for frame in read_frames([odd, even])] == [
        1_723_161_255_000_000_000 + n for n in (1, 2, 3, 4)
    ]


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
            st.integers(10**17, 2**63 - 1),
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
        writer.write(FIRST_NS, FRAME % 1)
        writer.flush()
        assert list(read_frames(path)) == [RecordedFrame(FIRST_NS, FRAME % 1)]


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
