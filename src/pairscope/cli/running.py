"""``pairscope run`` and ``pairscope simulator``. To be stopped is their ordinary end: exit code 0, by any signal."""

from __future__ import annotations

from typing import Any

from pairscope.base.logs import set_up_logs
from pairscope.cli.common import settings_from
from pairscope.cli.ending import run_until_told


def run(parsed: dict[str, Any]) -> int:
    settings = settings_from(parsed)
    # Nothing is written beside a tape that is only looked at.
    set_up_logs(settings.log_level, None if settings.source == "tape" else settings.data_dir / "pairscope.log")
    # Heavy: imported once it is known that there is something to run.
    from pairscope.app import serve

    run_until_told(serve(settings))
    return 0


def simulator(parsed: dict[str, Any]) -> int:
    set_up_logs("info", None)
    from pairscope.feed.venues import simulate

    run_until_told(simulate(**parsed))
    return 0
