"""The bars of official files of klines, each checked: a file is what its rows prove it to be.

A row that is no bar is left out or makes its file be refused by the rule of `archive_faults`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np

from pairscope.base.errors import ArchiveError
from pairscope.base.model import BAR, BarArray, BarSource, BarStatus, BoolArray, Continuity, FloatArray, IntArray
from pairscope.feed.archive_files import ArchiveFile, KlinesReport, covers
from pairscope.feed.binance.archive import anew
from pairscope.feed.binance.archive_faults import (
    BAD_BARS,
    FIRST_US,
    SHOWN,
    left_out,
    refuse,
    refuse_times_in_us,
    too_many,
)
from pairscope.feed.binance.archive_text import order_of_bad, read_numbered

_NAMES = ("open", "high", "low", "close", "volume", "quote_volume", "buy_volume")
_ROUNDING_UNITS = 4
_FINEST_DIGIT = 1e-8
_CONTRACT_USD = (10.0, 100.0)
_NO_VOLUME, _WRONG_MEAN = "has trades and no volume", "has a mean price outside low and high"


@dataclass(frozen=True, slots=True)
class _Rows:
    line: IntArray  # in the file, from 1
    bars: BarArray
    close_ms: IntArray

    def take(self, selection: BoolArray | IntArray) -> _Rows:
        return _Rows(self.line[selection], self.bars[selection], self.close_ms[selection])


def read_klines(file: ArchiveFile, symbol_id: int, *, last_stands: bool = False) -> KlinesReport:
    """Read and check a file of klines; its bars know no trade ids (0).

    A kline without a trade repeats the last price; such bars are left out, as bars of trades know none either. Of two
    rows that tell one bar differently the first stands, or the last when asked.

    Raises:
        ArchiveError: when the file is damaged, or is not what its name says.
    """
    if file.interval is None:
        raise ArchiveError(f"{file.path.name} is no file of klines")
    rows, unreadable = _rows(file)
    faults = {int(line): "cannot be read" for line in unreadable.tolist()} | dict(_faults(rows, file))
    _refuse_strangers(file, rows, faults)
    good = rows.take(~np.isin(rows.line, list(faults)))
    empty = int((good.bars["trades"] == 0).sum())
    covered = good.bars["open_time_ms"]
    good, conflicts, doubled = _each_once(good.take(good.bars["trades"] > 0), last_stands)
    if not len(good.bars):
        raise ArchiveError(f"{file.path.name} holds no bar with a trade", cure=anew(file.path))
    bars = good.bars
    bars["symbol_id"], bars["interval_ms"] = symbol_id, file.interval.ms
    bars["status"], bars["source"] = BarStatus.CLOSED, BarSource.IMPORT
    bars["continuity"] = Continuity.UNPROVED
    notes = [*left_out(len(faults), faults, "bars"), *conflicts]
    notes += [f"{doubled:,} rows are doubled"] if doubled else []
    notes += [f"{empty:,} bars without a trade left out"] if empty else []
    return KlinesReport(bars, (*notes, *_coverage(file, np.unique(covered))))


def _rows(file: ArchiveFile) -> tuple[_Rows, IntArray]:
    """All rows that can be read, and the lines that cannot."""
    tables = list(read_numbered(file))
    whole = np.concatenate([np.empty((3, 0), np.int64), *(table.whole for table, _ in tables)], axis=1)
    number = np.concatenate([np.empty((7, 0)), *(table.number for table, _ in tables)], axis=1)
    bars = np.zeros(whole.shape[1], BAR)
    bars["open_time_ms"], bars["trades"] = whole[0], whole[2]
    for name, values in zip(_NAMES, number, strict=True):
        bars[name] = values
    line = unreadable = np.empty(0, np.int64)
    for table, lines in tables:
        bad = order_of_bad(table)
        line = np.append(line, lines.at(np.delete(np.arange(table.rows + len(bad)), bad)))
        unreadable = np.append(unreadable, lines.at(bad))
    return _Rows(line, bars, whole[1]), unreadable


def _faults(rows: _Rows, file: ArchiveFile) -> Iterator[tuple[int, str]]:
    """Lines of rows that are no bars, and the first thing that is wrong with each."""
    assert file.interval is not None
    bars, step_ms = rows.bars, file.interval.ms
    opens, volume, trades = bars["open_time_ms"], bars["volume"], bars["trades"]
    prices = np.stack([bars[name] for name in ("open", "high", "low", "close")])
    inner = np.stack([bars["open"], bars["close"]])
    checks = [
        ("is of another period", (opens < file.from_ms) | (opens >= file.to_ms)),
        (f"does not begin at a whole {file.interval}", opens % step_ms != 0),
        (f"does not last {file.interval}", (rows.close_ms < opens + step_ms - 1) | (rows.close_ms > opens + step_ms)),
        ("has no price", ~(np.isfinite(prices) & (prices > 0)).all(axis=0)),
        ("has a high below its other prices", bars["high"] < np.maximum(inner.max(axis=0), bars["low"])),
        ("has a low above its other prices", bars["low"] > inner.min(axis=0)),
        ("has no volume that is a number", ~(np.isfinite(volume) & np.isfinite(bars["quote_volume"]))),
        (_NO_VOLUME, (trades > 0) & (volume <= 0)),
        ("has volume and no trades", (trades == 0) & (volume > 0)),
        ("has more bought than traded", ~(bars["buy_volume"] <= volume)),
        (_WRONG_MEAN, ~mean_price_fits(bars)),
    ]
    wrong = np.stack([mask for _, mask in checks])
    for place in np.flatnonzero(wrong.any(axis=0)).tolist():
        yield int(rows.line[place]), checks[int(wrong[:, place].argmax())][0]


def mean_price_fits(bars: BarArray) -> BoolArray:
    """Whether quote volume / volume lies within low and high, as far as the digits that are written can tell.

    The sum is off by half of its last digit at most, which counts much in a bar of one small trade, and the division
    by some rounding units of the price. Bars without volume fit.
    """
    fits = bars["volume"] <= 0
    digit = np.full(len(bars), _FINEST_DIGIT)
    inside = _mean_inside(bars, digit)
    # Most fit whatever the digits; they are looked at only where it matters.
    for place in np.flatnonzero(~inside & ~fits & np.isfinite(bars["quote_volume"])).tolist():
        digit[place] = _last_digit(float(bars["quote_volume"][place]))
    fits |= _mean_inside(bars, digit)
    return fits


def _mean_inside(bars: BarArray, digit: FloatArray) -> BoolArray:
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        mean = bars["quote_volume"] / bars["volume"]
        slack = digit / 2 / bars["volume"] + _ROUNDING_UNITS * np.spacing(np.abs(bars["high"]))
        inside: BoolArray = (bars["low"] - slack <= mean) & (mean <= bars["high"] + slack)
    return inside


def _last_digit(value: float) -> float:
    """The size of the last digit a number is written with.

    >>> _last_digit(458.75), _last_digit(12016.0)
    (0.01, 1.0)
    """
    text = repr(value)
    if "e" in text:
        return _FINEST_DIGIT
    after = text.partition(".")[2].rstrip("0")
    return float(f"1e-{len(after)}")


def _refuse_strangers(file: ArchiveFile, rows: _Rows, faults: dict[int, str]) -> None:
    """Refuse a file of which too many rows are no bars, and say what it seems to be."""
    count = len(set(rows.line.tolist()) | set(faults))
    if not too_many(len(faults), count, BAD_BARS):
        return
    name, bars = file.path.name, rows.bars
    if len(bars) and (bars["open_time_ms"] >= FIRST_US).mean() > 1 / 2:
        refuse_times_in_us(file)
    share = {what: sum(fault == what for fault in faults.values()) for what in faults.values()}
    if 2 * share.get(_NO_VOLUME, 0) > count:
        raise ArchiveError(
            f"{name} has counts and no volume: it is of mark, index or premium prices, not of trades",
            cure="give the files of data/futures/um/.../klines",
        )
    if 2 * share.get(_WRONG_MEAN, 0) > count and _seems_coin_margined(bars):
        raise ArchiveError(
            f"{name} has its volume in contracts: it is of COIN-M futures", cure="give the files of data/futures/um"
        )
    refuse(file, len(faults), count, faults, f"bars of {file.interval}")


def _seems_coin_margined(bars: BarArray) -> bool:
    """Whether contracts of so many dollars each, divided by the coins they were worth, are prices of these bars."""
    traded = bars[(bars["volume"] > 0) & (bars["quote_volume"] > 0)]
    if not len(traded):
        return False
    for usd in _CONTRACT_USD:
        price = traded["volume"] * usd / traded["quote_volume"]
        if ((price >= traded["low"] * 0.999) & (price <= traded["high"] * 1.001)).mean() > 1 / 2:
            return True
    return False


def _each_once(rows: _Rows, last_stands: bool) -> tuple[_Rows, list[str], int]:
    """Rows by time, one a bar; what is told of those that disagree; how many only repeat another."""
    rows = rows.take(np.argsort(rows.bars["open_time_ms"], kind="stable"))
    opens = rows.bars["open_time_ms"]
    conflicts: list[str] = []
    doubled, stands, standing = 0, np.ones(len(opens), np.bool_), dict[int, int]()
    for place in (np.flatnonzero(np.diff(opens) == 0) + 1).tolist():
        before = standing.get(int(opens[place]), place - 1)
        if rows.bars[before] == rows.bars[place]:
            doubled, stands[place], standing[int(opens[place])] = doubled + 1, False, before
            continue
        winner, loser = (place, before) if last_stands else (before, place)
        stands[loser], standing[int(opens[place])] = False, winner
        at = f"{datetime.fromtimestamp(int(opens[place]) / 1_000, UTC):%Y-%m-%d %H:%M:%S}"
        conflicts.append(f"lines {rows.line[before]} and {rows.line[place]} disagree about the bar of {at}")
        conflicts[-1] += f": line {rows.line[winner]} stands"
    more = [f"{len(conflicts) - SHOWN:,} more bars are told in two ways"] if len(conflicts) > SHOWN else []
    return rows.take(stands), [*conflicts[:SHOWN], *more], doubled


def _coverage(file: ArchiveFile, opens: IntArray) -> list[str]:
    assert file.interval is not None
    step_ms = file.interval.ms
    first_ms, last_ms = int(opens[0]), int(opens[-1])
    missing = (last_ms - first_ms) // step_ms + 1 - len(opens)
    notes = [f"{missing:,} bars are missing in it"] if missing else []
    if first_ms > file.from_ms or last_ms + step_ms < file.to_ms:
        notes.append(covers(file, first_ms, last_ms))
    return notes
