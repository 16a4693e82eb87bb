"""``Retry-After``: how long a server asks to be left alone, in seconds or as a date."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

MOST_DIGITS = 9


def retry_after_s(headers: Mapping[str, str], now_ms: int) -> float | None:
    """The wait a server asks for; None when it asks for none, or for nothing that can be read.

    A date is compared with the server's own ``Date``, where it tells one: our clock may be off.

    >>> retry_after_s({"Retry-After": "300"}, 0)
    300.0
    >>> dates = {"Retry-After": "Thu, 26 Nov 2026 12:05:00 GMT", "Date": "Thu, 26 Nov 2026 12:00:00 GMT"}
    >>> retry_after_s(dates, 0)
    300.0
    """
    given = {name.lower(): value.strip() for name, value in headers.items()}
    text = given.get("retry-after", "")
    if text.isascii() and text.isdigit():
        return float(text[:MOST_DIGITS] if len(text) <= MOST_DIGITS else "9" * MOST_DIGITS)
    until = http_date_ms(text)
    if until is None:
        return None
    now = http_date_ms(given.get("date", ""))
    return max(0.0, (until - (now_ms if now is None else now)) / 1_000)


def http_date_ms(text: str) -> int | None:
    """The time of an HTTP date.

    >>> http_date_ms("Thu, 01 Jan 1970 00:00:10 GMT"), http_date_ms("soon")
    (10000, None)
    """
    try:
        told = parsedate_to_datetime(text)
        return round((told if told.tzinfo else told.replace(tzinfo=UTC)).timestamp() * 1_000)
    except (ValueError, TypeError, IndexError, OverflowError):
        return None


def until_text(next_allowed_ms: int | None) -> str:
    """A time for people.

    >>> until_text(0)
    '1970-01-01 00:00:00 UTC'
    """
    if next_allowed_ms is None:
        return "now"
    return f"{datetime.fromtimestamp(next_allowed_ms / 1_000, UTC):%Y-%m-%d %H:%M:%S} UTC"
