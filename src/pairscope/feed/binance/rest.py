"""The only place that knows the exchange's REST API: routes, weights, refusals."""

from __future__ import annotations

import copy
import math
import re
from collections.abc import Callable, Mapping
from typing import TypeVar

import httpx
import msgspec

from pairscope.base.clock import Clock, now_ms
from pairscope.base.errors import FeedUnavailable
from pairscope.base.instrument import Instrument
from pairscope.base.model import SymbolTable
from pairscope.feed.access import Access, http_client, unreachable
from pairscope.feed.binance.budget import WeightBudget
from pairscope.feed.binance.protocol import decode_agg_trades, decode_instruments
from pairscope.feed.judge import Judge, Judged, Refusal
from pairscope.feed.retry_after import retry_after_s
from pairscope.feed.venue import ANYWHERE, HOUR_MS, Around, RequestRefusedError, TooOldError

PAGE_ROWS = 1_000
REACH_MS = 47 * HOUR_MS  # two days are kept: an hour is left for the asking
RANGE_MS = HOUR_MS - 1  # both ends of a time range count, and it must be shorter than an hour
AGG_TRADES_WEIGHT = 20  # whatever the limit
TOO_OLD = -4166  # "Search window is restricted to recent 2 days only."

# https://... answers 451 in restricted countries and on most American clouds, for ever: not worth a second try.
_REASONS = {
    403: "a firewall of the exchange refuses this address",
    418: "this address is banned by the exchange for a while",
    429: "the exchange's request limit is used up",
    451: "the exchange does not serve this location",
}
CURE_451 = "use a --proxy in a place it serves, or start with --source simulator to work without it"
_BANNED_UNTIL = re.compile(r"banned until (\d{13})")
T = TypeVar("T")


