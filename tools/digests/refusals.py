"""Everything that is refused over HTTP and WebSocket, once: status, code, message and cure."""

from __future__ import annotations

import contextlib
import json
import socket
from typing import Any

from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import connect

from tools.digests.asks import Asker, Seen
from tools.digests.data import World
from tools.digests.shape import Texts, condensed

Json = Any
PATIENCE_S = 60.0  # beyond the 15 s that the server waits for a request
MOST_CLIENTS = 200
BAD_MESSAGES = 100


def over_http(asker: Asker, world: World) -> None:
    """Requests that cannot be answered as asked."""
    for method, target in _targets(world, asker.what_of()["name"]):
        asker.ask(method, target)
    a, port = f"/ohlc?symbol={world.symbols[0]}&limit=1", 8000
    strangers = {
        "foreign-host": {"host": f"example.com:{port}"},
        "foreign-origin": {"origin": "http://example.com"},
        "foreign-site": {"sec-fetch-site": "cross-site", "sec-fetch-mode": "no-cors"},
    }
    for name, headers in strangers.items():
        asker.ask("GET", f"{a}#{name}", headers=headers)


def _targets(world: World, of: str) -> list[tuple[str, str]]:
    a, b, interval = world.symbols[0], world.symbols[1], world.intervals[0]
    symbol, pair = f"/analytics/{a}", f"/analytics/pair?y={b}&x={a}"
    series = f"{symbol}/series"
    middle = world.at_ms(0.5)
    asked = [
        *("/nothing", "/ohlcs", "/app/assets/nothing.js", "/ws", "/symbols/x/y"),
        *("/ohlc", f"/ohlc?symbl={a}", f"/ohlc?symbol={a}&symbol={b}", f"/ohlc?symbol={a}&nothing=1"),
        f"/ohlc?symbol={a}&" + "&".join(f"p{i}=1" for i in range(40)),
        *(f"/ohlc?symbol={name}" for name in ("NOSUCHUSDT", f"{a}X", "%20", "%C3%BC")),
        *(f"/ohlc?symbol={a}&interval={text}" for text in ("7s", "1x", "60", "1M", "0s", "1.5m", "fast", "3d", "1")),
        *(f"/ohlc?symbol={a}&limit={text}" for text in ("0", "-1", "x", "1.5", "5001", "%2B1")),
        *(f"/ohlc?symbol={a}&from={text}" for text in ("1", "yesterday", "2026-13-01", str(middle * 1_000), "-5")),
        f"/ohlc?symbol={a}&from={middle}&to={middle - 1}",
        f"/ohlc?symbol={a}&from={world.to_ms + 86_400_000_000}",
        f"{series}?from={world.to_ms + 86_400_000_000}",
        *(
            f"/ohlc?symbol={a}&{text}"
            for text in ("source=nowhere", "stored=maybe", f"stored=true&interval={world.merged[0]}")
        ),
        *(f"{symbol}?window={text}" for text in ("1", "0", "5001", "x", "61x", "7ms", "1")),
        *(
            f"{symbol}?metrics={text}"
            for text in ("nope", "rsii", "beta", "rsi:perod=3", "rsi:period=0", "rsi:period=x")
        ),
        *(f"{symbol}?metrics={text}" for text in ("rsi:period=3:period=4", "sma:nothing=1", "rsi:period")),
        f"{symbol}?metrics=" + ",".join(f"sma:period={i}" for i in range(2, 205)),
        *(f"/analytics?interval={text}" for text in (world.merged[0], "7s")),
        f"/analytics/pair?y={a}&x={a}",
        f"/analytics/pair?y={a}",
        *(
            f"{pair}&{text}"
            for text in ("method=magic", "prices=high", "intercept=perhaps", "tests=maybe", "metrics=rsi")
        ),
        f"{pair}&metrics=lead_lag:reach_ms=-1",
        f"{series}?metrics=all&limit=5000",
        f"/correlations?symbols={a}",
        f"/correlations?symbols={a},NOSUCHUSDT",
        f"/correlations?{of}=nothing&interval={interval}",
        *(f"/clustering?cut={text}" for text in ("5", "-1", "x", "nan")),
    ]
    methods = [("POST", "/status"), ("DELETE", "/ohlc"), ("PUT", "/symbols/BTC%2FUSDT"), ("PUT", "/symbols/NOSUCHUSDT")]
    return [("GET", target) for target in asked] + methods


def of_alerts(asker: Asker) -> None:
    """Changes of alerts that are refused before anything is looked at: all of them where a tape is looked at."""
    if "/alerts/mutes" in asker.openapi["paths"]:
        asker.ask("PUT", "/alerts/mutes", json={})


def of_the_watch_list(asker: Asker, world: World) -> None:
    """Symbols of a running market that cannot be added or taken away; at the end one is left."""
    for name in ("B!C", "NOSUCHUSDT", f"{world.symbols[0]}X"):
        asker.ask("PUT", f"/symbols/{name}")
        asker.ask("DELETE", f"/symbols/{name}")
    for symbol in world.symbols:
        asker.ask("DELETE", f"/symbols/{symbol}")


