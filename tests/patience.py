"""How long tests wait before they call it a failure.

A limit derives from the one the product itself works with, where there is one, and is longer than it. On a machine that
is busy with other things all of them are multiplied: ``TESTS_TIMEOUT_FACTOR=3 make test``.
"""

from __future__ import annotations

import os

FACTOR = float(os.environ.get("TESTS_TIMEOUT_FACTOR") or 1.0)


def within(seconds: float) -> float:
    """So many seconds, on this machine."""
    return seconds * FACTOR


ANSWER_S = within(30.0)  # any question, behind others, on a machine that also compiles
EVENT_S = within(30.0)  # something that happens in a moment, on the wire or on the disk
WORK_S = within(120.0)  # something of many steps: days of files fetched, read, kept and told
START_S = within(90.0)  # another process, up to its first trade
COMMAND_S = within(180.0)  # another process, from its start to its end, also where seven others share its core
STOP_S = within(60.0)  # the flush of a tape, and the end of its process
