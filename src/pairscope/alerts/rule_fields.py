"""The keys of a rule as it is sent: which there are, what each may be, and how the short forms become the long one."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, get_args

from pairscope.alerts.rule import SEVERITIES, AlertScope
from pairscope.alerts.schedule import Weekly
from pairscope.base.errors import RequestError, UnknownName, nearest

MOST_NAME, MOST_NOTE, MOST_CHANNELS, MOST_WINDOWS = 120, 2_000, 20, 20
_OTHER_NAMES = {"operator": "condition", "value": "threshold", "tf": "interval", "timeframe": "interval"}
_DIRECTIONS = {"above": ">", "below": "<", "up": ">", "down": "<", "both": "outside"}
_CONDITIONS = {
    "gt": ">",
    "gte": ">=",
    "lt": "<",
    "lte": "<=",
    "above": ">",
    "below": "<",
    "cross_above": "crosses_above",
}
_CONDITIONS |= {"cross_below": "crosses_below", "crossing_up": "crosses_above", "crossing_down": "crosses_below"}
OF_CLAUSE = ("metric", "condition", "threshold", "reset")
_LONG = (
    *OF_CLAUSE,
    *("name", "scope", "symbol", "pair", "and", "interval", "window", "half_life", "for", "keep_firing_for"),
    *("cooldown", "no_data_after", "missing_limit", "on_update", "severity", "channels", "windows", "enabled", "note"),
)
_SHORT = ("operator", "value", "direction", "x", "y", "symbols", "tf", "timeframe")
RULE_KEYS = (*_LONG, *_SHORT)


def long_form(body: object, *, is_whole: bool = True) -> dict[str, Any]:
    """What was sent, under the keys of the long form; of a part of a rule with ``is_whole=False``.

    Raises:
        RequestError: for what is no object, keys nobody knows, and one thing said twice.

    >>> long_form({"name": "wide", "value": 2, "direction": "above", "y": "ETHUSDT", "x": "BTCUSDT"})["pair"]
    ('ETHUSDT', 'BTCUSDT')
    """
    given = _known(body, RULE_KEYS, "a rule")
    direction = given.pop("direction", None)
    if direction is not None:
        if is_whole:
            given.setdefault("metric", "z_score")
        _put(given, "condition", _DIRECTIONS.get(str(direction).strip().lower(), direction), "direction")
    for other, own in _OTHER_NAMES.items():
        if other in given:
            _put(given, own, given.pop(other), other)
    if "symbols" in given:
        _put(given, "pair", given.pop("symbols"), "symbols")
    if "y" in given or "x" in given:
        _put(given, "pair", (given.pop("y", ""), given.pop("x", "")), "y")
    _usual_condition(given)
    if given.get("and") is not None:
        second = _known(given["and"], (*OF_CLAUSE, "operator", "value"), "the second condition")
        for other in ("operator", "value"):
            if other in second:
                _put(second, _OTHER_NAMES[other], second.pop(other), other)
        _usual_condition(second)
        given["and"] = second
    return given


def _usual_condition(given: dict[str, Any]) -> None:
    told = given.get("condition")
    if isinstance(told, str):
        given["condition"] = _CONDITIONS.get(told.strip().lower(), told)


def _known(body: object, keys: tuple[str, ...], what: str) -> dict[str, Any]:
    if not isinstance(body, Mapping):
        cure = 'send an object: {"metric": "spread_z", "condition": ">", "threshold": 2}'
        raise RequestError(f"{what} is an object", cure=cure)
    for key in body:
        if key not in keys:
            guess = nearest(str(key), keys)
            cure = f"did you mean {guess}?" if guess else f"known: {', '.join(keys[: len(_LONG)])}"
            raise UnknownName(f"{what} has no '{str(key)[:40]}'", cure=cure, code="unknown_parameter")
    return dict(body)


def _put(given: dict[str, Any], key: str, value: Any, other: str) -> None:
    if given.get(key) is not None:
        raise RequestError(f"the rule says both '{key}' and '{other}'", cure="give one of them")
    given[key] = value


# --- what is kept as it is given ----------------------------------------------------------------------------


def _text(most: int) -> Callable[[str, Any], str | None]:
    def check(key: str, value: Any) -> str | None:
        if value is None:
            return None
        if not isinstance(value, str) or len(value) > most or not value.isprintable():
            raise _cannot_be(key, value, f"give text of at most {most} characters, in one line")
        return value.strip()

    return check


def _bool(key: str, value: Any) -> bool | None:
    if value is None or isinstance(value, bool):
        return value
    raise _cannot_be(key, value, "give true or false")


def _one_of(choices: Sequence[str]) -> Callable[[str, Any], str | None]:
    def check(key: str, value: Any) -> str | None:
        if value is None:
            return None
        if not isinstance(value, str) or value not in choices:
            raise _cannot_be(key, value, f"choose from {', '.join(choices)}")
        return value

    return check


def _share(key: str, value: Any) -> float | None:
    if value is None or (isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value <= 1):
        return None if value is None else float(value)
    raise _cannot_be(key, value, "give a share from 0 to 1")


def _names(key: str, value: Any) -> tuple[str, ...] | None:
    if value is None:
        return None
    parts = [value] if isinstance(value, str) else value
    if not isinstance(parts, list | tuple) or len(parts) > MOST_CHANNELS or not all(isinstance(p, str) for p in parts):
        raise _cannot_be(key, value, f"give a list of at most {MOST_CHANNELS} names")
    return tuple(dict.fromkeys(part.strip() for part in parts if part.strip()))


def _weekly(key: str, value: Any) -> tuple[str, ...] | None:
    found = _names(key, value)
    for each in found or ():
        Weekly.parse(each)
    return found


def _cannot_be(key: str, value: Any, cure: str) -> RequestError:
    return RequestError(f"'{key}' cannot be '{str(value)[:40]}'", cure=cure, code="bad_parameter")


# By the key: how it is checked.
CHECKED: Mapping[str, Callable[[str, Any], Any]] = {
    "name": _text(MOST_NAME),
    "note": _text(MOST_NOTE),
    "enabled": _bool,
    "on_update": _bool,
    "severity": _one_of(SEVERITIES),
    "scope": _one_of(get_args(AlertScope)),
    "missing_limit": _share,
    "channels": _names,
    "windows": _weekly,
}
# By the field of the rule, what is kept as it was given.
KNOWN: Mapping[str, str] = {
    each: each for each in ("name", "note", "enabled", "on_update", "severity", "missing_limit", "channels")
} | {"weekly": "windows"}
