"""Server and page for working on them: the server starts again when a source changes, the page reloads by itself.

Arguments go to ``pairscope run``; without ``--source`` the market is simulated. Both end with this program.
"""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).parent.parent
SOURCES = ROOT / "src" / "pairscope"
LOOK_S = 0.5
PATIENCE_S = 20.0  # of what is told to end
ENDS = ("SIGINT", "SIGTERM", "SIGHUP")  # as far as the system has them


def newest_change(folder: Path) -> float:
    """When a Python source below a folder was last changed."""
    return max((path.stat().st_mtime for path in folder.rglob("*.py")), default=0.0)


def given(name: str, arguments: Sequence[str]) -> str | None:
    """What was given with a flag, the last time; None without it.

    >>> given("--port", ["--port", "1", "--port=2"]), given("--port", ["--source", "tape"])
    ('2', None)
    """
    found = None
    for place, each in enumerate(arguments):
        flag, equals, value = each.partition("=")
        if flag == name:
            found = value if equals else "".join(arguments[place + 1 : place + 2])
    return found


def command(arguments: Sequence[str], port: str) -> list[str]:
    """How the server is started."""
    source = ["--source", "simulator"] if given("--source", arguments) is None else []
    return [sys.executable, "-m", "pairscope", "run", "--no-open", "--port", port, *source, *arguments]


def free_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return int(taken.getsockname()[1])


def start(arguments: Sequence[str], **environment: str) -> subprocess.Popen[bytes]:
    """A process with a group of its own: Ctrl-C reaches this program alone, which ends the others in good order."""
    return subprocess.Popen(arguments, env=os.environ | environment, start_new_session=True)


def end(process: subprocess.Popen[bytes]) -> None:
    """End a process and those it has started in good order, or at once when that takes too long."""
    if process.poll() is not None:
        return
    _tell(process, signal.SIGTERM)
    try:
        process.wait(PATIENCE_S)
    except subprocess.TimeoutExpired:
        _tell(process, signal.SIGKILL)
        process.wait()


def _tell(process: subprocess.Popen[bytes], what: signal.Signals) -> None:
    if hasattr(os, "killpg"):
        with contextlib.suppress(ProcessLookupError):  # it has just ended
            os.killpg(process.pid, what)
    else:
        process.send_signal(what)


def hear(*names: str) -> None:
    """Have signals raise KeyboardInterrupt, those not named pass unheard."""

    def stop(*_: object) -> None:
        raise KeyboardInterrupt

    for name in ENDS:
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), stop if name in names else signal.SIG_IGN)


def main(arguments: list[str]) -> int:
    port = given("--port", arguments) or str(free_port())
    running: list[subprocess.Popen[bytes]] = []
    try:
        hear(*ENDS)
        npm = [sys.executable, str(ROOT / "tools" / "npm.py")]
        running.append(page := start([*npm, "run", "dev"], PAIRSCOPE_URL=f"http://127.0.0.1:{port}"))
        running.append(server := start(command(arguments, port)))
        seen = newest_change(SOURCES)
        while page.poll() is None:
            time.sleep(LOOK_S)
            if (now := newest_change(SOURCES)) > seen:
                seen = now
                print("· a source has changed: the server starts again", flush=True)
                end(server)
                running.append(server := start(command(arguments, port)))
        return page.returncode
    except KeyboardInterrupt:
        return 0
    finally:
        hear()
        for process in reversed(running):
            end(process)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
