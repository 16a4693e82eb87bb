"""Every address of the REST API and what it answers."""

from __future__ import annotations

import asyncio

import msgspec

from pairscope.analytics.catalogue import CATALOGUE
from pairscope.api import wire
from pairscope.api.columns import bar_columns, pair_columns, quantities, trade_columns
from pairscope.api.endpoint import Context, Endpoint
from pairscope.api.query import Parameter, Query, read_kept_interval
from pairscope.base.errors import RequestError
from pairscope.base.interval import Interval
from pairscope.base.model import BarArray, BarSource
from pairscope.live.state import LARGEST_WINDOW, SMALLEST_WINDOW
from pairscope.live.windows import Measured, first_needed_ms, measure_pair

MOST_ROWS = 5000
METHODS = ("ols",)
SOURCES = tuple(source.name.lower() for source in BarSource)

# --- parameters -------------------------------------------------------------------------------------

_TIME = {"anyOf": [{"type": "integer"}, {"type": "string", "format": "date-time"}]}

SYMBOL = Parameter("symbol", "Name of a symbol, in any case.", {"type": "string"}, "BTCUSDT", required=True)
SYMBOL_IN_PATH = Parameter("symbol", SYMBOL.description, SYMBOL.schema, "BTCUSDT", where="path", required=True)
INTERVAL = Parameter(
    "interval",
    "Length of a bar: whole seconds, minutes or hours that divide a day. Without it, the metric interval of the"
    " settings.",
    {"type": "string"},
    "1m",
    aliases=("timeframe", "tf"),
)
TIMEFRAME_IN_PATH = Parameter("interval", INTERVAL.description, INTERVAL.schema, "1m", where="path", required=True)
KEPT_INTERVAL = Parameter(
    "interval",
    "One of the kept intervals (see /config). Without it, the metric interval of the settings.",
    {"type": "string"},
    "1s",
    aliases=("timeframe", "tf"),
)
WINDOW = Parameter(
    "window",
    "Bars in the window. Without it, the window of the settings.",
    {"type": "integer", "minimum": SMALLEST_WINDOW, "maximum": LARGEST_WINDOW},
    300,
)
FROM = Parameter(
    "from",
    "Earliest time: milliseconds since 1970, or ISO-8601 (UTC when no zone is named).",
    _TIME,
    "2026-11-20T12:00:00Z",
    aliases=("from_ms", "start"),
)
TO = Parameter(
    "to", "End of the time range, itself not inside.", _TIME, "2026-11-20T13:00:00Z", aliases=("to_ms", "end")
)
SOURCE = Parameter(
    "source",
    "Only bars that came this way.",
    {"type": "string", "enum": list(SOURCES)},
    "live",
)
Y = Parameter(
    "y",
    "The symbol that is explained.",
    {"type": "string"},
    "ETHUSDT",
    required=True,
    aliases=("symbol_y", "symbol1"),
)
X = Parameter(
    "x",
    "The symbol that explains it.",
    {"type": "string"},
    "BTCUSDT",
    required=True,
    aliases=("symbol_x", "symbol2"),
)
METHOD = Parameter(
    "method", "How the hedge ratio is estimated.", {"type": "string", "enum": list(METHODS), "default": "ols"}, "ols"
)


def _limit(default: int) -> Parameter:
    schema = {"type": "integer", "minimum": 1, "maximum": MOST_ROWS, "default": default}
    return Parameter("limit", "At most so many rows, the newest of the range.", schema, default)


# --- the running system -----------------------------------------------------------------------------


async def get_health(context: Context, query: Query) -> wire.Health:
    return context.health()


async def get_status(context: Context, query: Query) -> wire.Status:
    return context.status()


async def get_tape(context: Context, query: Query) -> wire.TapeStatus:
    return await asyncio.to_thread(context.tape)


async def get_config(context: Context, query: Query) -> wire.Config:
    return context.config()


async def get_symbols(context: Context, query: Query) -> list[str]:
    return [info.symbol for info in context.config().symbols]


async def get_metric_catalogue(context: Context, query: Query) -> list[wire.MetricInfo]:
    return [
        wire.MetricInfo(
            name=entry.name,
            scope=entry.scope,
            title=entry.title,
            formula=entry.formula,
            unit=entry.unit,
            window=entry.window,
            fewest=entry.fewest,
            reference=entry.reference,
            remark=entry.remark,
        )
        for entry in CATALOGUE.values()
    ]


# --- bars and trades --------------------------------------------------------------------------------


