"""How we stand with the exchange, and what of it people should see on every page."""

from __future__ import annotations

from pairscope.api import wire
from pairscope.feed.clock_check import ClockCheck
from pairscope.feed.limits import MOST_CONNECTIONS
from pairscope.feed.retry_after import until_text
from pairscope.feed.source import Source
from pairscope.feed.venue import RequestBudget, Stream
from pairscope.ingest.repair.archive_fill import ArchiveFill
from pairscope.ingest.watch import Watch

MOST_NAMED = 8  # symbols in one notice


class Standing:
    """Puts it together from its parts."""

    def __init__(
        self,
        source: Source,
        stream: Stream,
        budget: RequestBudget,
        archive: ArchiveFill | None,
        watching: Watch,
        clock_check: ClockCheck,
    ) -> None:
        self._stream = stream
        self._door = budget.door
        self._archive = archive
        self._watching = watching
        self._clock_check = clock_check
        self._proxy = source.venue.proxy

    def status(self) -> wire.ExchangeStatus:
        offset_ms, next_allowed_ms = self._clock_check.offset_ms, self._door.next_allowed_ms
        return wire.ExchangeStatus(
            proxy=self._proxy,
            next_allowed_ms=next_allowed_ms,
            next_allowed_why=None if next_allowed_ms is None else self._door.why,
            stream_next_allowed_ms=self._stream.door.next_allowed_ms,
            archive_next_allowed_ms=self._archive.next_allowed_ms if self._archive else None,
            connections=self._stream.door.connections,
            connections_allowed=MOST_CONNECTIONS,
            clock_offset_ms=None if offset_ms is None else round(offset_ms, 1),
            clock_checked_ms=self._clock_check.checked_ms,
            gone=[wire.GoneSymbol(symbol=each.symbol, nearest=each.guess) for each in self._watching.gone],
            halted=self._watching.halted,
        )

    def notices(self) -> list[str]:
        """What is not as people expect; each a sentence or two."""
        found = []
        if gone := self._watching.gone:
            found.append(f"Not listed by the exchange: {_some([_named(each.symbol, each.guess) for each in gone])}.")
        if halted := self._watching.halted:
            found.append(f"Not trading now: {_some([f'{name} ({word})' for name, word in halted.items()])}.")
        if (next_ms := self._door.next_allowed_ms) is not None:
            found.append(
                f"The exchange asked us to wait ({self._door.why}): its REST API is asked again at "
                f"{until_text(next_ms)}. Live trades go on; what is missing is filled after it."
            )
        if owed := self._watching.without_history:
            found.append(f"The time before the start is still to be fetched for {_some(owed)}.")
        if (clock_off := self._clock_check.notice) is not None:
            found.append(clock_off)
        return found


def _named(symbol: str, guess: str | None) -> str:
    return f"{symbol} (nearest name: {guess})" if guess else symbol


def _some(texts: list[str]) -> str:
    more = len(texts) - MOST_NAMED
    return ", ".join(texts[:MOST_NAMED]) + (f" and {more} more" if more > 0 else "")
