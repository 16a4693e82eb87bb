"""Where the settings come from: a file, the environment and flags, in rising order of rank.

An unknown key, whether in the file or as a ``PAIRSCOPE_`` variable, is an error that names the nearest known one.
"""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from pydantic import ValidationError

from pairscope.base.errors import PairscopeError, SettingsError, nearest
from pairscope.base.reading import ascii_lower, ascii_upper
from pairscope.base.setting import kinds_of, what_it_may_be
from pairscope.base.settings import Settings

PREFIX = "PAIRSCOPE_"
FILE = "pairscope.toml"
# Names other tools of this kind use; ours win when both are set.
ALIASES = {
    "API_BASE_URL": "base_url",
    "BACKEND_PORT": "port",
    "DATABASE_PATH": "database_path",
    "FRONTEND_PORT": "frontend_port",
    "KEEP_DATA_DAYS": "keep_data_days",
    "MAX_ALERT_HISTORY": "alert_history",
    "SAMPLING_INTERVAL": "sampling_interval",
    "SYMBOLS": "symbols",
}
# Read by the build of the dashboard, not by the program.
_BUILD_VARIABLES = {"web"}
# Variables that hold what a setting or a channel of alerts names, and are no settings.
SECRETS = f"{PREFIX}SECRET_"
_LONGEST_TOLD = 80
_SECRET = re.compile(r"//[^/@\s]*@")  # who somebody is, in an address
_PATH = re.compile(r"(//[^/?#\s]*).*", re.DOTALL)
_PATH_IS_SECRET = {"alert_heartbeat_url"}


@dataclass(frozen=True, slots=True)
class SettingOrigin:
    """Where the effective value of a setting comes from."""

    kind: Literal["default", "file", "environment", "flag", "setting"]
    name: str = ""  # of the file, the variable, the flag, or the other setting


@dataclass(frozen=True, slots=True)
class Loaded:
    """Settings, and of each of them where its value comes from."""

    settings: Settings
    origins: Mapping[str, SettingOrigin]


def load_settings(
    flags: Mapping[str, Any] | None = None,
    environment: Mapping[str, str] | None = None,
    file: Path | None = None,
) -> Settings:
    """Settings from ``pairscope.toml`` (or ``file``), then the environment, then flags; later ones win.

    Raises:
        SettingsError: for an unreadable file, an unknown key or a value that cannot be used.
    """
    return load_with_origins(flags, environment, file).settings


def load_with_origins(
    flags: Mapping[str, Any] | None = None,
    environment: Mapping[str, str] | None = None,
    file: Path | None = None,
) -> Loaded:
    """The same, with the origin of each value."""
    environment = os.environ if environment is None else environment
    sources = (_from_file(file), _from_environment(environment), _from_flags(flags or {}))
    values = {key: value for source in sources for key, (value, _) in source.items()}
    origins = {key: origin for source in sources for key, (_, origin) in source.items()}
    settings = _built(values)
    return Loaded(settings, {name: origins.get(name) or _unsaid(settings, name) for name in Settings.model_fields})


def _built(values: Mapping[str, Any]) -> Settings:
    for key, value in values.items():
        _known(key, "given")
        # Where a number is meant true would be 1.
        if isinstance(value, bool) and bool not in kinds_of(Settings.model_fields[key].annotation):
            raise _refused(key, value)
    try:
        return Settings(**values)
    except SettingsError:
        raise
    except PairscopeError as error:  # an interval that cannot be built, say
        raise SettingsError(error.message, cure=error.cure) from None
    except ValidationError as error:
        place = error.errors()[0]["loc"]
        key = str(place[0]) if place else "settings"
        raise _refused(key, values.get(key)) from None


def _unsaid(settings: Settings, name: str) -> SettingOrigin:
    """The origin of a value that nobody gave: mostly its default, sometimes what follows from another setting."""
    field = Settings.model_fields[name]
    follows = name == "intervals" and settings.sampling_interval is not None and settings.intervals != field.default
    return SettingOrigin("setting", "sampling_interval") if follows else SettingOrigin("default")


_Given = dict[str, tuple[Any, SettingOrigin]]


def _from_file(file: Path | None) -> _Given:
    path = file or Path(FILE)
    if not path.exists():
        if file is None:
            return {}
        raise SettingsError(f"no settings file {path}", cure="check the path given with --settings")
    try:
        values = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise SettingsError(f"cannot read settings file {path}: {error}", cure="it must be TOML: key = value") from None
    for key in values:
        _known(key, f"in {path}")
    return {
        key: (value, SettingOrigin("file", str(path))) for key, value in values.items() if key in Settings.model_fields
    }


def _from_environment(environment: Mapping[str, str]) -> _Given:
    values: _Given = {}
    for name, key in ALIASES.items():
        if text := environment.get(name):
            # Under this name others write seconds.
            seconds = key == "sampling_interval" and text.isdigit()
            values[key] = (f"{text}s" if seconds else text, SettingOrigin("environment", name))
    for name, text in environment.items():
        if name.startswith(PREFIX) and not name.startswith(SECRETS):
            key = ascii_lower(name.removeprefix(PREFIX))
            _known(key, f"in the environment as {name}")
            if key in Settings.model_fields:
                values[key] = (text, SettingOrigin("environment", name))
    return values


def _from_flags(flags: Mapping[str, Any]) -> _Given:
    return {key: (value, SettingOrigin("flag", flag_of(key))) for key, value in flags.items()}


def flag_of(name: str) -> str:
    return f"--{name.replace('_', '-')}"


def variable_of(name: str) -> str:
    """The name of a setting in the environment.

    >>> variable_of("keep_data_days"), flag_of("keep_data_days")
    ('PAIRSCOPE_KEEP_DATA_DAYS', '--keep-data-days')
    """
    return f"{PREFIX}{ascii_upper(name)}"


def without_secret(name: str, text: str) -> str:
    """A value as it may be shown: of an address not who is sent with it, of some nothing but the host.

    >>> without_secret("proxy", "http://me:secret@desk:3128"), without_secret("proxy", "me:secret@desk")
    ('http://…@desk:3128', '…')
    >>> without_secret("alert_heartbeat_url", "https://ping.example/secret")
    'https://ping.example/…'
    """
    shown = _SECRET.sub("//…@", text)
    if name in _PATH_IS_SECRET:
        return _PATH.sub(r"\1/…", shown) if "//" in shown else "…"
    field = Settings.model_fields.get(name)
    return "…" if field is not None and not field.repr and "@" in shown.replace("//…@", "") else shown


def _known(key: str, where: str) -> None:
    if key in Settings.model_fields or key in _BUILD_VARIABLES:
        return
    guess = nearest(key, Settings.model_fields)
    cure = f"did you mean {guess}?" if guess else f"known: {', '.join(sorted(Settings.model_fields))}"
    raise SettingsError(f"unknown setting '{key}' {where}", cure=cure)


def _refused(key: str, value: object) -> SettingsError:
    """That a value cannot be used, with what it may be."""
    shown = without_secret(key, repr(value))
    shown = shown if len(shown) <= _LONGEST_TOLD else f"{shown[:_LONGEST_TOLD]}…"
    field = Settings.model_fields.get(key)
    cure = f"give {what_it_may_be(field)}" if field is not None else "see docs/settings.md"
    return SettingsError(f"setting '{key}' cannot be {shown}", cure=cure)