async def get_ohlc(context: Context, query: Query) -> msgspec.Raw:
    live = context.live
    symbol = query.symbol("symbol", live.symbols)
    interval = query.interval("interval", context.settings.metric_interval, live.intervals)
    limit = query.integer("limit", 1000, 1, MOST_ROWS)
    source = query.choice("source", SOURCES)
    bars = await _bars(context, symbol, interval, query.time_ms("from"), query.time_ms("to"), limit)
    if source is not None:
        bars = bars[bars["source"] == BarSource[source.upper()]]
    name = str(interval)
    body = context.encoded_bars.get(
        (symbol, name, limit, source),
        bars,
        lambda: msgspec.json.encode(wire.Ohlc(symbol=symbol, interval=name, bars=bar_columns(bars))),
    )
    return msgspec.Raw(body)


async def get_ohlc_of(context: Context, query: Query) -> msgspec.Raw:
    return await get_ohlc(context, query)


async def _bars(
    context: Context, symbol: str, interval: Interval, from_ms: int | None, to_ms: int | None, limit: int
) -> BarArray:
    """Bars from memory when they are all there, else from memory and disk."""
    if from_ms is None and to_ms is None and interval in context.live.intervals:
        bars = context.live.bars(symbol, interval, limit)
        if len(bars) == limit:
            return bars
    async with context.disk.turn():
        return await context.live.history(symbol, interval, from_ms, to_ms, limit)


async def get_latest_trades(context: Context, query: Query) -> wire.LatestTrades:
    symbol = query.symbol("symbol", context.live.symbols)
    limit = query.integer("limit", 100, 1, MOST_ROWS)
    async with context.disk.turn():
        trades = await asyncio.to_thread(context.store.trades, symbol, limit=limit, newest=True)
    return wire.LatestTrades(symbol=symbol, trades=trade_columns(trades))


# --- analytics --------------------------------------------------------------------------------------


async def get_analytics(context: Context, query: Query) -> wire.AnalyticsAnswer:
    live = context.live
    interval = read_kept_interval(query.text("interval") or context.settings.metric_interval, live.intervals)
    window = _window(context, query)
    symbols: dict[str, dict[str, wire.Quantity]] = {}
    pairs: dict[str, dict[str, wire.Quantity]] = {}
    for info in context.config().symbols:
        symbols[info.symbol] = quantities(live.symbol_metrics(info.symbol, interval, window))
        await asyncio.sleep(0)  # many symbols must not hold up the feed
    for y, x in live.pairs:
        pairs[f"{y}/{x}"] = quantities(live.pair_metrics(y, x, interval, window))
        await asyncio.sleep(0)
    return wire.AnalyticsAnswer(interval=str(interval), window=window, symbols=symbols, pairs=pairs)


async def get_symbol_analytics(context: Context, query: Query) -> wire.SymbolAnswer:
    live = context.live
    symbol = query.symbol("symbol", live.symbols)
    interval = read_kept_interval(query.text("interval") or context.settings.metric_interval, live.intervals)
    window = _window(context, query)
    metrics = quantities(live.symbol_metrics(symbol, interval, window))
    return wire.SymbolAnswer(symbol=symbol, interval=str(interval), window=window, metrics=metrics)


async def get_pair_analytics(context: Context, query: Query) -> wire.PairAnswer:
    live = context.live
    y, x = query.symbol("y", live.symbols), query.symbol("x", live.symbols)
    if x == y:
        raise RequestError("a pair needs two different symbols", cure="name another y or x", code="same_symbol")
    interval = query.interval("interval", context.settings.metric_interval, live.intervals)
    window = _window(context, query)
    method = query.choice("method", METHODS) or METHODS[0]
    limit = query.integer("limit", 500, 1, MOST_ROWS)
    from_ms, to_ms = query.time_ms("from"), query.time_ms("to")
    metrics: dict[str, Measured] = {}
    if from_ms is None and to_ms is None and interval in live.intervals:
        series = live.pair_series(y, x, interval, window, limit)
        metrics = live.pair_metrics(y, x, interval, window)
    else:
        async with context.disk.turn():
            series = await live.pair_history(y, x, interval, window, from_ms, to_ms, limit)
            if len(series.open_time_ms):
                metrics = await _pair_metrics_at(context, y, x, interval, window, int(series.open_time_ms[-1]))
    return wire.PairAnswer(
        y=y,
        x=x,
        interval=str(interval),
        window=window,
        method=method,
        series=pair_columns(series),
        metrics=quantities(metrics),
    )


async def _pair_metrics_at(
    context: Context, y: str, x: str, interval: Interval, window: int, at_ms: int
) -> dict[str, Measured]:
    """The metrics as they were at the last row of an answer about the past."""
    needed_ms = first_needed_ms(at_ms, interval, window)
    count = (at_ms - needed_ms) // interval.ms + 1
    end_ms = at_ms + interval.ms
    legs = [await context.live.history(symbol, interval, needed_ms, end_ms, count) for symbol in (y, x)]
    return measure_pair(legs[0], legs[1], interval, window, at_ms)


def _window(context: Context, query: Query) -> int:
    return query.integer("window", context.settings.window, SMALLEST_WINDOW, LARGEST_WINDOW)


