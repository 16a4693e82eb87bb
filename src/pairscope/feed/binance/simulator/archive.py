"""The simulated exchange's daily files: zips of past days and their checksums, the same bytes whenever asked for."""

from __future__ import annotations

import hashlib
import io
import re
import zipfile
from collections.abc import Callable
from datetime import date
from functools import lru_cache

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from pairscope.base.interval import DAY_MS
from pairscope.feed.binance.simulator.market import SimulatedMarket

_EPOCH = date(1970, 1, 1)
# Written at once. The route is a plain function, which Starlette runs in a thread: yet the event loop would not get the
# interpreter while the lists of a whole day were made, which are a hundred times as large.
_PIECE_MS = 600_000
_AVAILABLE_MS = 9 * 3_600_000  # after midnight UTC, on the next day
_NAME = re.compile(r"(?P<symbol>[^/]+)-aggTrades-(?P<date>\d{4}-\d{2}-\d{2})\.zip(?P<checksum>\.CHECKSUM)?")
_HEADER = "agg_trade_id,price,quantity,first_trade_id,last_trade_id,transact_time,is_buyer_maker\n"


class ArchiveDoor:
    """Serves the aggregate trades of a seeded market where the exchange serves its own.

    A file whose name is in `missing` is not there yet; one in `replaced` has other bytes than before, the rows being
    the same. Both are for tests.
    """

    def __init__(self, market: SimulatedMarket, now_ms: Callable[[], int]) -> None:
        self.missing: set[str] = set()
        self.replaced: set[str] = set()
        self.downloads = 0
        self._market = market
        self._now_ms = now_ms
        self._zip = lru_cache(maxsize=4)(self._make_zip)
        self.routes = [Route("/data/futures/um/daily/aggTrades/{symbol}/{name}", self._answer)]

    def _answer(self, request: Request) -> Response:
        match = _NAME.fullmatch(request.path_params["name"])
        day_ms = _day_ms(match["date"]) if match else None
        if match is None or day_ms is None or match["symbol"] not in self._market.listings:
            return Response(status_code=404)
        name = f"{match['symbol']}-aggTrades-{match['date']}"
        if self._now_ms() < day_ms + DAY_MS + _AVAILABLE_MS or name in self.missing:
            return Response(status_code=404)
        content = self._zip(match["symbol"], day_ms, name in self.replaced)
        if match["checksum"]:
            return Response(f"{hashlib.sha256(content).hexdigest()}  {name}.zip\n", media_type="text/plain")
        self.downloads += 1
        return Response(content, media_type="application/zip")

    def _make_zip(self, symbol: str, day_ms: int, replaced: bool) -> bytes:
        day = date.fromordinal(_EPOCH.toordinal() + day_ms // DAY_MS)
        member = zipfile.ZipInfo(f"{symbol}-aggTrades-{day.isoformat()}.csv")  # its date is always 1980
        member.compress_type = zipfile.ZIP_DEFLATED
        member.comment = b"replaced" if replaced else b""
        packed = io.BytesIO()
        with zipfile.ZipFile(packed, "w") as archive, archive.open(member, "w") as file:
            file.write(_HEADER.encode())
            for start_ms in range(day_ms, day_ms + DAY_MS, _PIECE_MS):
                file.write(self._rows(symbol, start_ms).encode())
        return packed.getvalue()

    def _rows(self, symbol: str, start_ms: int) -> str:
        listing = self._market.listing(symbol)
        trades = self._market.trades(symbol, start_ms, start_ms + _PIECE_MS)
        row = f"%d,%.{listing.price_decimals}f,%.{listing.size_decimals}f,%d,%d,%d,%s\n"
        maker = ["true" if is_maker else "false" for is_maker in trades.buyer_is_maker.tolist()]
        columns = (trades.id, trades.price, trades.size, trades.first_fill, trades.last_fill, trades.time_ms)
        return "".join(row % each for each in zip(*(column.tolist() for column in columns), maker, strict=True))


def _day_ms(text: str) -> int | None:
    try:
        return (date.fromisoformat(text).toordinal() - _EPOCH.toordinal()) * DAY_MS
    except ValueError:
        return None
