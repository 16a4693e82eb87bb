"""The REST side of the simulated exchange: ping, time, exchangeInfo and aggTrades, with weights and bans."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import msgspec
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from pairscope.base.clock import Clock, now_ms
from pairscope.base.naming import assets_of
from pairscope.feed.binance.simulator.data_faults import SimulatedInstrument
from pairscope.feed.binance.simulator.faults import Faults, FaultyDoor
from pairscope.feed.binance.simulator.source import FrameSource, TooOld, TradeQuery

_MINUTE_MS = 60_000
_STALE_MS = 3 * 3_600_000  # how far behind the serverTime of exchangeInfo is
_AGG_TRADES_WEIGHT = 20
_PATIENCE = 10  # refused requests in one minute before the ban
_FIRST_BAN_MS = 2 * _MINUTE_MS
_REASONS = {
    403: (0, "Forbidden"),
    418: (-1003, "Way too many requests; IP banned."),
    429: (-1003, "Too many requests."),
    451: (0, "Service unavailable from a restricted location according to 'b. Eligibility'."),
    503: (0, "Service Unavailable."),
}


class RefusedRequest(Exception):
    """A request answered with an error: HTTP status, the exchange's code and message."""

    def __init__(self, status: int, code: int, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.code = code


def refusal_body(status: int) -> bytes:
    """What the exchange says with an HTTP error status it was told to answer with."""
    code, message = _REASONS.get(status, (-1000, "An unknown error occurred while processing the request."))
    return _error_body(code, message)


def _error_body(code: int, message: str) -> bytes:
    return msgspec.json.encode({"code": code, "msg": message})


class ServedWeight:
    """Request weight of the UTC minute, for the one address there is; refused requests weigh too."""

    def __init__(self, clock: Clock, per_minute: int) -> None:
        self.per_minute = per_minute
        self.used = 0
        self._clock = clock
        self._minute = -1
        self._refused = 0
        self._banned_until_ms = 0

    def spend(self, weight: int) -> None:
        """Count a request.

        Raises:
            RefusedRequest: 429 above the budget, 418 for one who keeps asking.
        """
        now = now_ms(self._clock)
        if now // _MINUTE_MS != self._minute:
            self._minute, self.used, self._refused = now // _MINUTE_MS, 0, 0
        self.used += weight
        if now < self._banned_until_ms:
            raise RefusedRequest(418, -1003, f"Way too many requests; IP banned until {self._banned_until_ms}.")
        if self.used <= self.per_minute:
            return
        self._refused += 1
        if self._refused > _PATIENCE:
            self._banned_until_ms = now + _FIRST_BAN_MS
        limit = f"current limit of IP is {self.per_minute} requests per minute"
        raise RefusedRequest(429, -1003, f"Too many requests; {limit}.")


class RestApi:
    """Answers for a source; ``app`` is the ASGI application."""

    def __init__(self, source: FrameSource, clock: Clock, faults: Faults, *, weight_per_minute: int) -> None:
        self.budget = ServedWeight(clock, weight_per_minute)
        self.requests = 0
        self._source = source
        self._faults = faults
        self.app = Starlette(
            routes=[
                Route("/fapi/v1/ping", self._endpoint(1, self._ping)),
                Route("/fapi/v1/time", self._endpoint(1, self._time)),
                Route("/fapi/v1/exchangeInfo", self._endpoint(1, self._exchange_info)),
                Route("/fapi/v1/aggTrades", self._endpoint(_AGG_TRADES_WEIGHT, self._agg_trades)),
            ]
        )

    def _endpoint(self, weight: int, answer: Callable[[Request], bytes]) -> Callable[[Request], Awaitable[Response]]:
        async def endpoint(request: Request) -> Response:
            self.requests += 1
            if self._faults.rest_delay_s:
                await asyncio.sleep(self._faults.rest_delay_s)
            status = self._faults.refusal(FaultyDoor.REST)
            if status is not None:
                return _json(refusal_body(status), status, self._faults.refusal_headers(FaultyDoor.REST))
            try:
                self.budget.spend(weight)
                status, body = 200, answer(request)
            except RefusedRequest as error:
                status, body = error.status, _error_body(error.code, str(error))
            return _json(body, status, {"X-MBX-USED-WEIGHT-1M": str(self.budget.used)})

        return endpoint

    def _ping(self, request: Request) -> bytes:
        return b"{}"

    def _time(self, request: Request) -> bytes:
        return b'{"serverTime":%d}' % self._source.now_ms()

    def _exchange_info(self, request: Request) -> bytes:
        limit = {"rateLimitType": "REQUEST_WEIGHT", "interval": "MINUTE", "intervalNum": 1}
        return msgspec.json.encode(
            {
                "timezone": "UTC",
                "serverTime": self._source.now_ms() - _STALE_MS,
                "futuresType": "U_MARGINED",
                "rateLimits": [{**limit, "limit": self.budget.per_minute}],
                "exchangeFilters": [],
                "symbols": [_symbol(each) for each in self._listed()],
            }
        )

    def _agg_trades(self, request: Request) -> bytes:
        query = self._query(request)
        if self._faults.data.is_added(query.symbol):
            return b"[]"
        try:
            rows = self._source.agg_trades(query, self._faults.rest_lag_ms)
        except TooOld:
            raise RefusedRequest(400, -4166, "Search window is restricted to recent 2 days only.") from None
        return b"[" + b",".join(self._faults.data.rows(query.symbol, rows)) + b"]"

    def _listed(self) -> list[SimulatedInstrument]:
        return self._faults.data.listed(self._source.instruments())

    def _query(self, request: Request) -> TradeQuery:
        symbol = request.query_params.get("symbol")
        if not symbol:
            raise RefusedRequest(400, -1102, "Mandatory parameter 'symbol' was not sent, was empty/null, or malformed.")
        if symbol not in {each.symbol for each in self._listed()}:
            raise RefusedRequest(400, -1121, "Invalid symbol.")
        limit = _integer(request, "limit")
        if limit is not None and not 1 <= limit <= 1000:
            raise RefusedRequest(400, -1130, "Data sent for parameter 'limit' is not valid.")
        from_id, start_ms, end_ms = (_integer(request, name) for name in ("fromId", "startTime", "endTime"))
        if from_id is not None and (start_ms is not None or end_ms is not None):
            raise RefusedRequest(400, -1128, "Combination of optional parameters invalid.")
        return TradeQuery(symbol, limit or 500, from_id, start_ms, end_ms)


def _integer(request: Request, name: str) -> int | None:
    text = request.query_params.get(name)
    if text is None:
        return None
    if not text.isascii() or not text.isdigit() or len(text) > 18:
        raise RefusedRequest(400, -1130, f"Data sent for parameter '{name}' is not valid.")
    return int(text)


def _json(body: bytes, status: int, headers: dict[str, str] | None = None) -> Response:
    return Response(body, status, headers, media_type="application/json")


def _symbol(instrument: SimulatedInstrument) -> dict[str, object]:
    symbol = instrument.symbol
    base, quote = assets_of(symbol)  # of a recording nothing but the name tells
    step = {"minQty": instrument.step_size, "maxQty": "10000000", "stepSize": instrument.step_size}
    return {
        "symbol": symbol,
        "pair": symbol,
        "contractType": "PERPETUAL",
        "deliveryDate": 4_133_404_800_000,
        "onboardDate": 1_577_836_800_000,
        "status": instrument.status,
        "baseAsset": base,
        "quoteAsset": quote,
        "marginAsset": quote,
        "pricePrecision": instrument.price_decimals,
        "quantityPrecision": instrument.size_decimals,
        "underlyingType": "COIN",
        "filters": [
            {
                "filterType": "PRICE_FILTER",
                "minPrice": instrument.tick_size,
                "maxPrice": "100000000",
                "tickSize": instrument.tick_size,
            },
            {"filterType": "LOT_SIZE", **step},
            {"filterType": "MARKET_LOT_SIZE", **step},
        ],
        "orderTypes": ["LIMIT", "MARKET"],
        "timeInForce": ["GTC", "IOC", "FOK", "GTX"],
    }
