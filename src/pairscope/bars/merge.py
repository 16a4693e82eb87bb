"""Coarser bars from finer ones."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from pairscope.bars.cuts import merged_continuity, merged_cuts
from pairscope.base.errors import RequestError
from pairscope.base.exact_sum import decimal
from pairscope.base.interval import Interval
from pairscope.base.model import BAR, BarArray, BarSource, BarStatus, IntArray, no_bars


def merge_bars(bars: BarArray, interval: Interval) -> BarArray:
    """Bars of ``interval`` from bars of one finer interval, sorted by symbol and then time; several symbols welcome.

    A merged bar is open when one of its parts is open, else partial when it is not whole, else revised when one is
    revised, else closed. Whether its last part has come is not known here: the newest merged bar of a symbol may still
    be growing.

    Raises:
        RequestError: when the bars are of several intervals or of one that does not divide ``interval``.
    """
    if len(bars) == 0:
        return no_bars()
    finer = np.unique(bars["interval_ms"])
    if len(finer) > 1 or interval.ms % int(finer[0]):
        raise RequestError(
            f"bars of {', '.join(str(Interval(int(ms))) for ms in finer)} cannot be merged to {interval}",
            cure="give bars of one interval that divides the wanted one",
        )
    open_ms = bars["open_time_ms"] - bars["open_time_ms"] % interval.ms
    is_first = np.ones(len(bars), np.bool_)
    is_first[1:] = (np.diff(open_ms) != 0) | (np.diff(bars["symbol_id"]) != 0)
    first = np.flatnonzero(is_first)
    last = np.append(first[1:], len(bars)) - 1

    merged = np.empty(len(first), BAR)
    merged["symbol_id"] = bars["symbol_id"][first]
    merged["interval_ms"] = interval.ms
    merged["open_time_ms"] = open_ms[first]
    merged["open"] = bars["open"][first]
    merged["close"] = bars["close"][last]
    merged["high"] = np.maximum.reduceat(bars["high"], first)
    merged["low"] = np.minimum.reduceat(bars["low"], first)
    merged["first_id"] = np.minimum.reduceat(bars["first_id"], first)
    merged["last_id"] = np.maximum.reduceat(bars["last_id"], first)
    for name in ("volume", "quote_volume", "buy_volume"):
        merged[name] = decimal(np.add.reduceat(bars[name], first))
    for name in ("trades", "lost", "backfilled"):
        merged[name] = np.add.reduceat(bars[name], first)
    merged["cut"] = merged_cuts(bars, first)
    merged["continuity"] = merged_continuity(bars, first, merged["cut"])
    any_open = np.minimum.reduceat(bars["status"], first) == BarStatus.OPEN
    of_parts = np.where(bars["status"] == BarStatus.PARTIAL, BarStatus.CLOSED, bars["status"])
    over = np.where(merged["cut"] != 0, BarStatus.PARTIAL, np.maximum.reduceat(of_parts, first))
    merged["status"] = np.where(any_open, BarStatus.OPEN, over)
    merged["source"] = _sources(bars["source"], first)
    return merged


def _sources(source: NDArray[np.uint8], first: IntArray) -> NDArray[np.uint8]:
    """That of an upload when a part is one, imported when all parts are."""
    uploaded = np.maximum.reduceat(source == BarSource.UPLOAD, first)
    imported = np.minimum.reduceat(source == BarSource.IMPORT, first)
    return np.select([uploaded, imported], [BarSource.UPLOAD, BarSource.IMPORT], BarSource.LIVE).astype(np.uint8)
