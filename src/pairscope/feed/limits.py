"""What hosts allow us: when one may be asked again, and how many connections it was asked for lately.

The exchange counts per address and not per process: a program that starts anew must not start to count anew. So each
attempt and each "come back later" is a line appended to one small file of the data folder, which survives a kill and is
shared by all processes of that folder. What was written in the future of our clock is not believed, what cannot be
written is counted in memory only, and the file is bounded.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

import msgspec
import structlog

from pairscope.base import files
from pairscope.base.chance import token
from pairscope.base.clock import Clock, now_ms

log = structlog.get_logger()

WINDOW_S = 300.0  # in which the exchange counts connections of an address
MOST_CONNECTIONS = 200  # of ours in it; 300 is where the exchange begins to refuse, and others may share the address
LONGEST_WAIT_S = 3 * 86_400.0  # the longest ban the exchange gives
FUTURE_S = 1.0  # of clock drift between two processes of one machine
MOST_BYTES = 64 * 1024
FILE = "exchange-limits.jsonl"
_PORTS = {"http": 80, "ws": 80, "https": 443, "wss": 443}


class _Line(msgspec.Struct, omit_defaults=True):
    """One line of the file: an attempt to connect, or until when nothing may be asked."""

    host: str
    at_ms: int
    by: str
    until_ms: int = 0
    why: str = ""


@dataclass(slots=True)
class _Count:
    """Of one host."""

    own_s: deque[float] = field(default_factory=lambda: deque(maxlen=2 * MOST_CONNECTIONS))  # monotonic
    foreign_s: deque[float] = field(default_factory=lambda: deque(maxlen=2 * MOST_CONNECTIONS))
    not_before_s: float = float("-inf")
    until_ms: int = 0  # for people
    why: str = ""


class Limits:
    """The limits of all hosts; `path` is the file, None for a host that keeps none (the simulator)."""

    def __init__(self, clock: Clock, path: Path | None = None) -> None:
        self._clock = clock
        self._path = path
        self._by = token()
        self._counts: dict[str, _Count] = {}
        self._read_bytes = 0
        self._inode = 0
        self._complained = False

    def door(self, url: str) -> HostAccess:
        """The limits of the host of an address."""
        parts = urlsplit(url)
        port = parts.port or _PORTS.get(parts.scheme, 0)
        return HostAccess(self, f"{(parts.hostname or '').lower()}:{port}", self._clock)

    def count(self, host: str) -> _Count:
        """What is known of a host, with what other processes wrote meanwhile."""
        self._refresh()
        count = self._counts.setdefault(host, _Count())
        oldest_s = self._clock.monotonic_s() - WINDOW_S
        for attempts in (count.own_s, count.foreign_s):
            while attempts and attempts[0] <= oldest_s:
                attempts.popleft()
        return count

    def attempt(self, host: str) -> None:
        """Note a connection that is about to be asked for."""
        self.count(host).own_s.append(self._clock.monotonic_s())
        self._append(_Line(host, now_ms(self._clock), self._by))

    def forbid(self, host: str, seconds: float, why: str) -> None:
        """Note that nothing may be asked for a while; a shorter wait does not shorten a longer one."""
        seconds = min(max(0.0, seconds), LONGEST_WAIT_S)
        at_ms = now_ms(self._clock)
        line = _Line(host, at_ms, self._by, at_ms + round(seconds * 1_000), why)
        if self._forbid(line, self._clock.monotonic_s() + seconds):
            self._append(line)

    def _forbid(self, line: _Line, not_before_s: float) -> bool:
        count = self._counts.setdefault(line.host, _Count())
        longer = not_before_s > count.not_before_s
        if longer:
            count.not_before_s, count.until_ms, count.why = not_before_s, line.until_ms, line.why
        return longer

    def _append(self, line: _Line) -> None:
        if self._path is None:
            return
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            with self._path.open("ab") as file:  # short lines of several processes do not mix
                if file.tell() > MOST_BYTES:
                    self._shorten()
                    file.close()
                    self._append(line)
                    return
                file.write(b"\n" + msgspec.json.encode(line))  # a torn line before it spoils only itself
        except OSError as error:
            self._complain(error)

    def _complain(self, error: OSError) -> None:
        if not self._complained:
            self._complained = True
            log.warning("limits_not_kept", path=str(self._path), cause=error.strerror)

    def _refresh(self) -> None:
        """Take in what was appended since the last look."""
        if self._path is None:
            return
        try:
            found = self._path.stat()
            if found.st_ino != self._inode or found.st_size < self._read_bytes:
                self._read_bytes, self._inode = 0, found.st_ino
                for count in self._counts.values():
                    count.foreign_s.clear()
            if found.st_size == self._read_bytes:
                return
            with self._path.open("rb") as file:
                file.seek(self._read_bytes)
                content = file.read(2 * MOST_BYTES)
        except FileNotFoundError:
            return
        except OSError as error:
            self._complain(error)
            return
        whole, _, last = content.rpartition(b"\n")
        if not _lines(last):  # another process may be writing it at this moment: it is read again
            content = whole
        self._read_bytes += len(content)
        for line in _lines(content):
            if line.by != self._by:
                self._take(line)

    def _take(self, line: _Line) -> None:
        now, now_s = now_ms(self._clock), self._clock.monotonic_s()
        if line.at_ms > now + FUTURE_S * 1_000:
            return
        count = self._counts.setdefault(line.host, _Count())
        if line.until_ms:
            wait_s = min((line.until_ms - now) / 1_000, LONGEST_WAIT_S)
            if wait_s > 0 and line.until_ms - line.at_ms <= LONGEST_WAIT_S * 1_000:
                self._forbid(line, now_s + wait_s)
        else:
            at_s = now_s - (now - line.at_ms) / 1_000
            if at_s > now_s - WINDOW_S:
                count.foreign_s.append(min(at_s, now_s))

    def _shorten(self) -> None:
        """Leave out what no longer says anything. A line another process writes at this moment may be lost."""
        assert self._path is not None
        now = now_ms(self._clock)
        kept = [
            line
            for line in _lines(self._path.read_bytes()[-2 * MOST_BYTES :])
            if (line.until_ms > now if line.until_ms else now - WINDOW_S * 1_000 < line.at_ms)
            and line.at_ms <= now + FUTURE_S * 1_000
        ]
        draft = self._path.with_name(f"{self._path.name}.{self._by}")
        try:
            draft.write_bytes(b"".join(b"\n" + msgspec.json.encode(line) for line in kept[-MOST_CONNECTIONS:]))
            files.rename(draft, self._path)
        finally:
            draft.unlink(missing_ok=True)


class HostAccess:
    """The limits of one host."""

    def __init__(self, limits: Limits, host: str, clock: Clock) -> None:
        self.host = host
        self._limits = limits
        self._clock = clock

    @property
    def wait_s(self) -> float:
        """How long nothing at all may be asked; 0 when one may."""
        return max(0.0, self._limits.count(self.host).not_before_s - self._clock.monotonic_s())

    @property
    def why(self) -> str:
        """Who or what asked for the wait."""
        return self._limits.count(self.host).why

    @property
    def next_allowed_ms(self) -> int | None:
        """When the host may be asked again; None when it may be now."""
        return now_ms(self._clock) + round(self.wait_s * 1_000) if self.wait_s else None

    @property
    def connections(self) -> int:
        """Connections that were asked for in the last five minutes, by all processes of the data folder."""
        count = self._limits.count(self.host)
        return len(count.own_s) + len(count.foreign_s)

    @property
    def connection_wait_s(self) -> float:
        """How long no connection may be asked for; 0 when one may."""
        count = self._limits.count(self.host)
        attempts = sorted([*count.own_s, *count.foreign_s])
        full_s = attempts[-MOST_CONNECTIONS] + WINDOW_S if len(attempts) >= MOST_CONNECTIONS else float("-inf")
        return max(0.0, max(full_s, count.not_before_s) - self._clock.monotonic_s())

    def attempt(self) -> None:
        """Note a connection that is about to be asked for."""
        self._limits.attempt(self.host)

    def forbid(self, seconds: float, why: str) -> None:
        """Ask nothing for so long."""
        self._limits.forbid(self.host, seconds, why)


def _lines(content: bytes) -> list[_Line]:
    """The lines that can be read."""
    found = []
    for text in content.split(b"\n"):
        try:
            found.append(msgspec.json.decode(text, type=_Line))
        except (msgspec.DecodeError, UnicodeError):
            continue
    return found
