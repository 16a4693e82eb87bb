"""pairscope as a person has it: processes of its command line, in surroundings of their own."""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import httpx
import psutil

from tools.digests.data import ROOT
from tools.digests.inside import free_port, move_in, share_kernels

START_S = 600.0  # with all kernels to compile, on a busy machine
COMMAND_S = 300.0
STOP_S = 120.0
WORKER = "pairscope.jobs.worker"
PLAIN: dict[str, Any] = {"verify": False, "trust_env": False, "timeout": 300.0}


class Failed(RuntimeError):
    """A process did not do what the digest needs."""


def surroundings(folder: Path) -> dict[str, str]:
    """The environment of a process: nothing of the user's but the compiled kernels."""
    environment = dict(os.environ)
    share_kernels(environment)
    move_in(environment, folder)
    environment["PYTHONPATH"] = os.pathsep.join([str(ROOT / "src"), str(ROOT)])
    environment |= {"COLUMNS": "100", "NO_COLOR": "1", "TZ": "UTC", "LC_ALL": "C.UTF-8"}
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    return environment


def command(folder: Path, arguments: Sequence[str], settings: Mapping[str, str]) -> subprocess.CompletedProcess[str]:
    """Run a command to its end."""
    return subprocess.run(
        [sys.executable, "-m", "pairscope", *arguments],
        cwd=folder,
        env=surroundings(folder) | dict(settings),
        capture_output=True,
        encoding="utf-8",
        timeout=COMMAND_S,
        check=False,
    )


_BATCH = """
import contextlib, io, json, os, sys
from pairscope.cli import main
sys.argv[0] = "pairscope"
around, done = dict(os.environ), []
for arguments, settings in json.load(sys.stdin):
    os.environ.clear()
    os.environ.update(around | settings)
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            code = main(arguments)
        except SystemExit as ended:
            code = ended.code
    done.append([code, out.getvalue(), err.getvalue()])
json.dump(done, sys.__stdout__)
"""
Case = tuple[str, Sequence[str], Mapping[str, str], str]  # name, arguments, environment, code of the error


def commands(folder: Path, cases: Sequence[Case]) -> list[tuple[int, str, str]]:
    """Run many short commands in one process: exit code, standard output and error of each."""
    given = json.dumps([[list(arguments), dict(settings)] for _, arguments, settings, _ in cases])
    done = subprocess.run(
        [sys.executable, "-c", _BATCH],
        cwd=folder,
        env=surroundings(folder),
        input=given,
        capture_output=True,
        encoding="utf-8",
        timeout=COMMAND_S,
        check=False,
    )
    if done.returncode:
        raise Failed(f"commands ended with {done.returncode}:\n{done.stderr[-3_000:]}")
    return [(code, out, err) for code, out, err in json.loads(done.stdout)]


class Simulator:
    """The simulated exchange in a process of its own, while it is entered."""

    def __init__(self, folder: Path) -> None:
        with (folder / "simulator.log").open("wb") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "pairscope", "simulator", "--json", "--port", "0", "--rest-port", "0"],
                cwd=folder,
                env=surroundings(folder),
                stdout=subprocess.PIPE,
                stderr=log,
                start_new_session=True,
            )
        self.flags: tuple[str, ...] = ()  # that lead a server to it

    def __enter__(self) -> Simulator:
        assert self._process.stdout is not None
        told = json.loads(self._process.stdout.readline())
        rest = ("--exchange-rest-url", told["rest_url"], "--archive-url", told["rest_url"])
        self.flags = ("--exchange-ws-url", told["ws_url"], *rest, "--proxy", "none", "--history-minutes", "0")
        return self

    def __exit__(self, *_: object) -> None:
        self._process.terminate()
        self._process.communicate(timeout=STOP_S)


def interrupted(folder: Path, arguments: Sequence[str], asked: socket.socket) -> tuple[int, str, str]:
    """Run a command until it has asked somebody, tell it to stop, and give what it said; or until it ends by itself."""
    process = subprocess.Popen(
        [sys.executable, "-m", "pairscope", *arguments],
        cwd=folder,
        env=surroundings(folder),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        encoding="utf-8",
        start_new_session=True,
    )
    try:
        deadline_s = time.monotonic() + COMMAND_S
        while process.poll() is None and not select.select([asked], [], [], 0.1)[0]:
            if time.monotonic() > deadline_s:
                raise Failed(f"pairscope {' '.join(arguments)} asked nobody")
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=COMMAND_S)
    finally:
        process.kill()
    return process.returncode, out, err


class Server:
    """A running pairscope and its API, while it is entered."""

    def __init__(self, folder: Path, data: Path, *arguments: str) -> None:
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.client = httpx.Client(base_url=self.url, **PLAIN)
        self.log = folder / f"server.{self.port}.log"
        place = ("--port", str(self.port), "--data-dir", str(data), "--no-open")
        with self.log.open("wb") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "pairscope", "run", *place, *arguments],
                cwd=folder,
                env=surroundings(folder),
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def __enter__(self) -> Server:
        return self

    def __exit__(self, *_: object) -> None:
        self.client.close()
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGTERM)
        try:
            self._process.wait(timeout=STOP_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    @contextlib.contextmanager
    def standing_still(self) -> Iterator[None]:
        """A server that is there, and answers nobody."""
        self._process.send_signal(signal.SIGSTOP)
        try:
            yield
        finally:
            self._process.send_signal(signal.SIGCONT)

    def worker(self) -> psutil.Process | None:
        """The process that works on a job, if there is one."""
        for child in psutil.Process(self._process.pid).children():
            with contextlib.suppress(psutil.NoSuchProcess):
                if WORKER in child.cmdline():
                    return child
        return None

    def until(self, condition: Callable[[dict[str, Any]], bool], path: str = "/status") -> dict[str, Any]:
        """An answer, once it fulfils a condition.

        Raises:
            Failed: when the process ends, or takes too long.
        """
        deadline = time.monotonic() + START_S
        while time.monotonic() < deadline:
            if self._process.poll() is not None:
                raise Failed(f"pairscope ended:\n{self.log.read_text()[-3_000:]}")
            try:
                answer: dict[str, Any] = self.client.get(path).json()
                if condition(answer):
                    return answer
            except (httpx.TransportError, ValueError):
                pass
            time.sleep(0.1)
        raise Failed(f"pairscope did not get there:\n{self.log.read_text()[-3_000:]}")

    def ready(self) -> dict[str, Any]:
        """Once everything is compiled and loaded."""
        return self.until(
            lambda status: not status["warming_up"] and not set(status["kernels"]["preparing"]) - {"files"}
        )
