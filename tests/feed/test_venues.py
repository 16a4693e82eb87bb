from __future__ import annotations

from pathlib import Path

import pytest

from pairscope.base.clock import SystemClock
from pairscope.base.errors import SettingsError
from pairscope.base.model import Continuity, TradeKind
from pairscope.base.settings import Settings
from pairscope.feed.venues import VENUES, archive_files, opener_of, plan_source


def test_symbols_tell_which_venue_is_opened() -> None:
    assert opener_of(("BTCUSDT", "ETHUSDT")) is VENUES["BINANCE"]
    assert opener_of(()) is VENUES["BINANCE"]


@pytest.mark.parametrize(
    ("symbols", "cure"),
    [(("NOPE.AB",), "venues are BINANCE"), (("BTCUSDT", "NOPE.AB"), "one venue")],
)
async def test_symbols_of_no_venue_or_of_several_are_refused_with_what_there_is(
    symbols: tuple[str, ...], cure: str, tmp_path: Path
) -> None:
    settings = Settings(symbols=symbols, source="live", data_dir=tmp_path)
    with pytest.raises(SettingsError) as raised:
        await plan_source(settings, SystemClock())
    assert cure in (raised.value.cure or "")


@pytest.mark.parametrize(("kind", "can_ask"), [(TradeKind.AGG, True), (TradeKind.RAW, False)])
def test_the_default_venue_proves_its_trades_and_says_what_can_be_asked(
    kind: TradeKind, can_ask: bool, tmp_path: Path
) -> None:
    venue = VENUES["BINANCE"].reach(Settings(trade_kind=kind, data_dir=tmp_path), SystemClock())
    told = venue.capabilities
    assert (told.continuity, told.can_ask, told.request_unit) == (Continuity.PROVED, can_ask, "weight")
    assert (told.page_rows, told.reach_ms) == ((1_000, 47 * 3_600_000) if can_ask else (0, 0))


def test_files_named_on_the_command_line_are_those_of_the_default_venue() -> None:
    file = archive_files().named(Path("BTCUSDT-aggTrades-2024-08-08.zip"))
    assert file is not None
    assert file.symbol == "BTCUSDT"
