"""Every error a person can meet: what happened, and what cures it.

PairscopeError
├── SettingsError          a setting that cannot be used (exit code 2)
├── DataFolderError        the data folder is busy, not writable, or of another format (exit code 2)
├── RecordingError         a recording that cannot be read (exit code 2)
├── ArchiveError           an official archive file that cannot be used (exit code 2)
├── FeedUnavailable        the exchange cannot be reached or refuses
├── StoreUnavailable       the tape is closed, or its disk fails
└── RequestError           a request that cannot be answered as asked (HTTP 4xx)
    └── UnknownName        a symbol, interval or metric nobody knows (HTTP 404)

The command line prints ``error: <message>. <cure>`` in one line; the API answers the same fields as JSON.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class PairscopeError(Exception):
    """An error with a stable ``code`` for programs and a ``cure`` for people."""

    code = "error"
    http_status = 500

    def __init__(self, message: str, *, cure: str = "", code: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.cure = cure
        if code is not None:
            self.code = code

    def __str__(self) -> str:
        return f"{self.message}. {self.cure}" if self.cure else self.message


class SettingsError(PairscopeError):
    code = "settings"


class DataFolderError(PairscopeError):
    code = "data_folder"


class RecordingError(PairscopeError):
    code = "recording"


class ArchiveError(PairscopeError):
    code = "archive"


class FeedUnavailable(PairscopeError):
    code = "feed_unavailable"
    http_status = 503


class StoreUnavailable(PairscopeError):
    code = "store_unavailable"
    http_status = 503


class RequestError(PairscopeError):
    code = "bad_request"
    http_status = 422


class UnknownName(RequestError):
    code = "unknown_name"
    http_status = 404


def nearest(name: str, known: Iterable[str]) -> str | None:
    """The known name a person most likely meant, or None when nothing is close.

    >>> nearest("BTCUSD", ["BTCUSDT", "ETHUSDT"])
    'BTCUSDT'
    """
    matches = difflib.get_close_matches(name, list(known), n=1, cutoff=0.6)
    return matches[0] if matches else None
