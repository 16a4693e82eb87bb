"""`pairscope config` tells the settings in force, where each comes from, and a way to change it that works."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from pairscope.base.settings import Settings
from pairscope.base.settings_sources import load_settings
from pairscope.cli.answers import ConfigDocument, SettingInForce
from pairscope.cli.configuring import config

BESIDE = {"tape": {"source": "tape"}}  # without which a setting is refused


def in_force(**flags: object) -> dict[str, SettingInForce]:
    document = config({"names": [], **flags}).document
    assert isinstance(document, ConfigDocument)
    return {each.name: each for each in document.settings}


def test_all_settings_are_told_with_value_and_origin(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "mine.toml"
    file.write_text("window = 40\n")
    monkeypatch.setenv("PAIRSCOPE_KEEP_DATA_DAYS", "9")
    found = in_force(port="9000", settings=file)
    assert list(found) == list(Settings.model_fields)
    assert (found["window"].value, found["window"].origin, found["window"].origin_name) == (40, "file", str(file))
    assert (found["keep_data_days"].value, found["keep_data_days"].origin) == (9, "environment")
    assert (found["port"].value, found["port"].origin_name) == (9000, "--port")
    assert (found["host"].origin, found["host"].origin_name) == ("default", None)
    lines = {line.split()[0]: line.split() for line in capsys.readouterr().out.splitlines() if line.startswith("  ")}
    assert lines["port"] == ["port", "9000", "flag", "--port"]
    assert lines["keep_data_days"] == ["keep_data_days", "9", "environment", "PAIRSCOPE_KEEP_DATA_DAYS"]
    assert lines["most_disk_gb"] == ["most_disk_gb", "-", "default"]


@pytest.mark.parametrize("name", Settings.model_fields)
def test_the_line_and_the_variable_that_change_a_setting_can_be_used(name: str, tmp_path: Path) -> None:
    told = in_force()[name]
    file = tmp_path / "settings.toml"
    file.write_text(told.line + "\n", encoding="utf-8")
    by_file = load_settings(BESIDE.get(name, {}), {}, file)
    ((key, value),) = tomllib.loads(told.line).items()
    assert key == name
    text = str(value).lower() if isinstance(value, bool) else str(value)
    by_variable = load_settings(BESIDE.get(name, {}), {told.variable: text})
    assert getattr(by_file, name) == getattr(by_variable, name)


def test_a_named_setting_is_told_with_what_it_may_be_and_how_to_change_it(capsys: pytest.CaptureFixture[str]) -> None:
    document = config({"names": ["port", "open"]}).document
    assert [each.name for each in document.settings] == ["port", "open"]
    out = capsys.readouterr().out
    assert "a whole number from 1 to 65535" in out
    assert "port = 8000 in pairscope.toml, PAIRSCOPE_PORT=8000 in the environment" in out
    assert "or --port 8000 after the command" in out
    assert "or --open after the command" in out


def test_who_somebody_is_at_a_proxy_is_not_told(capsys: pytest.CaptureFixture[str]) -> None:
    found = in_force(proxy="http://me:secret@desk:3128", exchange_rest_url="https://me:secret@desk")
    assert found["proxy"].value == "http://…@desk:3128"
    assert found["exchange_rest_url"].value == "https://…@desk"
    assert "secret" not in capsys.readouterr().out


def test_a_misspelt_name_is_told_the_nearest_one() -> None:
    with pytest.raises(Exception, match="did you mean window"):
        config({"names": ["windov"]})
