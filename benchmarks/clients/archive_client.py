"""``pairscope import`` of a file, without the start of a process: FILE WARM_UP_FILE FOLDER.

The second file is small, of another symbol and the day after. It warms everything up, and ends the day of the first.
"""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

from benchmarks.clients.watch import Watch, peak_mb
from benchmarks.processes import BenchmarkError, say
from pairscope.base.clock import SystemClock, now_ms
from pairscope.base.logs import set_up_logs
from pairscope.base.model import TradeKind
from pairscope.base.settings_sources import load_settings
from pairscope.cli.history import QUEUE_ROWS
from pairscope.feed.binance.archive import find_archives
from pairscope.ingest.history.file_import import FileImport, FileOutcome
from pairscope.ingest.history.merge import Merge
from pairscope.store.imports import ImportList
from pairscope.store.tape import Tape


async def imported(path: Path, files: list[Path]) -> dict[str, float]:
    """What ``pairscope import`` does: checksum, ids, trades on the tape, gaps, bars; then the day goes to its files."""
    clock = SystemClock()
    store = Tape.open(path, kind=TradeKind.AGG, clock=clock, queue_rows=QUEUE_ROWS)
    try:
        importer = Merge(store, load_settings({}, environment={}).interval_list(), clock)
        history = FileImport(
            store=store, importer=importer, done=ImportList(path), clock=clock, progress=lambda *progress: None
        )
        watch, sealing = Watch(), Watch()
        with watch.running():
            outcome = await _taken(history, files[0])
        for file in files[1:]:
            await _taken(history, file)
        with sealing.running():
            await asyncio.to_thread(store.seal, now_ms(clock))
        sealed = [part for part in store.days() if part.kind == "trades"]
        return {
            "trades": outcome.added,
            "took_s": watch.took_s,
            "cpu_s": watch.cpu_s,
            "bars": outcome.bars,
            "seal_s": sealing.took_s,
            "seal_cpu_s": sealing.cpu_s,
            "sealed": sum(part.row_count for part in sealed),
            "sealed_bytes": sum(part.byte_count for part in sealed),
        }
    finally:
        store.close()


async def _taken(history: FileImport, path: Path) -> FileOutcome:
    (file,) = find_archives([path])
    outcome = await history.take(file)
    if outcome.added != outcome.rows or outcome.notes:
        raise BenchmarkError(f"{path.name}: {outcome}")
    return outcome


def main() -> None:
    set_up_logs("error", None)
    file, warm_up, folder = map(Path, sys.argv[1:])
    asyncio.run(imported(folder / "warm" / "tape.duckdb", [warm_up]))
    done = asyncio.run(imported(folder / "tape.duckdb", [file, warm_up]))
    say("brought", **done, memory_mb=peak_mb())


if __name__ == "__main__":
    main()
