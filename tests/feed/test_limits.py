"""What hosts allow us, kept in a file of the data folder."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from pairscope.base.clock import ManualClock, SystemClock
from pairscope.feed import limits
from pairscope.feed.limits import FILE, MOST_BYTES, MOST_CONNECTIONS, HostAccess, Limits
from tests.patience import COMMAND_S

URL = "wss://stream.example"
START_MS = 1_790_000_000_000


def door(clock: ManualClock, path: Path | None) -> HostAccess:
    """That of a new process."""
    return Limits(clock, path).door(URL)


def test_no_five_minutes_see_more_connections_than_allowed_also_when_the_process_starts_anew(tmp_path: Path) -> None:
    clock = ManualClock(START_MS)
    made_s: list[float] = []
    for _ in range(700):
        here = door(clock, tmp_path / FILE)  # killed and started each time
        clock.advance(here.connection_wait_s)
        here.attempt()
        made_s.append(clock.monotonic_s())
        clock.advance(1.0)
    assert max(sum(start <= each < start + 300 for each in made_s) for start in made_s) == MOST_CONNECTIONS < 300
    assert made_s[-1] < 1_100  # and all that is allowed is used
    assert (tmp_path / FILE).stat().st_size < MOST_BYTES + 200


def test_two_processes_of_a_folder_count_together(tmp_path: Path) -> None:
    clock = ManualClock(START_MS)
    one, two = door(clock, tmp_path / FILE), door(clock, tmp_path / FILE)
    for _ in range(MOST_CONNECTIONS // 2):
        one.attempt()
        two.attempt()
    assert one.connections == two.connections == MOST_CONNECTIONS
    assert one.connection_wait_s == two.connection_wait_s == 300
    clock.advance(300)
    assert one.connections == two.connections == 0


def test_a_wait_the_exchange_asked_for_holds_after_a_restart_and_is_not_shortened(tmp_path: Path) -> None:
    clock = ManualClock(START_MS)
    first = door(clock, tmp_path / FILE)
    first.forbid(300, "HTTP 429")
    first.forbid(10, "HTTP 503")
    clock.advance(100)
    later = door(clock, tmp_path / FILE)
    assert (later.wait_s, later.why) == (200, "HTTP 429")
    assert later.next_allowed_ms == START_MS + 300_000
    assert later.connection_wait_s == 200
    assert Limits(clock, tmp_path / FILE).door("https://other.example").wait_s == 0
    clock.advance(200)
    assert later.wait_s == 0
    assert later.next_allowed_ms is None


def test_a_file_of_a_future_clock_is_not_believed(tmp_path: Path) -> None:
    ahead = ManualClock(START_MS + 86_400_000)
    there = door(ahead, tmp_path / FILE)
    for _ in range(MOST_CONNECTIONS):
        there.attempt()
    there.forbid(300, "HTTP 429")
    here = door(ManualClock(START_MS), tmp_path / FILE)
    assert (here.connections, here.wait_s, here.connection_wait_s) == (0, 0, 0)


def test_a_wall_clock_that_jumps_neither_frees_nor_blocks_what_this_process_counted(tmp_path: Path) -> None:
    clock = ManualClock(START_MS)
    here = door(clock, tmp_path / FILE)
    here.forbid(300, "HTTP 418")
    here.attempt()
    clock.set_wall(START_MS + 3_600_000)
    assert (here.wait_s, here.connections) == (300, 1)
    clock.set_wall(START_MS - 3_600_000)
    assert (here.wait_s, here.connections) == (300, 1)


@pytest.mark.parametrize("content", [b"", b"\xff\x00\n{}", b'{"host":1}\n', b'{"host":"stream.example:443","at_ms":1'])
def test_a_file_that_is_torn_or_none_of_ours_is_no_obstacle(tmp_path: Path, content: bytes) -> None:
    (tmp_path / FILE).write_bytes(content)
    clock = ManualClock(START_MS)
    here = door(clock, tmp_path / FILE)
    here.attempt()
    assert here.connections == door(clock, tmp_path / FILE).connections == 1


def test_what_cannot_be_written_is_counted_in_memory(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    here = door(ManualClock(START_MS), tmp_path / "file" / FILE)
    here.attempt()
    here.forbid(7, "HTTP 503")
    assert (here.connections, here.wait_s) == (1, 7)


def test_a_file_grown_by_others_is_shortened_and_keeps_what_still_counts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "MOST_BYTES", 2_000)
    clock = ManualClock(START_MS)
    here = door(clock, tmp_path / FILE)
    here.forbid(5_000, "HTTP 418")
    for _ in range(100):
        here.attempt()
        clock.advance(30)
    assert (tmp_path / FILE).stat().st_size < 2_200
    again = door(clock, tmp_path / FILE)
    assert again.wait_s == pytest.approx(2_000)
    assert again.connections == here.connections == 9


def test_a_line_that_is_being_written_is_counted_once_it_is_whole(tmp_path: Path) -> None:
    clock = ManualClock(START_MS)
    path = tmp_path / FILE
    door(clock, path).attempt()
    line = path.read_bytes()
    here = door(clock, path)
    for place in range(1, len(line)):
        known = here.connections
        with path.open("ab") as file:
            file.write(line[:place])
        assert here.connections == known
        with path.open("ab") as file:
            file.write(line[place:])
        assert here.connections == known + 1


CONNECTING = """
import os, signal, sys
from pathlib import Path
from pairscope.base.clock import SystemClock
from pairscope.feed.limits import Limits
door = Limits(SystemClock(), Path(sys.argv[1])).door(sys.argv[2])
print("ready", flush=True)
sys.stdin.readline()
made = 0
while door.connection_wait_s == 0:
    door.attempt()
    made += 1
print(made, flush=True)
sys.stdin.readline()
door.forbid(300, "HTTP 429")
os.kill(os.getpid(), signal.SIGKILL)
"""


def test_two_real_processes_together_keep_to_what_is_allowed_and_a_kill_forgets_nothing(tmp_path: Path) -> None:
    path = tmp_path / FILE
    command = [sys.executable, "-c", CONNECTING, str(path), URL]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    both = [subprocess.Popen(command, **pipes) for _ in range(2)]  # type: ignore[call-overload]
    try:
        for each in both:
            assert each.stdout.readline() == "ready\n"
        for each in both:
            each.stdin.write("\n")
            each.stdin.flush()
        made = [int(each.stdout.readline()) for each in both]
        assert MOST_CONNECTIONS <= sum(made) <= MOST_CONNECTIONS + 1  # both may ask at the same instant
        here = Limits(SystemClock(), path).door(URL)
        assert (here.connections, here.wait_s) == (sum(made), 0)  # no line was torn or lost
        assert 0 < here.connection_wait_s <= 300
        both[0].communicate("\n", timeout=COMMAND_S)
        assert here.why == "HTTP 429"
        assert 300 - COMMAND_S < here.wait_s <= 300
    finally:
        for each in both:
            each.kill()
            each.communicate()
