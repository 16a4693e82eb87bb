"""What several commands share: their flags, their settings, their tape, a line that shows progress."""

from __future__ import annotations

import contextlib
import sys
from pathlib import Path
from typing import Any, TextIO

from pairscope.base.clock import SystemClock
from pairscope.base.errors import SettingsError
from pairscope.base.saying import say
from pairscope.base.settings import Settings
from pairscope.base.settings_sources import Loaded, load_with_origins


def settings_from(parsed: dict[str, Any]) -> Settings:
    """Settings from parsed flags, the environment and a file."""
    return loaded_from(parsed).settings


def loaded_from(parsed: dict[str, Any]) -> Loaded:
    """The same with their origins; ``--source replay FILE...`` is taken apart here."""
    flags = {key: value for key, value in parsed.items() if value is not None and key != "settings"}
    if "source" in flags:
        flags["source"], *files = flags["source"]
        if flags["source"] == "tape" and len(files) > 1:
            raise SettingsError("one tape is looked at at a time", cure="name one: --source tape PATH")
        if files:
            flags |= {"tape": files[0]} if flags["source"] == "tape" else {"replay_file": tuple(files)}
    return load_with_origins(flags, file=parsed.get("settings"))


def tapes_of(settings: Settings) -> list[Path]:
    """The tapes there are.

    Raises:
        SettingsError: when there is none.
    """
    one = settings.database_path
    found = sorted(one.parent.glob(f"{one.stem}*{one.suffix}") if one else settings.data_dir.glob("*/tape.duckdb"))
    if not found:
        raise SettingsError(
            f"there is no tape in {settings.database_path or settings.data_dir}",
            cure="check --data-dir, or record one: pairscope run",
        )
    return found


class ProgressLine:
    """One line on the terminal that is written over and over; nothing at all when it goes to a file."""

    _EVERY_S = 0.1

    def __init__(self, out: TextIO | None = None) -> None:
        self._out = out or sys.stderr  # None when it was closed before the start
        self._shown = self._out is not None and self._out.isatty()
        self._next_s = 0.0
        self._width = 0

    def __call__(self, name: str, done: int, total: int) -> None:
        """How far the trades of one file are; 0 of 0 while it is being read."""
        now_s = SystemClock.monotonic_s()
        if done < total and now_s < self._next_s:
            return
        self._next_s = now_s + self._EVERY_S
        self.show(f"{name}  {done / total:.0%}  {done:,} of {total:,} trades" if total else f"{name}  reading")

    def show(self, text: str) -> None:
        """Put another text in the line."""
        if self._shown:
            self._write(text)

    def say(self, text: str) -> None:
        """A line that stays, on the standard output."""
        self.clear()
        say(text)

    def clear(self) -> None:
        if self._width:
            self._write("")

    def _write(self, text: str) -> None:
        with contextlib.suppress(OSError):  # the terminal is gone
            self._out.write(f"\r{text.ljust(self._width)}{'' if text else chr(13)}")
            self._out.flush()
        self._width = len(text)
