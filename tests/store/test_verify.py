"""Verification finds every fault that is planted, and none on a sound tape."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from pairscope.bars.builder import build_bars
from pairscope.bars.rebuild import charged
from pairscope.base.gaps import GapReason, Obstacle
from pairscope.base.interval import DAY_MS, Interval
from pairscope.base.model import BarArray, BarSource, Gap, TradeBatch, TradeKind
from pairscope.store.tape import Tape
from pairscope.store.verify import TapeVerdict, verify_symbol
from tests.judged import good

SECOND, MINUTE = Interval.parse("1s"), Interval.parse("1m")
START_MS = 20_000 * DAY_MS
Open = Callable[..., Tape]


def trades_of(ids: Any, start_ms: int = START_MS, step_ms: int = 700) -> TradeBatch:
    """One trade each 0.7 s."""
    ids = np.array(list(ids))
    return TradeBatch(
        symbol_id=np.zeros(len(ids), np.int32),
        id=ids,
        time_ms=start_ms + step_ms * ids,
        price=100 + (ids % 7) / 10,
        size=1 + (ids % 3) / 4,
        buyer_is_maker=ids % 2 == 0,
        received_ns=ids,
    )


class VerifiedTape:
    def __init__(self, store: Tape) -> None:
        self.store = store

    async def put(self, trades: TradeBatch, *, bars_of: TradeBatch | None = None) -> None:
        self.store.put_trades(good(trades))
        for interval in (SECOND, MINUTE):
            self.store.put_bars(build_bars(trades if bars_of is None else bars_of, interval))
        await self.store.flushed()

    async def put_bars(self, bars: BarArray) -> None:
        self.store.put_bars(bars)
        await self.store.flushed()

    async def put_gap(
        self,
        first_id: int,
        last_id: int,
        reason: GapReason = GapReason.START,
        obstacle: Obstacle | None = None,
        **ms: int,
    ) -> None:
        self.store.put_gaps([Gap("BTCUSDT", first_id, last_id, 1, reason, obstacle=obstacle, **ms)])
        await self.store.flushed()

    def verdict(self, kind: TradeKind = TradeKind.AGG, **options: Any) -> TapeVerdict:
        return verify_symbol(self.store, "BTCUSDT", kind=kind, intervals=(SECOND, MINUTE), **options)

    def differs(self, **options: Any) -> str:
        """The one difference there is."""
        (told,) = self.verdict(**options).told
        return told


@pytest.fixture
def tape(open_store: Open) -> VerifiedTape:
    return VerifiedTape(open_store())


async def test_a_sound_tape_has_no_differences(tape: VerifiedTape) -> None:
    await tape.put(trades_of(range(1, 1_000)))
    verdict = tape.verdict()
    assert verdict.told == []
    assert (verdict.trades, verdict.first_id, verdict.last_id, verdict.ids_missing) == (999, 1, 999, 0)
    assert verdict.bars == 700 + 12


async def test_a_symbol_without_trades_is_sound(tape: VerifiedTape) -> None:
    assert tape.verdict() == TapeVerdict("BTCUSDT")


async def test_a_removed_trade_is_found(tape: VerifiedTape) -> None:
    await tape.put(trades_of([*range(1, 50), *range(51, 100)]))
    assert tape.differs() == "BTCUSDT: ids 50 to 50 are neither on the tape nor in a gap"


async def test_a_gap_explains_what_is_missing(tape: VerifiedTape) -> None:
    trades = trades_of([*range(1, 50), *range(60, 100)])
    await tape.put_gap(50, 59)
    await tape.put(trades)
    assert (tape.verdict().told, tape.verdict().ids_missing) == ([], 10)


async def test_a_closed_gap_explains_nothing_unless_its_ids_are_no_trades(tape: VerifiedTape) -> None:
    await tape.put(trades_of([*range(1, 50), *range(60, 100)]))
    await tape.put_gap(50, 59, closed_ms=5)
    assert "ids 50 to 59" in tape.differs()
    await tape.put_gap(50, 59, closed_ms=5, reason=GapReason.NOT_A_TRADE)
    assert tape.verdict().told == []


async def test_a_doubled_trade_is_found(tape: VerifiedTape) -> None:
    await tape.put(trades_of(range(1, 100)))
    tape.store.put_trades(good(trades_of([7])))
    await tape.store.flushed()
    assert tape.differs() == "BTCUSDT: trade 7 is on the tape more than once"


async def test_a_trade_doubled_at_another_hour_is_found(tape: VerifiedTape) -> None:
    both = TradeBatch.concatenate([trades_of(range(1, 100)), trades_of([7], START_MS + 5 * 3_600_000)])
    await tape.put(both)
    assert tape.differs() == "BTCUSDT: trades 7 to 7 are on the tape more than once"


async def test_a_trade_inside_an_open_gap_is_found(tape: VerifiedTape) -> None:
    await tape.put(trades_of(range(1, 100)))
    await tape.put_gap(40, 60, obstacle=Obstacle.IMPORTING)
    assert tape.differs() == "BTCUSDT: ids 40 to 60 are on the tape, and in an open gap (obstacle importing)"


async def test_a_trade_without_a_price_is_found(tape: VerifiedTape) -> None:
    trades = trades_of(range(1, 100))
    trades.price[50] = 0.0
    await tape.put(trades)
    assert tape.differs() == "BTCUSDT: trade 51 has no price or no size"


async def test_a_changed_price_is_found_by_the_bars(tape: VerifiedTape) -> None:
    trades = trades_of(range(1, 1_000))
    changed = trades_of(range(1, 1_000))
    changed.price[500] += 5
    await tape.put(changed, bars_of=trades)
    seconds, minutes = (int(changed.time_ms[500]) // ms * ms for ms in (1_000, 60_000))
    told = tape.verdict().told
    assert len(told) == 2
    assert f"1s bar of {seconds} has " in told[0]
    assert f"1m bar of {minutes} has high 100.6 instead of 105." in told[1]


@pytest.mark.parametrize("name", ["open", "high", "volume", "quote_volume", "trades", "last_id", "lost", "backfilled"])
async def test_one_bit_of_a_bar_is_found(tape: VerifiedTape, name: str) -> None:
    trades = trades_of(range(1, 1_000))
    await tape.put(trades)
    bar = build_bars(trades, MINUTE)[3:4]
    bar[name] = np.nextafter(bar[name], np.inf) if bar.dtype[name] == np.float64 else bar[name] + 1
    await tape.put_bars(bar)
    assert f"the 1m bar of {int(bar['open_time_ms'][0])} has {name} " in tape.differs()


async def test_a_bar_that_is_not_stored_is_found_but_not_those_a_start_will_make(tape: VerifiedTape) -> None:
    trades = trades_of(range(1, 1_000))
    tape.store.put_trades(good(trades))
    minutes = build_bars(trades, MINUTE)
    await tape.put_bars(np.concatenate([minutes[:4], minutes[5:-1]]))
    assert f"1m bar of {int(minutes['open_time_ms'][4])} is not stored" in tape.differs()


async def test_a_bar_without_trades_is_found(tape: VerifiedTape) -> None:
    trades = trades_of([*range(1, 100), *range(500, 600)])
    after_ms, before_ms = trades.time_ms[98:100].tolist()
    await tape.put_gap(100, 499, after_ms=after_ms, before_ms=before_ms)
    await tape.put(trades)
    gap = Gap("BTCUSDT", 100, 499, 1, GapReason.START, after_ms=after_ms, before_ms=before_ms)
    made, seconds = (charged(build_bars(trades, interval), [gap]) for interval in (MINUTE, SECOND))
    extra = made[-1:].copy()
    extra["open_time_ms"] = START_MS + 3 * 60_000
    await tape.put_bars(np.concatenate([made, extra, seconds]))
    assert tape.differs() == f"BTCUSDT: the 1m bar of {START_MS + 3 * 60_000} has no trades"


async def test_a_bar_on_a_day_without_trades_is_found(tape: VerifiedTape) -> None:
    first, later = trades_of(range(1, 100)), trades_of(range(100, 200), START_MS + 3 * DAY_MS)
    await tape.put(TradeBatch.concatenate([first, later]))
    extra = build_bars(first, MINUTE)[:1]
    extra["open_time_ms"] += DAY_MS
    await tape.put_bars(extra)
    assert "has no trades" in tape.differs()


async def test_bars_older_than_the_trades_that_are_kept_are_counted_not_blamed(tape: VerifiedTape) -> None:
    trades = trades_of(range(1, 1_000))
    await tape.put(trades.take(trades.time_ms >= START_MS + 360_000), bars_of=trades)
    verdict = tape.verdict()
    assert (verdict.bars_unproved, verdict.told) == (360 + 6, [])


async def test_bars_from_elsewhere_are_not_judged_by_the_trades(tape: VerifiedTape) -> None:
    trades = trades_of(range(1, 1_000))
    await tape.put(trades)
    foreign = build_bars(trades, MINUTE)[2:4]
    foreign["source"], foreign["low"], foreign["close"] = BarSource.UPLOAD, 1.0, 1.0
    await tape.put_bars(foreign)
    assert tape.verdict().told == []


async def test_a_range_of_days_is_checked_without_its_neighbours(tape: VerifiedTape) -> None:
    first, second = trades_of(range(1, 100)), trades_of(range(101, 200), START_MS + DAY_MS)
    await tape.put(TradeBatch.concatenate([first, second]))
    assert "ids 100 to 100" in tape.differs()
    assert tape.verdict(from_ms=START_MS + DAY_MS, to_ms=START_MS + 2 * DAY_MS).told == []


async def test_an_id_whose_trade_lies_just_outside_the_range_is_not_missing(tape: VerifiedTape) -> None:
    trades = trades_of(range(1, 100))
    trades.time_ms[50] = START_MS + DAY_MS
    await tape.put(trades)
    assert tape.verdict(from_ms=START_MS, to_ms=START_MS + DAY_MS).told == []


async def test_raw_trades_may_leave_ids_unused(tape: VerifiedTape) -> None:
    await tape.put(trades_of([*range(1, 50), *range(51, 100)]))
    verdict = tape.verdict(TradeKind.RAW)
    assert (verdict.told, verdict.ids_unused) == ([], 1)


async def test_only_twenty_differences_are_told_and_all_counted(tape: VerifiedTape) -> None:
    await tape.put(trades_of(range(1, 200, 2)))
    verdict = tape.verdict()
    assert (len(verdict.told), verdict.differences) == (20, 99)


async def test_verifying_takes_as_long_as_there_are_trades_however_far_apart(
    tape: VerifiedTape, monkeypatch: pytest.MonkeyPatch
) -> None:
    await tape.put(trades_of(range(1, 100)))
    far = trades_of([200])
    far.id[0], far.time_ms[0] = 10**12, 1_747_000_000_000_000  # a time in microseconds: the year 57330
    await tape.put(far)
    asked = 0
    read = Tape.trades

    def counted(store: Tape, *args: Any, **options: Any) -> TradeBatch:
        nonlocal asked
        asked += 1
        return read(store, *args, **options)

    monkeypatch.setattr(Tape, "trades", counted)
    verdict = tape.verdict()
    assert (verdict.trades, verdict.days, verdict.ids) == (100, 2, 10**12)
    assert verdict.told == [f"BTCUSDT: ids 100 to {10**12 - 1} are neither on the tape nor in a gap"]
    assert asked < 100


async def test_times_that_do_not_follow_the_ids_are_found(tape: VerifiedTape) -> None:
    trades = trades_of(range(1, 1_000))
    trades.time_ms[499] += 3 * 3_600_000
    await tape.put(trades)
    assert "BTCUSDT: the times of trades 500 to 500 do not follow their ids" in tape.verdict().told


async def test_bars_alone_are_checked_against_themselves(tape: VerifiedTape) -> None:
    bars = build_bars(trades_of(range(1, 1_000)), MINUTE)
    bars["source"], bars["last_id"], bars["first_id"] = BarSource.IMPORT, 0, 0
    await tape.put_bars(bars)
    verdict = tape.verdict()
    assert (verdict.told, verdict.bars_alone, verdict.compared) == ([], len(bars), len(bars))
    for name, value in {"high": 1.0, "volume": 0.0, "quote_volume": 1e9, "open": 1e6}.items():
        wrong = bars[3:4].copy()
        wrong[name] = value
        await tape.put_bars(wrong)
        assert f"the 1m bar of {int(wrong['open_time_ms'][0])} cannot be one" in tape.differs()


async def test_a_verdict_on_nothing_compares_nothing(tape: VerifiedTape) -> None:
    await tape.put(trades_of(range(1, 100)))
    assert tape.verdict(from_ms=START_MS + 5 * DAY_MS).compared == 0
    assert tape.verdict().compared > 0


async def test_bars_of_intervals_that_are_no_longer_kept_are_verified_too(tape: VerifiedTape) -> None:
    trades = trades_of(range(1, 1_000))
    await tape.put(trades)
    fives = build_bars(trades, Interval.parse("5m"))
    fives["volume"][0] += 1
    await tape.put_bars(fives)
    assert "the 5m bar of" in tape.differs()


# Official klines.


async def klines_of(tape: VerifiedTape) -> BarArray:
    trades = trades_of(range(1, 1_000))
    await tape.put(trades)
    bars = build_bars(trades, MINUTE)
    bars["source"] = BarSource.IMPORT
    return bars


async def test_equal_klines_are_counted_but_for_the_two_that_may_be_cut_off(tape: VerifiedTape) -> None:
    verdict = tape.verdict(klines=[await klines_of(tape)])
    assert (verdict.klines, verdict.klines_shifted, verdict.told) == (10, 0, [])


@pytest.mark.parametrize("name", ["open", "high", "low", "close", "volume", "quote_volume", "buy_volume"])
async def test_a_different_kline_is_told(tape: VerifiedTape, name: str) -> None:
    klines = await klines_of(tape)
    klines[name][5] *= 1.001
    told = tape.differs(klines=[klines])
    assert f"1m bar of {int(klines['open_time_ms'][5])} has {name} " in told
    assert "officially" in told


async def test_an_aggregate_across_the_border_of_two_bars_is_no_difference(tape: VerifiedTape) -> None:
    klines = await klines_of(tape)
    klines["volume"][5] -= 0.5
    klines["volume"][6] += 0.5
    verdict = tape.verdict(klines=[klines])
    assert (verdict.told, verdict.klines_shifted) == ([], 2)
    assert tape.verdict(TradeKind.RAW, klines=[klines]).differences == 2


async def test_a_different_price_is_no_shift_however_small_the_noise_in_the_volume(tape: VerifiedTape) -> None:
    klines = await klines_of(tape)
    klines["high"][5] *= 1.001
    klines["volume"][5] += 1e-12
    assert "has high " in tape.differs(klines=[klines])


async def test_volume_that_does_not_come_back_is_a_difference(tape: VerifiedTape) -> None:
    klines = await klines_of(tape)
    klines["volume"][5] -= 0.5
    klines["volume"][6] += 0.4
    assert tape.verdict(klines=[klines]).differences == 2


async def test_a_bar_with_lost_ids_is_not_held_against_the_exchange(tape: VerifiedTape) -> None:
    klines = await klines_of(tape)
    await tape.put_gap(2_000, 2_001, before_ms=int(klines["open_time_ms"][5]))
    klines["volume"][5] *= 2
    told = tape.verdict(klines=[klines]).told
    assert [each for each in told if "officially" in each] == []
