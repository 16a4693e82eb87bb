"""The addresses of everything that is computed: metrics, pairs, correlations, clusters, and what they mean."""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Mapping, Sequence
from typing import cast

import msgspec
import numpy as np

from pairscope.alerts.clauses import WORDS, is_for_rules
from pairscope.alerts.system import SYSTEM_METRICS, SystemMetric
from pairscope.analytics.entry.metric import Metric
from pairscope.analytics.entry.request import MetricRequest, Scope
from pairscope.analytics.estimators.clustering import cluster, distances
from pairscope.analytics.estimators.terms import USUAL, Terms
from pairscope.analytics.registry import CATALOGUE, PAIR_BAR, PAIR_TESTS, SYMBOL_BAR, metric_requests
from pairscope.api import wire
from pairscope.api.alert_history import pair_alerts
from pairscope.api.columns import correlation_rows, pair_columns, pair_signal, pair_tests, quantities
from pairscope.api.endpoint import Context, Endpoint
from pairscope.api.parameters import (
    ALERTS,
    CUT,
    FROM,
    INTERCEPT,
    INTERVAL,
    KEPT_INTERVAL,
    METHOD,
    METRICS,
    OF,
    PRICES,
    SYMBOL_IN_PATH,
    SYMBOLS,
    TESTS,
    TO,
    WINDOW,
    X,
    Y,
    limit_of,
)
from pairscope.api.query import Query
from pairscope.base.clock import now_ms
from pairscope.base.errors import RequestError, UnknownName
from pairscope.base.interval import Interval
from pairscope.live.analysis import CorrelationOf, MatrixStudy, PairQuestion, PairStudy
from pairscope.live.signals import signal_of
from pairscope.live.span import Span
from pairscope.live.windows import Measured

MOST_VALUES = 100_000  # in one answer: encoding more would hold up everybody for tens of milliseconds
MOST_IN_MATRIX = 300  # symbols; their correlations are 90,000 values


async def get_analytics(context: Context, query: Query) -> msgspec.Raw:
    interval = _kept_interval(context, query)
    window = _window(context, query, interval)
    key = (interval, window)
    return msgspec.Raw(await context.gates.everything.get(key, lambda: _everything(context, interval, window)))


