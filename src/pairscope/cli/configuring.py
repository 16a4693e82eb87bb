"""``pairscope config``: the settings in force, where each comes from, and how to change it."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Any

import msgspec

from pairscope.base.errors import UnknownName, nearest
from pairscope.base.setting import as_text, example_of, topic_of, what_it_may_be
from pairscope.base.settings import Settings
from pairscope.base.settings_sources import FILE, Loaded, flag_of, variable_of, without_secret
from pairscope.cli.answers import Answer, ConfigDocument, SettingInForce
from pairscope.cli.common import loaded_from

HOW = f"""\
To change one: a line in {FILE} (or --settings FILE), the environment as PAIRSCOPE_<NAME>, or a flag; later ones win.
All about some of them: pairscope config NAME..."""


def config(parsed: dict[str, Any]) -> Answer:
    names = parsed.pop("names")
    for name in names:
        _known(name)
    loaded = loaded_from(parsed)
    found = [_in_force(loaded, name) for name in Settings.model_fields if not names or name in names]
    print("\n".join(_details(found) if names else _table(found)))
    return Answer(document=ConfigDocument(settings=found))


def _known(name: str) -> None:
    if name not in Settings.model_fields:
        guess = nearest(name, Settings.model_fields)
        raise UnknownName(
            f"there is no setting '{name[:40]}'", cure=f"did you mean {guess}?" if guess else "see: pairscope config"
        )


def _in_force(loaded: Loaded, name: str) -> SettingInForce:
    field, origin = Settings.model_fields[name], loaded.origins[name]
    value = msgspec.to_builtins(getattr(loaded.settings, name), enc_hook=str)
    value = [without_secret(name, str(each)) for each in value] if isinstance(value, list | tuple) else value
    return SettingInForce(
        name=name,
        topic=topic_of(field),
        value=without_secret(name, value) if isinstance(value, str) else value,
        origin=origin.kind,
        origin_name=origin.name or None,
        description=str(field.description),
        may_be=what_it_may_be(field),
        flag=flag_of(name),
        variable=variable_of(name),
        line=f"{name} = {_toml(name)}",
    )


def _toml(name: str) -> str:
    """A value that works, as it stands in a file of settings."""
    field = Settings.model_fields[name]
    default = field.default if isinstance(field.default, bool | int | float) else None
    text = example_of(field)
    if default is not None or text in ("true", "false") or text.isdecimal():
        return text
    return json.dumps(text, ensure_ascii=False)


def _table(found: Sequence[SettingInForce]) -> Iterator[str]:
    rows = [(each.name, _shown(each), _origin(each)) for each in found]
    name_wide, value_wide = (max(len(row[place]) for row in rows) for place in (0, 1))
    topic = ""
    for each, (name, value, origin) in zip(found, rows, strict=True):
        if each.topic != topic:
            yield f"{'' if not topic else chr(10)}{each.topic}"
            topic = each.topic
        yield f"  {name.ljust(name_wide)}  {value.ljust(min(value_wide, 60))}  {origin}"
    yield f"\n{HOW}"


def _details(found: Sequence[SettingInForce]) -> Iterator[str]:
    for each in found:
        example = each.line.partition(" = ")[2].strip('"')
        is_flag_alone = example in ("true", "false")
        yield f"{each.name} = {_shown(each)}  ({_origin(each)})"
        yield f"  {each.description}; {each.may_be}"
        yield f"  to change it: {each.line} in {FILE}, {each.variable}={example} in the environment,"
        yield f"  or {each.flag}{'' if is_flag_alone else ' ' + example} after the command"


def _shown(each: SettingInForce) -> str:
    value = tuple(each.value) if isinstance(each.value, list) else each.value
    return as_text(value) or "-"


def _origin(each: SettingInForce) -> str:
    return " ".join(filter(None, (each.origin, each.origin_name)))
