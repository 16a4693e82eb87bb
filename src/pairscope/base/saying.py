"""Lines for people, on a terminal that may have gone."""

from __future__ import annotations

import contextlib
import os
import sys
from typing import TextIO


def say(text: str, out: TextIO | None = None) -> None:
    """Print a line for people. Nobody may be there to read it (`| head -1`, a closed terminal): the work goes on."""
    stream = sys.stdout if out is None else out
    if stream is None or stream.closed:
        return
    try:
        print(text, file=stream, flush=True)
    except OSError:
        with contextlib.suppress(OSError, ValueError):  # what is held back would fail once more at the end
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, stream.fileno())
            os.close(nowhere)
