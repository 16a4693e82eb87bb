"""A load generator: several keep-alive connections that ask again and again. A process of its own.

Bare sockets: it must cost much less than the server it measures. Answers need a Content-Length. `LIMIT` in an address
stands for ever other numbers around 1,000.
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import time
from collections.abc import Iterator

from benchmarks.processes import say

LIMITS = range(900, 1101)


async def ask(port: int, requests: Iterator[bytes], end_s: float) -> tuple[int, int]:
    """Requests answered and bytes of the last body."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=2**22)
    answered = size = 0
    while time.monotonic() < end_s:
        writer.write(next(requests))
        head = await reader.readuntil(b"\r\n\r\n")
        if not head.startswith(b"HTTP/1.1 200 "):
            raise ConnectionError(head.decode())
        size = int(head.lower().split(b"content-length:", 1)[1].split(b"\r\n", 1)[0])
        await reader.readexactly(size)
        answered += 1
    writer.close()
    return answered, size


async def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("port", type=int)
    parser.add_argument("path")
    parser.add_argument("connections", type=int)
    parser.add_argument("seconds", type=float)
    arguments = parser.parse_args()
    began_s = time.monotonic()
    end_s = began_s + arguments.seconds
    paths = list(dict.fromkeys(arguments.path.replace("LIMIT", str(limit)) for limit in LIMITS))
    host = f"Host: 127.0.0.1:{arguments.port}"
    requests = itertools.cycle([f"GET {path} HTTP/1.1\r\n{host}\r\n\r\n".encode() for path in paths])
    done = await asyncio.gather(*[ask(arguments.port, requests, end_s) for _ in range(arguments.connections)])
    say("loaded", requests=sum(each for each, _ in done), bytes=done[0][1], seconds=time.monotonic() - began_s)


if __name__ == "__main__":
    asyncio.run(main())
