from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pairscope.api.query import Parameter, Query, read_interval, read_kept_interval
from pairscope.base.errors import RequestError, UnknownName
from pairscope.base.interval import Interval
from pairscope.base.model import SymbolTable

PARAMETERS = (
    Parameter("symbol", "", {"type": "string"}, "", aliases=("s",)),
    Parameter("limit", "", {"type": "integer", "minimum": 1, "maximum": 9, "default": 7}, 1),
    Parameter("from", "", {}, "", aliases=("start",)),
    Parameter("interval", "", {"type": "string"}, "1m"),
    Parameter("window", "", {}, 300),
    Parameter("method", "", {"enum": ["ols", "tls"], "default": "ols"}, "ols", others={"orthogonal": "tls"}),
)
NAMES = {name: one for one in PARAMETERS for name in (one.name, *one.aliases)}
KEPT = (Interval(1_000), Interval(60_000))


def query(text: str | bytes) -> Query:
    return Query(NAMES, text if isinstance(text, bytes) else text.encode(), {})


def test_a_parameter_is_read_under_its_own_name_and_under_its_aliases() -> None:
    at_ms = 1_723_075_200_000
    assert [query(f"{name}={at_ms}").time_ms("from") for name in ("from", "start", "START")] == [at_ms] * 3


def test_a_parameter_without_a_value_counts_as_not_given() -> None:
    assert query("limit=&from=%20").integer("limit") == 7


def test_an_unknown_parameter_is_refused_with_the_nearest_known_name() -> None:
    with pytest.raises(RequestError) as error:
        query("lmit=3")
    assert error.value.cure == "did you mean 'limit'?"


@pytest.mark.parametrize("text", ["limit=1&limit=2", "limit=&limit=2", "limit=1&limit=", "from=1&start=2"])
def test_a_parameter_given_twice_is_refused_even_under_an_alias(text: str) -> None:
    with pytest.raises(RequestError, match="more than once"):
        query(text)


def test_more_parameters_than_any_request_needs_are_refused() -> None:
    with pytest.raises(RequestError, match="too many"):
        query("&".join(["limit=1"] * 33))


@pytest.mark.parametrize(
    "text", ["0", "10", "-1", "1.0", "1e1", "١", "１２", "1_0", "0x1", "999999999999999999999", "true"]
)
def test_a_number_out_of_bounds_or_of_another_form_is_refused_with_the_bounds(text: str) -> None:
    with pytest.raises(RequestError) as error:
        Query(NAMES, b"", {"limit": text}).integer("limit")
    assert error.value.cure == "give a whole number from 1 to 9"
    assert error.value.http_status == 422


def test_a_time_is_read_in_any_form_and_an_escaped_or_a_lost_plus_is_the_same() -> None:
    texts = ("2024-08-08T02:00:00%2B02:00", "2024-08-08T02:00:00+02:00", "2024-08-08%2000:00:00Z", "1723075200000")
    assert {query(f"from={text}").time_ms("from") for text in texts} == {1_723_075_200_000}


def test_a_symbol_of_any_case_is_found_and_an_unknown_one_is_told_the_nearest() -> None:
    table = SymbolTable(["BTCUSDT"])
    assert query("symbol=btcUsdt").symbol("symbol", table) == "BTCUSDT"
    with pytest.raises(UnknownName, match="did you mean BTCUSDT"):
        query("symbol=BTCUSD").symbol("symbol", table)
    with pytest.raises(RequestError, match="'symbol' is missing"):
        query("").symbol("symbol", table)


def test_an_interval_of_any_spelling_is_read() -> None:
    assert read_interval("60S", KEPT) == read_interval(" 1m ", KEPT) == Interval(60_000)


def test_an_unknown_interval_is_told_the_nearest_kept_one() -> None:
    with pytest.raises(UnknownName, match="did you mean 1m"):
        read_interval("1min", KEPT)


def test_an_interval_that_cannot_be_made_from_kept_ones_is_unknown() -> None:
    with pytest.raises(UnknownName, match="1m"):
        query("interval=30s").interval("interval", "1m", KEPT[1:])
    assert query("interval=5m").interval("interval", "1m", KEPT[1:]) == Interval(300_000)


def test_only_a_kept_interval_is_live() -> None:
    assert read_kept_interval("1m", KEPT) == Interval(60_000)
    with pytest.raises(UnknownName, match="kept intervals: 1s, 1m"):
        read_kept_interval("5m", KEPT)


def test_a_choice_is_read_in_any_case() -> None:
    asked = [query(text).choice("method") for text in ("method=TLS", "method=Orthogonal", "", "method=")]
    assert asked == ["tls", "tls", "ols", "ols"]
    with pytest.raises(RequestError, match="choose from ols, tls"):
        query("method=lasso").choice("method")


def test_a_window_is_bars_or_a_duration() -> None:
    asked = [query(text).window("window", Interval(60_000), 300) for text in ("window=60", "window=4h", "")]
    assert asked == [60, 240, 300]


@given(st.binary(max_size=60), st.sampled_from(["symbol", "limit", "from", "interval", "window", "method"]))
def test_whatever_arrives_is_read_or_refused_with_an_error_of_ours(noise: bytes, name: str) -> None:
    readers: dict[str, Any] = {
        "symbol": lambda one: one.symbol("symbol", SymbolTable(["BTCUSDT"])),
        "limit": lambda one: one.integer("limit"),
        "from": lambda one: one.time_ms("from"),
        "interval": lambda one: one.interval("interval", "1m", KEPT),
        "window": lambda one: one.window("window", Interval(1_000), 300),
        "method": lambda one: one.choice("method"),
    }
    refused: RequestError | None = None
    try:
        readers[name](query(name.encode() + b"=" + noise))
    except RequestError as error:
        refused = error
    assert refused is None or (refused.cure and refused.http_status in (404, 422))
