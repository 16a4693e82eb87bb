"""Secrets of channels: written where they are used, or named there and kept elsewhere.

``env:PAIRSCOPE_SECRET_NAME`` is a variable of the environment, ``file:NAME`` a file in the folder `secrets` beside the
state database. No other variable and no other file can be named: who may write a channel could otherwise have any of
them sent to himself.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import ClassVar

from pairscope.base.errors import Meanings, RequestError
from pairscope.base.settings_sources import SECRETS

FOLDER = "secrets"
PREFIX = SECRETS
_VARIABLE = re.compile(rf"{PREFIX}[A-Za-z0-9_]{{1,100}}")
_FILE = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._-]{0,99}")
_MOST_BYTES = 65_536


class BadSecret(RequestError):
    """A secret that is named and cannot be had."""

    code = "bad_secret"
    meanings: ClassVar[Meanings] = {
        "bad_secret": (
            "a secret of a channel is named by `env:` or `file:`, and there is none of that name",
            f"set a variable whose name begins with `{PREFIX}`, or put a file into the folder `{FOLDER}` of the data "
            "folder, and start pairscope again if it is a variable",
        )
    }


class Secrets:
    """Where named secrets are found."""

    def __init__(self, folder: Path, environment: Mapping[str, str] | None = None) -> None:
        self._folder = folder
        self._environment = os.environ if environment is None else environment

    def read(self, text: str) -> str:
        """The secret itself, read anew each time; what is not named is the secret.

        Raises:
            BadSecret: when it is named and cannot be had.
        """
        check(text)
        kind, colon, name = text.partition(":")
        if colon and kind == "env":
            found = self._environment.get(name, "")
            if not found:
                raise BadSecret(f"the variable {name} is not set", cure="set it and start pairscope again")
            return found
        if colon and kind == "file":
            return self._of_file(name)
        return text

    def _of_file(self, name: str) -> str:
        try:
            with (self._folder / name).open(encoding="utf-8") as file:
                found = file.read(_MOST_BYTES).strip()
        except (OSError, UnicodeDecodeError):
            found = ""
        if not found:
            raise BadSecret(
                f"the secret file {name} cannot be read, or is empty", cure=f"write it as {self._folder / name}"
            )
        return found


def check(text: str) -> None:
    """Refuse the name of what is no secret of ours.

    >>> check("env:PAIRSCOPE_SECRET_HOOK"), check("file:hook"), check("a secret itself")
    (None, None, None)

    Raises:
        BadSecret: for a variable or a file that may not be named.
    """
    kind, colon, name = text.partition(":")
    if colon and kind == "env" and _VARIABLE.fullmatch(name) is None:
        raise BadSecret(
            "a variable named for a secret has another name than secrets have",
            cure=f"call it {PREFIX}NAME, of letters, digits and _",
        )
    if colon and kind == "file" and _FILE.fullmatch(name) is None:
        raise BadSecret(
            f"a file named for a secret lies elsewhere than in the folder {FOLDER}",
            cure=f"put it into the folder {FOLDER} of the data folder and name it alone, as file:NAME",
        )


def is_named(text: str) -> bool:
    """Whether it is the name of a secret, which may be shown, and not one itself.

    >>> is_named("env:PAIRSCOPE_SECRET_HOOK"), is_named("https://hooks.example/abc")
    (True, False)
    """
    return text.startswith(("env:", "file:"))
