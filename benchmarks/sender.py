"""An exchange that sends ready-made frames over TLS as fast as the client takes them. A process of its own.

Serves one connection after another: ``.../stream`` gets wrapped messages, ``.../ws`` raw ones. A connection is
subscribed by its path or by its first request. On "go" the frames are sent; where they began is told.
"""

from __future__ import annotations

import argparse
import base64
import hashlib
import json
import socket
import ssl
import sys
import time
from pathlib import Path

from benchmarks.frames import framed, make_tape, payloads
from benchmarks.processes import say

CHUNK_BYTES = 65_536
_GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"


def upgrade(connection: ssl.SSLSocket) -> str:
    """Answer the handshake; the path that was asked for."""
    head = b""
    while b"\r\n\r\n" not in head:
        received = connection.recv(4096)
        if not received:
            raise ConnectionError
        head += received
    lines = head.split(b"\r\n")
    key = next(line.split(b":", 1)[1].strip() for line in lines if line.lower().startswith(b"sec-websocket-key:"))
    accept = base64.b64encode(hashlib.sha1(key + _GUID).digest())
    connection.sendall(
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: "
        + accept
        + b"\r\n\r\n"
    )
    return lines[0].split(b" ")[1].decode()


def take_request(connection: ssl.SSLSocket) -> None:
    """Read one masked SUBSCRIBE request and acknowledge it."""
    with connection.makefile("rb") as stream:
        while (head := stream.read(2))[0] & 15 != 1:  # a ping or a pong
            stream.read(4 + (head[1] & 127))
        size = head[1] & 127
        if size == 126:
            size = int.from_bytes(stream.read(2))
        mask, masked = stream.read(4), stream.read(size)
    request = json.loads(bytes(byte ^ mask[i % 4] for i, byte in enumerate(masked)))
    connection.sendall(framed(b'{"result":null,"id":%d}' % request["id"]))


def serve(connection: ssl.SSLSocket, wrapped: bytes, raw: bytes) -> None:
    path = upgrade(connection)
    if "streams=" not in path:
        take_request(connection)
    say("subscribed", path=path[:80])
    if sys.stdin.readline().strip() != "go":
        return
    frames = memoryview(wrapped if "/stream" in path else raw)
    say("sending", at_s=time.monotonic())
    for start in range(0, len(frames), CHUNK_BYTES):
        connection.sendall(frames[start : start + CHUNK_BYTES])
    while connection.recv(65_536):  # pings and the like, until the client goes
        pass


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("certificate", type=Path)
    parser.add_argument("trades", type=int)
    arguments = parser.parse_args()
    tape = make_tape(arguments.trades)
    wrapped, raw = (b"".join(map(framed, payloads(tape, wrapped=kind))) for kind in (True, False))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(arguments.certificate)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        say("ready", port=listener.getsockname()[1], mean_bytes=len(wrapped) / len(tape))
        while True:
            connection, _ = listener.accept()
            try:
                with context.wrap_socket(connection, server_side=True) as secured:
                    serve(secured, wrapped, raw)
            except (OSError, ssl.SSLError):
                pass  # the client went when it had enough
            say("gone")


if __name__ == "__main__":
    main()
