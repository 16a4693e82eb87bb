"""What an action costs the process it runs in."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path


@dataclass(slots=True)
class Watch:
    """What an action took: seconds, and processor seconds of all threads."""

    took_s: float = 0.0
    cpu_s: float = 0.0
    began_s: float = 0.0

    @contextmanager
    def running(self) -> Iterator[None]:
        self.began_s, cpu_s = time.monotonic(), time.process_time()
        yield
        self.took_s, self.cpu_s = self.so_far_s(), time.process_time() - cpu_s

    def so_far_s(self) -> float:
        return time.monotonic() - self.began_s


def peak_mb() -> float:
    """The most memory this process ever had resident; what `resource` tells would count the parent's, too."""
    (peak,) = (line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM:"))
    return int(peak.split()[1]) / 2**10
