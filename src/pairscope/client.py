"""A client of a running pairscope: its questions as methods, its answers as the records of the wire.

>>> with Client("http://127.0.0.1:8000") as client:  # doctest: +SKIP
...     bars = client.bars("BTCUSDT", "1m", limit=100).bars
...     pair = client.pair("ETHUSDT", "BTCUSDT", window=300, metrics=["coint_p"])
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
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

    # --- alerts ---

    def alert_rules(self) -> wire.AlertRules:
        """All rules, where they stand and what they did."""
        return self._ask("/alerts/rules", wire.AlertRules)

    def add_alert_rule(self, rule: Mapping[str, Any]) -> wire.AlertRuleInfo:
        """Make a rule, in any form that the API reads: ``{"pair", "metric", "condition", "threshold", "for", ...}``."""
        return self._send("POST", "/alerts/rules", wire.AlertRuleInfo, rule)

    def change_alert_rule(self, number: int, part: Mapping[str, Any]) -> wire.AlertRuleInfo:
        """Say a part of a rule anew; None takes a key back to what is usual."""
        return self._send("PATCH", f"/alerts/rules/{number}", wire.AlertRuleInfo, part)

    def delete_alert_rule(self, number: int) -> wire.AlertRuleInfo:
        """Delete a rule, which `restore_alert_rule` brings back."""
        return self._send("DELETE", f"/alerts/rules/{number}", wire.AlertRuleInfo)

    def restore_alert_rule(self, number: int) -> wire.AlertRuleInfo:
        """Bring a deleted rule back."""
        return self._send("POST", f"/alerts/rules/{number}/undo", wire.AlertRuleInfo, {})

    def mute_alerts(self, duration: str, *, rule: int | None = None, note: str = "") -> list[wire.AlertMute]:
        """Have a rule, or all of them, recorded and not sent for a while, such as ``15m``."""
        asked = {"rule": rule, "for": duration, "note": note}
        return self._send("PUT", "/alerts/mutes", list[wire.AlertMute], asked)

    def unmute_alerts(self, rule: int | None = None) -> list[wire.AlertMute]:
        """Lift the mute of a rule, or that on all of them."""
        return self._send("DELETE", "/alerts/mutes", list[wire.AlertMute], rule=rule)

    def alert_history(self, **parameters: object) -> wire.AlertEvents:
        """What became of rules, the newest first. `parameters` are those of ``/alerts/history``, such as ``rule=1``."""
        return self._ask("/alerts/history", wire.AlertEvents, **parameters)

    def alert_standing(self, **parameters: object) -> wire.AlertStandings:
        """Where rules stand now, what fires first. `parameters` are those of ``/alerts/standing``."""
        return self._ask("/alerts/standing", wire.AlertStandings, **parameters)

    def alert_channels(self) -> wire.AlertDelivery:
        """Where messages go, and how delivery is."""
        return self._ask("/alerts/channels", wire.AlertDelivery)

    def add_alert_channel(self, channel: Mapping[str, Any]) -> wire.AlertChannelMade:
        """Make a channel; the key that is made for a webhook is in this answer alone."""
        return self._send("POST", "/alerts/channels", wire.AlertChannelMade, channel)

    def test_alert_channel(self, name: str) -> wire.AlertTried:
        """Send a message that says it is a test, and tell what came of it; a receiver may take a minute."""
        return self._send("POST", f"/alerts/channels/{quote(name, safe='')}/test", wire.AlertTried, {}, timeout_s=90.0)

    def alert_messages(self, **parameters: object) -> list[wire.AlertMessage]:
        """What became of messages. `parameters` are those of ``/alerts/messages``, such as ``state="dead"``."""
        return self._ask("/alerts/messages", list[wire.AlertMessage], **parameters)

    def replay_alerts(self, *, ids: Sequence[str] = (), channel: str | None = None) -> wire.AlertReplayed:
        """Have messages that were given up sent again: some, or all of a channel."""
        asked = {"ids": list(ids), "channel": channel}
        return self._send("POST", "/alerts/messages/replay", wire.AlertReplayed, asked)

    # --- one request ---

    def _ask(self, address: str, kind: type[Answer], **parameters: object) -> Answer:
        return self._answered("GET", address, kind, params=_given(parameters))

    def _send(
        self,
        method: str,
        address: str,
        kind: type[Answer],
        body: object = None,
        *,
        timeout_s: float | None = None,
        **parameters: object,
    ) -> Answer:
        options: dict[str, Any] = {"params": _given(parameters)}
        options |= {} if body is None else {"json": body}
        options |= {} if timeout_s is None else {"timeout": timeout_s}
        return self._answered(method, address, kind, **options)

    def _answered(self, method: str, address: str, kind: type[Answer], **options: Any) -> Answer:
        try:
            answer = self._http.request(method, address, **options)
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


def _given(parameters: Mapping[str, object]) -> dict[str, str]:
    return {name: str(value) for name, value in parameters.items() if value is not None}


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
