from __future__ import annotations

import argparse

import pytest

from pairscope.base.setting import SettingTopic
from pairscope.base.settings import Settings
from pairscope.base.settings_sources import flag_of
from pairscope.cli.answers import Misused
from pairscope.cli.common import settings_from
from pairscope.cli.flags import add_settings
from pairscope.cli.parser import parser

EXAMPLES = {
    "source": ("simulator", "simulator"),
    "symbols": ("A,B", ("A", "B")),
    "pairs": ("ethusdt/btcusdt", ("ethusdt/btcusdt",)),
    "intervals": ("1s,1h", ("1s", "1h")),
    "trade_kind": ("trade", "trade"),
    "allowed_hosts": ("a,b", ("a", "b")),
    "alert_hosts_allowed": ("a,10.0.0.0/8", ("a", "10.0.0.0/8")),
    "alert_heartbeat_url": ("https://ping.example/a", "https://ping.example/a"),
    "exchange_ws_url": ("ws://127.0.0.1:9", "ws://127.0.0.1:9"),
    "exchange_rest_url": ("http://127.0.0.1:9", "http://127.0.0.1:9"),
    "archive_url": ("http://127.0.0.1:9", "http://127.0.0.1:9"),
    "base_url": ("https://desk.example", "https://desk.example"),
    "host": ("[::1]", "::1"),
    "metric_interval": ("5s", "5s"),
    "sampling_interval": ("10s", "10s"),
    "window": ("10m", 600),
    "replay_file": ("a,b", ("a", "b")),
    "replay_times": ("now", "now"),
    "log_level": ("error", "error"),
    "open": (None, True),
    "alerts_from_simulator": (None, True),
    "history_bars": ("600", 600),
    "queue_rows": ("5000", 5000),
}

BESIDE = {"tape": ["--source", "tape"]}  # without which a setting is refused


@pytest.mark.parametrize("name", Settings.model_fields)
def test_every_setting_has_a_flag_that_sets_it(name: str) -> None:
    text, value = EXAMPLES.get(name, ("37", 37))
    arguments = ["run", flag_of(name), *([text] if text is not None else []), *BESIDE.get(name, [])]
    parsed = vars(parser().parse_args(arguments))
    for name_of_ours in ("command", "json", "tells_at_once"):
        del parsed[name_of_ours]
    found = getattr(settings_from(parsed), name)
    if isinstance(value, tuple):
        found, value = tuple(map(str, found)), tuple(map(str, value))
    assert str(found).removesuffix(".0") == str(value)


def test_every_flag_tells_what_it_is_and_its_default() -> None:
    command = argparse.ArgumentParser()
    add_settings(command)
    told = " ".join(command.format_help().split())
    for field in Settings.model_fields.values():
        assert str(field.description) in told
    assert "port of the API and the dashboard (8000)" in told


def test_help_shows_the_flags_by_topic_in_one_order() -> None:
    command = argparse.ArgumentParser()
    add_settings(command)
    told = command.format_help()
    places = [told.index(f"\n{topic}:\n") for topic in SettingTopic]
    assert places == sorted(places)
    server, port, exchange = (
        told.index(f"\n{text}") for text in ("The server:", "  --port ", "The way to the exchange:")
    )
    assert server < port < exchange


def test_the_page_is_opened_or_not() -> None:
    assert [vars(parser().parse_args(["run", *flags]))["open"] for flags in ([], ["--open"], ["--no-open"])] == [
        None,
        True,
        False,
    ]


def test_a_misspelt_flag_is_told_the_nearest_one() -> None:
    for wrong, right in (("--prot", "--port"), ("--keep-data-day=3", "--keep-data-days"), ("--symbol=A", "--symbols")):
        with pytest.raises(Misused) as refused:
            parser().parse_args(["run", wrong])
        assert refused.value.cure == f"did you mean {right}?"


@pytest.mark.parametrize("flags", [["--replay-speed"], ["--speed", "-1e5"], ["--speed", "--port", "1"]])
def test_a_flag_without_its_value_is_told_how_one_is_given(flags: list[str]) -> None:
    with pytest.raises(Misused, match="--replay-speed needs a value") as refused:
        parser().parse_args(["run", *flags])
    assert refused.value.cure == "give it one; one that begins with - is written --replay-speed=-…"


def test_short_names_stay() -> None:
    parsed = parser().parse_args(["run", "--speed", "2", "--seed", "3", "--times", "now"])
    assert (parsed.replay_speed, parsed.simulator_seed, parsed.replay_times) == ("2", "3", "now")
