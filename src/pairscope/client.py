"""A client of a running pairscope: its questions as methods, its answers as the records of the wire.

>>> with Client("http://127.0.0.1:8000") as client:  # doctest: +SKIP
...     bars = client.bars("BTCUSDT", "1m", limit=100).bars
...     pair = client.pair("ETHUSDT", "BTCUSDT", window=300, metrics=["coint_p"])
"""

from __future__ import annotations

from collections.abc import Sequence
from ipaddress import ip_address
from types import TracebackType
from typing import Any, ClassVar, TypeVar
from urllib.parse import quote

import httpx
import msgspec

from pairscope.api import wire
from pairscope.base.errors import Meanings, PairscopeError, SettingsError
from pairscope.base.interval import Interval

Answer = TypeVar("Answer")


class NotAnswered(PairscopeError):
    """Nobody answers at the address, or not as pairscope does."""

    code = "not_answered"
    meanings: ClassVar[Meanings] = {
        "not_answered": (
            "no pairscope answers at the address a client or a command asks",
            "look whether it runs and at its log; compare the address with the one it printed, and the versions",
        )
    }


class Client:
    """Asks a pairscope.

    Every method raises the server's refusal as a `PairscopeError` with the server's code and cure, and `NotAnswered`
    when there is no answer. A client may be shared by threads.

    Args:
        url: where it is, as it prints it: ``http://localhost:8000``.
        timeout_s: how long each answer may take.
    """

    def __init__(self, url: str, *, timeout_s: float = 30.0) -> None:
        try:
            address = httpx.URL(url)
        except (httpx.InvalidURL, TypeError):
            address = httpx.URL("")
        if address.scheme not in ("http", "https") or not address.host:
            raise SettingsError(f"'{url}' is no address of a pairscope", cure="write it as http://localhost:8000")
        self.url = str(address).rstrip("/")
        # To this machine nobody goes by a proxy, whatever the environment says.
        self._http = httpx.Client(base_url=address, timeout=timeout_s, trust_env=not _is_here(address.host))

    def __enter__(self) -> Client:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        self._http.close()

    def config(self) -> wire.Config:
        """What is watched and computed, and within which limits."""
        return self._ask("/config", wire.Config)

    def status(self) -> wire.Status:
        """What runs, how fast and how late."""
        return self._ask("/status", wire.Status)

    def tape_status(self) -> wire.TapeStatus:
        """What the tape holds and what it lacks."""
        return self._ask("/status/tape", wire.TapeStatus)

    def bars(
        self,
        symbol: str,
        interval: str | Interval,
        *,
        from_ms: int | None = None,
        to_ms: int | None = None,
        limit: int | None = None,
        stored: bool = False,
    ) -> wire.Ohlc:
        """Bars of a symbol, oldest first; without a time range the newest. Those of the disk alone with `stored`."""
        span = {"from": from_ms, "to": to_ms, "limit": limit, "stored": "true" if stored else None}
        return self._ask("/ohlc", wire.Ohlc, symbol=symbol, interval=interval, **span)

    def symbol_series(
        self, symbol: str, interval: str | Interval, *, window: int | None = None, limit: int | None = None
    ) -> wire.SymbolSeriesAnswer:
        """The metrics of a symbol, bar by bar."""
        path = f"/analytics/{quote(symbol, safe='')}/series"
        return self._ask(path, wire.SymbolSeriesAnswer, interval=interval, window=window, limit=limit)

    def pair(
        self, y: str, x: str, *, metrics: str | Sequence[str] | None = None, **parameters: object
    ) -> wire.PairAnswer:
        """A pair: its metrics and its series. `parameters` are those of ``/analytics/pair``, such as ``window=300``."""
        names = metrics if metrics is None or isinstance(metrics, str) else ",".join(metrics)
        return self._ask("/analytics/pair", wire.PairAnswer, y=y, x=x, metrics=names, **parameters)

    def _ask(self, address: str, kind: type[Answer], **parameters: object) -> Answer:
        told = {name: str(value) for name, value in parameters.items() if value is not None}
        try:
            answer = self._http.get(address, params=told)
        except httpx.HTTPError as error:
            cause = str(error) or type(error).__name__
            raise NotAnswered(
                f"the pairscope at {self.url} cannot be asked: {cause}",
                cure="look whether it runs, and at its log",
            ) from error
        try:
            if answer.is_success:
                return msgspec.json.decode(answer.content, type=kind)
            error_body = msgspec.json.decode(answer.content, type=wire.ErrorAnswer).error
        except msgspec.DecodeError as error:
            raise NotAnswered(
                f"what {self.url}{address} answers ({answer.status_code}) is not understood: {error}",
                cure="is it a pairscope, and of this version?",
            ) from error
        raise _refusal(error_body, answer)


def _refusal(body: wire.ErrorBody, answer: httpx.Response) -> PairscopeError:
    """The server's error, as it was raised there."""
    error = PairscopeError(body.message, cure=body.cure, code=body.code)
    wait: Any = answer.headers.get("retry-after", "")
    error.retry_after_s = float(wait) if wait.isdecimal() else None
    return error


def _is_here(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False
