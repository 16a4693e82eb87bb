"""The floor: picows and msgspec, the libraries pairscope is built on, decoding the same frames and keeping nothing.

What is decoded, and how strictly, is what pairscope decodes; whatever pairscope takes beyond it is for checking ids,
storing and building bars.
"""

from __future__ import annotations

import asyncio

import msgspec
import picows

from benchmarks.clients.stopwatch import Stopwatch, read_task


class _Trade(msgspec.Struct, gc=False):
    s: str
    a: int
    p: float
    q: float
    T: int
    m: bool


class _Frame(msgspec.Struct, gc=False):
    data: _Trade


class _Listener(picows.WSListener):
    def __init__(self, watch: Stopwatch) -> None:
        self._decode = msgspec.json.Decoder(_Frame, strict=False).decode
        self._tick = watch.tick

    def on_ws_frame(self, transport: picows.WSTransport, frame: picows.WSFrame) -> None:
        if frame.msg_type is picows.WSMsgType.TEXT:
            self._decode(frame.get_payload_as_bytes())
            self._tick()


async def main() -> None:
    task = read_task()
    watch = Stopwatch(task)
    url = f"{task.url}/stream?streams=all"
    transport, _ = await picows.ws_connect(lambda: _Listener(watch), url, ssl_context=task.tls())
    await transport.wait_disconnected()


if __name__ == "__main__":
    asyncio.run(main())
