"""Logs: one line an event, readable on the terminal, JSON in a rotating file."""

from __future__ import annotations

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
    renderer = structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty(), pad_event_to=28)
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


def _rotating(file: Path) -> logging.Handler:
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        return logging.handlers.RotatingFileHandler(file, maxBytes=FILE_BYTES, backupCount=FILES_KEPT, encoding="utf-8")
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
