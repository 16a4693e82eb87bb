"""A tape compared with itself in a worker process: what ``pairscope verify`` does, on a snapshot."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from pairscope.base.clock import Clock
from pairscope.base.interval import Interval
from pairscope.jobs.executor import Progress
from pairscope.store.read_only import ReadOnlyTape
from pairscope.store.verify import TapeVerdict, verify_symbol

DATABASE_MB = 256


def verify_snapshot(
    progress: Progress,
    path: Path,
    symbols: Sequence[str],
    intervals: Sequence[Interval],
    span_ms: tuple[int | None, int | None],
    clock: Clock,
) -> list[TapeVerdict]:
    """For a worker: check symbols between two times (whole UTC days), or all of them.

    Raises:
        DataFolderError, StoreUnavailable: when the snapshot cannot be read.
    """
    from_ms, to_ms = span_ms
    tape = ReadOnlyTape.look(path, clock=clock, memory_limit_mb=DATABASE_MB)
    try:
        verdicts = []
        for place, symbol in enumerate(symbols):
            progress(place / len(symbols), f"compares {symbol}")
            if symbol not in tape.symbols:  # watched, and nothing of it is on the disk yet
                verdicts.append(TapeVerdict(symbol))
                continue
            verdicts.append(
                verify_symbol(tape, symbol, kind=tape.kind, intervals=intervals, from_ms=from_ms, to_ms=to_ms)
            )
        return verdicts
    finally:
        tape.close()
