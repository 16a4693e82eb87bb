"""What the WebSocket tells: snapshots of a real server, and updates of a market that goes on in virtual time."""

from __future__ import annotations

import asyncio
import json
import logging
from pathlib import Path
from typing import Any

import structlog
from websockets.sync.client import connect

from tools.digests import inside
from tools.digests.asks import Seen
from tools.digests.data import HOUR_MS, START_MS, World, continued
from tools.digests.shape import Texts, condensed

Json = Any
FORMS = ("whole", "changes")
QUIET_S = 30.0


def topics_of(world: World) -> list[str]:
    """One of each kind, and of each way to measure a pair that a topic's name can tell."""
    (y, x), interval, window = world.pairs[0], world.intervals[0], world.windows[0]
    pair = f"pair:{y}:{x}:{interval}:{window}"
    return [
        "status",
        f"symbol:{world.symbols[0]}:{interval}",
        f"symbol:{world.symbols[-1].lower()}:{world.intervals[1]}",
        f"{pair}:ols",
        f"{pair}:kalman:prices=level",
        f"{pair}:huber:prices=level:intercept=false",
        f"{pair}:tls:intercept=false",
    ]


# --- snapshots ----------------------------------------------------------------------------------------


def snapshots(url: str, world: World, texts: Texts, seen: Seen) -> dict[str, Json]:
    """What a client of a running server is told first, in both forms."""
    found: dict[str, Json] = {}
    for form in FORMS:
        for topic in topics_of(world):
            with connect(f"{url.replace('http', 'ws')}/ws", max_size=None, compression=None, proxy=None) as socket:
                asked = {"op": "sub", "topic": topic, "limit": 700, "updates": form}
                socket.send(json.dumps(asked))
                teller = Teller()
                while True:
                    message = json.loads(socket.recv(timeout=QUIET_S))
                    kept = teller.told(message)
                    if message["type"] == "preparing" or kept is None:
                        continue
                    found[f"{form} {topic}"] = condensed(texts.of(kept))
                    _note(seen, form, topic, message, asked)
                    break
                left = {"op": "unsub", "topic": topic}
                socket.send(json.dumps(left))
                _note(seen, form, topic, message, left)
    return found


class Teller:
    """Messages with what counts time or topics taken out: numbers relative to the snapshot's, values by name."""

    def __init__(self) -> None:
        self._first: dict[str, int] = {}
        self._names: dict[str, list[str]] = {}
        self._topic_of: dict[int, str] = {}

    def told(self, message: Json) -> Json | None:
        """A message as it is kept; None for a ping."""
        kept = dict(message)
        if kept["type"] == "ping":
            return None
        number = kept.pop("of", None)
        topic = kept.get("topic") or self._topic_of.get(number, "")
        if kept["type"].endswith("snapshot"):
            self._first[topic] = kept["seq"]
            self._names[topic] = list(kept["metrics"])
            if number is not None:
                self._topic_of[number] = topic
        kept["topic"] = topic
        if "seq" in kept:
            kept["seq"] = kept["seq"] - self._first.get(topic, kept["seq"])
        for field in ("values", "n", "reasons", "flags"):
            if isinstance(kept.get(field), list):
                kept[field] = dict(zip(self._names[topic], kept[field], strict=True))
        return kept


def _note(seen: Seen, form: str, topic: str, message: Json, asked: Json) -> None:
    seen.messages.add(message["type"])
    seen.topics.add(f"{form} {topic.partition(':')[0]}")
    seen.told |= {f"{asked['op']} {field}" for field in asked} | {f"updates={form}"}


# --- updates ------------------------------------------------------------------------------------------

STEP_S = 0.1