def beneath_http(asker: Asker, url: str, texts: Texts, seen: Seen) -> dict[str, Json]:
    """What is no HTTP, what never arrives whole, and handshakes that fail."""
    host, port = url.removeprefix("http://").split(":")
    head = f"Host: localhost:{port}\r\n"
    upgrade = f"{head}Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
    sent = {
        "no http": "HELLO\r\n\r\n",
        "half a request": f"GET /status HTTP/1.1\r\n{head}",
        "a handshake without a key": f"GET /ws HTTP/1.1\r\n{upgrade}\r\n",
        "a socket elsewhere": f"GET /else HTTP/1.1\r\n{upgrade}Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n",
    }
    found: dict[str, Json] = {}
    for name, request in sent.items():
        with socket.create_connection((host, int(port)), timeout=PATIENCE_S) as connection:
            connection.sendall(request.encode())
            status, _, body = _read(connection).partition(b"\r\n\r\n")
        answer = json.loads(body[body.index(b"{") : body.rindex(b"}") + 1])
        seen.take_code(answer)
        found[name] = {"status": status.split(b"\r\n")[0].decode(), "body": condensed(texts.of(answer))}
    return found


def _read(connection: socket.socket) -> bytes:
    parts = b""
    while b"}}" not in parts and (part := connection.recv(65_536)):
        parts += part
    return parts


def over_socket(url: str, world: World, texts: Texts, seen: Seen) -> dict[str, Json]:
    """Messages that cannot be followed, each on a connection of its own; too much of everything."""
    address = f"{url.replace('http', 'ws')}/ws"
    found = {name: _told(address, text, texts, seen) for name, text in _messages(world).items()}
    found["too many topics"] = _too_many_topics(address, world, texts, seen)
    found["nonsense without end"] = _nonsense(address)
    found["too many clients"] = _too_many_clients(address, texts, seen)
    return found


def _messages(world: World) -> dict[str, str]:
    a, b, interval = world.symbols[0], world.symbols[1], world.intervals[0]
    topics = [
        *(
            "nothing",
            "symbol",
            "symbol:NOSUCHUSDT:1m",
            f"symbol:{a}:7s",
            f"symbol:{a}:{world.merged[0]}",
            f"pair:{a}:{b}",
        ),
        *(f"pair:{a}:{a}:{interval}:60:ols", f"pair:{a}:{b}:{interval}:1:ols", f"pair:{a}:{b}:{interval}:60:magic"),
        *(f"pair:{a}:{b}:{interval}:60:ols:{part}" for part in ("prices=high", "nothing=1", "prices", "method=ols")),
        f"pair:{a}:{b}:{interval}:60:ols:prices=level:prices=log",
    ]
    asked: dict[str, str] = {topic: json.dumps({"op": "sub", "topic": topic}) for topic in topics}
    return asked | {
        "unsub nothing": json.dumps({"op": "unsub", "topic": "nothing"}),
        "limit 0": json.dumps({"op": "sub", "topic": "status", "limit": 0}),
        "limit 5001": json.dumps({"op": "sub", "topic": "status", "limit": 5_001}),
        "no json": "hello",
        "no topic": json.dumps({"op": "sub"}),
        "no op": json.dumps({"topic": "status"}),
        "unknown field": json.dumps({"op": "sub", "topic": "status", "nothing": 1}),
        "unknown updates": json.dumps({"op": "sub", "topic": "status", "updates": "some"}),
        "twice": '{"op": "sub", "topic": "status", "topic": "status"}',
        "too long": json.dumps({"op": "sub", "topic": "x" * 5_000}),
    }


def _told(address: str, text: str, texts: Texts, seen: Seen) -> Json:
    with connect(address, max_size=None, compression=None, proxy=None) as connection:
        connection.send(text)
        return _error(connection, texts, seen)


def _error(connection: Any, texts: Texts, seen: Seen) -> Json:
    while True:
        message = json.loads(connection.recv(timeout=PATIENCE_S))
        seen.messages.add(message["type"])
        if message["type"] == "error":
            seen.take_code(message)
            return condensed(texts.of(message))


def _too_many_topics(address: str, world: World, texts: Texts, seen: Seen) -> Json:
    a, b, interval = world.symbols[0], world.symbols[1], world.intervals[0]
    with connect(address, max_size=None, compression=None, proxy=None) as connection:
        for window in range(10, 61):
            connection.send(json.dumps({"op": "sub", "topic": f"pair:{b}:{a}:{interval}:{window}:ols", "limit": 1}))
        return _error(connection, texts, seen)


def _nonsense(address: str) -> Json:
    with (
        connect(address, max_size=None, compression=None, proxy=None) as connection,
        contextlib.suppress(ConnectionClosed),
    ):
        for _ in range(BAD_MESSAGES):
            connection.send("nonsense")
        while True:
            connection.recv(timeout=PATIENCE_S)
    return {"close_code": connection.protocol.close_code}


def _too_many_clients(address: str, texts: Texts, seen: Seen) -> Json:
    with contextlib.ExitStack() as opened:
        try:
            for _ in range(MOST_CLIENTS + 1):
                opened.enter_context(connect(address, compression=None, proxy=None))
        except InvalidStatus as refused:
            answer = json.loads(refused.response.body or b"null")
            seen.take_code(answer)
            return {"status": refused.response.status_code, "body": condensed(texts.of(answer))}
    return "nobody was refused"
