"""Logs: one line an event, readable on the terminal, JSON in a rotating file."""

from __future__ import annotations

import contextlib
import json
import logging
import logging.handlers
import sys
from pathlib import Path

import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

from pairscope.base.errors import DataFolderError

FILE_BYTES = 10_000_000
FILES_KEPT = 5


def set_up_logs(level: str, file: Path | None) -> None:
    """Send pairscope's events and every library's log lines the same two ways.

    Raises:
        DataFolderError: when the file cannot be written.
    """
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
        _one_line,
    ]
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=True,
    )
    terminal = logging.StreamHandler(sys.stderr)
    colours = sys.stderr is not None and sys.stderr.isatty()  # None when it was closed before the start
    renderer = structlog.dev.ConsoleRenderer(colors=colours, pad_event_to=28)
    terminal.setFormatter(structlog.stdlib.ProcessorFormatter(processor=renderer, foreign_pre_chain=shared))
    handlers: list[logging.Handler] = [terminal]
    if file is not None:
        rotating = _rotating(file)
        json_lines = structlog.processors.JSONRenderer()
        rotating.setFormatter(structlog.stdlib.ProcessorFormatter(processor=json_lines, foreign_pre_chain=shared))
        handlers.append(rotating)
    root = logging.getLogger()
    for handler in root.handlers[:]:
        root.removeHandler(handler)
        handler.close()
    for handler in handlers:
        root.addHandler(handler)
    root.setLevel(level.upper())
    for noisy in ("httpx", "httpcore", "uvicorn.access", "picows", "numba", "asyncio"):
        logging.getLogger(noisy).setLevel(logging.WARNING)


class PatientFile(logging.handlers.RotatingFileHandler):
    """A log file that can be full for a while: lines are left out and counted, and the count is told once it goes on.

    The terminal goes on getting every line, and hears once, in one line, that the file does not.
    """

    lines_lost = 0

    def emit(self, record: logging.LogRecord) -> None:
        if self.lines_lost and self.stream is None and not self._begun_again():
            self.lines_lost += 1
            return
        super().emit(record)

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 - the name is that of the library
        error = sys.exc_info()[1]
        if not isinstance(error, OSError):
            super().handleError(record)
            return
        if not self.lines_lost:
            print(f"cannot write the log {self.baseFilename}: {error.strerror}; it is tried again", file=sys.stderr)
        self.lines_lost += 1
        self._let_go()

    def _begun_again(self) -> bool:
        """Open the file afresh, on a line of its own, and say how many lines are not in it."""
        try:
            self.stream = self._open()
            event = {"event": "log_lines_lost", "lines": self.lines_lost, "cause": "the file could not be written"}
            self.stream.write(f"\n{json.dumps(event)}\n")
            self.stream.flush()
        except OSError:
            self._let_go()
            return False
        self.lines_lost = 0
        return True

    def _let_go(self) -> None:
        """Close the file with what is left in its buffer, which would be written again and again otherwise."""
        stream, self.stream = self.stream, None
        if stream is not None:
            with contextlib.suppress(OSError):
                stream.close()


def _rotating(file: Path) -> logging.Handler:
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        return PatientFile(file, maxBytes=FILE_BYTES, backupCount=FILES_KEPT, encoding="utf-8")
    except OSError as error:
        raise DataFolderError(
            f"cannot write the log {file}: {error.strerror}", cure="choose a writable folder with --data-dir"
        ) from None


def _one_line(_: WrappedLogger, __: str, event: EventDict) -> EventDict:
    """Strings from outside cannot forge a line or colour the terminal."""
    for key, value in event.items():
        if isinstance(value, str) and key != "exception" and not value.isprintable():
            event[key] = ascii(value)
    return event
