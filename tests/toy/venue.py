"""A venue in as few lines as it takes: another wire, ids of its own, history by time, and nothing proved."""

import asyncio
import json
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

import httpx
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import WebSocketException

from pairscope.base.clock import Clock, now_ms
from pairscope.base.errors import FeedUnavailable
from pairscope.base.instrument import Instrument
from pairscope.base.model import Continuity, Origin, Rows, SymbolTable, TradeBatch
from pairscope.base.settings import Settings
from pairscope.base.symbol import name_of, symbol_of
from pairscope.feed import venue as v
from pairscope.feed.access import Access
from pairscope.feed.backoff import Backoff
from pairscope.feed.health import FeedHealth
from pairscope.feed.judge import Judge, Judged
from pairscope.feed.source import VenueOpener

NAME = "TOY"
SAMPLED = v.Capabilities(Continuity.SAMPLED, page_rows=40, reach_ms=24 * v.HOUR_MS, request_unit="requests")
REFUSALS = {404: v.RequestRefusedError, 410: v.TooOldError}


def rows_of(fills: Iterable[Any], symbol_id: int, received_ns: int, origin: Origin) -> Rows:
    """``[7000012, 1791382992488, 102.5, 0.5, "sell"]``, by rising id."""
    told = ((*fill[:4], fill[4] == "sell") for fill in fills)
    return Rows(TradeBatch.of_symbol(symbol_id, told, received_ns, origin))


class ToyRest(v.Rest):
    page_rows, reach_ms = SAMPLED.page_rows, SAMPLED.reach_ms

    def __init__(self, host: str, clock: Clock, judge: Judge | None) -> None:
        self._clock, self._url = clock, f"http://{host}"
        self._judge = judge or Judge(SymbolTable(), lambda: now_ms(clock))

    async def instruments(self) -> dict[str, Instrument]:
        listed = {symbol_of(NAME, each["spelling"].upper()): each for each in await self._get("/coins")}
        return {symbol: Instrument(symbol, **each) for symbol, each in listed.items()}

    async def server_time_ms(self) -> int:
        return int(await self._get("/time"))

    async def first_id_from(self, symbol: str, time_ms: int) -> int | None:
        return next(iter(await self._fills(symbol, time_ms, time_ms + v.HOUR_MS)), (None,))[0]

    async def page(
        self, symbol: str, symbol_id: int, from_id: int, limit: int | None = None, around: v.Around = v.ANYWHERE
    ) -> Judged:
        now = now_ms(self._clock)
        fills = await self._fills(symbol, around.after_ms or now - self.reach_ms, around.before_ms or now)
        wanted = [fill for fill in fills if fill[0] >= from_id][: limit or self.page_rows]
        return self._judge.judge(rows_of(wanted, symbol_id, self._clock.now_ns(), Origin.REST))

    async def _fills(self, symbol: str, from_ms: int, to_ms: int) -> list[Any]:
        """All between two times, by rising id; they come newest first, a few at once."""
        found, asked = dict[int, Any](), {"coin": name_of(symbol).lower(), "from": from_ms}
        while (page := await self._get("/fills", **asked, to=to_ms)) and page[-1][0] not in found:
            found |= {fill[0]: fill for fill in page}
            to_ms = page[-1][1]
        return sorted(found.values())

    async def _get(self, path: str, **asked: Any) -> Any:
        try:
            async with httpx.AsyncClient(base_url=self._url, verify=False, trust_env=False) as client:
                answer = await client.get(path, params=asked)
        except httpx.HTTPError as error:
            raise FeedUnavailable(f"the toy venue cannot be reached: {error}", code="unreachable") from error
        if answer.status_code != 200:
            raise REFUSALS.get(answer.status_code, FeedUnavailable)(f"HTTP {answer.status_code}")
        return answer.json()


class ToyStream(v.Stream):
    def __init__(self, host: str, clock: Clock, door: Any, listening: v.Listening) -> None:
        self._url, self._clock, self.door, self._on = f"ws://{host}/stream", clock, door, listening
        self.health, self._watched = FeedHealth(since_ms=now_ms(clock)), list(listening.watch)
        self._socket: ClientConnection | None = None
        self._since_s: float | None = None

    @property
    def subscribed_for_s(self) -> float | None:
        return None if self._since_s is None else self._clock.monotonic_s() - self._since_s

    def unheard(self) -> list[int]:
        return [] if self._socket else [self._on.symbols.index(symbol) for symbol in self._watched]

    async def watch(self, symbol: str) -> None:
        self._watched.append(symbol)
        await self._tell("sub", [symbol])

    async def unwatch(self, symbol: str) -> None:
        self._watched.remove(symbol)
        await self._tell("unsub", [symbol])

    async def _tell(self, what: str, symbols: list[str]) -> None:
        if self._socket is not None:
            await self._socket.send(json.dumps({"op": what, "coins": [name_of(symbol).lower() for symbol in symbols]}))

    async def run(self) -> None:
        backoff, health = Backoff(first_s=0.05, cap_s=5), self.health
        while True:
            try:
                async with connect(self._url, proxy=None) as self._socket:
                    await self._tell("sub", self._watched)
                    self._since_s, health.connections = self._clock.monotonic_s(), 1
                    health.become("live", now_ms(self._clock))
                    async for frame in self._socket:
                        self._take(json.loads(frame))
            except (OSError, WebSocketException) as error:
                health.last_error = str(error)
            self._socket, health.connections, health.reconnects = None, 0, health.reconnects + 1
            health.become("down", now_ms(self._clock))
            await asyncio.sleep(backoff.next_s())

    def _take(self, message: Any) -> None:
        symbol_id = self._on.symbols.index(symbol_of(NAME, message["coin"].upper()))
        judged = self._on.judge.judge(rows_of(message["fills"][::-1], symbol_id, self._clock.now_ns(), Origin.WS))
        self._on.sink(replace(judged, hole_reason=self._on.reasons.of(self.subscribed_for_s, self.health.reconnects)))


@dataclass
class Toy(v.Venue, VenueOpener):
    """Both the venue and what opens it: it has no settings."""

    host: str
    clock: Clock
    name: str = NAME
    capabilities: v.Capabilities = SAMPLED

    @property
    def budget(self) -> v.RequestBudget:
        return v.Uncounted(Access.direct(self.clock).limits.door(self.host))

    def reach(self, settings: Settings, clock: Clock) -> v.Venue:
        return self

    def stream(self, listening: v.Listening) -> v.Stream:
        return ToyStream(self.host, self.clock, self.budget.door, listening)

    def rest(self, judge: Judge | None = None) -> v.Rest:
        return ToyRest(self.host, self.clock, judge)
