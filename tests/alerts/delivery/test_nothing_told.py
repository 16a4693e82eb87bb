"""No secret of a channel gets out: not into the log at any level, an error, a representation, an answer or a traceback.

Channels of every kind are made, shown, changed, tried and made to fail in a process whose log writes everything, also
what libraries write; then all that it said is looked through.
"""

from __future__ import annotations

import base64
from pathlib import Path
from urllib.parse import quote

import pytest

from tests import prepared
from tests.patience import COMMAND_S

SECRETS = (
    "s3cr3tpath",
    "s3cr3tuser",
    "s3cr3tword",
    "s3cr3ttoken",
    "s3cr3tmail",
    "s3cr3tping",
    "s3cr3tenv",
    "s3cr3tfile",
)
KEY = "whsec_" + base64.b64encode(b"s3cr3tkey-of-32-bytes-for-signing").decode()

CHILD = """
import asyncio, os, sys, types
from pathlib import Path

from pairscope.alerts.delivery import mail, webhook
from pairscope.alerts.delivery.delivery import deliver
from pairscope.alerts.outbox import Message, Notice, put
from pairscope.base.clock import SystemClock, now_ms
from pairscope.base.errors import PairscopeError
from pairscope.base.logs import set_up_logs
from pairscope.base.net import listening_socket
from pairscope.base.settings import Settings
from pairscope.base.settings_sources import load_settings
from pairscope.store.state import State

folder, key = Path(sys.argv[1]), sys.argv[2]
mail.TALK_S = webhook.CONNECT_S = 0.2  # who does not answer is not waited for as in earnest
set_up_logs("debug", folder / "pairscope.log")
os.environ["PAIRSCOPE_SECRET_URL"] = "http://s3cr3tuser:s3cr3tword@127.0.0.1:1/s3cr3tenv"
(folder / "secrets").mkdir()
(folder / "secrets" / "url").write_text("http://127.0.0.1:1/s3cr3tfile")

def fail(**_):
    raise RuntimeError("the library was given tgram://s3cr3ttoken")

sys.modules["apprise"] = types.ModuleType("apprise")
sys.modules["apprise"].AppriseAsset = fail

def told(work):
    try:
        print(repr(work()))
    except PairscopeError as error:
        print(error, error.cure, repr(error))

async def main():
    state, clock = State.open(folder / "state.sqlite"), SystemClock()
    async def serve(reader, writer):
        await reader.readuntil(b"\\r\\n\\r\\n")
        head = b"HTTP/1.1 500 s3cr3tword\\r\\nLocation: /s3cr3tpath\\r\\nContent-Length: 10"
        writer.write(head + b"\\r\\n\\r\\ns3cr3tword")
        writer.close()
    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    async def break_off(reader, writer):
        writer.transport.abort()
    breaks = (await asyncio.start_server(break_off, "127.0.0.1", 0)).sockets[0].getsockname()[1]
    settings = Settings(alert_hosts_allowed=("127.0.0.1",), alert_heartbeat_url=f"http://127.0.0.1:{port}/s3cr3tping")
    print(repr(settings), str(settings))
    delivery = deliver(state, settings, clock)
    book = delivery.channels
    at = f"http://s3cr3tuser:s3cr3tword@127.0.0.1:{port}"
    hook = {"kind": "webhook", "secret": key}
    by_mail = {"kind": "mail", "host": "127.0.0.1", "port": port, "user": "s3cr3tuser", "password": "s3cr3tmail",
            "sender": "a@b.example", "to": ["c@d.example"]}
    bodies = {
        "answers": hook | {"url": f"{at}/s3cr3tpath?s3cr3tword"},
        "down": hook | {"url": "http://s3cr3tuser:s3cr3tword@127.0.0.1:1/s3cr3tpath"},
        "breaks": hook | {"url": f"http://127.0.0.1:{breaks}/s3cr3tpath"},
        "nowhere": hook | {"url": "https://nowhere.invalid/s3cr3tpath"},
        "plain": hook | {"url": f"https://127.0.0.1:{port}/s3cr3tpath"},
        "env": hook | {"url": "env:PAIRSCOPE_SECRET_URL"},
        "file": hook | {"url": "file:url"},
        "mail": by_mail,
        "mail-tls": by_mail | {"security": "tls"},
        "service": {"kind": "service", "url": "tgram://s3cr3ttoken/-1"},
        # What is refused.
        "bad-url": hook | {"url": "s3cr3tpath"},
        "bad-port": hook | {"url": "http://a:99999/s3cr3tpath"},
        "bad-host": hook | {"url": "http://10.0.0.1/s3cr3tpath"},
        "bad-key": {"kind": "webhook", "url": at, "secret": "whsec_s3cr3tword"},
        "bad-type": hook | {"url": ["s3cr3tpath"]},
        "bad-security": by_mail | {"security": "none"},
        "bad-to": by_mail | {"to": ["s3cr3tword"]},
        "bad-service": {"kind": "service", "url": "json://s3cr3ttoken@host/s3cr3tpath"},
        "bad-scheme": {"kind": "service", "url": "s3cr3ttoken"},
        "bad-env": hook | {"url": "env:s3cr3tword"},
        "bad-file": hook | {"url": "file:../s3cr3tword"},
    }
    for name, body in bodies.items():
        told(lambda: book.add(body | {"name": name}))
        told(lambda: book.settings(name))
        told(lambda: book.replace(name, {"kind": body["kind"], "host": "other.example"}))
    told(lambda: load_settings({"alert_heartbeat_url": "ftp://s3cr3tping"}, {}))
    told(lambda: book.views())
    notice = Notice(title="t", text="x", severity="info", rule="r", target="A", transition="firing", time_ms=0)
    running = asyncio.create_task(delivery.run())
    with state.change() as connection:
        put(connection, [Message(id=n, channel=n, made_ms=now_ms(clock), notice=notice) for n in bodies])
    delivery.wake()
    while len(state.rows("select 1 from outbox where tries > 0 or state = 'dead'")) < len(bodies):
        await asyncio.sleep(0.01)
    for name in bodies:
        try:
            print(repr(await delivery.test(name)))
        except PairscopeError as error:
            print(error)
    print(repr(delivery.status()), state.rows("select error from outbox"), state.rows("select error from channels"))
    print(delivery, delivery._senders, repr(running))
    running.cancel()
    return len(state.rows("select 1 from channels"))

print("channels:", asyncio.run(main()))
"""


def spellings(secret: str) -> set[str]:
    raw = secret.encode()
    return {
        secret,
        secret.upper(),
        quote(secret),
        raw.hex(),
        *(base64.b64encode(b" " * k + raw)[4:-4].decode() for k in range(3)),
    }


@pytest.mark.skipif(not prepared.CAN_COPY, reason="it would load pairscope by itself")
def test_nothing_that_pairscope_says_holds_a_secret(tmp_path: Path) -> None:
    done = prepared.run("-c", CHILD, str(tmp_path), KEY, seconds=COMMAND_S)
    assert done.returncode == 0, done.stderr
    log = (tmp_path / "pairscope.log").read_text(encoding="utf-8")
    said = done.stdout + done.stderr + log
    assert "channels: 10" in done.stdout, "those that can be are made"
    for expected in ("alert_not_sent", "heartbeat_not_sent", "sender_failed", "it answered 500", "no connection"):
        assert expected in said, "all of it has happened"
    # The name of a variable that does not exist is no secret; that of one that may not be named is not told either.
    for secret in (*SECRETS, KEY, KEY.removeprefix("whsec_")):
        for spelling in spellings(secret):
            assert spelling not in said, [line[:300] for line in said.splitlines() if spelling in line]
