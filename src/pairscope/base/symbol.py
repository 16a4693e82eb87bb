"""How a symbol is written: the name of an instrument, and before it the venue where that is not the default one.

A name is ``A`` to ``Z``, digits and ``_``, or letters of any script; ``BTCUSDT`` is the default venue's and
``OKX.ETH_USDT`` that of another. The point stands nowhere else: not in topics, addresses, pairs, metrics or folders.
"""

from __future__ import annotations

from pairscope.base.errors import SettingsError
from pairscope.base.reading import ascii_upper

DEFAULT_VENUE = "BINANCE"
POINT = "."
LONGEST = 40  # of the name; a venue's is shorter
LONGEST_VENUE = 20
ALLOWED = "a symbol is letters, digits and _, such as BTCUSDT; of another venue than the default, such as OKX.ETH_USDT"


def normal_symbol(symbol: str) -> str:
    """Upper case (of a to z) without spaces around, and without the name of the default venue.

    Raises:
        SettingsError: when the text cannot be a symbol.

    >>> normal_symbol(" ethusdt "), normal_symbol("okx.eth_usdt_swap"), normal_symbol("Binance.BtcUsdt")
    ('ETHUSDT', 'OKX.ETH_USDT_SWAP', 'BTCUSDT')
    """
    text = ascii_upper(symbol.strip())
    venue, point, name = text.rpartition(POINT)
    if not _is_name(name) or (point and not _is_venue(venue)):
        raise SettingsError(f"'{symbol[:40]}' cannot be a symbol", cure=ALLOWED)
    return name if venue == DEFAULT_VENUE else text


def is_symbol(text: str) -> bool:
    """Whether a text is a symbol as it stands in tables; released versions allowed others.

    >>> is_symbol("BTCUSDT"), is_symbol("btcusdt"), is_symbol("BTC-USDT")
    (True, False, False)
    """
    try:
        return normal_symbol(text) == text
    except SettingsError:
        return False


def _is_name(text: str) -> bool:
    return 0 < len(text) <= LONGEST and all(c in "0123456789_" or c.isalpha() for c in text)


def _is_venue(text: str) -> bool:
    return 0 < len(text) <= LONGEST_VENUE and text.isascii() and text.isalnum()


def venue_of(symbol: str) -> str:
    """The venue of a symbol.

    >>> venue_of("BTCUSDT"), venue_of("OKX.ETH_USDT_SWAP")
    ('BINANCE', 'OKX')
    """
    return symbol.rpartition(POINT)[0] or DEFAULT_VENUE


def name_of(symbol: str) -> str:
    """The name of a symbol without its venue.

    >>> name_of("OKX.ETH_USDT_SWAP")
    'ETH_USDT_SWAP'
    """
    return symbol.rpartition(POINT)[2]


def symbol_of(venue: str, name: str) -> str:
    """The symbol of a name at a venue.

    >>> symbol_of("OKX", "ETH_USDT_SWAP"), symbol_of("BINANCE", "BTCUSDT")
    ('OKX.ETH_USDT_SWAP', 'BTCUSDT')
    """
    return name if venue == DEFAULT_VENUE else f"{venue}{POINT}{name}"
