"""Which symbol a person may have meant by one that is not there.

Symbols of one quote asset are alike in half of their letters: what tells them apart is the base asset. So that is what
is compared, and where no base asset is alike no symbol is suggested: another coin is worse than none.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Sequence

from pairscope.base.symbol import name_of

QUOTES = ("FDUSD", "USDT", "USDC", "USD")  # not BUSD and TUSD: BNBUSD is BNB, and USD
LISTED_QUOTES = ("BUSD", *QUOTES)  # of what an exchange lists, or did: its names are not written by people
MULTIPLIERS = ("1000000", "1000", "1M")  # of coins of a small price
_LONG = 5  # letters, from which on one wrong letter is a slip and not another coin
_QUOTE_LIKE = 0.6
_KIND = re.compile(r"(_\d{6}|[-_.]?(?:SWAP|PERP)|[.]P)$")  # of contract, as the exchange and others write it
_ON_A_DAY = re.compile(r"_\d{6}$")
_BETWEEN = re.compile(r"[-_/:. ]")


def nearest_symbol(symbol: str, listed: Iterable[str]) -> str | None:
    """The listed symbol of the same base asset, or of one that is a slip away; None where there is none.

    >>> nearest_symbol("PEPEUSDT", ["BTCUSDT", "1000PEPEUSDT"]), nearest_symbol("BTC", ["ETHUSDT", "BTCUSDT"])
    ('1000PEPEUSDT', 'BTCUSDT')
    >>> nearest_symbol("BCTUSD", ["BCHUSDT", "BTCUSDT"]), nearest_symbol("BTCUSTD", ["BTCUSDT"])
    ('BTCUSDT', 'BTCUSDT')
    >>> nearest_symbol("LINKUSDT", ["BTCUSDT", "SOLUSDT"]), nearest_symbol("LTCUSDT", ["BTCUSDT"])
    (None, None)
    >>> [nearest_symbol(text, ["SOLUSDC", "SOLUSDT"]) for text in ("SOL-USDC", "SOL_USDT-SWAP", "SOLPERP")]
    ['SOLUSDC', 'SOLUSDT', 'SOLUSDT']
    """
    base, quote = assets_of(symbol)
    found = [(rank, *_order(name, quote), name) for name in listed if (rank := _rank(symbol, base, name)) is not None]
    return min(found)[-1] if found else None


def _rank(symbol: str, base: str, name: str) -> int | None:
    """How sure one is that a listed name is meant, 0 being sure; None where it is not alike."""
    other, quote = assets_of(name)
    if not base or not other:
        return None
    if base == other:
        return 0
    if _plain(base) == _plain(other):
        return 1
    rest = base.removeprefix(other)
    if symbol == base != rest and difflib.SequenceMatcher(None, rest, quote).ratio() >= _QUOTE_LIKE:
        return 2  # the quote asset is misspelt
    return 3 if _is_slip(base, other) else None


def _order(name: str, quote: str) -> tuple[bool, bool, int]:
    """Of equally sure ones the same quote asset first, then the most usual one, then the shortest name."""
    own = assets_of(name)[1]
    return own != quote, own != "USDT", len(name)


def assets_of(symbol: str, quotes: Sequence[str] = QUOTES) -> tuple[str, str]:
    """Base and quote asset as a name tells them; what kind of contract it is belongs to neither. A venue knows better.

    >>> assets_of("ETHUSDT"), assets_of("SOL_USDT_SWAP"), assets_of("TREE")
    (('ETH', 'USDT'), ('SOL', 'USDT'), ('TREE', ''))
    >>> assets_of("OKX.ETH_USDT_SWAP")
    ('ETH', 'USDT')
    >>> assets_of("ETHBUSD"), assets_of("ETHBUSD", LISTED_QUOTES)
    (('ETHB', 'USD'), ('ETH', 'BUSD'))
    """
    name = _BETWEEN.sub("", name_of(_KIND.sub("", symbol)))
    for quote in quotes:
        if name.endswith(quote) and name != quote:
            return name.removesuffix(quote), quote
    return name, ""


def ends_on_a_day(symbol: str) -> bool:
    """Whether a name tells that its contract does.

    >>> ends_on_a_day("ETHUSDT_261225"), ends_on_a_day("ETHUSDT")
    (True, False)
    """
    return _ON_A_DAY.search(symbol) is not None


def _plain(base: str) -> str:
    """Without the multiplier, if something is left."""
    for multiplier in MULTIPLIERS:
        if base.startswith(multiplier) and base != multiplier:
            return base.removeprefix(multiplier)
    return base


def _is_slip(one: str, two: str) -> bool:
    """Two neighbours swapped, one letter doubled, left out or put in, or (in longer names) one wrong letter.

    >>> [_is_slip("LINK", other) for other in ("LNIK", "LIN", "LINKK", "LINA", "SOL")]
    [True, True, True, False, False]
    >>> _is_slip("BTC", "BT"), _is_slip("MATIC", "MATIK")
    (False, True)
    """
    shorter, longer = sorted((one, two), key=len)
    places = [i for i, (a, b) in enumerate(zip(shorter, longer, strict=False)) if a != b]
    if len(shorter) == len(longer):
        first, last = places[0], places[-1]
        swapped = len(places) == 2 and last == first + 1 and one[first : last + 1] == two[first : last + 1][::-1]
        return swapped or (len(places) == 1 and len(one) >= _LONG)
    first = places[0] if places else len(shorter)
    return len(longer) == len(shorter) + 1 and len(longer) >= 4 and shorter[first:] == longer[first + 1 :]