def updates(data: Path, world: World, texts: Texts, seen: Seen) -> dict[str, Json]:
    """What pages are told while the market goes on after the hour, in virtual time; of a signal that is of now, too."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    return {
        "of a tape": inside.run_virtually(_updates(data, world, texts, seen, is_now=False)),
        "of now": inside.run_virtually(_updates(data, world, texts, seen, is_now=True)),
    }


async def _updates(data: Path, world: World, texts: Texts, seen: Seen, *, is_now: bool) -> dict[str, Json]:
    clock = inside.VirtualClock(START_MS + HOUR_MS)
    async with inside.open_tape(data, clock, window=world.windows[0]) as system:
        if is_now:
            inside.play_as_live(system)
        async with system.api.app.router.lifespan_context(system.api.app):
            pages = {form: Page(system.api.app, form) for form in FORMS}
            for form, page in pages.items():
                await page.open()
                for topic in topics_of(world):
                    page.send({"op": "sub", "topic": topic, "updates": form, "limit": 20})
            running = asyncio.create_task(system.run())
            await _play(system, pages)
            late = {
                "op": "sub",
                "topic": topics_of(world)[1],
                "since": pages["whole"].missed_since(topics_of(world)[1]),
                "limit": 5,
            }
            pages["whole"].send(late)
            await asyncio.sleep(1.0)
            found = {form: page.kept(texts, seen) for form, page in pages.items()}
            seen.told |= {f"{late['op']} {field}" for field in late}
            for page in pages.values():
                await page.close()
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)
    return found


async def _play(system: Any, pages: dict[str, Page]) -> None:
    """Trades as they are sent, each tenth of a second; some come late, and some ids never."""
    await asyncio.sleep(1.0)
    trades = continued()
    held = [trade for number, trade in enumerate(trades) if number % 97 == 60]
    lost = [trade for number, trade in enumerate(trades) if number % 401 == 400]
    coming = [trade for trade in trades if trade not in held and trade not in lost]
    now_ms, place = START_MS + HOUR_MS, 0
    while place < len(coming):
        now_ms += round(STEP_S * 1_000)
        burst = []
        while place < len(coming) and int(str(coming[place]["E"])) < now_ms:
            burst.append(coming[place])
            place += 1
        while held and int(str(held[0]["E"])) < now_ms - 4_000:
            burst.append(held.pop(0))
        if burst:
            inside.feed(system, burst)
        await asyncio.sleep(STEP_S)
    await asyncio.sleep(12.0)  # nothing is heard any more: legs are late


class Page:
    """A WebSocket client of the application in the same process."""

    def __init__(self, app: Any, form: str) -> None:
        self.form = form
        self.messages: list[Json] = []
        self._app = app
        self._from_client: asyncio.Queue[Json] = asyncio.Queue()

    def missed_since(self, topic: str) -> int:
        """A number of a topic after which a few more came."""
        return max(int(m["seq"]) for m in self.messages if m.get("topic") == topic and "seq" in m) - 3

    async def open(self) -> None:
        scope = {
            "type": "websocket",
            "path": "/ws",
            "raw_path": b"/ws",
            "root_path": "",
            "scheme": "ws",
            "query_string": b"",
            "headers": [(b"host", b"localhost")],
            "client": ("127.0.0.1", 1),
            "server": ("127.0.0.1", 8000),
            "subprotocols": [],
            "extensions": {},
            "asgi": {"version": "3.0", "spec_version": "2.3"},
        }
        self._from_client.put_nowait({"type": "websocket.connect"})
        self._task = asyncio.create_task(self._app(scope, self._from_client.get, self._take))
        await asyncio.sleep(0.05)

    async def _take(self, message: Json) -> None:
        if message["type"] == "websocket.send":
            self.messages.append(json.loads(message["text"]))

    def send(self, message: Json) -> None:
        self._from_client.put_nowait({"type": "websocket.receive", "text": json.dumps(message)})

    async def close(self) -> None:
        self._from_client.put_nowait({"type": "websocket.disconnect", "code": 1000})
        await self._task

    def kept(self, texts: Texts, seen: Seen) -> Json:
        """By topic and kind of message: how many came, and each field of them along time."""
        teller = Teller()
        found: dict[str, dict[str, list[Json]]] = {}
        for message in self.messages:
            kept = teller.told(message)
            seen.messages.add(message["type"])
            if kept is None or kept["type"] == "status":
                continue
            found.setdefault(kept["topic"] or "", {}).setdefault(kept.pop("type"), []).append(kept)
        return {
            topic: {kind: condensed(texts.of(_along_time(kept))) for kind, kept in kinds.items()}
            for topic, kinds in found.items()
        }


def _along_time(messages: list[Json]) -> Json:
    """Every field of messages of one kind as a column, by its path."""
    flat = [dict(_leaves(message, "")) for message in messages]
    paths = dict.fromkeys(path for each in flat for path in each)
    return {"count": len(messages)} | {path: [each.get(path, "(left out)") for each in flat] for path in paths}


def _leaves(value: Json, path: str) -> Any:
    if isinstance(value, dict) and value:
        for key, inner in value.items():
            yield from _leaves(inner, f"{path}.{key}" if path else key)
    else:
        yield path, json.dumps(value) if isinstance(value, list | dict) else value
