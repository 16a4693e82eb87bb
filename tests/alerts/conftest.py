"""An engine that reads rules on a market whose seconds a test plays."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from pairscope.alerts.engine import Engine
from tests.alerts.played import PlayedMarket, played, reading


@pytest.fixture
def market(tmp_path: Path) -> Iterator[PlayedMarket]:
    with played(tmp_path) as market:
        market.second(90.0)
        yield market


@pytest.fixture
async def engine(market: PlayedMarket) -> AsyncIterator[Engine]:
    async with reading(market) as engine:
        yield engine
