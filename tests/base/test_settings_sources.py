"""Where each effective value comes from, and that no secret of one is told."""

from __future__ import annotations

from pathlib import Path

import pytest

from pairscope.base.errors import SettingsError
from pairscope.base.settings import Settings
from pairscope.base.settings_sources import SettingOrigin, load_settings, load_with_origins, without_secret


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


def test_variables_that_hold_secrets_are_no_settings() -> None:
    assert load_settings({}, {"PAIRSCOPE_SECRET_HOOK": "abc"}) == load_settings({}, {})
    with pytest.raises(SettingsError, match="unknown setting 'secrets'"):
        load_settings({}, {"PAIRSCOPE_SECRETS": "abc"})


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ("https://ping.example/s3cr3t", "https://ping.example/…"),
        ("https://me:s3cr3t@ping.example:8443/a?s3cr3t#s3cr3t", "https://…@ping.example:8443/…"),
        ("https://ping.example?s3cr3t", "https://ping.example/…"),
        ("s3cr3t", "…"),
    ],
)
def test_of_the_address_of_the_sign_of_life_nothing_but_the_host_is_shown(value: str, shown: str) -> None:
    assert without_secret("alert_heartbeat_url", value) == shown


@pytest.mark.parametrize("value", ["ftp://s3cr3t", "s3cr3t", "https://", "https://a:s3cr3t/", "", 5])
def test_an_address_for_the_sign_of_life_that_cannot_be_is_refused_without_being_told(value: object) -> None:
    with pytest.raises(SettingsError) as refused:
        load_settings({"alert_heartbeat_url": value}, {})
    assert "s3cr3t" not in str(refused.value)


@pytest.mark.parametrize("value", ["http://hooks.lan", "192.168.1.0/33", "a b", "hooks.lan/x", "*"])
def test_a_host_that_messages_may_go_to_is_a_name_an_address_or_a_block(value: str) -> None:
    with pytest.raises(SettingsError, match="alert_hosts_allowed"):
        load_settings({"alert_hosts_allowed": value}, {})
    assert load_settings({"alert_hosts_allowed": "hooks.lan, 192.168.1.0/24,::1"}, {}).alert_hosts_allowed == (
        "hooks.lan",
        "192.168.1.0/24",
        "::1",
    )
