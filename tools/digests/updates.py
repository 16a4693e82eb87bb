"""What pages are told while a market goes on in virtual time, message by message and row by row."""

from __future__ import annotations

import asyncio
import json
import logging
from pathlib import Path
from typing import Any

import structlog

from tools.digests import inside
from tools.digests.asks import Seen
from tools.digests.data import HOUR_MS, START_MS, World, continued
from tools.digests.shape import Texts, condensed
from tools.digests.topics import FORMS, Teller, topics_of

Json = Any
STEP_S = 0.1
LIMIT = 20  # rows of a snapshot


def updates(data: Path, world: World, texts: Texts, seen: Seen) -> dict[str, Json]:
    """What pages are told while the market goes on after the hour; of a signal that is of now, too.

    When a page that is there before the tape is read gets its snapshots is another matter: what it is told is kept
    message by message, by moment and name.
    """
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))

    def run(*, is_now: bool, is_early: bool) -> Json:
        return inside.run_virtually(_updates(data, world, (texts, seen), is_now=is_now, is_early=is_early))

    return {
        "of a tape": run(is_now=False, is_early=False),
        "of now": run(is_now=True, is_early=False),
        "of a tape, to a page that was there before it was read": run(is_now=False, is_early=True),
    }


async def _updates(
    data: Path, world: World, kept_by: tuple[Texts, Seen], *, is_now: bool, is_early: bool
) -> dict[str, Json]:
    clock = inside.VirtualClock(START_MS + HOUR_MS)
    texts, seen = kept_by
    async with inside.open_tape(data, clock, window=world.windows[0]) as system:
        if is_now:
            inside.play_as_live(system)
        async with inside.served(system) as app:
            pages = {form: Page(app, form) for form in FORMS}
            if is_early:
                await _follow(pages, world)
            running = asyncio.create_task(system.run())
            await inside.ready(system)
            if not is_early:
                await _follow(pages, world)
            await _play(system, pages)
            late = {
                "op": "sub",
                "topic": topics_of(world)[1],
                "since": pages["whole"].missed_since(topics_of(world)[1]),
                "limit": 5,
            }
            pages["whole"].send(late)
            await asyncio.sleep(1.0)
            found = {form: page.kept(texts, seen, by_moment=is_early) for form, page in pages.items()}
            seen.told |= {f"{late['op']} {field}" for field in late}
            for page in pages.values():
                await page.close()
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)
    return found


async def _follow(pages: dict[str, Page], world: World) -> None:
    for form, page in pages.items():
        await page.open()
        for topic in topics_of(world):
            page.send({"op": "sub", "topic": topic, "updates": form, "limit": LIMIT})


async def _play(system: Any, pages: dict[str, Page]) -> None:
    """Trades as they are sent, each tenth of a second; some come late, and some ids never."""
    await asyncio.sleep(1.0)
    for page in pages.values():
        page.begins_s = asyncio.get_running_loop().time()
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
        self.begins_s = 0.0  # when the market goes on
        self._came_s: list[float] = []
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
            self._came_s.append(asyncio.get_running_loop().time())

    def send(self, message: Json) -> None:
        self._from_client.put_nowait({"type": "websocket.receive", "text": json.dumps(message)})

    async def close(self) -> None:
        self._from_client.put_nowait({"type": "websocket.disconnect", "code": 1000})
        await self._task

    def kept(self, texts: Texts, seen: Seen, *, by_moment: bool) -> Json:
        """Of each topic, what was told, and what is known in the end."""
        teller = Teller()
        topics: dict[str, Followed] = {}
        for message, came_s in zip(self.messages, self._came_s, strict=True):
            kept = teller.told(message)
            seen.messages.add(message["type"])
            if kept is None or kept["type"] in ("status", "preparing"):
                continue
            topics.setdefault(kept["topic"] or "", Followed()).take(kept, came_s - self.begins_s)
        return {topic: texts.of(followed.kept(by_moment=by_moment)) for topic, followed in topics.items()}


class Followed:
    """What came of one topic, and what whoever follows it knows of it by then."""

    def __init__(self) -> None:
        self._kinds: dict[str, list[Json]] = {}
        self._moments: dict[str, Json] = {}
        self._rows: dict[str, dict[str, Json]] = {}  # by what they are of, and by their time
        self._metrics: Json = None
        self._now: dict[str, Json] = {}  # of the newest moment, where changes are told

    def take(self, message: Json, at_s: float) -> None:
        """A message as `Teller` gives it, and when it came: before the market went on all moments are one."""
        kind = message["type"]
        content = {name: value for name, value in message.items() if name != "type"}
        self._kinds.setdefault(kind, []).append(content)
        moment = f"{at_s:.3f} s, {kind}" if at_s >= 0 else f"before, {kind}"
        while moment in self._moments:
            moment += " again"
        told = {name: value for name, value in content.items() if name not in ("seq", "metrics")}
        self._moments[moment] = dict(_leaves({**told, "metrics": _numbers(message.get("metrics"))}, ""))
        if kind.endswith("_snapshot"):
            self._rows.clear()
        for name in ("bars", "bar", "y_bars", "y_bar", "series"):
            if "open_time_ms" in (columns := message.get(name) or {}):
                self._put("y" if name.startswith("y") else "rows", columns)
        self._metrics = message.get("metrics", self._metrics)
        if kind in ("symbol", "pair"):
            self._change({name: value for name, value in content.items() if name not in ("seq", "topic")})

    def _put(self, of: str, columns: Json) -> None:
        for place, open_ms in enumerate(columns["open_time_ms"]):
            row = {name: values[place] for name, values in columns.items() if name != "open_time_ms"}
            self._rows.setdefault(of, {})[str(open_ms)] = row

    def _change(self, fields: dict[str, Json]) -> None:
        """A row that is over is told whole; of one that is open what is another than before."""
        if "status" in fields:
            self._rows.setdefault("over", {})[str(fields.pop("open_time_ms"))] = fields
            return
        is_new = fields.get("open_time_ms", self._now.get("open_time_ms")) != self._now.get("open_time_ms")
        for name in ("bar", "shares"):
            if name in fields and not (is_new and name == "bar"):
                fields[name] = {**self._now.get(name, {}), **fields[name]}
        self._now |= fields

    def kept(self, *, by_moment: bool) -> Json:
        """The messages, by their moments or each field of each kind along time; and what is known in the end."""
        known = condensed({"rows": self._rows, "metrics": self._metrics, "now": self._now})
        if by_moment:
            return {"messages": self._moments, "known": known}
        along_time = {kind: condensed(_along_time(messages)) for kind, messages in self._kinds.items()}
        return {"messages": along_time, "known": known}


def _numbers(metrics: Json) -> Json:
    """Of metrics the values and why there is none; what they rest on is told along time."""
    return {name: [told["value"], told["reason"]] for name, told in (metrics or {}).items()}


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
