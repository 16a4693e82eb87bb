"""The only place that knows the exchange's REST API."""

from __future__ import annotations

import httpx
import msgspec

from pairscope.base.clock import Clock
from pairscope.base.errors import FeedUnavailable
from pairscope.base.model import Instrument, TradeBatch
from pairscope.feed.binance.protocol import decode_agg_trades, decode_instruments

# https://... answers 451 in restricted countries and on most American clouds, for ever: not worth a second try.
_REASONS = {
    403: "a firewall of the exchange refuses this address",
    418: "this address is banned by the exchange for a while",
    429: "the exchange's request limit is used up",
    451: "the exchange does not serve this location",
}


class BinanceRest:
    """Requests that need an answer. Use as ``async with BinanceRest(url, clock) as rest``."""

    def __init__(self, base_url: str, clock: Clock, timeout_s: float = 6.0) -> None:
        self._clock = clock
        self._client = httpx.AsyncClient(base_url=base_url, timeout=timeout_s)

    async def __aenter__(self) -> BinanceRest:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._client.aclose()

    async def ping(self) -> None:
        """Whether the exchange answers.

        Raises:
            FeedUnavailable: with code ``unreachable`` or ``http_<status>``.
        """
        await self._get("/fapi/v1/ping")

    async def instruments(self) -> dict[str, Instrument]:
        """All symbols with their tick and step sizes."""
        return decode_instruments(await self._get("/fapi/v1/exchangeInfo"))

    async def agg_trades(self, symbol: str, symbol_id: int, from_id: int, limit: int = 1000) -> TradeBatch:
        """Up to 1,000 trades from an id on; empty when the newest id is older than that."""
        parameters: dict[str, str | int] = {"symbol": symbol, "fromId": from_id, "limit": limit}
        body = await self._get("/fapi/v1/aggTrades", parameters)
        try:
            return decode_agg_trades(body, symbol_id, self._clock.now_ns())
        except msgspec.DecodeError as error:
            raise FeedUnavailable(f"unreadable aggTrades page for {symbol}: {error}") from error

    async def _get(self, path: str, parameters: dict[str, str | int] | None = None) -> bytes:
        try:
            answer = await self._client.get(path, params=parameters)
        except httpx.HTTPError as error:
            raise FeedUnavailable(
                f"{self._client.base_url.host} cannot be reached ({type(error).__name__})",
                cure="check the network, or start with --source simulator",
                code="unreachable",
            ) from error
        if answer.status_code != 200:
            why = _REASONS.get(answer.status_code, f"it answered {answer.text[:200]}")
            raise FeedUnavailable(
                f"{self._client.base_url.host} refused with HTTP {answer.status_code}: {why}",
                cure="start with --source simulator to work without it",
                code=f"http_{answer.status_code}",
            )
        return answer.content
