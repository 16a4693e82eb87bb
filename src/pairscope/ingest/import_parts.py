"""What one import beside the live feed works with: files read in workers, and a merge that leaves the feed its turn."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

from pairscope.base.clock import now_ms
from pairscope.ingest.history.beside import MergeBesideFeed
from pairscope.ingest.history.file_import import FileImport
from pairscope.ingest.history.reading import FilesInWorkers, files_of
from pairscope.ingest.ingest import Ingest
from pairscope.ingest.opening import Ground
from pairscope.jobs.job import Hand
from pairscope.store.imports import ImportList


def drafts_folder(tape: Path) -> Path:
    """Of drafts and snapshots; what a killed process left there is worth nothing."""
    return tape.parent / "jobs"


class ImportParts:
    """What one import works with; used in a `with` block."""

    def __init__(
        self, ground: Ground, ingest: Ingest, hand: Hand, imported: ImportList, done: Callable[[], tuple[int, int]]
    ) -> None:
        tape, clock = ground.tape, ground.clock
        self.folder = drafts_folder(tape.path) / str(now_ms(clock))
        self._hand = hand
        self._done = done
        loop = asyncio.get_running_loop()

        def call(function: Callable[..., Any], *arguments: Any) -> Any:
            """In a thread: the loop runs it elsewhere."""
            return asyncio.run_coroutine_threadsafe(hand.run(function, *arguments, within=self._part()), loop).result()

        files = FilesInWorkers(files_of(""), call, ingest.instruments.get, self.folder)
        self.merge = MergeBesideFeed(tape, ground.settings.interval_list(), clock, ingest.judge, ingest.intake)
        self.history = FileImport(
            store=tape,
            importer=self.merge,
            done=imported,
            clock=clock,
            progress=self.progress,
            files=files,
        )

    def _part(self) -> tuple[float, float]:
        """Of the progress of the job, the reading of one file."""
        done, total = self._done()
        return done / total, (done + 0.5) / total

    def progress(self, name: str, rows: int, of: int) -> None:
        """How far the trades of one file are on the tape."""
        low, middle = self._part()
        share = middle + (middle - low) * rows / of if of else low
        self._hand.progress(share, f"brings {name} to the tape" if of else f"fetches {name}")

    def __enter__(self) -> ImportParts:
        self.folder.mkdir(parents=True, exist_ok=True)
        return self

    def __exit__(self, *_: object) -> None:
        shutil.rmtree(self.folder, ignore_errors=True)
