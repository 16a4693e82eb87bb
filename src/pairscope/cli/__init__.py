"""The command line: ``pairscope run``, ``import``, ``backfill``, ``record``, ``doctor``, ``verify``, ``simulator``."""

from __future__ import annotations

import importlib
import io
import os
import sys
from collections.abc import Sequence

from pairscope.base.errors import PairscopeError
from pairscope.base.saying import say
from pairscope.cli.common import EXIT_CANNOT_START, EXIT_INTERRUPTED, EXIT_UNREAD
from pairscope.cli.parser import parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command: 0 when it ended as asked, 1 when it found something wrong, 2 with one line when it cannot run.

    What a signal kept from being finished gives 128 and the number of the signal.
    """
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            # A console that has no letter for a symbol's name, or a file's, shows its code instead.
            stream.reconfigure(errors="backslashreplace")
    parsed = vars(parser().parse_args(arguments))
    module, _, name = parsed.pop("command").partition(".")
    try:
        command = getattr(importlib.import_module(f"pairscope.cli.{module}"), name)
        code = int(command(parsed))
        if sys.stdout is not None:
            sys.stdout.flush()
        return code
    except PairscopeError as error:
        say(f"error: {error}", sys.stderr)
        return EXIT_CANNOT_START
    except KeyboardInterrupt:
        return EXIT_INTERRUPTED
    except BrokenPipeError:  # nobody reads what was found
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return EXIT_UNREAD
