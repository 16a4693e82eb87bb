"""What commands answer: an exit code, and with ``--json`` one of these documents on the standard output.

Text for people then goes to the standard error. Times are integer milliseconds, as on the wire; what is not known is
null. What an answer cannot be given for is told in the one shape of errors, as by the API.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

import msgspec

from pairscope import __version__
from pairscope.api import wire
from pairscope.base.errors import Meanings, PairscopeError, SettingsError
from pairscope.cli.exit_codes import EXIT_DONE


@dataclass(frozen=True, slots=True)
class Answer:
    """How a command ended."""

    code: int = EXIT_DONE
    document: Any = None


class Misused(SettingsError):
    """A command line that says nothing a command understands."""


class Interrupted(PairscopeError):
    code = "interrupted"
    meanings: ClassVar[Meanings] = {
        "interrupted": (
            "a command was told to stop before it was done",
            "give it again: what was brought stays, and an import goes on where it stopped",
        )
    }


def error_body(error: PairscopeError) -> wire.ErrorBody:
    return wire.ErrorBody(code=error.code, message=error.message, cure=error.cure)


def error_document(error: PairscopeError) -> wire.ErrorAnswer:
    """Instead of any other document, when there is nothing to tell but why."""
    return wire.ErrorAnswer(error=error_body(error))


class SettingInForce(msgspec.Struct, frozen=True, kw_only=True):
    """A setting, and how to change it."""

    name: str
    topic: str
    value: Any
    origin: str  # default, file, environment, flag, or setting: it follows from another
    origin_name: str | None  # of the file, the variable, the flag or the other setting
    description: str
    may_be: str
    flag: str
    variable: str
    line: str  # for pairscope.toml


class ConfigDocument(msgspec.Struct, frozen=True, kw_only=True):
    """`pairscope config`: the settings in force."""

    version: str = __version__
    settings: list[SettingInForce]


class RunDocument(msgspec.Struct, frozen=True, kw_only=True):
    """`pairscope run`: where it is; written once it is there."""

    version: str = __version__
    url: str
    source: str
    tape: str


class SimulatorDocument(msgspec.Struct, frozen=True, kw_only=True):
    """`pairscope simulator`: where it listens; written once it does."""

    version: str = __version__
    ws_url: str
    rest_url: str


@dataclass(slots=True)
class RecordDocument:
    """`pairscope record`: what was written."""

    file: str
    frames: int = 0


@dataclass(slots=True)
class ImportDocument:
    """`pairscope import` and `pairscope backfill`: what came of each file, and what was refused."""

    files: list[Any] = field(default_factory=list)
    refused: list[wire.ErrorBody] = field(default_factory=list)
    stopped: bool = False  # by a signal, before it was done


@dataclass(slots=True)
class TapeDocument:
    """A tape, in `doctor` and `verify`; `symbols` are reports or verdicts."""

    path: str
    trade_kind: str | None = None
    server: str | None = None  # that holds it
    symbols: Sequence[Any] = ()
    damaged_logs: Sequence[str] = ()
    notes: Sequence[str] = ()  # what is wrong with its state
    error: wire.ErrorBody | None = None


@dataclass(slots=True)
class DoctorDocument:
    """`pairscope doctor`: what the tapes hold and what they lack."""

    tapes: list[TapeDocument] = field(default_factory=list)


@dataclass(slots=True)
class VerifyDocument:
    """`pairscope verify`: what was compared, and what differs; with ``--metrics``, of published values."""

    tapes: list[TapeDocument] = field(default_factory=list)
    compared: int = 0
    differences: int = 0
    unproved: Sequence[str] = ()  # symbols asked for, of which nothing was compared


@dataclass(slots=True)
class AlertsDocument:
    """`pairscope alerts`: rules and channels of a list, what came of tests, how many messages are sent again."""

    server: str
    rules: Sequence[wire.AlertRuleInfo] = ()
    channels: Sequence[wire.AlertChannel] = ()
    tried: list[wire.AlertTried] = field(default_factory=list)
    waiting: int | None = None


def encode(document: object) -> bytes:
    """A document as one line of JSON; what is no number is null."""
    return msgspec.json.encode(_plain(msgspec.to_builtins(document, enc_hook=str)))


def _plain(value: Any) -> Any:
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, dict):
        return {key: _plain(each) for key, each in value.items()}
    return [_plain(each) for each in value] if isinstance(value, list | tuple) else value
