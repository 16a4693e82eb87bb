"""``pairscope alerts`` against a running server: what it lists, tries and sends again, and how it ends."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from pairscope.cli import main
from pairscope.cli.exit_codes import EXIT_CANNOT_START, EXIT_DONE, EXIT_FOUND
from pairscope.client import Client
from tests.alerts.delivery.receiver import Answer, receiving
from tests.api.alert_room import DESK, fired
from tests.api.conftest import MadeUpMarket
from tests.serving import serving, two_minutes_old


@pytest.fixture
def market(tmp_path: Path) -> Iterator[MadeUpMarket]:
    with two_minutes_old(tmp_path / "live-aggTrade") as market:
        yield market


class Prompt:
    """Where a person types."""

    def __init__(self, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self._folder = folder
        self._capsys = capsys

    async def type(self, *arguments: str, url: str | None = None) -> tuple[int, str]:
        """The exit code of a command, and what it said."""
        self._capsys.readouterr()
        place = ["--data-dir", str(self._folder)] if url is None else ["--url", url]
        code = await asyncio.to_thread(main, ["alerts", *arguments, *place])
        told = self._capsys.readouterr()
        return code, told.out + told.err

    async def document(self, *arguments: str) -> tuple[int, Any]:
        code, _ = 0, self._capsys.readouterr()
        code = await asyncio.to_thread(main, ["alerts", *arguments, "--data-dir", str(self._folder), "--json"])
        return code, json.loads(self._capsys.readouterr().out)


@pytest.fixture
def prompt(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Prompt:
    return Prompt(tmp_path, capsys)


def rows(told: str) -> list[list[str]]:
    """The cells of the lines, which two spaces tell apart."""
    return [[cell.strip() for cell in line.strip().split("  ") if cell] for line in told.splitlines()]


async def test_rules_and_channels_are_listed_with_how_they_are(market: MadeUpMarket, prompt: Prompt) -> None:
    market.room.make({"scope": "all_pairs", "metric": "spread_z", "condition": ">", "threshold": 2, "enabled": False})
    market.room.make({"symbol": "BTCUSDT", "metric": "price_z", "condition": ">", "threshold": 2, "name": "B" * 80})
    market.room.alerts.delivery.channels.switch("phone", False)
    async with serving(market) as url:
        code, told = await prompt.type()
    assert code == EXIT_DONE
    assert told.startswith(f"alerts of {url}: starting, 0 firing")
    found = rows(told)
    one, two, three = (next(row for row in found if row[0] == number) for number in "123")
    assert one[1:] == [
        *("1 firing", "Wide: spread_z of ETHUSDT/BTCUSDT is above 2, of 30 bars of 1s", "2024-08-07 23:58:20"),
        *("0.0", "desk"),
    ]
    assert (two[1], two[-1]) == ("off", "the page")
    assert (three[1], len(three[2]), three[2][-1]) == ("quiet", 70, "…")
    desk, phone = (next(row for row in found if row[0] == name) for name in ("desk", "phone"))
    assert desk == ["desk", "on", "http://127.0.0.1:9/…", "0", "1", "-"]
    assert phone[1] == "off (person)"


async def test_a_mute_is_told_before_the_rules(market: MadeUpMarket, prompt: Prompt) -> None:
    async with serving(market) as url:
        with Client(url) as client:
            await asyncio.to_thread(client.mute_alerts, "15m", rule=1, note="lunch")
            await asyncio.to_thread(client.mute_alerts, "5m")
        code, told = await prompt.type("list")
    assert code == EXIT_DONE
    assert "  all rules are muted until 20" in told
    assert ": lunch\n" in told
    assert "1 firing, muted" in told


async def test_nothing_is_listed_as_nothing(market: MadeUpMarket, prompt: Prompt) -> None:
    market.room.alerts.book.delete(1, "ann")
    for name in ("desk", "phone"):
        market.room.alerts.delivery.channels.delete(name)
    async with serving(market):
        assert (await prompt.type())[1].splitlines()[1:] == ["  no rule"]
        code, told = await prompt.type("test")
    assert code == EXIT_CANNOT_START
    assert "there is no channel yet" in told


async def test_channels_are_tested_and_one_that_does_not_accept_is_found(market: MadeUpMarket, prompt: Prompt) -> None:
    async with receiving() as good, receiving(Answer(500)) as bad, serving(market):
        market.room.alerts.delivery.channels.replace("desk", {"url": good.url})
        market.room.alerts.delivery.channels.replace("phone", {"url": bad.url})
        code, told = await prompt.type("test")
        assert code == EXIT_FOUND
        assert [line.partition(" (")[0] for line in told.splitlines()] == ["desk: accepted", "phone: it answered 500"]
        code, told = await prompt.type("test", "desk")
        assert (code, told.count("\n"), len(good.received)) == (EXIT_DONE, 1, 2)
        code, told = await prompt.type("test", "desc")
        assert code == EXIT_CANNOT_START
        assert "did you mean desk?" in told


async def test_what_was_given_up_is_sent_again(market: MadeUpMarket, prompt: Prompt) -> None:
    market.room.write(*(fired(messages={channel: f"m{i}"}) for i, channel in enumerate(("desk", "phone"))))
    with market.room.state.change() as connection:
        connection.execute("update outbox set state = 'dead'")
    async with serving(market):
        assert await prompt.type("replay", "--messages", "m0, nobody") == (0, "1 messages wait to be sent again\n")
        assert await prompt.type("replay", "phone") == (0, "1 messages wait to be sent again\n")
        assert await prompt.type("replay") == (0, "1 messages wait to be sent again\n")
        assert await prompt.type("replay") == (0, "0 messages wait to be sent again\n")


async def test_each_has_one_document(market: MadeUpMarket, prompt: Prompt) -> None:
    async with serving(market) as url:
        code, listed = await prompt.document("list")
        assert (code, listed["server"], [each["name"] for each in listed["rules"]]) == (EXIT_DONE, url, ["Wide"])
        assert [each["name"] for each in listed["channels"]] == [DESK["name"], "phone"]
        code, tried = await prompt.document("test", "desk")
        assert (code, tried["tried"][0]["error"]) == (EXIT_FOUND, "no connection")
        assert (await prompt.document("replay"))[1]["waiting"] == 1


async def test_a_server_is_found_by_its_data_folder_or_by_its_address(market: MadeUpMarket, prompt: Prompt) -> None:
    async with serving(market) as url:
        assert (await prompt.type(url=url))[0] == (await prompt.type())[0] == EXIT_DONE
    code, told = await prompt.type(url=url)
    assert code == EXIT_CANNOT_START
    assert "cannot be asked" in told


async def test_where_no_server_runs_it_is_told_with_the_cure(market: MadeUpMarket, prompt: Prompt) -> None:
    code, told = await prompt.type()
    assert code == EXIT_CANNOT_START
    assert "no server runs on" in told
    assert "pairscope run" in told


async def test_of_two_servers_one_has_to_be_named(market: MadeUpMarket, prompt: Prompt, tmp_path: Path) -> None:
    with two_minutes_old(tmp_path / "simulator-1-aggTrade") as other:
        async with serving(market) as one, serving(other) as two:
            code, told = await prompt.type()
            assert code == EXIT_CANNOT_START
            assert one in told
            assert two in told
            assert "name one: --url" in told


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("list", "desk"), "a list is of all there is"),
        (("test", "--messages", "m0"), "messages are sent again by themselves"),
        (("replay", "desk", "--messages", "m0"), "messages are sent again by themselves"),
        (("lst",), "invalid choice: 'lst'"),
    ],
)
async def test_what_says_two_things_is_refused(prompt: Prompt, arguments: tuple[str, ...], said: str) -> None:
    code, told = await prompt.type(*arguments)
    assert code == EXIT_CANNOT_START
    assert said in told
