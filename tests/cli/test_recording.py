"""Recording raw frames from the command line, and playing them again."""

from __future__ import annotations

import json
import signal
import time
from pathlib import Path

from pairscope.feed.recording import ReadTally, read_frames
from tests import prepared
from tests.patience import START_S, STOP_S
from tests.test_cli import clean_environment, pairscope, write_recording


def test_frames_are_recorded_until_ctrl_c(tmp_path: Path) -> None:
    file = tmp_path / "day.txt.zst"
    flags = ("--source", "simulator", "--symbols", "BTCUSDT,ETHUSDT")
    log = tmp_path / "out.txt"
    with log.open("wb") as out:
        process = prepared.start(
            "-m", "pairscope", "record", str(file), *flags, stdout=out, stderr=out, env=clean_environment()
        )
    deadline = time.monotonic() + START_S
    while time.monotonic() < deadline and (not file.exists() or file.stat().st_size < 2_000):
        time.sleep(0.05)  # another process: there is nothing to await
    process.send_signal(signal.SIGINT)
    assert process.wait(STOP_S) == 0
    tally = ReadTally()
    frames = list(read_frames(file, tally))
    assert (tally.other_lines, tally.bad_lines, tally.damaged_files) == (0, 0, 0)
    assert f"{len(frames):,} frames in {file}" in log.read_text()
    streams = {json.loads(frame.payload)["stream"] for frame in frames}
    assert streams == {"btcusdt@aggTrade", "ethusdt@aggTrade"}
    times = [frame.received_ns for frame in frames]
    assert times == sorted(times)


def test_a_recording_of_a_replay_is_the_recording(tmp_path: Path) -> None:
    original, copy = tmp_path / "day.gz", tmp_path / "copy.zst"
    write_recording(original, 500)
    done = pairscope("record", str(copy), "--source", "replay", str(original), "--speed", "0")
    assert done.returncode == 0, done.stderr
    copied, given = ([json.loads(frame.payload) for frame in read_frames(file)] for file in (copy, original))
    assert copied == given
