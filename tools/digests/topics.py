"""What the WebSocket of a real server tells first: snapshots."""

from __future__ import annotations

import json
from typing import Any

from websockets.sync.client import connect

from tools.digests.asks import Seen
from tools.digests.data import World
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
