"""No test sees, uses or changes anything of the user's, whatever else runs on the machine."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from pairscope.base.settings import Settings
from pairscope.base.settings_sources import load_settings
from tests.patience import COMMAND_S
from tests.surroundings import KERNELS, ROOT, is_the_users
from tests.test_cli import assert_refused, pairscope

HOSTILE = {  # of a user who runs pairscope by other settings, behind a proxy that is not there
    "PAIRSCOPE_PORT": "8000",
    "PAIRSCOPE_SYMBOLS": "not a symbol",
    "PAIRSCOPE_MISSPELT": "1",
    "SYMBOLS": "not a symbol",
    "DATABASE_PATH": "/dev/null/tape.duckdb",
    "KEEP_DATA_DAYS": "none",
    "HTTP_PROXY": "http://127.0.0.1:1",
    "HTTPS_PROXY": "http://127.0.0.1:1",
    "all_proxy": "http://127.0.0.1:1",
    "HOME": "/dev/null/home",
    "XDG_DATA_HOME": "/dev/null/data",
}


@contextmanager
def taken(port: int) -> Iterator[None]:
    """A port that is in use, by us or by whoever has it."""
    with socket.socket() as ours:
        ours.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            ours.bind(("127.0.0.1", port))
            ours.listen()
        except OSError:
            pass
        yield


def test_a_command_that_is_told_no_port_does_not_need_the_usual_one() -> None:
    usual = int(Settings.model_fields["port"].default)
    with taken(usual):
        assert_refused(pairscope("run", "--source", "replay", "missing.gz", fresh=True), "missing.gz")
    assert load_settings().port != usual


def test_a_command_that_is_told_no_folder_keeps_its_tape_in_that_of_the_test(
    surroundings_of_its_own: Path,
) -> None:
    data_dir = load_settings().data_dir
    assert data_dir.is_relative_to(surroundings_of_its_own)
    assert_refused(pairscope("doctor", fresh=True), str(data_dir))


def test_a_settings_file_where_tests_were_started_is_not_read() -> None:
    assert not Path("pairscope.toml").exists()
    assert Path.cwd() != ROOT


def test_nothing_of_the_users_is_in_the_environment() -> None:
    assert {name for name in os.environ if is_the_users(name)} == {"BACKEND_PORT"}
    assert Path(os.environ[KERNELS]).is_dir(), "but for compiled kernels"


def test_what_a_test_changes_of_the_environment_ends_with_it_one() -> None:
    os.environ["PAIRSCOPE_LEFT_BEHIND"] = "1"


def test_what_a_test_changes_of_the_environment_ends_with_it_two() -> None:
    assert "PAIRSCOPE_LEFT_BEHIND" not in os.environ


@pytest.mark.parametrize("settings", [None, "port = 8000\nmisspelt = 1\n"])
def test_tests_pass_in_a_hostile_environment(tmp_path: Path, settings: str | None) -> None:
    if settings is not None:
        (tmp_path / "pairscope.toml").write_text(settings)
    usual = int(Settings.model_fields["port"].default)
    chosen = "told_no or nothing_of or settings_file"
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--rootdir", str(ROOT), "-k", chosen]
    environment = {**os.environ, **HOSTILE, "PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "src")])}
    with taken(usual):
        done = subprocess.run(
            [*command, "-c", str(ROOT / "pyproject.toml"), str(Path(__file__))],
            cwd=tmp_path,
            env=environment,
            capture_output=True,
            text=True,
            timeout=3 * COMMAND_S,
            check=False,
        )
    assert done.returncode == 0, done.stdout + done.stderr
