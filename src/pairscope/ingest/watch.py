"""Symbols come and go while everything runs: the stream, the list that is kept, and what else must follow."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence

import structlog

from pairscope.base.clock import Clock
from pairscope.base.errors import FeedUnavailable, RequestError, SettingsError, UnknownName
from pairscope.base.gaps import GapReason
from pairscope.base.instrument import Instrument
from pairscope.base.model import SymbolTable
from pairscope.base.naming import nearest_symbol
from pairscope.base.symbol import normal_symbol
from pairscope.feed.continuity import ContinuityTracker
from pairscope.feed.source import Gone, cure_unlisted
from pairscope.feed.venue import Rest, Stream
from pairscope.ingest.repair.reach_back import ReachBack
from pairscope.ingest.watch_list import WatchList

log = structlog.get_logger()

LOOK_S = 900.0  # between looks at what is listed
TRADING = ("TRADING", "")  # of a source that tells no status
LIST_AGE_S = 60.0  # a symbol that is not listed is looked for anew, but not more often than this


class Watch:
    """Adds and removes watched symbols, one after the other.

    Args:
        reach_back: fetches what a symbol traded before it was watched.
        changed: called after each change.
        gone: symbols that were asked for at the start and are not listed.
        learned: told what the exchange lists when it was asked once more.
        ended: told of a symbol that is heard no longer.
    """

    def __init__(
        self,
        *,
        watched: WatchList,
        stream: Stream,
        rest: Rest,
        tracker: ContinuityTracker,
        symbols: SymbolTable,
        instruments: Mapping[str, Instrument],
        reach_back: ReachBack,
        clock: Clock,
        changed: Callable[[], None],
        gone: Sequence[Gone] = (),
        learned: Callable[[Iterable[Instrument]], None] = lambda _: None,
        ended: Callable[[int], None] = lambda symbol_id: None,
    ) -> None:
        self.instruments = dict(instruments)
        self._learned = learned
        self.watched = watched
        self._stream = stream
        self._rest = rest
        self._tracker = tracker
        self._symbols = symbols
        self._reach_back = reach_back
        self._clock = clock
        self._changed = changed
        self._ended = ended
        self._listed_s = float("-inf")
        self._turn = asyncio.Lock()
        self._gone_at_start = tuple(gone)
        self._told: set[str] = set()

    @property
    def gone(self) -> list[Gone]:
        """What was asked for and is not listed, or no longer; nearest names beside."""
        names = [*self.watched.gone, *(name for name in self.watched.symbols if self.instruments)]
        late = [Gone(name, nearest_symbol(name, self.instruments)) for name in names if name not in self.instruments]
        return list({each.symbol: each for each in (*self._gone_at_start, *late)}.values())

    @property
    def halted(self) -> dict[str, str]:
        """Watched symbols that are listed and do not trade now, with the exchange's word for it."""
        found = {name: self.instruments[name].status for name in self.watched.symbols if name in self.instruments}
        return {name: status for name, status in found.items() if status not in TRADING}

    @property
    def without_history(self) -> list[str]:
        """Watched symbols whose trades before the start are still to be asked for."""
        return list(self._reach_back.owed)

    async def look_for_ever(self) -> None:
        """Notice when a watched symbol is listed no more, or trades no more; the others go on."""
        while True:
            self._tell()
            await asyncio.sleep(LOOK_S if self.instruments else LIST_AGE_S)
            try:
                await self.look()
            except FeedUnavailable as error:
                log.info("listing_not_looked_at", cause=error.message)

    async def look(self) -> None:
        """Ask what is listed now.

        Raises:
            FeedUnavailable: when the exchange cannot be asked.
        """
        self.instruments = await self._rest.instruments() or self.instruments
        self._listed_s = self._clock.monotonic_s()
        self._tell()

    def _tell(self) -> None:
        halted = self.halted
        for each in self.gone:
            if each.symbol not in self._told:
                log.warning("symbol_not_listed", symbol=each.symbol, nearest=each.guess)
        for symbol, status in halted.items():
            if symbol not in self._told:
                log.warning("symbol_not_trading", symbol=symbol, status=status)
        self._told = {each.symbol for each in self.gone} | set(halted)

    async def add(self, text: str) -> None:
        """Watch a symbol from now on; nothing happens when it is watched already.

        Raises:
            RequestError: when the text cannot be a symbol, or no more symbols may be watched.
            UnknownName: when the exchange does not have it, with the nearest name as the cure.
            FeedUnavailable: when the exchange cannot be asked.
            DataFolderError: when the change cannot be kept.
        """
        symbol = _read(text)
        async with self._turn:
            if symbol in self.watched.symbols:
                return
            self.watched.check_room(symbol)
            await self._check_listed(symbol)
            symbol_id = self._symbols.add(symbol)
            if self._tracker.highest(symbol_id) is None:
                await self._reach_back.at_once([symbol])
            else:
                self._tracker.expect(symbol_id, GapReason.UNWATCHED)
            self.watched.add(symbol)
            await self._stream.watch(symbol)
            self._changed()
        log.info("symbol_added", symbol=symbol, watched=len(self.watched.symbols))

    async def remove(self, text: str) -> None:
        """Watch a symbol no longer; its tape stays.

        Raises:
            RequestError: when it is the last one, or a configured pair needs it.
            UnknownName: when it is not watched.
            DataFolderError: when the change cannot be kept.
        """
        symbol = _read(text)
        async with self._turn:
            self.watched.remove(symbol)
            self._reach_back.forget(symbol)
            await self._stream.unwatch(symbol)
            self._ended(self._symbols.index(symbol))
            self._changed()
        log.info("symbol_removed", symbol=symbol, watched=len(self.watched.symbols))

    async def _check_listed(self, symbol: str) -> None:
        """Ask again for what is not in the list: it may be older than the symbol."""
        now_s = self._clock.monotonic_s()
        if symbol not in self.instruments and now_s - self._listed_s >= LIST_AGE_S:
            self.instruments = await self._rest.instruments()
            self._learned(self.instruments.values())
            self._listed_s = now_s
        if symbol not in self.instruments:
            raise UnknownName(
                f"the source has no symbol {symbol}",
                cure=cure_unlisted(symbol, self.instruments),
                code="unknown_symbol",
            )


def _read(text: str) -> str:
    try:
        return normal_symbol(text)
    except SettingsError as error:
        raise RequestError(error.message, cure=error.cure, code="bad_symbol") from None
