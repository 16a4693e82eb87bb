"""Malformed frames: every one is accounted for, and none stops anything."""

from __future__ import annotations

from collections import Counter
from itertools import islice
from pathlib import Path

import numpy as np
import pytest

from pairscope.bars.memory import BarMemory
from pairscope.base.clock import ManualClock, SystemClock
from pairscope.base.model import SymbolTable, TradeKind
from pairscope.feed.binance.decoding import BurstDecoder
from pairscope.feed.binance.protocol import Decoder, Rejected
from pairscope.feed.binance.simulator.exchange import SimulatedExchange
from pairscope.feed.binance.simulator.market import SimulatedMarket
from pairscope.feed.binance.simulator.source import MarketSource
from pairscope.feed.continuity import ContinuityTracker
from pairscope.ingest.intake import Intake
from tests.decoded import assert_same
from tests.faults.fuzz import hostile
from tests.faults.process import INTERVALS
from tests.faults.recorder import Recorder, opened
from tests.faults.tape import MemoryTape
from tests.judged import judge

START_MS = 1_790_000_000_000
SYMBOLS = ("BTCUSDT", "ETHUSDT")
BURST = 500


def real_frames(kind: TradeKind, minutes: int = 5) -> list[bytes]:
    source = MarketSource(SimulatedMarket(seed=9), ManualClock(START_MS))
    streams = {f"{symbol.lower()}@{kind.value}" for symbol in SYMBOLS}
    return [frame.combined() for frame in source.due(streams, START_MS, START_MS + 60_000 * minutes)]


async def assert_accounted(kind: TradeKind, count: int, seed: int) -> Counter[str]:
    """Decode and take hostile frames; what became of them."""
    tape = MemoryTape(SYMBOLS)
    memory = BarMemory(INTERVALS, 2_000)
    tracker, clock = ContinuityTracker(tape.symbols), ManualClock(START_MS)
    own = judge(tape.symbols, clock)
    intake = Intake(store=tape.as_store(), tracker=tracker, judge=own, memory=memory, clock=clock)
    decoder, every = BurstDecoder(kind, SymbolTable(SYMBOLS)), Decoder(kind, SymbolTable(SYMBOLS))
    frames = hostile(real_frames(kind), count, seed)
    fates: Counter[str] = Counter()
    while burst := list(islice(frames, BURST)):
        received_ns = np.zeros(len(burst), np.int64)
        decoded = decoder.decode(burst, received_ns)
        assert_same(decoded, every.decode(burst, received_ns))
        intake.take(own.judge(decoded.rows))
        fates["frames"] += len(burst)
        fates["trades"] += len(decoded.rows)
        fates["strangers"] += decoded.rejected.get("unknown_symbol", 0)  # type: ignore[call-overload]
        for note in decoded.notes:
            fates[str(note.reason) if isinstance(note, Rejected) else "control"] += 1
    counters = intake.counters
    named = ("trades", "strangers", "undecodable", "other_event", "control")
    assert fates["frames"] == count == sum(fates[name] for name in named)
    assert counters.received == fates["trades"]
    assert counters.received == counters.stored + counters.duplicates + counters.rejected + counters.refused
    stored = [tape.trades(symbol) for symbol in SYMBOLS]
    assert sum(len(np.unique(trades.id)) for trades in stored) == counters.stored
    assert all((trades.price > 0).all() and np.isfinite(trades.size).all() for trades in stored)
    fates.update(stored=counters.stored, duplicates=counters.duplicates, rejected=counters.rejected)
    return fates


@pytest.mark.parametrize("kind", list(TradeKind))
async def test_thousands_of_hostile_frames_are_accounted_for(kind: TradeKind) -> None:
    fates = await assert_accounted(kind, 10_000, seed=1)
    for fate in ("undecodable", "other_event", "strangers", "stored", "duplicates", "rejected"):
        assert fates[fate] > 0, f"no frame was {fate}: the fuzzer does not reach it"


@pytest.mark.slow
@pytest.mark.timeout(1_800)
@pytest.mark.parametrize("seed", range(4))
async def test_a_million_hostile_frames_are_accounted_for(seed: int) -> None:
    for part, kind in enumerate(list(TradeKind) * 5):
        await assert_accounted(kind, 25_000, 1_000 + 10 * seed + part)


async def test_hostile_frames_on_the_wire_neither_end_nor_renew_the_connection(tmp_path: Path) -> None:
    source = MarketSource(SimulatedMarket(seed=9, rate=40), SystemClock())
    async with SimulatedExchange(source) as exchange:
        with opened(tmp_path / "tape.duckdb") as store:
            recorder = Recorder(exchange.ws_url, exchange.rest_url, store, SYMBOLS)
            async with recorder.running(backfill=False):
                await recorder.more(500)
                sent = [frame for frame in hostile(real_frames(TradeKind.AGG, 1), 10_000, seed=3) if frame]
                for start in range(0, len(sent), BURST):
                    exchange.faults.garbage(*sent[start : start + BURST])
                    await recorder.more(20)
                await recorder.more(200)
            health, counters = recorder.stream.health, recorder.intake.counters
            noted = sum(health.rejected[reason] for reason in ("undecodable", "other_event", "unknown_symbol"))
            assert health.reconnects == 0
            assert noted > 1_000
            assert 1 <= health.frames - health.trades - noted < 50  # acknowledgements, and what looks like one
            assert health.trades == counters.received
            assert counters.received == counters.stored + counters.duplicates + counters.rejected + counters.refused
            await store.flushed()
            assert store.counters().trades_committed == counters.stored
