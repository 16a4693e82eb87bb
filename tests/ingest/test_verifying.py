"""What a worker finds in a snapshot is what is found on the tape."""

from __future__ import annotations

import asyncio
from pathlib import Path

import numpy as np

from pairscope.base.clock import SystemClock
from pairscope.base.interval import Interval
from pairscope.base.model import TradeKind
from pairscope.ingest.verifying import verify_snapshot
from pairscope.store.tape import Tape
from pairscope.store.verify import verify_symbol
from tests.cli.test_checking import lay, trades_of

INTERVALS = [Interval.parse("1s"), Interval.parse("1m")]


def test_a_snapshot_is_verified_as_the_tape(tmp_path: Path) -> None:
    tape = Tape.open(lay(tmp_path, trades_of(500)), kind=TradeKind.AGG, clock=SystemClock())
    bars = tape.bars("BTCUSDT", INTERVALS[0])[3:5].copy()
    bars["close"] += 1
    tape.put_bars(bars)
    asyncio.run(tape.flushed())
    path = tape.snapshot(tmp_path / "copy", [0, 1])
    told: list[tuple[float, str]] = []
    found = verify_snapshot(
        lambda *each: told.append(each), path, ["BTCUSDT", "ETHUSDT", "NEWUSDT"], INTERVALS, (None, None), SystemClock()
    )
    for verdict in found[:2]:
        own = verify_symbol(tape, verdict.symbol, kind=TradeKind.AGG, intervals=INTERVALS)
        assert verdict == own
    assert found[0].differences == 2
    assert found[2].compared == 0, "nothing of it is on the disk yet"
    assert [words for _, words in told] == ["compares BTCUSDT", "compares ETHUSDT", "compares NEWUSDT"]
    assert np.diff([share for share, _ in told]).min() > 0
    tape.close()
