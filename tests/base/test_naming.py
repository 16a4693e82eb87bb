"""What a person may have meant by a symbol that is not there."""

from __future__ import annotations

import doctest

import pytest

from pairscope.base import naming
from pairscope.base.naming import nearest_symbol

LISTED = ("BTCUSDT", "BTCUSDC", "ETHUSDT", "ETHUSDT_261225", "BCHUSDT", "SOLUSDT", "1000PEPEUSDT", "MATICUSDT", "TUSDT")


@pytest.mark.parametrize(
    "gone", ["LINKUSDT", "LTCUSDT", "XRPUSDT", "SUIUSDT", "USDT", "ETHFIUSDT", "BUSDT", "币安人生USDT"]
)
def test_another_coin_of_the_same_quote_asset_is_no_suggestion(gone: str) -> None:
    assert nearest_symbol(gone, LISTED) is None


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("ETH", "ETHUSDT"),
        ("ETHUSD", "ETHUSDT"),
        ("ETHBUSD", "ETHUSDT"),
        ("BTCUSDC", "BTCUSDC"),
        ("BTC-USDC", "BTCUSDC"),
        ("BTC/USDT", "BTCUSDT"),
        ("BTCUSDT.P", "BTCUSDT"),
        ("BTC-USDT-SWAP", "BTCUSDT"),
        ("ETHUSDT_260925", "ETHUSDT"),
        ("BTCUSTD", "BTCUSDT"),
        ("BTCUSDTT", "BTCUSDT"),
        ("BCTUSDT", "BTCUSDT"),
        ("EHTUSDT", "ETHUSDT"),
        ("SOLLUSDT", "SOLUSDT"),
        ("MATIKUSDT", "MATICUSDT"),
        ("PEPEUSDT", "1000PEPEUSDT"),
        ("1000SOLUSDT", "SOLUSDT"),
    ],
)
def test_the_same_coin_in_other_words_or_a_slip_away_is_suggested(written: str, meant: str) -> None:
    assert nearest_symbol(written, LISTED) == meant


def test_examples_hold() -> None:
    assert doctest.testmod(naming).failed == 0


@pytest.mark.parametrize("odd", ["", "_", "-", "1000", "USDT", "P", "____261225"])
def test_what_is_no_symbol_has_no_nearest_one(odd: str) -> None:
    assert nearest_symbol(odd, ["", "USDT", *LISTED]) in (None, "USDT")
