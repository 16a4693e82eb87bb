"""How we stand with the exchange, and what of it people should see on every page."""

from __future__ import annotations

from pairscope.api import wire
from pairscope.feed.retry_after import until_text
from pairscope.ingest.status import ExchangeNow

MOST_NAMED = 8  # symbols in one notice


def status(now: ExchangeNow) -> wire.ExchangeStatus:
    offset_ms = now.clock_offset_ms
    return wire.ExchangeStatus(
        proxy=now.proxy,
        next_allowed_ms=now.next_allowed_ms,
        next_allowed_why=None if now.next_allowed_ms is None else now.next_allowed_why,
        stream_next_allowed_ms=now.stream_next_allowed_ms,
        archive_next_allowed_ms=now.archive_next_allowed_ms,
        connections=now.connections,
        connections_allowed=now.connections_allowed,
        clock_offset_ms=None if offset_ms is None else round(offset_ms, 1),
        clock_checked_ms=now.clock_checked_ms,
        gone=[wire.GoneSymbol(symbol=each.symbol, nearest=each.guess) for each in now.gone],
        halted=dict(now.halted),
    )


def notices(now: ExchangeNow) -> list[str]:
    """What is not as people expect; each a sentence or two."""
    found = []
    if now.gone:
        found.append(f"Not listed by the exchange: {_some([_named(each.symbol, each.guess) for each in now.gone])}.")
    if now.halted:
        found.append(f"Not trading now: {_some([f'{name} ({word})' for name, word in now.halted.items()])}.")
    if now.next_allowed_ms is not None:
        found.append(
            f"The exchange asked us to wait ({now.next_allowed_why}): its REST API is asked again at "
            f"{until_text(now.next_allowed_ms)}. Live trades go on; what is missing is filled after it."
        )
    if now.without_history:
        found.append(f"The time before the start is still to be fetched for {_some(list(now.without_history))}.")
    if now.clock_notice is not None:
        found.append(now.clock_notice)
    return found


def _named(symbol: str, guess: str | None) -> str:
    return f"{symbol} (nearest name: {guess})" if guess else symbol


def _some(texts: list[str]) -> str:
    more = len(texts) - MOST_NAMED
    return ", ".join(texts[:MOST_NAMED]) + (f" and {more} more" if more > 0 else "")
