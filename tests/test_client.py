"""The client against a real server: its answers as records, its refusals with their cure."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeVar

import pytest

import pairscope
from pairscope.base.errors import PairscopeError, SettingsError
from pairscope.client import Client, NotAnswered
from tests.api.conftest import MadeUpMarket
from tests.serving import serving, two_minutes_old
from tests.test_cli import free_port

T = TypeVar("T")


@pytest.fixture
def market(tmp_path: Path) -> Iterator[MadeUpMarket]:
    with two_minutes_old(tmp_path) as market:
        yield market


async def asked(url: str, question: Callable[[Client], T]) -> T:
    def ask() -> T:
        with Client(url) as client:
            return question(client)

    return await asyncio.to_thread(ask)


async def test_every_question_is_answered_with_a_record_of_the_wire(market: MadeUpMarket) -> None:
    async with serving(market) as url:
        config = await asked(url, Client.config)
        assert "BTCUSDT" in [info.symbol for info in config.symbols]
        assert (await asked(url, Client.status)).started_ms > 0
        assert (await asked(url, Client.tape_status)).gaps == []
        bars = (await asked(url, lambda client: client.bars("BTCUSDT", "1s", limit=10))).bars
        assert len(bars.close) == 10
        span = {"from_ms": bars.open_time_ms[2], "to_ms": bars.open_time_ms[5], "stored": True}
        some = (await asked(url, lambda client: client.bars("BTCUSDT", "1s", **span))).bars  # type: ignore[arg-type]
        assert some.close == bars.close[2:5]
        series = await asked(url, lambda client: client.symbol_series("BTCUSDT", "1s", window=20, limit=3))
        assert len(series.open_time_ms) == 3
        pair = await asked(url, lambda client: client.pair("ETHUSDT", "BTCUSDT", metrics=["spread_z"], window=20))
        assert (pair.y, pair.x, list(pair.metrics)) == ("ETHUSDT", "BTCUSDT", ["spread_z"])


async def test_rules_and_channels_are_changed_and_asked_for(market: MadeUpMarket) -> None:
    rule = {"pair": "ETHUSDT/BTCUSDT", "metric": "spread_z", "condition": ">", "threshold": 3}
    async with serving(market) as url:
        made = await asked(url, lambda client: client.add_alert_rule(rule))
        assert (made.id, made.first.threshold) == (2, 3.0)
        changed = await asked(url, lambda client: client.change_alert_rule(2, {"note": "n", "enabled": False}))
        assert (changed.note, changed.enabled, changed.revision) == ("n", False, 1)
        assert (await asked(url, lambda client: client.delete_alert_rule(2))).deleted_ms is not None
        assert [each.id for each in (await asked(url, Client.alert_rules)).rules] == [1]
        assert (await asked(url, lambda client: client.restore_alert_rule(2))).revision == 2
        assert [each.rule for each in await asked(url, lambda client: client.mute_alerts("1m", rule=2))] == [2]
        assert await asked(url, lambda client: client.unmute_alerts(2)) == []
        (event,) = (await asked(url, lambda client: client.alert_history(rule=1, limit=5))).events
        assert (event.change, event.messages[0].state) == ("fired", "dead")
        assert len((await asked(url, lambda client: client.alert_standing(rule=2))).standing) == 1
        hook = {"name": "office", "kind": "webhook", "url": "http://127.0.0.1:9/"}
        assert (await asked(url, lambda client: client.add_alert_channel(hook))).secret
        assert (await asked(url, lambda client: client.test_alert_channel("office"))).error == "no connection"
        assert [each.name for each in (await asked(url, Client.alert_channels)).channels][1] == "office"
        assert (await asked(url, lambda client: client.replay_alerts(channel="desk"))).waiting == 1
        assert [each.state for each in await asked(url, lambda client: client.alert_messages(channel="desk"))] == [
            "waiting"
        ]
        with pytest.raises(PairscopeError, match="is of a symbol") as refused:
            await asked(url, lambda client: client.add_alert_rule({**rule, "metric": "rsi"}))
    assert refused.value.code == "bad_rule"


async def test_a_refusal_comes_back_with_its_code_and_its_cure(market: MadeUpMarket) -> None:
    async with serving(market) as url:
        with pytest.raises(PairscopeError) as refused:
            await asked(url, lambda client: client.bars("BTCUSD", "1s"))
    assert refused.value.code == "unknown_symbol"
    assert "BTCUSDT" in refused.value.cure


def test_where_nobody_listens_is_told_with_a_cure() -> None:
    with Client(f"http://127.0.0.1:{free_port()}") as client, pytest.raises(NotAnswered) as refused:
        client.status()
    assert client.url in refused.value.message
    assert refused.value.cure


@pytest.mark.parametrize(
    "answer", [b"HTTP/1.1 200 OK\r\n\r\n<html>", b"HTTP/1.1 404 Nope\r\n\r\nnope", b"no HTTP\r\n\r\n"]
)
async def test_who_is_no_pairscope_is_told_apart(answer: bytes) -> None:
    async def other(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(answer)
        writer.close()

    async with await asyncio.start_server(other, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        with pytest.raises(NotAnswered):
            await asked(f"http://127.0.0.1:{port}", Client.config)


async def test_to_this_machine_nobody_goes_by_a_proxy(market: MadeUpMarket, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", f"http://127.0.0.1:{free_port()}")
    monkeypatch.setenv("http_proxy", f"http://127.0.0.1:{free_port()}")
    monkeypatch.delenv("NO_PROXY", raising=False)
    monkeypatch.delenv("no_proxy", raising=False)
    async with serving(market) as url:
        assert await asked(url, Client.config)


@pytest.mark.parametrize("url", ["localhost:8000", "", "ftp://desk", "http://", "http://[::1"])
def test_what_is_no_address_is_refused(url: str) -> None:
    with pytest.raises(SettingsError, match="http://localhost:8000"):
        Client(url)


def test_the_package_offers_the_client_and_is_typed() -> None:
    assert pairscope.Client is Client
    assert pairscope.__all__ == ["Client", "__version__"]
    with pytest.raises(AttributeError, match="no attribute 'Klient'"):
        pairscope.Klient  # noqa: B018
    assert (Path(pairscope.__file__).parent / "py.typed").is_file()


def test_the_package_starts_without_its_client() -> None:
    code = "import sys, pairscope; print([name for name in sys.modules if name in ('httpx', 'pairscope.client')])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
