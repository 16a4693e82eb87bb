from pathlib import Path

import pytest
from pydantic import ValidationError

from pairscope.base.errors import SettingsError
from pairscope.base.model import TradeKind
from pairscope.base.settings import DEFAULT_SYMBOLS
from pairscope.base.settings_sources import load_settings


def test_defaults_watch_five_symbols_and_all_their_pairs() -> None:
    settings = load_settings({}, {})
    assert settings.symbols == DEFAULT_SYMBOLS
    assert len(settings.pair_list()) == 10
    assert settings.pair_list()[0] == ("ETHUSDT", "BTCUSDT")
    assert settings.host == "127.0.0.1"
    assert settings.trade_kind is TradeKind.AGG


def test_flags_win_over_the_environment_and_that_over_the_file(tmp_path: Path) -> None:
    file = tmp_path / "settings.toml"
    file.write_text('port = 1111\nwindow = 111\nkeep_data_days = 11\nsymbols = ["ethusdt"]\n')
    settings = load_settings({"port": 3333}, {"PAIRSCOPE_PORT": "2222", "PAIRSCOPE_WINDOW": "222"}, file)
    assert (settings.port, settings.window, settings.keep_data_days) == (3333, 222, 11)
    assert settings.symbols == ("ETHUSDT",)


def test_the_names_of_other_tools_are_understood_and_ours_win() -> None:
    environment = {
        "BACKEND_PORT": "9001",
        "DATABASE_PATH": "data/ticks.db",
        "KEEP_DATA_DAYS": "3",
        "SYMBOLS": "btcusdt, ETHUSDT,btcusdt",
        "PAIRSCOPE_PORT": "9002",
    }
    settings = load_settings({}, environment)
    assert settings.port == 9002
    assert settings.database_path == Path("data/ticks.db")
    assert settings.keep_data_days == 3
    assert settings.symbols == ("BTCUSDT", "ETHUSDT")


@pytest.mark.parametrize(
    ("flags", "environment", "says"),
    [
        ({}, {"PAIRSCOPE_PROT": "1"}, "did you mean port?"),
        ({"symbls": "BTCUSDT"}, {}, "did you mean symbols?"),
        ({"port": "0"}, {}, "port"),
        ({"port": "eighty"}, {}, "port"),
        ({"window": "1"}, {}, "window"),
        ({"source": "binance"}, {}, "source"),
        ({"symbols": ""}, {}, "at least one"),
        ({"symbols": "BTC/USDT"}, {}, "cannot be a symbol"),
        ({"intervals": "7s"}, {}, "divide a day"),
        ({"metric_interval": "15m"}, {}, "add it to intervals"),
        ({"pairs": "ETHUSDT/DOGEUSDT"}, {}, "no pair of watched symbols"),
        ({"pairs": "ETHUSDT/ETHUSDT"}, {}, "pairs a symbol with itself"),
        ({"source": "replay"}, {}, "--source replay FILE"),
    ],
)
def test_what_cannot_be_used_is_refused_with_the_cure(
    flags: dict[str, object], environment: dict[str, str], says: str
) -> None:
    with pytest.raises(SettingsError) as caught:
        load_settings(flags, environment)
    assert says in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("content", "says"),
    [(b"port == 8000", "TOML"), (b"\xff\xfe", "TOML"), (b"prot = 1", "did you mean port?")],
)
def test_an_unreadable_settings_file_is_refused(tmp_path: Path, content: bytes, says: str) -> None:
    file = tmp_path / "settings.toml"
    file.write_bytes(content)
    with pytest.raises(SettingsError, match=says.replace("?", r"\?")):
        load_settings({}, {}, file)


def test_a_settings_file_that_was_named_must_exist(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="no settings file"):
        load_settings({}, {}, tmp_path / "missing.toml")


def test_settings_cannot_be_changed_after_they_are_made() -> None:
    settings = load_settings({}, {})
    with pytest.raises(ValidationError):
        settings.port = 9000


def test_names_of_other_tools_are_understood() -> None:
    environment = {
        "FRONTEND_PORT": "8501",
        "MAX_ALERT_HISTORY": "100",
        "SAMPLING_INTERVAL": "10",
        "API_BASE_URL": "http://desk.example:8000/",
        "KEEP_DATA_DAYS": "3",
    }
    settings = load_settings({}, environment)
    assert (settings.frontend_port, settings.alert_history, settings.keep_data_days) == (8501, 100, 3)
    assert settings.sampling_interval == "10s"
    assert "10s" in settings.intervals
    assert settings.base_url == "http://desk.example:8000"
    assert settings.names() == ("desk.example",)


def test_a_window_may_be_a_duration_of_the_bars_of_the_metrics() -> None:
    assert load_settings({"window": "5m"}, {}).window == 300
    assert load_settings({"window": "5m", "metric_interval": "5s"}, {}).window == 60
    with pytest.raises(SettingsError, match="multiple of 5s"):
        load_settings({"window": "7s", "metric_interval": "5s"}, {})


@pytest.mark.parametrize(
    ("flags", "cure"),
    [
        ({"host": ""}, "127.0.0.1"),
        ({"host": " [] "}, "127.0.0.1"),
        ({"port": "70000"}, "a whole number from 1 to 65535"),
        ({"frontend_port": "x"}, "a whole number from 1 to 65535"),
        ({"stale_s": "0"}, "above 0"),
        ({"log_level": "loud"}, "'debug'"),
        ({"trade_kind": "spot"}, "aggTrade"),
        ({"open": "maybe"}, "true or false"),
        ({"base_url": "ftp://desk"}, "http://name:8000"),
        ({"base_url": "http://desk/sub"}, "without a path"),
        ({"sampling_interval": "5"}, "did you mean 5s?"),
        ({"intervals": "1s,1M"}, "did you mean 1m?"),
        ({"port": 8001, "frontend_port": 8001}, "leave one out"),
    ],
)
def test_the_cure_of_a_bad_setting_fits_its_cause(flags: dict[str, object], cure: str) -> None:
    with pytest.raises(SettingsError) as error:
        load_settings(flags, {})
    assert cure in error.value.cure
