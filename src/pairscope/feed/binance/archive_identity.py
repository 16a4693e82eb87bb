"""What a file of the archive is when it is not of USD-M trades or klines: files of all markets carry the same names."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

# Folders of the archive that hold klines of something else than trades, or no klines at all.
_KINDS = {
    "markPriceKlines": "of mark prices",
    "indexPriceKlines": "of index prices",
    "premiumIndexKlines": "of the premium index",
    "metrics": "of open interest and long/short ratios",
    "fundingRate": "of funding rates",
    "bookTicker": "of best bids and asks",
    "bookDepth": "of order book depth",
    "liquidationSnapshot": "of liquidations",
    "BVOLIndex": "of the volatility index",
    "EOHSummary": "of options",
}
_KIND_OF_FOLDER = {name.lower(): what for name, what in _KINDS.items()}
_OTHER_NAME = re.compile(rf".{{1,40}}-(?P<kind>{'|'.join(_KINDS)})-\d{{4}}-\d{{2}}(?:-\d{{2}})?\.(?:zip|csv)")
_COIN_MARGINED = re.compile(r"[A-Z0-9]+USD_(?:PERP|\d{6})")
_COIN_M = "of COIN-M futures, whose volume is in contracts"


def foreign(path: Path) -> str | None:
    """What a file is, by its folders and its name, when that is not USD-M trades or klines.

    The market word nearest to the file decides: ``spot``, ``option``, ``um`` or ``cm`` (below ``futures``).

    >>> foreign(Path("data/spot/daily/klines/BTCUSDT/1m/BTCUSDT-1m-2025-05-10.zip"))
    'of the spot market'
    >>> foreign(Path("data/futures/um/daily/klines/BTCUSDT/1m/BTCUSDT-1m-2025-05-10.zip"))
    """
    named = _OTHER_NAME.fullmatch(path.name)
    if named is not None:
        return _KINDS[named["kind"]]
    if _COIN_MARGINED.match(path.name.upper().partition("-")[0]):
        return _COIN_M
    folders = [part.lower() for part in path.absolute().parts[:-1]]
    for place in range(len(folders) - 1, -1, -1):
        folder, above = folders[place], folders[place - 1] if place else ""
        if folder in _KIND_OF_FOLDER:
            return _KIND_OF_FOLDER[folder]
        if folder == "spot":
            return "of the spot market"
        if folder == "option":
            return "of options"
        if folder == "cm" and above == "futures":
            return _COIN_M
        if folder == "um":
            return None
    return None


def foreign_header(names: Iterable[str]) -> str | None:
    """What a file is by the names of its fields, when they are of no file of USD-M trades or klines.

    >>> foreign_header(["id", "price", "qty", "base_qty", "time", "is_buyer_maker"])
    'of COIN-M futures, whose volume is in contracts'
    """
    return _COIN_M if any(name.lower().startswith("base_") for name in names) else None


def is_debris(path: Path | str) -> bool:
    """Whether a file is what macOS leaves beside files in archives.

    >>> is_debris("__MACOSX/._BTCUSDT-1m-2025-05-10.csv")
    True
    """
    parts = Path(path).parts
    return "__MACOSX" in parts or (bool(parts) and parts[-1].startswith("._"))