class BinanceRest:
    """Requests that need an answer. Use as ``async with BinanceRest(url, clock) as rest``."""

    page_rows = PAGE_ROWS
    reach_ms = REACH_MS

    def __init__(
        self,
        base_url: str,
        clock: Clock,
        *,
        judge: Judge | None = None,
        timeout_s: float = 6.0,
        budget: WeightBudget | None = None,
        access: Access | None = None,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        self._access = access or Access.direct(clock)
        self.budget = budget or WeightBudget(clock, door=self._access.limits.door(base_url))
        self._url = base_url
        self._clock = clock
        self._judge = judge or Judge(SymbolTable(), lambda: now_ms(clock))
        self._patience_s = math.inf
        self._client = http_client(base_url, self._access, timeout_s=timeout_s, transport=transport)

    async def __aenter__(self) -> BinanceRest:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        await self._client.aclose()

    def within(self, patience_s: float) -> BinanceRest:
        """The same client for one who does not wait longer than this when the exchange asked for a pause."""
        hasty = copy.copy(self)
        hasty._patience_s = patience_s
        return hasty

    async def ping(self) -> None:
        """Whether the exchange answers.

        Raises:
            FeedUnavailable: with code ``unreachable``, ``unreadable`` or ``http_<status>``; also from all others here.
        """
        await self._get("/fapi/v1/ping", weight=1)

    async def instruments(self) -> dict[str, Instrument]:
        """All symbols with their tick and step sizes; the weight limit is read on the way."""
        body = await self._get("/fapi/v1/exchangeInfo", weight=1)
        self.budget.limit = _read(body, weight_limit) or self.budget.limit
        return _read(body, decode_instruments)

    async def page(
        self, symbol: str, symbol_id: int, from_id: int, limit: int | None = None, around: Around = ANYWHERE
    ) -> Judged:
        """Rows of aggregate trades from an id on, at most `limit`; empty when the newest id is older than that.

        Pages go by id: by time, trades of one millisecond would be lost between two pages.

        Raises:
            TooOldError: when the exchange no longer keeps that id.
            RequestRefusedError: when it does not like the request.
            FeedUnavailable: when it cannot be reached, refuses, or answers what cannot be read.
        """
        parameters: dict[str, str | int] = {"symbol": symbol, "fromId": from_id, "limit": limit or PAGE_ROWS}
        body = await self._get("/fapi/v1/aggTrades", parameters, weight=AGG_TRADES_WEIGHT)
        rows = _read(body, lambda page: decode_agg_trades(page, symbol_id, self._clock.now_ns()))
        return self._judge.judge(rows)

    async def first_id_from(self, symbol: str, time_ms: int) -> int | None:
        """The id of the first trade at or after a time of the last two days; None when none came within an hour.

        Raises:
            FeedUnavailable: as `page`.
        """
        parameters: dict[str, str | int] = {"symbol": symbol, "startTime": time_ms, "limit": 1}
        body = await self._get(
            "/fapi/v1/aggTrades", {**parameters, "endTime": time_ms + RANGE_MS}, weight=AGG_TRADES_WEIGHT
        )
        page = self._told(body)
        return int(page.rows.id[0]) if len(page) else None

    async def server_time_ms(self) -> int:
        """The exchange's clock.

        Raises:
            FeedUnavailable: as `ping`.
        """
        body = await self._get("/fapi/v1/time", weight=1)
        return _read(body, lambda answer: int(msgspec.json.decode(answer)["serverTime"]))

    async def newest_trade(self, symbol: str) -> tuple[int, int] | None:
        """Id and time of a symbol's newest trade; None when it has none or is not listed.

        Raises:
            FeedUnavailable: as `page`.
        """
        try:
            body = await self._get("/fapi/v1/aggTrades", {"symbol": symbol, "limit": 1}, weight=AGG_TRADES_WEIGHT)
        except RequestRefusedError:  # no such symbol
            return None
        page = self._told(body)
        if not len(page) or page.verdict[-1] == Refusal.TIME.code:
            return None
        return int(page.rows.id[-1]), int(page.rows.time_ms[-1])

    def _told(self, body: bytes) -> Judged:
        """Rows of a page nothing is stored of, without those whose ids cannot be believed."""
        judged = self._judge.judge(_read(body, lambda page: decode_agg_trades(page, 0, 0)), count=False)
        return judged.take(judged.verdict != Refusal.ID.code)

    async def _get(self, path: str, parameters: Mapping[str, str | int] | None = None, *, weight: int) -> bytes:
        async with self.budget.spend(weight, patience_s=self._patience_s):
            try:
                answer = await self._client.get(path, params=parameters)
            except httpx.HTTPError as error:
                cure = "check the network, or start with --source simulator"
                raise unreachable(self._url, self._access, error, cure=cure) from error
        used = answer.headers.get("X-MBX-USED-WEIGHT-1M", "")
        self.budget.told(int(used) if used.isdigit() else None)
        if answer.status_code != 200:
            raise self._refused(answer)
        return answer.content

    def _refused(self, answer: httpx.Response) -> FeedUnavailable:
        status, body = answer.status_code, answer.text
        told_s = retry_after_s(answer.headers, now_ms(self._clock))
        if status == 429:
            self.budget.too_many(told_s)
        elif status == 418:
            told_s = self._ban_s(answer) if told_s is None else told_s
            self.budget.banned(told_s)
        elif status >= 500 and told_s is not None:
            self.budget.busy(told_s, status)
        elif status == 400 and error_code(answer.content) == TOO_OLD:
            return TooOldError("the exchange no longer serves these ids", cure="they come from the daily archive files")
        elif status == 400:
            return RequestRefusedError(f"the exchange refused a request: {body[:200]}")
        why = _REASONS.get(status, f"it answered {body[:200]}")
        return FeedUnavailable(
            f"{self._client.base_url.host} refused with HTTP {status}: {why}",
            cure=CURE_451 if status == 451 else "start with --source simulator to work without it",
            code=f"http_{status}",
            retry_after_s=self.budget.door.wait_s or None,
        )

    def _ban_s(self, answer: httpx.Response) -> float | None:
        """How long a ban lasts: told in a header on spot, only in the text on futures."""
        told = _BANNED_UNTIL.search(answer.text)
        return (int(told[1]) - now_ms(self._clock)) / 1000 if told else None


def _read(body: bytes, decode: Callable[[bytes], T]) -> T:
    """Decode an answer with status 200, which may still be the page of a hotel's network or of a firewall."""
    try:
        return decode(body)
    except (msgspec.MsgspecError, LookupError, TypeError, ValueError, AttributeError) as error:
        raise FeedUnavailable(
            f"an answer cannot be read ({error}): {body[:80]!r}",
            cure="something between here and the exchange may answer in its place",
            code="unreadable",
        ) from error


def error_code(body: bytes) -> int | None:
    """The exchange's own number of an error: ``{"code":-4166,"msg":"..."}``."""
    try:
        code = msgspec.json.decode(body, type=dict[str, object]).get("code")
    except (msgspec.MsgspecError, UnicodeError):
        return None
    return code if isinstance(code, int) else None


def weight_limit(body: bytes) -> int | None:
    """Request weight allowed in a minute, from ``exchangeInfo``."""
    for limit in msgspec.json.decode(body).get("rateLimits", ()):
        if limit.get("rateLimitType") == "REQUEST_WEIGHT" and limit.get("interval") == "MINUTE":
            return int(limit["limit"]) // int(limit.get("intervalNum", 1))
    return None
