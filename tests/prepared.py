"""Processes of Python that begin with pairscope loaded: most of what a short command takes is the time of its imports.

One process beside each test process loads the package and its compiled kernels, and forks a copy of itself for every
program that a test starts. A copy is a process like any other: with a number, signals, an environment, a folder and
output of its own, and the exit code of what it ran. Where that is not known to be sound, outside Linux, each loads
everything by itself.

What happens while pairscope is being loaded, or taken down in the end, cannot be seen in a copy: for that a test starts
Python itself, as `tests/test_cli.py` does once for each command and `tests/cli/test_ending.py` for each signal.
"""

from __future__ import annotations

import atexit
import contextlib
import gc
import importlib
import json
import os
import runpy
import select
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import time
import traceback
import types
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO, Any

from tests.patience import COMMAND_S

ROOT = Path(__file__).parent.parent
LOADED = (
    *(f"pairscope.{name}" for name in ("app", "cli.history", "cli.checking", "cli.published", "cli.recording")),
    *("pairscope.cli.running", "pairscope.feed.binance.simulator.exchange", "pairscope.live.compiling"),
    *("anyio._backends._asyncio", "httpcore", "uvicorn.lifespan.on", "uvicorn.protocols.http.auto", "pytest"),
)
CAN_COPY = sys.platform == "linux"
LENGTH = struct.Struct("!I")
Output = IO[Any] | int


@dataclass(frozen=True)
class Asked:
    """What a program is, and what it finds around it."""

    arguments: tuple[str, ...]  # -m MODULE ... or -c PROGRAM ...
    environment: dict[str, str]
    folder: str
    new_session: bool
    deaf_to: tuple[int, ...]  # signals


def start(
    *arguments: str,
    stdout: Output,
    stderr: Output,
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
    start_new_session: bool = False,
    deaf_to: Sequence[signal.Signals] = (),
    fresh: bool = False,
) -> Program | subprocess.Popen[bytes]:
    """Run ``python -m MODULE ...`` or ``python -c PROGRAM ...`` beside the test: a copy, or a `fresh` Python.

    A copy hears every signal but those of `deaf_to`, also when the tests were started by what ignores some.
    """
    environment = dict(os.environ if env is None else env)
    asked = Asked(arguments, environment, str(cwd or Path.cwd()), start_new_session, tuple(deaf_to))
    if CAN_COPY and not fresh:
        return Program(asked, tuple(each if isinstance(each, int) else each.fileno() for each in (stdout, stderr)))
    return subprocess.Popen(
        [sys.executable, *arguments],
        stdin=subprocess.DEVNULL,
        stdout=stdout,
        stderr=stderr,
        env=environment,
        cwd=asked.folder,
        start_new_session=start_new_session,
        preexec_fn=(lambda: _hear(deaf_to)) if deaf_to else None,  # noqa: PLW1509
    )


def run(
    *arguments: str,
    seconds: float,
    env: Mapping[str, str] | None = None,
    encoding: str = "utf-8",
    fresh: bool = False,
) -> subprocess.CompletedProcess[str]:
    """Run to the end, as `subprocess.run` does, and give what was printed."""
    with tempfile.TemporaryFile("w+", encoding=encoding) as out, tempfile.TemporaryFile("w+", encoding=encoding) as err:
        program = start(*arguments, stdout=out, stderr=err, env=env, fresh=fresh)
        try:
            code = program.wait(seconds)
        finally:
            program.kill()
        out.seek(0)
        err.seek(0)
        return subprocess.CompletedProcess(arguments, code, out.read(), err.read())


class Program:
    """A copy that runs, with the methods of `subprocess.Popen` that tests use."""

    def __init__(self, asked: Asked, output: Sequence[int]) -> None:
        self.args = asked.arguments
        self.returncode: int | None = None
        self._ended, told = os.pipe()
        try:
            self.pid = _source().copy(asked, (*output, told))
        finally:
            os.close(told)

    def poll(self) -> int | None:
        return self._end_within(0)

    def wait(self, timeout: float | None = None) -> int:
        code = self._end_within(timeout)
        if code is None:
            raise subprocess.TimeoutExpired(self.args, timeout or 0)
        return code

    def send_signal(self, number: int) -> None:
        if self.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, number)

    def terminate(self) -> None:
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)

    def _end_within(self, seconds: float | None) -> int | None:
        if self.returncode is None and select.select([self._ended], [], [], seconds)[0]:
            self.returncode = int(os.read(self._ended, 16))
            os.close(self._ended)
        return self.returncode

    def __del__(self) -> None:
        if self.returncode is None:
            os.close(self._ended)


# --- on the side of the tests -------------------------------------------------------------------------


class _Source:
    """The process that is copied; started by the first test that needs one."""

    def __init__(self) -> None:
        self._channel, theirs = socket.socketpair()
        self._lock = threading.Lock()
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "tests.prepared", str(theirs.fileno())],
                cwd=ROOT,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                pass_fds=[theirs.fileno()],
                start_new_session=True,  # Ctrl-C is for the tests, which end it
            )

    def copy(self, asked: Asked, files: Sequence[int]) -> int:
        """The number of a new process that does what is asked."""
        body = json.dumps(asdict(asked)).encode()
        with self._lock:
            socket.send_fds(self._channel, [LENGTH.pack(len(body))], files)
            self._channel.sendall(body)
            (pid,) = LENGTH.unpack(_exactly(self._channel, LENGTH.size))
        return int(pid)

    def end(self) -> None:
        self._channel.close()
        self._process.wait()