async def _everything(context: Context, interval: Interval, window: int) -> bytes:
    """Computed and encoded piece by piece: many symbols and pairs must not hold up the feed."""
    live = context.live
    names = [info.symbol for info in context.rooms.board.config().symbols]
    symbols: dict[str, msgspec.Raw] = {}
    pairs: dict[str, msgspec.Raw] = {}
    for symbol in names:
        symbols[symbol] = _encoded(live.symbol_metrics(symbol, interval, window))
        await asyncio.sleep(0)
    kept = tuple(live.pairs)
    told = kept[: (MOST_VALUES - len(names) * len(SYMBOL_BAR)) // len(PAIR_BAR[USUAL])]
    for y, x in told:
        pairs[f"{y}/{x}"] = _encoded(live.pair_metrics(y, x, interval, window))
        await asyncio.sleep(0)
    answer = {
        "interval": str(interval),
        "window": window,
        "symbols": symbols,
        "pairs": pairs,
        "pairs_left_out": len(kept) - len(told),
    }
    return msgspec.json.encode(answer)


def _encoded(metrics: Mapping[str, Measured]) -> msgspec.Raw:
    return msgspec.Raw(msgspec.json.encode(quantities(metrics)))


async def get_symbol_analytics(context: Context, query: Query) -> wire.SymbolAnswer:
    symbol = query.symbol("symbol", context.live.symbols)
    interval = _kept_interval(context, query)
    window = _window(context, query, interval)
    wanted = _wanted(query, "symbol", SYMBOL_BAR)
    async with context.gates.metrics.turn():
        metrics = await context.studies.symbol(symbol, Span(interval, window), wanted)
    return wire.SymbolAnswer(symbol=symbol, interval=str(interval), window=window, metrics=quantities(metrics))


async def get_symbol_series(context: Context, query: Query) -> wire.SymbolSeriesAnswer:
    symbol = query.symbol("symbol", context.live.symbols)
    interval = _interval(context, query)
    window = _window(context, query, interval)
    wanted = _wanted(query, "symbol", SYMBOL_BAR)
    limit = query.integer("limit")
    _check_size(len(wanted), limit)
    async with context.gates.study.turn():
        series = await context.studies.symbol_series(symbol, _span(query, interval, window, limit), wanted)
    return wire.SymbolSeriesAnswer(
        symbol=symbol,
        interval=str(interval),
        window=window,
        open_time_ms=series.open_time_ms.tolist(),
        close=series.close.tolist(),
        metrics=dict(series.metrics),
    )


async def get_pair_analytics(context: Context, query: Query) -> wire.PairAnswer:
    y, x = query.symbol("y", context.live.symbols), query.symbol("x", context.live.symbols)
    if x == y:
        raise RequestError("a pair needs two different symbols", cure="name another y or x", code="same_symbol")
    interval = _interval(context, query)
    window = _window(context, query, interval)
    terms = query.terms()
    tests = query.flag("tests")
    usual = PAIR_TESTS[terms] if tests else PAIR_BAR[terms]
    async with context.gates.study.turn():
        question = PairQuestion(_wanted(query, "pair", usual, terms), tests)
        span = _span(query, interval, window, query.integer("limit"))
        study = await context.studies.pair(y, x, terms, span, question)
    alerts = None
    if query.flag("alerts"):
        times = study.series.open_time_ms
        alerts = await pair_alerts(context, f"{y}/{x}", int(times[0]), int(times[-1]) + interval.ms + 1)
    return wire.PairAnswer(
        y=y,
        x=x,
        interval=str(interval),
        window=window,
        method=terms.method,
        prices=terms.prices,
        intercept=terms.intercept,
        remarks=terms.remarks,
        series=pair_columns(study.series),
        metrics=quantities(study.metrics),
        tests=pair_tests(study),
        signal=_signal(context, study, (y, x), span),
        alerts=alerts,
    )


def _signal(context: Context, study: PairStudy, legs: Sequence[str], span: Span) -> wire.PairSignal | None:
    """The signal of the last row, where health was read."""
    if study.health is None:
        return None
    z, condition = float(study.series.spread_z[-1]), study.health.condition
    if span.to_ms is not None:
        return pair_signal(signal_of(z, condition, (), is_now=False))
    return pair_signal(context.live.signal(legs, span.interval, z, condition, now_ms(context.rooms.clock)))


async def get_correlations(context: Context, query: Query) -> wire.CorrelationMatrix:
    interval, of = _interval(context, query), _of(query)
    window = _window(context, query, interval)
    async with context.gates.study.turn():
        study = await _matrix(context, query, interval, window, of)
    rows = np.arange(len(study.symbols))
    return correlation_rows(study, rows, of=of, interval=str(interval), window=window)


async def get_clustering(context: Context, query: Query) -> wire.Clustering:
    interval, of = _interval(context, query), _of(query)
    window = _window(context, query, interval)
    cut = query.number("cut")
    async with context.gates.study.turn():
        study = await _matrix(context, query, interval, window, of)
        found = await context.studies.workers.run(lambda _: cluster(distances(study.matrix), cut))
    labels = found.label[found.order].tolist()
    names = [study.symbols[i] for i in found.order.tolist()]
    place = np.empty(len(found.order) + len(found.left), np.int64)  # of each node, its number in the order of the tree
    place[found.order] = np.arange(len(found.order))
    place[len(found.order) :] = np.arange(len(found.order), len(place))
    return wire.Clustering(
        matrix=correlation_rows(study, found.order, of=of, interval=str(interval), window=window),
        cut=cut,
        cluster=labels,
        clusters=[
            [name for name, label in zip(names, labels, strict=True) if label == each] for each in sorted({*labels})
        ],
        left=place[found.left].tolist(),
        right=place[found.right].tolist(),
        height=found.height.tolist(),
    )


async def get_metric_catalogue(context: Context, query: Query) -> msgspec.Raw:
    return msgspec.Raw(_catalogue_json())


@functools.cache
def _catalogue_json() -> bytes:
    of_market = [_info(metric) for metric in CATALOGUE.values()]
    return msgspec.json.encode([*of_market, *map(_system_info, SYSTEM_METRICS.values())])


def _info(metric: Metric) -> wire.MetricInfo:
    parameters = [
        wire.MetricParameter(
            name=one.name,
            kind=one.kind,
            default=one.default,
            low=one.low,
            high=one.high,
            choices=list(one.choices),
            remarks=dict(one.remarks),
            wants=dict(one.wants),
            wants_each=one.wants_each,
        )
        for one in metric.parameters
    ]
    return wire.MetricInfo(
        name=metric.name,
        scope=metric.scope,
        title=metric.title,
        formula=metric.formula,
        unit=metric.unit,
        unit_on_levels=metric.unit_on_levels or metric.unit,
        window=metric.window,
        fewest=metric.fewest,
        reference=metric.reference,
        remark=metric.remark,
        parameters=parameters,
        cadence=metric.cadence,
        needs="trades" if "trades" in metric.needs else "history" if "history" in metric.needs else "bars",
        in_rules=is_for_rules(metric),
        is_centred=metric.is_centred,
        words=[str(each) for each in WORDS.get(metric.name, ())],
    )


def _system_info(metric: SystemMetric) -> wire.MetricInfo:
    return wire.MetricInfo(
        name=metric.name,
        scope="system",
        title=metric.title,
        formula=metric.formula,
        unit=metric.unit,
        unit_on_levels=metric.unit,
        window=0,
        fewest=0,
        reference="",
        remark="",
        parameters=[],
        cadence="clock",
        needs="nothing",
        in_rules=True,
        is_centred=metric.is_centred,
        words=[],
    )


# --- reading what was asked -------------------------------------------------------------------------


def _interval(context: Context, query: Query) -> Interval:
    return query.interval("interval", context.settings.metric_interval, context.live.intervals)


def _kept_interval(context: Context, query: Query) -> Interval:
    return query.kept_interval("interval", context.settings.metric_interval, context.live.intervals)


def _window(context: Context, query: Query, interval: Interval) -> int:
    return query.window("window", interval, context.settings.window)


def _span(query: Query, interval: Interval, window: int, limit: int) -> Span:
    return Span(interval, window, query.time_ms("from"), query.time_ms("to"), limit)


def _wanted(
    query: Query, scope: Scope, usual: Sequence[MetricRequest], terms: Terms | None = None
) -> Sequence[MetricRequest]:
    names = query.names("metrics")
    for each in names:
        if each.lower() in SYSTEM_METRICS:
            cure = "rules of alerts are read on it; /status has what is known of pairscope now"
            raise UnknownName(f"{each.lower()} is of pairscope itself, of no {scope}", cure=cure, code="unknown_metric")
    return metric_requests(names, scope, terms) if names else usual


def _check_size(metrics: int, rows: int) -> None:
    """Refuse an answer of too many values, naming the rows that may be asked for."""
    if metrics * rows > MOST_VALUES:
        raise RequestError(
            f"{metrics} metrics of {rows:,} bars are {metrics * rows:,} values, more than {MOST_VALUES:,}",
            cure=f"ask for limit={MOST_VALUES // metrics}, or for fewer metrics",
            code="too_many_values",
        )


def _of(query: Query) -> CorrelationOf:
    return cast(CorrelationOf, query.choice("of"))


async def _matrix(context: Context, query: Query, interval: Interval, window: int, of: CorrelationOf) -> MatrixStudy:
    table = context.live.symbols
    named = [table.name(table.index(name)) for name in query.names("symbols")]
    symbols = list(dict.fromkeys(named)) or [info.symbol for info in context.rooms.board.config().symbols]
    if not 2 <= len(symbols) <= MOST_IN_MATRIX:
        raise RequestError(
            f"a matrix of {len(symbols)} symbols", cure=f"name 2 to {MOST_IN_MATRIX} different ones: symbols=A,B"
        )
    return await context.studies.matrix(symbols, Span(interval, window, to_ms=query.time_ms("to")), of)


# --- the table --------------------------------------------------------------------------------------

# Of two paths that match, the earlier one answers: /analytics/pair stands before /analytics/{symbol}.
ANALYTICS = (
    Endpoint(
        path="/analytics",
        group="Analytics",
        summary="Metrics of every symbol and pair",
        description="The present metrics of each bar, the open bar included. Pairs are named Y/X.",
        answer=wire.AnalyticsAnswer,
        handler=get_analytics,
        example="/analytics?interval=1s&window=300",
        parameters=(KEPT_INTERVAL, WINDOW),
    ),
    Endpoint(
        path="/analytics/pair",
        group="Analytics",
        summary="A pair: hedge ratio, spread, z-score, correlation, tests",
        description="Rolling values on the common grid of bars, and the metrics at its last row. Row i uses nothing"
        " later than bar i. Any two symbols, configured as a pair or not.",
        answer=wire.PairAnswer,
        handler=get_pair_analytics,
        example="/analytics/pair?y=ETHUSDT&x=BTCUSDT&interval=1s&window=300&limit=100&tests=true",
        parameters=(Y, X, INTERVAL, WINDOW, METHOD, PRICES, INTERCEPT, METRICS, TESTS, ALERTS, FROM, TO, limit_of(500)),
    ),
    Endpoint(
        path="/analytics/{symbol}",
        group="Analytics",
        summary="Metrics of a symbol",
        description="The present metrics, the open bar included. Those of GARCH are of the closed bars alone, up to"
        " their as_of_ms.",
        answer=wire.SymbolAnswer,
        handler=get_symbol_analytics,
        example="/analytics/BTCUSDT?metrics=rsi:period=21,garch_volatility",
        parameters=(SYMBOL_IN_PATH, KEPT_INTERVAL, WINDOW, METRICS),
    ),
    Endpoint(
        path="/analytics/{symbol}/series",
        group="Analytics",
        summary="Metrics of a symbol along time",
        description="For each bar the metrics of the window that ends there. Row i uses nothing later than bar i.",
        answer=wire.SymbolSeriesAnswer,
        handler=get_symbol_series,
        example="/analytics/BTCUSDT/series?metrics=sma,ema,rsi&limit=200",
        parameters=(SYMBOL_IN_PATH, INTERVAL, WINDOW, METRICS, FROM, TO, limit_of(500)),
    ),
    Endpoint(
        path="/correlations",
        group="Analytics",
        summary="Correlations of symbols with one another",
        description="Over the newest window of bars, or the one that ends before `to`.",
        answer=wire.CorrelationMatrix,
        handler=get_correlations,
        example="/correlations?symbols=BTCUSDT,ETHUSDT&of=returns&interval=1s&window=300",
        parameters=(SYMBOLS, OF, INTERVAL, WINDOW, TO),
    ),
    Endpoint(
        path="/clustering",
        group="Analytics",
        summary="Groups of symbols that move together",
        description="Average linkage on sqrt(2 (1 - correlation)), cut at a distance.",
        answer=wire.Clustering,
        handler=get_clustering,
        example="/clustering?interval=1s&window=300&cut=0.9",
        parameters=(SYMBOLS, OF, CUT, INTERVAL, WINDOW, TO),
    ),
    Endpoint(
        path="/metrics/catalogue",
        group="Analytics",
        summary="What every metric means",
        description="Name, formula, unit, parameters, fewest observations and reference of each metric, and whether"
        " rules of alerts may be read on it. Those of pairscope itself are for rules alone.",
        answer=list[wire.MetricInfo],
        handler=get_metric_catalogue,
        example="/metrics/catalogue",
    ),
)
