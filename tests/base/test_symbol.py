from __future__ import annotations

import pytest

from pairscope.base.errors import SettingsError
from pairscope.base.symbol import name_of, normal_symbol, symbol_of, venue_of


@pytest.mark.parametrize(
    ("text", "symbol"),
    [
        ("btcusdt", "BTCUSDT"),
        (" BTCUSDT_261225 ", "BTCUSDT_261225"),
        ("1000shibusdt", "1000SHIBUSDT"),
        ("币安人生usdt", "币安人生USDT"),
        ("okx.eth_usdt_swap", "OKX.ETH_USDT_SWAP"),
        ("binance.btcusdt", "BTCUSDT"),
    ],
)
def test_a_symbol_is_read_in_any_case_and_the_default_venue_is_not_written(text: str, symbol: str) -> None:
    assert normal_symbol(text) == symbol
    assert normal_symbol(symbol) == symbol


@pytest.mark.parametrize(
    "text",
    [
        *("", " ", ".", "A.", ".A", "A.B.C", "A B", "BTC-USDT", "BTC/USDT", "BTC:USDT", "BTC@USDT", "OKX..A", "O_K.A"),
        *("../A", "A\\B", "A%2EB", "A?B", "ÄB-C", "A" * 41, "V" * 21 + ".A", "A\x00B", "ΩX.A", "A½", "A²"),
    ],
)
def test_what_cannot_be_a_symbol_is_told_with_what_can(text: str) -> None:
    with pytest.raises(SettingsError) as raised:
        normal_symbol(text)
    assert "letters, digits and _" in (raised.value.cure or "")


def test_venue_and_name_of_a_symbol_make_it_again() -> None:
    for symbol in ("BTCUSDT", "OKX.ETH_USDT_SWAP", "币安人生USDT"):
        assert symbol_of(venue_of(symbol), name_of(symbol)) == symbol
