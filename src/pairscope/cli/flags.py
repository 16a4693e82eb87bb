"""The flags of settings, made from the settings themselves: each has one, with its description and its default."""

from __future__ import annotations

import argparse
import types
from collections.abc import Iterable
from enum import EnumType
from pathlib import Path
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic_core import PydanticUndefined

from pairscope.base.settings import Settings

# Shorter names of flags, beside their own.
SHORT = {"replay_speed": "--speed", "replay_times": "--times", "simulator_seed": "--seed"}
SOURCES = (
    "auto (default), live, simulator, replay FILE..., or tape [PATH]: look at what is there, offline, writing nothing"
)


def add_settings(command: argparse.ArgumentParser, names: Iterable[str] | None = None) -> None:
    """Give a command the flags of some settings, or of all, and ``--settings``."""
    for name in Settings.model_fields if names is None else names:
        _add(command, name)
    command.add_argument("--settings", type=Path, metavar="FILE", help="settings file instead of pairscope.toml")


def flag_of(name: str) -> str:
    return f"--{name.replace('_', '-')}"


def _add(command: argparse.ArgumentParser, name: str) -> None:
    field = Settings.model_fields[name]
    flags = [flag_of(name), *([SHORT[name]] if name in SHORT else [])]
    told = f"{field.description}{_default(field.default)}".replace("%", "%%")
    if name == "source":
        command.add_argument(*flags, nargs="+", metavar="SOURCE", help=f"{field.description}: {SOURCES}")
        return
    kinds = list(_kinds(field.annotation))
    if bool in kinds:
        command.add_argument(*flags, dest=name, action=argparse.BooleanOptionalAction, default=None, help=told)
        return
    choices = [choice for kind in kinds for choice in _choices(kind)]
    shown = {"metavar": _metavar(kinds, name)} if not choices else {"choices": choices}
    command.add_argument(*flags, dest=name, help=told, **shown)


def _kinds(annotation: Any) -> Iterable[Any]:
    """The types a setting may have, without what surrounds them."""
    if get_origin(annotation) is Annotated:
        yield from _kinds(get_args(annotation)[0])
    elif get_origin(annotation) in (Union, types.UnionType):
        for one in get_args(annotation):
            yield from _kinds(one)
    else:
        yield annotation


def _choices(kind: Any) -> list[str]:
    if get_origin(kind) is Literal:
        return [str(one) for one in get_args(kind)]
    if isinstance(kind, EnumType):
        members: Iterable[Any] = kind
        return [str(member.value) for member in members]
    return []


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
    return f" ({','.join(map(str, default)) if isinstance(default, tuple) else default})"
