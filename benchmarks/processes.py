"""Processes that talk in lines of JSON on their standard streams, and what they cost."""

from __future__ import annotations

import json
import os
import queue
import socket
import subprocess
import sys
import tempfile
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any

import psutil

Message = dict[str, Any]
PATIENCE_S = 60.0


class BenchmarkError(Exception):
    """A part of a benchmark did not do what it was started for."""


class Child:
    """A Python module run in a process of its own. Commands go in as lines, events come out as JSON objects."""

    def __init__(self, module: str, *arguments: object, environment: Mapping[str, str] | None = None) -> None:
        self.module = module
        self._errors = tempfile.TemporaryFile("w+")  # noqa: SIM115 - closed in `stop`
        self._process = subprocess.Popen(
            [sys.executable, "-m", module, *map(str, arguments)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            text=True,
            bufsize=1,
            env={**os.environ, **(environment or {})},
        )
        self._events: queue.Queue[Message | None] = queue.Queue()
        threading.Thread(target=self._read, daemon=True).start()
        self.usage = psutil.Process(self._process.pid)

    def __enter__(self) -> Child:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.stop()

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            if line.startswith("{"):  # libraries may talk as well
                self._events.put(json.loads(line))
        self._events.put(None)

    def tell(self, command: str) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(command + "\n")

    def expect(self, event: str, patience_s: float = PATIENCE_S) -> Message:
        """The next event, which must be of this name."""
        try:
            message = self._events.get(timeout=patience_s)
        except queue.Empty:
            raise BenchmarkError(f"{self.module} did not say '{event}' in {patience_s:g} s\n{self._tail()}") from None
        if message is None or message.get("event") != event:
            raise BenchmarkError(f"{self.module} said {message} instead of '{event}'\n{self._tail()}")
        return message

    def _tail(self) -> str:
        self._errors.seek(0)
        return self._errors.read()[-3000:]

    def stop(self) -> None:
        end(self._process)
        self._errors.close()


class Server:
    """``pairscope run`` or another web server: a process that answers HTTP on a port of loopback."""

    def __init__(self, arguments: list[object], port: int, environment: Mapping[str, str] | None = None) -> None:
        self.port = port
        self.started_s = time.monotonic()
        self._output = tempfile.TemporaryFile("w+")  # noqa: SIM115 - closed in `stop`
        self._process = subprocess.Popen(
            [sys.executable, "-m", *map(str, arguments)],
            stdin=subprocess.DEVNULL,
            stdout=self._output,
            stderr=subprocess.STDOUT,
            text=True,
            env={**os.environ, **(environment or {})},
        )
        self.usage = psutil.Process(self._process.pid)

    def __enter__(self) -> Server:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.stop()

    def get(self, path: str) -> bytes:
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}{path}", timeout=10) as answer:
            body: bytes = answer.read()
        return body

    def wait(self, path: str, ready: Callable[[Message], bool] | None = None, patience_s: float = PATIENCE_S) -> float:
        """Ask for `path` until it answers 200 and `ready(body)`; seconds since the process was started."""
        while time.monotonic() - self.started_s < patience_s:
            if self._process.poll() is not None:
                break
            try:
                body = self.get(path)
                if ready is None or ready(json.loads(body)):
                    return time.monotonic() - self.started_s
            except (OSError, urllib.error.URLError):
                pass
            time.sleep(0.01)
        self._output.seek(0)
        raise BenchmarkError(f"no answer from {path}\n{self._output.read()[-3000:]}")

    def status(self) -> Message:
        answer: Message = json.loads(self.get("/status"))
        return answer

    def cpu_s(self) -> float:
        """Processor time of all threads so far."""
        times = self.usage.cpu_times()
        return float(times.user + times.system)

    def resident_mb(self) -> float:
        return float(self.usage.memory_info().rss) / 2**20

    def stop(self) -> None:
        end(self._process)
        self._output.close()


def pairscope(port: int, data_dir: Path, exchange: Message | None = None, **environment: str) -> Server:
    """The product itself, as a person starts it; against an exchange of the benchmark when one is given."""
    if exchange is not None:
        environment |= {
            "PAIRSCOPE_EXCHANGE_WS_URL": exchange["ws_url"],
            "PAIRSCOPE_EXCHANGE_REST_URL": exchange["rest_url"],
        }
    source = "simulator" if exchange is None else "live"
    arguments = ["pairscope", "run", "--source", source, "--port", port, "--data-dir", data_dir]
    return Server(arguments, port, environment)


def end(process: subprocess.Popen[str]) -> None:
    """Ask a process to go, and make it go when it does not."""
    if process.poll() is None:
        process.terminate()
        try:
            process.wait(15)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port: int = taken.getsockname()[1]
    return port


def say(event: str, **facts: object) -> None:
    """One event of a child process to its parent."""
    print(json.dumps({"event": event, **facts}), flush=True)
