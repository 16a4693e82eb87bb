"""Server and page for working on them: the server starts again when a source changes, the page reloads by itself.

Arguments go to ``pairscope run``; without ``--source`` the market is simulated.
"""

from __future__ import annotations

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
PATIENCE_S = 20.0  # of a server that is told to end


def newest_change(folder: Path) -> float:
    """When a Python source below a folder was last changed."""
    return max((path.stat().st_mtime for path in folder.rglob("*.py")), default=0.0)


def command(arguments: Sequence[str], port: int) -> list[str]:
    """How the server is started."""
    source = [] if any(each.split("=")[0] == "--source" for each in arguments) else ["--source", "simulator"]
    return [sys.executable, "-m", "pairscope", "run", "--no-open", "--port", str(port), *source, *arguments]


def free_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return int(taken.getsockname()[1])


def end(process: subprocess.Popen[bytes]) -> None:
    """End a process in good order, or at once when it takes too long."""
    if process.poll() is None:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(PATIENCE_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def main(arguments: list[str]) -> int:
    port = free_port()
    environment = {**os.environ, "PAIRSCOPE_URL": f"http://127.0.0.1:{port}"}
    page = subprocess.Popen([sys.executable, str(ROOT / "tools" / "npm.py"), "run", "dev"], env=environment)
    server = subprocess.Popen(command(arguments, port))
    seen = newest_change(SOURCES)
    try:
        while page.poll() is None:
            time.sleep(LOOK_S)
            if (now := newest_change(SOURCES)) > seen:
                seen = now
                print("· a source has changed: the server starts again", flush=True)
                end(server)
                server = subprocess.Popen(command(arguments, port))
    except KeyboardInterrupt:
        return 0
    finally:
        end(server)
        end(page)
    return page.returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
