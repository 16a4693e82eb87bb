"""The command line: finds the function of a command, runs it, and tells the shell how it ended."""

from __future__ import annotations

import contextlib
import importlib
import io
import os
import sys
import traceback
from collections.abc import Iterator, Sequence
from functools import partial
from typing import TextIO

from pairscope.base.errors import PairscopeError
from pairscope.base.saying import say
from pairscope.cli.answers import Answer, Interrupted, encode, error_document
from pairscope.cli.exit_codes import EXIT_CANNOT_START, EXIT_CRASHED, EXIT_INTERRUPTED, EXIT_UNREAD
from pairscope.cli.parser import parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; `exit_codes` has what is returned. With ``--json`` one document is all that is printed."""
    given = sys.argv[1:] if arguments is None else list(arguments)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            # A console that has no letter for a symbol's name, or a file's, shows its code instead.
            stream.reconfigure(errors="backslashreplace")
    out = sys.stdout
    with _text_elsewhere("--json" in given):
        answer = _answer(given, out)
    try:
        if answer.document is not None and "--json" in given:
            _write(answer.document, out)
        if out is not None:
            out.flush()
    except BrokenPipeError:
        return _unread(out)
    return answer.code


def _answer(given: Sequence[str], out: TextIO) -> Answer:
    try:
        parsed = vars(parser().parse_args(given))
        module, _, name = parsed.pop("command").partition(".")
        command = getattr(importlib.import_module(f"pairscope.cli.{module}"), name)
        is_json, tells_at_once = parsed.pop("json"), parsed.pop("tells_at_once", False)
        if tells_at_once:  # it runs until it is stopped: nobody would wait for its answer
            parsed["tell"] = partial(_write, out=out) if is_json else None
        answer: Answer = command(parsed)
        return answer
    except PairscopeError as error:
        say(f"error: {error}", sys.stderr)
        return Answer(EXIT_CANNOT_START, error_document(error))
    except KeyboardInterrupt:
        return Answer(EXIT_INTERRUPTED, error_document(Interrupted("stopped before it was done", cure="")))
    except BrokenPipeError:  # nobody reads what was found
        return Answer(_unread(out))
    except Exception as error:  # noqa: BLE001 - the edge of a command
        traceback.print_exc()
        fault = PairscopeError(
            f"a fault of pairscope itself: {type(error).__name__}: {error}",
            cure="please report it with the traceback on the standard error",
            code="internal_error",
        )
        return Answer(EXIT_CRASHED, error_document(fault))


def _write(document: object, out: TextIO) -> None:
    if out is not None:
        out.write(encode(document).decode() + "\n")
        out.flush()


def _unread(out: TextIO) -> int:
    os.dup2(os.open(os.devnull, os.O_WRONLY), out.fileno())
    return EXIT_UNREAD


@contextlib.contextmanager
def _text_elsewhere(is_json: bool) -> Iterator[None]:
    """What is printed for people goes to the standard error, when a program reads the standard output."""
    if not is_json or sys.stderr is None:
        yield
        return
    with contextlib.redirect_stdout(sys.stderr):
        yield
