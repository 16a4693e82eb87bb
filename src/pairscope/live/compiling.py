"""The parts of the compiled code: each is made by calling what a server calls, in a process of its own.

``python -m pairscope.live.compiling symbols pairs`` fills the cache; with `apart` it ends when what started it does.
"""

from __future__ import annotations

import contextlib
import os
import sys
import threading
from collections.abc import Callable
from functools import partial

import numpy as np

from pairscope.analytics import warm as analytics_warm
from pairscope.analytics.estimators.clustering import cluster, distances
from pairscope.analytics.estimators.hayashi_yoshida import PairTicks, TradeSeries, series_of
from pairscope.analytics.estimators.terms import ALL_TERMS, USUAL, Terms
from pairscope.analytics.registry import PAIR_BAR, PAIR_TESTS, SYMBOL_BAR, metric_requests
from pairscope.bars import warm
from pairscope.base.gaps import GapReason
from pairscope.base.interval import Interval
from pairscope.base.jit import is_compiled, remember_compiled
from pairscope.base.model import BAR, BarArray, BarStatus, Rows, SymbolTable, TradeBatch
from pairscope.feed import venues
from pairscope.feed.continuity import ContinuityTracker
from pairscope.feed.judge import Judge
from pairscope.live import windows
from pairscope.live.analysis import (
    Beside,
    HeldBars,
    PairQuestion,
    _matrix_of_bars,
    _matrix_of_trades,
    _study_pair,
    _verdict,
    _window_of,
)
from pairscope.live.health import history_of
from pairscope.live.kernels import PARTS, Part
from pairscope.live.span import Span, SpanBars
from pairscope.live.workers import never_abandoned

NICENESS = 10


def end_with_parent() -> None:
    """End when the standard input does: the process that started this one holds its other end."""

    def wait() -> None:
        while os.read(0, 1):
            pass
        os._exit(1)

    threading.Thread(target=wait, daemon=True).start()


def warm_up(part: Part) -> None:
    """Compile a part, or load it from the cache, by calling what a server calls."""
    for work in _WORK[part]:
        work()
    remember_compiled(part)


def _symbols() -> None:
    warm.warm_up()
    _judged()
    ContinuityTracker(SymbolTable(["A"])).check(_trades(), 0, GapReason.SKIPPED)
    windows.measure_symbol(_bars(1.0), _SPAN, _LAST_MS, SYMBOL_BAR)


def _judged() -> None:
    Judge(SymbolTable(["A"]), lambda: _LAST_MS).judge(Rows(_trades()), count=False)


def _pairs() -> None:
    _rows_and_metrics(USUAL)


def _tests() -> None:
    for terms in ALL_TERMS:
        _rows_and_metrics(terms)
    legs = [_bars(1.0), _bars(2.0)]
    found = SpanBars(_SPAN, _ROWS, legs)
    history = history_of(legs[0], legs[1], _SECOND, _LAST_MS, _FEW)
    for terms in ALL_TERMS:
        _study_pair(found, terms, PairQuestion(PAIR_TESTS[terms]), Beside(None, history), never_abandoned)
        _verdict(found, terms, Beside(None, history), never_abandoned)
    ticks = PairTicks(_tape(), _tape())  # what trades tell is the same on all terms
    question = PairQuestion(PAIR_TESTS[USUAL], tests=True)
    _study_pair(found, USUAL, question, Beside(ticks, history), never_abandoned)


def _rest() -> None:
    legs = [_bars(1.0), _bars(2.0), _bars(3.0)]
    usual = metric_requests(["all"], "symbol")
    windows.measure_symbol(legs[0], _SPAN, _LAST_MS, usual)
    windows.symbol_series(legs[0], _SPAN, _ROWS, usual)
    held = HeldBars(SpanBars(_SPAN, _ROWS[-1:], legs))
    closes, _ = _window_of(held, never_abandoned)
    _matrix_of_bars(closes, _LAST_MS, _SPAN, "prices")
    cluster(distances(_matrix_of_bars(closes, _LAST_MS, _SPAN, "returns")[0]))
    _matrix_of_trades([_tape(), _tape()])
    analytics_warm.warm_up()


def _rows_and_metrics(terms: Terms) -> None:
    y, x = _bars(1.0), _bars(2.0)
    windows.pair_series(y, x, _SPAN, _ROWS, terms)
    windows.measure_pair(y, x, _SPAN, _LAST_MS, PAIR_BAR[terms])


_WORK: dict[Part, tuple[Callable[[], None], ...]] = {
    "symbols": (_symbols,),
    "pairs": (_pairs,),
    "tests": (_tests,),
    "rest": (_rest,),
    "frames": (partial(venues.warm_up, "frames"),),
    "files": (partial(venues.warm_up, "files"), _judged),
}

_SECOND = Interval(1_000)
_WINDOW = 128
_COUNT = 600  # enough for every metric
_FEW = 2 * _WINDOW + 8  # bars that are enough for one reading of the pair's past
_LAST_MS = (_COUNT - 1) * 1_000
_SPAN = Span(_SECOND, _WINDOW)
_ROWS = _SPAN.rows(_LAST_MS - 2_000, _LAST_MS)


def _bars(phase: float) -> BarArray:
    """A closed bar each second, of a price that goes up and down."""
    bars = np.zeros(_COUNT, BAR)
    bars["interval_ms"] = 1_000
    bars["open_time_ms"] = np.arange(_COUNT) * 1_000
    price = 100 + np.sin(np.arange(_COUNT) * phase) + np.cos(np.arange(_COUNT) * 0.1 * phase)
    for name in ("open", "high", "low", "close"):
        bars[name] = price
    bars["volume"] = bars["trades"] = 1
    bars["quote_volume"] = price
    bars["buy_volume"] = 0.5
    bars["status"] = BarStatus.CLOSED
    return bars


def _trades() -> TradeBatch:
    one = np.ones(1)
    return TradeBatch(
        symbol_id=np.zeros(1, np.int32),
        id=np.ones(1, np.int64),
        time_ms=np.zeros(1, np.int64),
        price=one,
        size=one,
        buyer_is_maker=np.zeros(1, np.bool_),
        received_ns=np.zeros(1, np.int64),
    )


def _tape() -> TradeSeries:
    """A trade each second, of blocks enough for the lag between two legs."""
    line = np.arange(1, _WINDOW + 1)
    return series_of(line * 1_000, 100 + np.sin(line))


def warm_up_all() -> None:
    """Everything that a server may need."""
    for part in PARTS:
        warm_up(part)


def main(*arguments: str) -> None:
    """Compile parts in this process, in their order; `apart` and `gently` are for the server that has started it."""
    if "apart" in arguments:
        end_with_parent()
    if "gently" in arguments:
        with contextlib.suppress(AttributeError, OSError):  # there is no os.nice on Windows
            os.nice(NICENESS)
    for part in PARTS:
        if part in arguments and not is_compiled(part):
            warm_up(part)


if __name__ == "__main__":
    main(*sys.argv[1:])
