"""A WebSocket client of pairscope, as the page is one: subscribes, and writes down when each message arrived."""

from __future__ import annotations

import argparse
import asyncio
import json
import time
from pathlib import Path

import websockets

from benchmarks.processes import say


async def watch(url: str, topics: list[str], seconds: float, path: Path) -> None:
    messages: list[tuple[int, str]] = []
    async with websockets.connect(url, compression=None, max_size=None) as socket:
        for topic in topics:
            await socket.send(json.dumps({"op": "sub", "topic": topic}))
        say("watching")
        end_s = time.monotonic() + seconds
        while time.monotonic() < end_s:
            text = await socket.recv(decode=True)
            messages.append((time.monotonic_ns(), text))
    with path.open("w", encoding="utf-8") as file:
        for arrived_ns, text in messages:
            file.write(f"{arrived_ns} {text}\n")
    say("watched", messages=len(messages))


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("url")
    parser.add_argument("topics")
    parser.add_argument("seconds", type=float)
    parser.add_argument("path", type=Path)
    arguments = parser.parse_args()
    asyncio.run(watch(arguments.url, arguments.topics.split(","), arguments.seconds, arguments.path))


if __name__ == "__main__":
    main()