_sources: list[_Source] = []
_starting = threading.Lock()


def _source() -> _Source:
    with _starting:
        if not _sources:
            _sources.append(_Source())
        return _sources[0]


def be_ready() -> None:
    """Return when the process that is copied has loaded everything: the first copy waits for it otherwise."""
    if CAN_COPY:
        run("-c", "pass", seconds=COMMAND_S)


def end_source() -> None:
    while _sources:
        _sources.pop().end()


def _exactly(channel: socket.socket, size: int) -> bytes:
    read = b""
    while len(read) < size:
        part = channel.recv(size - len(read))
        if not part:
            raise EOFError("the other side has ended")
        read += part
    return read


# --- on the side of the process that is copied ----------------------------------------------------------


def main(channel: socket.socket) -> None:
    for name in LOADED:
        importlib.import_module(name)
    importlib.import_module("pairscope.live.compiling").warm_up_all()
    gc.collect()
    gc.freeze()  # what all copies share is not looked through by each
    asked = _copied(channel)
    if asked is None:
        os._exit(0)
    code = 1
    try:
        _become(asked)
        _run(asked.arguments)
        code = 0
    except SystemExit as end:
        code = _exit_code(end)
    except KeyboardInterrupt:
        code = -signal.SIGINT
        traceback.print_exc()
    finally:
        if sys.exc_info()[1] is not None:  # of the program
            traceback.print_exc()
        _leave(code)


def _copied(channel: socket.socket) -> Asked | None:
    """In a copy, what it is asked to do; None in the source, once the tests have ended."""
    ear, bell = os.pipe()
    os.set_blocking(bell, False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    signal.set_wakeup_fd(bell)
    running: dict[int, int] = {}  # number of the process: file that its end is written to
    while True:
        heard, _, _ = select.select([channel.fileno(), ear], [], [])
        if ear in heard:
            os.read(ear, 4096)
            _tell_ended(running)
        if channel.fileno() not in heard:
            continue
        head, files, _, _ = socket.recv_fds(channel, LENGTH.size, 3)
        if not head:
            return None
        asked = Asked(**json.loads(_exactly(channel, *LENGTH.unpack(head))))
        out, err, told = files
        pid = os.fork()
        if not pid:
            os.dup2(out, 1)
            os.dup2(err, 2)
            signal.set_wakeup_fd(-1)
            channel.detach()
            os.closerange(3, os.sysconf("SC_OPEN_MAX"))
            return asked
        running[pid] = told
        os.close(out)
        os.close(err)
        channel.sendall(LENGTH.pack(pid))


def _tell_ended(running: dict[int, int]) -> None:
    while running:
        pid, status = os.waitpid(-1, os.WNOHANG)
        if not pid:
            return
        told = running.pop(pid)
        with contextlib.suppress(BrokenPipeError):  # nobody waits for it any more
            os.write(told, str(os.waitstatus_to_exitcode(status)).encode())
        os.close(told)


def _become(asked: Asked) -> None:
    """What a process gets at its start, and this one has only now."""
    if asked.new_session:
        os.setsid()
    _hear(asked.deaf_to)
    os.environ.clear()
    os.environ.update(asked.environment)
    time.tzset()
    os.chdir(asked.folder)
    encoding = asked.environment.get("PYTHONIOENCODING", "utf-8")
    sys.stdout = open(1, "w", encoding=encoding, closefd=False)  # noqa: SIM115 - as long as the process
    sys.stderr = open(2, "w", 1, encoding=encoding, errors="backslashreplace", closefd=False)  # noqa: SIM115


def _hear(deaf_to: Sequence[int]) -> None:
    for number in (signal.SIGHUP, signal.SIGINT, signal.SIGTERM, signal.SIGCHLD):
        usual = signal.default_int_handler if number == signal.SIGINT else signal.SIG_DFL
        signal.signal(number, signal.SIG_IGN if number in deaf_to else usual)


def _run(arguments: Sequence[str]) -> None:
    kind, what, *rest = arguments
    if kind == "-m":
        sys.argv = [what, *rest]
        runpy.run_module(what, run_name="__main__", alter_sys=True)
    else:
        sys.argv = ["-c", *rest]
        module = types.ModuleType("__main__")
        sys.modules["__main__"] = module
        exec(compile(what, "<string>", "exec"), module.__dict__)


def _exit_code(end: SystemExit) -> int:
    if end.code is None or isinstance(end.code, int):
        return end.code or 0
    print(end.code, file=sys.stderr)
    return 1


def _leave(code: int) -> None:
    """End as Python does, but for taking down module by module what was loaded, which takes a second of work."""
    threading._shutdown()  # type: ignore[attr-defined]
    atexit._run_exitfuncs()
    sys.stdout.flush()
    sys.stderr.flush()
    if code == -signal.SIGINT:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        os.kill(os.getpid(), signal.SIGINT)
    os._exit(code)


if __name__ == "__main__":
    main(socket.socket(fileno=int(sys.argv[1])))