# --- the table --------------------------------------------------------------------------------------

# Of two paths that match, the earlier one answers: /analytics/pair stands before /analytics/{symbol}.
ENDPOINTS = (
    Endpoint(
        path="/ohlc",
        group="Bars and trades",
        summary="Bars of a symbol",
        description="Bars as columns of equal length, oldest first; without a time range the newest, and the open bar"
        " last. Intervals that are not kept are merged from finer ones.",
        answer=wire.Ohlc,
        handler=get_ohlc,
        example="/ohlc?symbol=BTCUSDT&interval=1m&limit=100",
        parameters=(SYMBOL, INTERVAL, FROM, TO, _limit(1000), SOURCE),
        reads_disk=True,
    ),
    Endpoint(
        path="/ohlc/{symbol}/{interval}",
        group="Bars and trades",
        summary="Bars of a symbol, by path",
        description="The same as /ohlc.",
        answer=wire.Ohlc,
        handler=get_ohlc_of,
        example="/ohlc/BTCUSDT/1m?limit=100",
        parameters=(SYMBOL_IN_PATH, TIMEFRAME_IN_PATH, FROM, TO, _limit(1000), SOURCE),
        reads_disk=True,
    ),
    Endpoint(
        path="/ticks/latest",
        group="Bars and trades",
        summary="The newest trades of a symbol",
        description="Trades on the tape as columns of equal length, oldest first.",
        answer=wire.LatestTrades,
        handler=get_latest_trades,
        example="/ticks/latest?symbol=BTCUSDT&limit=50",
        parameters=(SYMBOL, _limit(100)),
        reads_disk=True,
    ),
    Endpoint(
        path="/analytics",
        group="Analytics",
        summary="Every metric of every symbol and pair",
        description="The present metrics, the open bar included. Pairs are named Y/X.",
        answer=wire.AnalyticsAnswer,
        handler=get_analytics,
        example="/analytics?interval=1s&window=300",
        parameters=(KEPT_INTERVAL, WINDOW),
    ),
    Endpoint(
        path="/analytics/pair",
        group="Analytics",
        summary="A pair: hedge ratio, spread, z-score, correlation",
        description="Rolling values on the common grid of bars, and the metrics at its last row. Row i uses nothing"
        " later than bar i. Any two symbols, configured as a pair or not.",
        answer=wire.PairAnswer,
        handler=get_pair_analytics,
        example="/analytics/pair?y=ETHUSDT&x=BTCUSDT&interval=1s&window=300&limit=100",
        parameters=(Y, X, INTERVAL, WINDOW, METHOD, FROM, TO, _limit(500)),
        reads_disk=True,
    ),
    Endpoint(
        path="/analytics/{symbol}",
        group="Analytics",
        summary="Every metric of a symbol",
        description="The present metrics, the open bar included.",
        answer=wire.SymbolAnswer,
        handler=get_symbol_analytics,
        example="/analytics/BTCUSDT",
        parameters=(SYMBOL_IN_PATH, KEPT_INTERVAL, WINDOW),
    ),
    Endpoint(
        path="/metrics/catalogue",
        group="Analytics",
        summary="What every metric means",
        description="Name, formula, unit, fewest observations and reference of each metric.",
        answer=list[wire.MetricInfo],
        handler=get_metric_catalogue,
        example="/metrics/catalogue",
    ),
    Endpoint(
        path="/symbols",
        group="System",
        summary="Names of the watched symbols",
        description="A plain list.",
        answer=list[str],
        handler=get_symbols,
        example="/symbols",
    ),
    Endpoint(
        path="/health",
        group="System",
        summary="Whether the process and its parts work",
        description="For supervisors: 200 when ok or starting, 503 when degraded, with the problems named.",
        answer=wire.Health,
        handler=get_health,
        example="/health",
        status=lambda answer: 503 if answer.status == "degraded" else 200,
        other_statuses=((503, "Degraded"),),
    ),
    Endpoint(
        path="/status",
        group="System",
        summary="What runs, how fast and how late",
        description="Source, connection, rates, lag, queue depths, rejected frames, clients.",
        answer=wire.Status,
        handler=get_status,
        example="/status",
    ),
    Endpoint(
        path="/status/tape",
        group="System",
        summary="What the tape holds and what it lacks",
        description="For each symbol the first and last id, how many trades, and every gap with its reason and what"
        " keeps it open; how far the back-fill is and what it may spend; bytes on the disk.",
        answer=wire.TapeStatus,
        handler=get_tape,
        example="/status/tape",
        reads_disk=True,
    ),
    Endpoint(
        path="/config",
        group="System",
        summary="What a dashboard needs once",
        description="Symbols with their price steps, pairs, kept intervals and defaults.",
        answer=wire.Config,
        handler=get_config,
        example="/config",
    ),
)
