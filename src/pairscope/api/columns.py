"""From NumPy columns to the lists that cross the wire.

Not-a-number becomes ``null``: the JSON encoder writes every number that is not finite as ``null``, so that
the lists need no second pass.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, Literal

import msgspec
import numpy as np

from pairscope.analytics.estimators.suggestion import Suggestion
from pairscope.analytics.metrics.cointegration import rejection_of
from pairscope.analytics.metrics.health import Health
from pairscope.analytics.values import Flag, Reason, is_beyond_one
from pairscope.api import wire
from pairscope.bars.cuts import unknown
from pairscope.base.interval import Interval
from pairscope.base.model import BarArray, BarSource, BarStatus, Continuity, Cut, IntArray, Origin, TradeBatch
from pairscope.live.analysis import CorrelationOf, MatrixStudy, PairStudy
from pairscope.live.signals import Signal
from pairscope.live.windows import Measured, PairSeries

STATUS_NAMES = np.array([status.name.lower() for status in BarStatus], dtype=object)
CONTINUITY_NAMES = np.array([one.name.lower() for one in Continuity], dtype=object)
# Why the share of missing trades is unknown, by continuity and cut.
UNKNOWNS = np.array([[unknown(one, Cut(cut)) for cut in range(16)] for one in Continuity], dtype=object)
ORIGIN_NAMES = np.array([origin.name.lower() for origin in Origin], dtype=object)
_FORMER_WORDS: Mapping[CorrelationOf, Literal["returns", "levels", "hy"]] = {
    "returns": "returns",
    "prices": "levels",
    "trades": "hy",
}
SOURCE_NAMES = np.array([source.name.lower() for source in BarSource], dtype=object)


def bar_columns(bars: BarArray) -> wire.BarColumns:
    """Bars as columns; ``vwap`` is null for a bar without volume."""
    volume, quote_volume = bars["volume"], bars["quote_volume"]
    trades, lost = bars["trades"], bars["lost"]
    known = bars["continuity"] == Continuity.PROVED
    with np.errstate(divide="ignore", invalid="ignore"):
        vwap = quote_volume / volume
    return wire.BarColumns(
        open_time_ms=bars["open_time_ms"].tolist(),
        open=bars["open"].tolist(),
        high=bars["high"].tolist(),
        low=bars["low"].tolist(),
        close=bars["close"].tolist(),
        volume=volume.tolist(),
        quote_volume=quote_volume.tolist(),
        buy_volume=bars["buy_volume"].tolist(),
        vwap=vwap.tolist(),
        trades=trades.tolist(),
        missing=np.where(known, lost / np.maximum(trades + lost, 1), np.nan).tolist(),
        status=STATUS_NAMES[bars["status"]].tolist(),
        source=SOURCE_NAMES[bars["source"]].tolist(),
        continuity=CONTINUITY_NAMES[bars["continuity"]].tolist(),
        missing_reason=UNKNOWNS[bars["continuity"], bars["cut"]].tolist(),
        backfilled=(bars["backfilled"] / np.maximum(trades, 1)).tolist(),
    )


def pair_columns(series: PairSeries, rows: slice | None = None) -> wire.PairColumns:
    """Some rows, or all from the first that has a price on."""
    if rows is None:
        priced = np.isfinite(series.y) | np.isfinite(series.x)
        rows = slice(int(priced.argmax()) if priced.any() else len(priced), None)
    return wire.PairColumns(
        open_time_ms=series.open_time_ms[rows].tolist(),
        y=series.y[rows].tolist(),
        x=series.x[rows].tolist(),
        beta=series.beta[rows].tolist(),
        alpha=series.alpha[rows].tolist(),
        spread=series.spread[rows].tolist(),
        spread_z=series.spread_z[rows].tolist(),
        correlation=series.correlation[rows].tolist(),
        carried=series.carried[rows].tolist(),
    )


def continuity_name(continuity: Continuity | None) -> Any:
    """As it is called on the wire."""
    return None if continuity is None else CONTINUITY_NAMES[continuity]


def quantity(measured: Measured) -> wire.Quantity:
    """A value that is not finite is null and never without a reason."""
    value, reason = measured.value, measured.reason
    if isinstance(value, float) and not math.isfinite(value):
        value = None
    if value is None and reason is None:
        reason = Reason.NOT_FINITE
    return wire.Quantity(
        value=value,
        unit=measured.unit,
        window=measured.window,
        n=measured.n,
        as_of_ms=measured.as_of_ms,
        missing=measured.missing,
        missing_reason=measured.unknown,
        continuity=continuity_name(measured.continuity),
        reason=reason,
        backfilled=measured.backfilled,
        flags=list(measured.flags) or msgspec.UNSET,
    )


def quantities(measured: Mapping[str, Measured]) -> dict[str, wire.Quantity]:
    return {name: quantity(one) for name, one in measured.items()}


def pair_tests(study: PairStudy) -> wire.PairTests | None:
    """What the tests of a pair are drawn from, when they were asked for."""
    if study.health is None or study.lead_lag is None or study.epps is None:
        return None
    lag, epps = study.lead_lag, study.epps
    p = study.metrics["coint_p"].value if "coint_p" in study.metrics else None
    return wire.PairTests(
        health=pair_health(study.health, study.suggestion),
        rejection=rejection_of(p) if isinstance(p, float) else None,
        spikes=wire.PairSpikes(y=list(study.spikes[0]), x=list(study.spikes[1])),
        lead_lag=wire.LeadLagCurve(
            lag_ms=lag.lag_ms,
            low_ms=lag.low_ms,
            high_ms=lag.high_ms,
            leader=lag.leader,
            n=lag.n,
            reason=lag.reason,
            lags_ms=lag.lags_ms.tolist(),
            contrasts=lag.contrasts.tolist(),
        ),
        epps=wire.EppsColumns(
            interval_s=epps.interval_s.tolist(),
            correlation=epps.correlation.tolist(),
            n=epps.n.tolist(),
            hayashi_yoshida=epps.hayashi_yoshida,
        ),
    )


def pair_health(health: Health, suggestion: Suggestion | None) -> wire.PairHealth:
    instead = None
    if suggestion is not None:
        bars = str(Interval(suggestion.bar_ms))
        instead = wire.PairSuggestion(interval=bars, window=suggestion.window, p=suggestion.p)
    return wire.PairHealth(
        condition=health.condition,
        reasons=list(health.reasons),
        doubts=health.doubts,
        as_of_ms=health.as_of_ms,
        since_ms=health.since_ms,
        is_since_before=health.is_since_before,
        held_until_ms=health.held_until_ms,
        shares=dict(health.shares),
        windows=health.windows,
        visible_half_life=health.visible_half_life,
        suggestion=instead,
    )


def pair_signal(signal: Signal) -> wire.PairSignal:
    return wire.PairSignal(side=signal.side, muted=signal.muted, late=list(signal.late))


def correlation_rows(study: MatrixStudy, rows: IntArray, of: CorrelationOf, **about: Any) -> wire.CorrelationMatrix:
    """A matrix with its symbols in a given order."""
    order = rows.tolist()
    correlation = study.matrix[np.ix_(rows, rows)].tolist()
    return wire.CorrelationMatrix(
        of=of,
        on=_FORMER_WORDS[of],
        symbols=[study.symbols[i] for i in order],
        as_of_ms=study.as_of_ms,
        correlation=correlation,
        n=study.n[np.ix_(rows, rows)].tolist(),
        reason=[[study.reasons[i][j] for j in order] for i in order],
        flag=[[Flag.BEYOND_ONE if is_beyond_one(cell) else None for cell in row] for row in correlation],
        missing=[study.shares[i].missing for i in order],
        missing_reason=[study.shares[i].unknown for i in order],
        continuity=[continuity_name(study.shares[i].continuity) for i in order],
        **about,
    )


def trade_columns(trades: TradeBatch) -> wire.TradeColumns:
    return wire.TradeColumns(
        id=trades.id.tolist(),
        time_ms=trades.time_ms.tolist(),
        price=trades.price.tolist(),
        size=trades.size.tolist(),
        buyer_is_maker=trades.buyer_is_maker.tolist(),
        received_ns=trades.received_ns.tolist(),
        origin=ORIGIN_NAMES[trades.origin].tolist(),
    )
