"""Every error a person can meet: what happened, and what cures it.

PairscopeError
├── SettingsError          a setting that cannot be used (exit code 2)
├── DataFolderError        the data folder is busy, not writable, or of another format (exit code 2)
│   └── FileNotWritten     a file in it cannot be written (HTTP 503)
│       └── DiskFull       there is no room for it (HTTP 507)
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
from collections.abc import Iterable, Mapping
from typing import ClassVar

Meanings = Mapping[str, tuple[str, str]]  # of codes: what causes one, and what cures it


class PairscopeError(Exception):
    """An error with a stable ``code`` for programs and a ``cure`` for people.

    Each class says of its codes what causes them and what cures them; the page on troubleshooting is made of that, and
    a code that no class of an error explains fails a test.
    """

    code = "error"
    http_status = 500
    meanings: ClassVar[Meanings] = {
        "error": ("something that no other code is for", "read the message; its second sentence is the cure"),
        "internal_error": (
            "a fault of pairscope itself while it answered",
            "look for `request_crashed` in `pairscope.log` and report it with its traceback; the server goes on",
        ),
        "method_not_allowed": ("the address takes another method", "use one of those in the header `Allow`"),
        "not_found": ("nothing is served at the address", "see `/docs`; the cure names the nearest address"),
        "http_error": ("a request that is no valid HTTP or WebSocket request", "see `/docs` for what is served"),
    }
    retry_after_s: float | None = None  # for those that go away by themselves

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
    meanings: ClassVar[Meanings] = {
        "settings": (
            "a setting, a flag or a file of settings that cannot be used, or a port that is taken",
            "change what the message names; `pairscope run --help` and [settings](settings.md) tell what may be",
        )
    }


class DataFolderError(PairscopeError):
    code = "data_folder"
    meanings: ClassVar[Meanings] = {
        "data_folder": (
            "the tape is held by another process, cannot be read or written, is damaged, or is of a newer version",
            "the message says which: stop the process it names, look at the disk and its permissions, upgrade, or put "
            "a copy back. Nothing is deleted by pairscope",
        )
    }


class FileNotWritten(DataFolderError):
    code = "file_not_written"
    http_status = 503
    meanings: ClassVar[Meanings] = {
        "file_not_written": (
            "the disk of a file beside the tape fails, or its folder may not be written",
            "look at the disk the message names, and at the rights of the folder; the file is as it was",
        )
    }


class DiskFull(FileNotWritten):
    code = "disk_full"
    http_status = 507
    meanings: ClassVar[Meanings] = {
        "disk_full": (
            "there is no room on the disk of the tape",
            "make room, or set `most_disk_gb`; everything goes on by itself when there is room, and nothing is half "
            "written",
        )
    }


class RecordingError(PairscopeError):
    code = "recording"
    meanings: ClassVar[Meanings] = {
        "recording": (
            "a recording that is not there, is damaged, or is of another form",
            "check the path; each of its lines is a receive time and a frame, see [the simulator](simulator.md)",
        )
    }


class ArchiveError(PairscopeError):
    code = "archive"
    meanings: ClassVar[Meanings] = {
        "archive": (
            "a file that is damaged, or is not what its name or its path says",
            "the message names the file and the line; give the USD-M futures files of the exchange, see "
            "[the tape](tape.md). The tape is as it was",
        )
    }


class FeedUnavailable(PairscopeError):
    """``retry_after_s``: how long the other side asks not to be asked again, where it does."""

    code = "feed_unavailable"
    http_status = 503
    meanings: ClassVar[Meanings] = {
        "feed_unavailable": (
            "the exchange cannot be reached or refuses",
            "look at the System screen; it is tried again",
        ),
        "unreachable": ("no connection to the exchange", "check the network, or set a proxy"),
        "unreadable": (
            "an answer that is not the exchange's",
            "a hotel's login page or a firewall may answer in its place: open its address in a browser",
        ),
        "asked_to_wait": (
            "the exchange has said after what time it may be asked again",
            "wait: nothing is asked before that, and the System screen shows it",
        ),
        "connections_used_up": (
            "the exchange allows 300 new connections in 5 minutes, and so many were made",
            "wait: it goes on by itself; many restarts in a row cause this",
        ),
        "http_403": ("a firewall of the exchange refuses this address", "wait, or use another network"),
        "http_418": ("this address is banned by the exchange for a while", "wait: nothing is asked before it is over"),
        "http_429": ("the exchange's limit of requests is used up", "wait: it goes on by itself"),
        "http_451": (
            "the exchange does not serve this location, such as most American clouds",
            "use a proxy in another country, or work with the simulator: `--source simulator`",
        ),
        "http_...": ("any other refusal, by its HTTP status", "it is tried again with pauses that grow"),
    }

    def __init__(
        self, message: str, *, cure: str = "", code: str | None = None, retry_after_s: float | None = None
    ) -> None:
        super().__init__(message, cure=cure, code=code)
        self.retry_after_s = retry_after_s


class StoreUnavailable(PairscopeError):
    code = "store_unavailable"
    http_status = 503
    meanings: ClassVar[Meanings] = {
        "store_unavailable": (
            "the tape is closed, or its disk is full or fails",
            "free space on the disk; what could not be written is fetched again by itself",
        )
    }


class RequestError(PairscopeError):
    code = "bad_request"
    http_status = 422
    meanings: ClassVar[Meanings] = {
        "bad_request": ("a request that contradicts itself or lacks something", "the cure says what to give"),
        "bad_parameter": ("a value that a parameter cannot have", "the cure gives the bounds, choices or form"),
        "bad_range": (
            "a time range that ends before it begins, or begins after all there is",
            "swap `from` and `to`, or leave one out",
        ),
        "bad_window": ("a window with too few or too many bars", "the cure gives the bounds"),
        "bad_period": ("a period of no bars", "give at least 1 bar"),
        "bad_lag": ("a lag that a test cannot have", "the cure gives the bounds"),
        "bad_lags": ("lags that are no number and no rule", "give `aic`, `bic` or a number"),
        "bad_reach": ("a reach below 0 ms", "give 0 ms or more"),
        "bad_order": ("trades whose time goes backwards", "sort them by id"),
        "bad_symbol": ("text that cannot be a symbol", "write it as the exchange does, such as BTCUSDT"),
        "bad_message": ("a message on the WebSocket that cannot be read", "send what the cure shows"),
        "too_long": ("a message on the WebSocket that is too long", "the cure gives the limit"),
        "too_many_values": ("an answer that would hold too many numbers", "the cure names the `limit` to ask for"),
        "same_symbol": ("a pair of a symbol with itself", "name two different symbols"),
        "unknown_parameter": ("a parameter that nobody knows here", "the cure names the nearest one"),
    }


class UnknownName(RequestError):
    code = "unknown_name"
    http_status = 404
    meanings: ClassVar[Meanings] = {
        "unknown_name": ("a name nobody knows", "the cure names the nearest one"),
        "unknown_symbol": ("a symbol that is neither watched nor on the tape", "the cure names the nearest one"),
        "unknown_interval": (
            "an interval that cannot be built or is not kept",
            "give a number and s, m, h or d; whole numbers without a unit and months are no intervals",
        ),
        "unknown_metric": ("a metric that is not in the catalogue", "see [metrics](metrics.md)"),
        "unknown_topic": ("a topic that cannot be followed", "write it as the cure shows"),
        "unknown_parameter": ("an argument that a metric does not have", "the cure names the nearest one"),
    }


def nearest(name: str, known: Iterable[str]) -> str | None:
    """The known name a person most likely meant, or None when nothing is close.

    >>> nearest("BTCUSD", ["BTCUSDT", "ETHUSDT"])
    'BTCUSDT'
    """
    matches = difflib.get_close_matches(name, list(known), n=1, cutoff=0.6)
    return matches[0] if matches else None
