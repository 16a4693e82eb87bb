"""`pairscope verify --metrics` against a real server on a real tape."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from pairscope.base.errors import DataFolderError
from pairscope.base.interval import Interval
from pairscope.cli.published import MetricsVerdict, verify_published
from tests.api.conftest import MadeUpMarket
from tests.serving import serving, two_minutes_old

VALUES_OF_A_BAR = 5_000


@pytest.fixture
def market(tmp_path: Path) -> Iterator[MadeUpMarket]:
    with two_minutes_old(tmp_path) as market:
        yield market


async def test_what_a_server_publishes_is_what_its_stored_bars_give(market: MadeUpMarket) -> None:
    async with serving(market):
        verdict = await asyncio.to_thread(verify_published, market.store.path)
    assert (verdict.differences, verdict.told) == (0, [])
    assert verdict.values > VALUES_OF_A_BAR


async def test_a_bar_that_was_never_stored_is_found_by_name(market: MadeUpMarket) -> None:
    market.revise("ETHUSDT", Interval(1_000), back=40, close=500.0)
    async with serving(market):
        verdict = await asyncio.to_thread(verify_published, market.store.path, ["ETHUSDT", "BTCUSDT"])
    assert verdict.differences > 0
    assert verdict.told[0].startswith("ETHUSDT 1s last_price at ")
    assert "published 500.0" in verdict.told[0]


async def test_without_a_server_there_is_nothing_to_verify(tmp_path: Path) -> None:
    with pytest.raises(DataFolderError, match="start one: pairscope run"):
        verify_published(tmp_path / "tape.duckdb")


def test_only_the_first_differences_are_told() -> None:
    verdict = MetricsVerdict()
    verdict.compare("BTCUSDT 1s rsi", range(30), [1.0] * 30, [2.0] * 30)
    whole = MetricsVerdict()
    whole.add(verdict)
    whole.add(verdict)
    assert (whole.values, whole.differences, len(whole.told)) == (60, 60, 20)
