"""Where each effective value comes from, and that no secret of one is told."""

from __future__ import annotations

from pathlib import Path

import pytest

from pairscope.base.errors import SettingsError
from pairscope.base.settings import Settings
from pairscope.base.settings_sources import SettingOrigin, load_settings, load_with_origins


def test_each_value_tells_where_it_comes_from(tmp_path: Path) -> None:
    file = tmp_path / "mine.toml"
    file.write_text("port = 1\nwindow = 20\nflush_ms = 30\n")
    environment = {"PAIRSCOPE_WINDOW": "21", "BACKEND_PORT": "2", "KEEP_DATA_DAYS": "3"}
    loaded = load_with_origins({"port": "4"}, environment, file)
    assert set(loaded.origins) == set(Settings.model_fields)
    assert loaded.origins["port"] == SettingOrigin("flag", "--port")
    assert loaded.origins["window"] == SettingOrigin("environment", "PAIRSCOPE_WINDOW")
    assert loaded.origins["keep_data_days"] == SettingOrigin("environment", "KEEP_DATA_DAYS")
    assert loaded.origins["flush_ms"] == SettingOrigin("file", str(file))
    assert loaded.origins["host"] == SettingOrigin("default")


def test_what_follows_from_another_setting_names_it() -> None:
    assert load_with_origins({"sampling_interval": "10s"}, {}).origins["intervals"] == SettingOrigin(
        "setting", "sampling_interval"
    )
    same = load_with_origins({"sampling_interval": "5s"}, {})
    assert same.origins["intervals"] == SettingOrigin("default")


def test_intervals_of_another_kind_are_refused_beside_a_sampling_interval() -> None:
    with pytest.raises(SettingsError, match="setting 'intervals' cannot be 5"):
        load_settings({"intervals": 5, "sampling_interval": "10s"}, {})


def test_what_only_the_build_reads_is_no_setting() -> None:
    assert load_settings({}, {"PAIRSCOPE_WEB": "skip"}) == load_settings({}, {})


@pytest.mark.parametrize("value", [["http://me:secret@desk:3128"], {"url": "me:secret@desk"}])
def test_a_refusal_does_not_tell_a_password(value: object) -> None:
    with pytest.raises(SettingsError) as refused:
        load_settings({"proxy": value}, {})
    assert "secret" not in str(refused.value)


def test_a_very_long_value_is_cut_in_its_refusal() -> None:
    with pytest.raises(SettingsError) as refused:
        load_settings({"port": "9" * 10_000}, {})
    assert len(str(refused.value)) < 300
