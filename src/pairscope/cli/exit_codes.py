"""What a command tells the shell, the same for all of them."""

from __future__ import annotations

from collections.abc import Mapping

EXIT_DONE = 0
EXIT_FOUND = 1
EXIT_CANNOT_START = 2
EXIT_CRASHED = 70  # EX_SOFTWARE of sysexits.h
SIGNALLED = 128  # and the number of the signal
EXIT_INTERRUPTED = SIGNALLED + 2  # SIGINT
EXIT_UNREAD = SIGNALLED + 13  # SIGPIPE

MEANINGS: Mapping[int, str] = {
    EXIT_DONE: "it ended as asked; `run`, `simulator` and `record` are ended by a signal, which is as asked",
    EXIT_FOUND: "it ended, and found something wrong: a difference, a tape that cannot be read, a file or a symbol that"
    " was refused, a channel that did not accept a test, or nothing at all to prove",
    EXIT_CANNOT_START: "it cannot run as asked: one line (with `--json` one document) says why, and what cures it",
    EXIT_CRASHED: "a fault of pairscope itself; please report it with the traceback",
    SIGNALLED + 1: "told to stop before it was done, by a closed terminal (SIGHUP)",
    EXIT_INTERRUPTED: "told to stop before it was done, by Ctrl-C (SIGINT)",
    EXIT_UNREAD: "nobody read what it found (SIGPIPE)",
    SIGNALLED + 15: "told to stop before it was done (SIGTERM)",
}
