"""The flags of settings, made from the settings themselves: each has one, with its description and its default."""

from __future__ import annotations

import argparse
from collections.abc import Iterable
from pathlib import Path
from typing import Any, get_origin

from pydantic_core import PydanticUndefined

from pairscope.base.setting import SettingTopic, as_text, choices_of, kinds_of, topic_of
from pairscope.base.settings import Settings
from pairscope.base.settings_sources import FILE, flag_of

# Shorter names of flags, beside their own.
SHORT = {"replay_speed": "--speed", "replay_times": "--times", "simulator_seed": "--seed"}
SOURCES = (
    "auto (default), live, simulator, replay FILE..., or tape [PATH]: look at what is there, offline, writing nothing"
)


def add_settings(command: argparse.ArgumentParser, names: Iterable[str] | None = None) -> None:
    """Give a command the flags of some settings, or of all, by their topics, and ``--settings``."""
    wanted = list(Settings.model_fields) if names is None else list(names)
    for topic in SettingTopic:
        about = [name for name in wanted if topic_of(Settings.model_fields[name]) is topic]
        if about:
            group = command.add_argument_group(str(topic))
            for name in about:
                _add(group, name)
    command.add_argument("--settings", type=Path, metavar="FILE", help=f"settings file instead of {FILE}")


def _add(command: argparse._ArgumentGroup, name: str) -> None:
    field = Settings.model_fields[name]
    flags = [flag_of(name), *([SHORT[name]] if name in SHORT else [])]
    told = f"{field.description}{_default(field.default)}".replace("%", "%%")
    if name == "source":
        command.add_argument(*flags, nargs="+", metavar="SOURCE", help=f"{field.description}: {SOURCES}")
        return
    kinds = list(kinds_of(field.annotation))
    if bool in kinds:
        command.add_argument(*flags, dest=name, action=argparse.BooleanOptionalAction, default=None, help=told)
        return
    choices = [choice for kind in kinds for choice in choices_of(kind)]
    shown: dict[str, Any] = {"metavar": _metavar(kinds, name)} if not choices else {"choices": choices}
    command.add_argument(*flags, dest=name, help=told, **shown)


def _metavar(kinds: list[Any], name: str) -> str:
    if get_origin(kinds[0]) is tuple:
        return "A,B,..."
    if Path in kinds:
        return "PATH"
    return "N" if {int, float} & {*kinds} else name.rpartition("_")[2].upper()


def _default(default: Any) -> str:
    """What is shown of a default, where it says something."""
    if default is None or default is PydanticUndefined or default == ():
        return ""
    return f" ({as_text(default)})"
