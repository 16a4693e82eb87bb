"""``pairscope run`` and ``pairscope simulator``."""

from __future__ import annotations

import asyncio
from typing import Any

from pairscope.base.logs import set_up_logs
from pairscope.cli.common import settings_from


def run(parsed: dict[str, Any]) -> int:
    settings = settings_from(parsed)
    set_up_logs(settings.log_level, settings.data_dir / "pairscope.log")
    # Heavy: imported once it is known that there is something to run.
    from pairscope.app import serve

    asyncio.run(serve(settings))
    return 0


def simulator(parsed: dict[str, Any]) -> int:
    set_up_logs("info", None)
    from pairscope.feed.simulator.exchange import serve

    asyncio.run(serve(**parsed))
    return 0
