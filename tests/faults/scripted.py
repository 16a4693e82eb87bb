"""An exchange in virtual time without a socket: a REST API that misbehaves on a seeded script, and its own weights."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import httpx

from tests.faults.truth import Truth

MINUTE_MS = 60_000
WEIGHT = 20
LIMIT = 2_400
BAN_AFTER = 10  # refused requests in a minute


@dataclass(frozen=True, slots=True)
class RestManners:
    """How REST misbehaves: chances for each request, and how far it is behind."""

    empty: float = 0.0
    short: float = 0.0  # pages that end too early
    refused: float = 0.0  # 429 although the budget is kept
    banned: float = 0.0  # 418
    broken: float = 0.0  # 5xx, time-outs, torn connections, pages nobody can read
    latency_s: float = 0.05
    lag_ms: int = 0
    keeps_ms: int = 48 * 3_600_000


class ScriptedRest(httpx.AsyncBaseTransport):
    """Answers ``aggTrades`` and ``exchangeInfo`` from the truth, or does not.

    Args:
        now_ms: the exchange's own time, which no jump of the machine's clock moves.
        note: told of every request and its outcome.
    """

    def __init__(
        self,
        truths: Mapping[str, Truth],
        now_ms: Callable[[], int],
        manners: RestManners,
        rng: random.Random,
        note: Callable[..., None],
    ) -> None:
        self.manners = manners
        self.down = False
        self.weight: Counter[int] = Counter()  # by minute of the exchange
        self.asked_against_a_ban = 0
        self.ban_told_s: float | None = None  # when the client learned that it is banned
        self._truths = truths
        self.now_ms = now_ms
        self._rng = rng
        self._note = note
        self._refused: Counter[int] = Counter()
        self._banned_until_ms = 0

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """One request: half of the latency passes before it arrives, half after."""
        sent_s = asyncio.get_running_loop().time()
        latency_s = self._rng.uniform(0.2, 2.0) * self.manners.latency_s
        await asyncio.sleep(latency_s / 2)
        banned = self.now_ms() < self._banned_until_ms
        try:
            answer = await self._answer(request)
        except httpx.TransportError as error:
            self._note("rest", request.url.query, type(error).__name__)
            raise
        self._note("rest", request.url.query, answer.status_code, len(answer.content))
        await asyncio.sleep(latency_s / 2)
        if banned and self.ban_told_s is not None:
            self.asked_against_a_ban += sent_s > self.ban_told_s
        elif answer.status_code == 418:
            self.ban_told_s = asyncio.get_running_loop().time()
        return answer

    async def _answer(self, request: httpx.Request) -> httpx.Response:
        if self.down:
            raise httpx.ConnectError("connection refused", request=request)
        minute = self.now_ms() // MINUTE_MS
        self.weight[minute] += WEIGHT
        headers = {"X-MBX-USED-WEIGHT-1M": str(self.weight[minute])}
        refusal = self._refusal(minute)
        if refusal is not None:
            return httpx.Response(refusal[0], text=refusal[1], headers=headers)
        if self._rng.random() < self.manners.broken:
            return await self._broken(request)
        status, body = self._page(dict(request.url.params))
        return httpx.Response(status, content=body, headers=headers)

    def _refusal(self, minute: int) -> tuple[int, str] | None:
        now_ms, draw = self.now_ms(), self._rng.random()
        if now_ms < self._banned_until_ms:
            pass
        elif draw < self.manners.banned or self._refused[minute] > BAN_AFTER:
            self._banned_until_ms = now_ms + 2 * MINUTE_MS
            self.ban_told_s = None  # of this one
        elif draw < self.manners.banned + self.manners.refused or self.weight[minute] > LIMIT:
            self._refused[minute] += 1
            return 429, '{"code":-1003,"msg":"Too many requests."}'
        else:
            return None
        return 418, f'{{"code":-1003,"msg":"IP banned until {self._banned_until_ms}."}}'

    async def _broken(self, request: httpx.Request) -> httpx.Response:
        match self._rng.randrange(4):
            case 0:
                return httpx.Response(503, text="Service Unavailable")
            case 1:
                return httpx.Response(200, text="<html>sign in to the hotel's network</html>")
            case 2:
                await asyncio.sleep(6)
                raise httpx.ReadTimeout("no answer", request=request)
            case _:
                raise httpx.RemoteProtocolError("torn", request=request)

    def _page(self, query: Mapping[str, str]) -> tuple[int, bytes]:
        truth = self._truths[query["symbol"]]
        from_id, limit = int(query["fromId"]), int(query["limit"])
        now_ms = self.now_ms()
        if from_id < truth.sent_before(now_ms - self.manners.keeps_ms):
            return 400, b'{"code":-4166,"msg":"Search window is restricted to recent 2 days only."}'
        end = min(from_id + limit, truth.sent_before(now_ms - self.manners.lag_ms), truth.last_id + 1)
        draw = self._rng.random()
        if draw < self.manners.empty:
            end = from_id
        elif draw < self.manners.empty + self.manners.short:
            end = from_id + (end - from_id) // 2
        return 200, b"[" + b",".join(truth.row(trade_id) for trade_id in range(from_id, end)) + b"]"
