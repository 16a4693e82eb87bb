"""A copy of a prepared process is, to what it runs and to who waits for it, a process like any other."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from tests import prepared
from tests.patience import COMMAND_S, EVENT_S

TELLS = """
import os, sys
print(__name__, sys.argv, os.getcwd(), os.environ.get("TOLD"), "pairscope.app" in sys.modules)
print("€", file=sys.stderr)
sys.exit(7)
"""
WAITS = "import sys, time\nprint('waiting', flush=True)\ntime.sleep(3_600)"


def test_it_has_arguments_a_folder_an_environment_output_and_an_exit_code(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    done = prepared.run("-c", TELLS, "one", "two", seconds=COMMAND_S, env={"TOLD": "yes"})
    assert (done.returncode, done.stderr) == (7, "€\n")
    assert done.stdout == f"__main__ ['-c', 'one', 'two'] {tmp_path} yes {prepared.CAN_COPY}\n"


def test_it_does_what_a_python_of_its_own_does() -> None:
    arguments = ("-m", "pairscope", "run", "--settings", "missing.toml")
    fresh = subprocess.run([sys.executable, *arguments], capture_output=True, text=True, check=False)
    copy = prepared.run(*arguments, seconds=COMMAND_S)
    assert (copy.returncode, copy.stdout, copy.stderr) == (fresh.returncode, fresh.stdout, fresh.stderr)


def test_an_error_that_nobody_catches_is_told_and_ends_it() -> None:
    done = prepared.run("-c", "raise ValueError('wrong')", seconds=COMMAND_S)
    assert done.returncode == 1
    assert done.stderr.startswith("Traceback")
    assert done.stderr.endswith("ValueError: wrong\n")


@pytest.fixture
def ears() -> Iterator[tuple[int, int]]:
    """A pipe: its reading and its writing end."""
    ear, mouth = os.pipe()
    yield ear, mouth
    os.close(ear)
    os.close(mouth)


@pytest.mark.parametrize(
    ("sent", "deaf_to", "code"),
    [
        ([signal.SIGKILL], [], -signal.SIGKILL),
        ([signal.SIGTERM], [], -signal.SIGTERM),
        ([signal.SIGINT], [], -signal.SIGINT),
        ([signal.SIGHUP, signal.SIGTERM], [signal.SIGHUP], -signal.SIGTERM),
    ],
)
def test_it_hears_signals_and_its_end_is_told(
    ears: tuple[int, int], sent: Sequence[signal.Signals], deaf_to: Sequence[signal.Signals], code: int
) -> None:
    ear, mouth = ears
    program = prepared.start("-c", WAITS, stdout=mouth, stderr=mouth, deaf_to=deaf_to)
    assert os.read(ear, 100) == b"waiting\n"
    assert program.poll() is None
    with pytest.raises(subprocess.TimeoutExpired):
        program.wait(0.01)
    for each in sent:
        program.send_signal(each)
    assert program.wait(EVENT_S) == code
    program.kill()  # of one that has ended: nothing
    assert program.poll() == code
