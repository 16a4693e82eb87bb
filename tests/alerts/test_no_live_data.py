"""That there is no live data is told to all channels, once, however often it is started; and that there is again."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from pairscope.alerts.ledger import Entry, Ledger
from pairscope.alerts.mutes import Mute
from pairscope.alerts.no_live_data import tell_source
from pairscope.alerts.transition import Withheld
from pairscope.base.model import TradeKind
from pairscope.base.settings import SourceName
from pairscope.feed.source import SourcePlan
from pairscope.store.state import State
from tests.alerts.played import PlayedMarket, played, price_rule

LIVE = SourcePlan("live", "Binance", "live-aggTrade", TradeKind.AGG, ("BTCUSDT",), ())
FALLBACK = replace(LIVE, kind="simulator", folder="simulator-1", reason="blocked", detail="HTTP 451")


@pytest.fixture
def market(tmp_path: Path) -> Any:
    with played(tmp_path) as market:
        rules = [price_rule(channels=("desk",)), price_rule(channels=("phone", "desk"))]
        market.rule(*rules, price_rule(channels=("off",), enabled=False))
        yield market


def start(market: PlayedMarket, plan: SourcePlan, asked: SourceName = "auto", mutes: Sequence[Mute] = ()) -> list[str]:
    market.clock.advance(60.0)
    written = tell_source(market.state, plan, asked, market.book.all(), mutes, market.now_ms)
    return [each.change.value for each in written.transitions]


def test_it_is_told_once_and_its_end_once(market: PlayedMarket) -> None:
    started = [LIVE, FALLBACK, FALLBACK, LIVE, LIVE, FALLBACK]
    assert [start(market, plan) for plan in started] == [[], ["fired"], [], ["resolved"], [], ["fired"]]
    told = [(channel, body["transition"], body["severity"]) for _, channel, body in market.outbox()]
    assert told[:4] == [
        ("desk", "fired", "critical"),
        ("phone", "fired", "critical"),
        ("desk", "resolved", "info"),
        ("phone", "resolved", "info"),
    ]
    assert len({identity for identity, _, _ in market.outbox()}) == 6
    fired, resolved, again = market.transitions()
    assert (fired.rule, fired.name, fired.target, fired.simulated) == (0, "Live data", "system", False)
    assert (resolved.fire, again.fire) == (fired.number, again.number)


def test_it_tells_since_when_and_why(market: PlayedMarket, tmp_path: Path) -> None:
    ledger = Ledger.of(market.state, tmp_path / "live-aggTrade" / "tape.duckdb")
    ledger.write(Entry(cursors={"1s": 1_723_075_201_000, "system": 1_923_075_201_000}))
    Ledger.of(market.state, tmp_path / "simulator-1-aggTrade" / "tape.duckdb").write(Entry(cursors={"1s": 10**13}))
    start(market, FALLBACK)
    text = market.outbox()[0][2]["text"]
    assert text.startswith("No live data since 2024-08-08T00:00:01Z")
    assert "HTTP 451" in text


def test_a_simulated_market_that_was_asked_for_is_no_event(market: PlayedMarket) -> None:
    assert start(market, FALLBACK, "simulator") == []
    assert start(market, FALLBACK, "auto") == ["fired"]
    assert start(market, FALLBACK, "simulator") == []
    assert start(market, replace(LIVE, kind="replay"), "replay") == []


def test_it_is_recorded_and_not_sent_while_all_rules_are_muted(market: PlayedMarket) -> None:
    assert start(market, FALLBACK, mutes=[Mute(1, 0, 10**15)]) == ["fired"]
    assert len(market.outbox()) == 2
    assert start(market, LIVE, mutes=[Mute(None, 0, 10**15)]) == ["resolved"]
    assert len(market.outbox()) == 2
    assert market.transitions()[-1].withheld is Withheld.MUTED


def test_without_a_channel_it_is_for_the_page_alone(tmp_path: Path) -> None:
    with State.open(tmp_path / "state.sqlite") as state:
        (told,) = tell_source(state, FALLBACK, "auto", [], [], 5).transitions
        assert (told.messages, told.withheld) == ({}, None)
