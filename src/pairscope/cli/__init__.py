"""The command line: ``pairscope run``, ``import``, ``backfill``, ``record``, ``doctor``, ``verify``, ``simulator``."""

from __future__ import annotations

import contextlib
import importlib
import io
import sys
from collections.abc import Sequence

from pairscope.base.errors import PairscopeError
from pairscope.cli.common import EXIT_CANNOT_START
from pairscope.cli.parser import parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command: 0 when it ended as asked, 1 when it found something wrong, 2 with one line when it cannot run."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            # A console that has no letter for a symbol's name, or a file's, shows its code instead.
            stream.reconfigure(errors="backslashreplace")
    parsed = vars(parser().parse_args(arguments))
    module, _, name = parsed.pop("command").partition(".")
    try:
        with contextlib.suppress(KeyboardInterrupt):
            command = getattr(importlib.import_module(f"pairscope.cli.{module}"), name)
            return int(command(parsed))
    except PairscopeError as error:
        print(f"error: {error}", file=sys.stderr)
        return EXIT_CANNOT_START
    return 0
