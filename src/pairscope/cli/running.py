"""``pairscope run`` and ``pairscope simulator``. To be stopped is their ordinary end: exit code 0, by any signal."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from pairscope.base.logs import set_up_logs
from pairscope.cli.answers import Answer, Interrupted, RunDocument, SimulatorDocument, error_document
from pairscope.cli.common import settings_from
from pairscope.cli.ending import run_until_told

Tell = Callable[[object], None]


class _Told:
    """Whether the document was written, and its writer; without a writer nobody wants one."""

    def __init__(self, tell: Tell | None) -> None:
        self._tell = tell

    def __call__(self, document: object) -> None:
        if self._tell is not None:
            self._tell(document)
            self._tell = None

    def answer(self) -> Answer:
        """How it ended: as asked, but perhaps before there was anything to tell."""
        early = Interrupted("stopped before it was there", cure="start it again")
        return Answer(document=error_document(early) if self._tell is not None else None)


def run(parsed: dict[str, Any]) -> Answer:
    told = _Told(parsed.pop("tell"))
    settings = settings_from(parsed)
    # Nothing is written beside a tape that is only looked at.
    set_up_logs(settings.log_level, None if settings.source == "tape" else settings.data_dir / "pairscope.log")
    # Heavy: imported once it is known that there is something to run.
    from pairscope.app import serve

    def started(url: str, source: str, tape: Path) -> None:
        told(RunDocument(url=url, source=source, tape=str(tape)))

    run_until_told(serve(settings, started=started))
    return told.answer()


def simulator(parsed: dict[str, Any]) -> Answer:
    told = _Told(parsed.pop("tell"))
    set_up_logs("info", None)
    from pairscope.feed.venues import simulate

    def started(ws_url: str, rest_url: str) -> None:
        told(SimulatorDocument(ws_url=ws_url, rest_url=rest_url))

    run_until_told(simulate(**parsed, started=started))
    return told.answer()
