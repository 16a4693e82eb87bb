"""Every address of the REST API and what it answers."""

from __future__ import annotations

import msgspec

from pairscope.api import wire
from pairscope.api.alert_channels import ALERT_CHANNELS
from pairscope.api.alert_history import ALERT_HISTORY
from pairscope.api.alert_mutes import ALERT_MUTES
from pairscope.api.alert_rules import ALERT_RULES
from pairscope.api.alert_short import SHORT_ALERTS
from pairscope.api.analytics import ANALYTICS
from pairscope.api.columns import bar_columns, trade_columns
from pairscope.api.endpoint import Context, Endpoint
from pairscope.api.jobs import JOBS
from pairscope.api.parameters import (
    FROM,
    INTERVAL,
    SOURCE,
    STORED,
    SYMBOL,
    SYMBOL_IN_PATH,
    TIMEFRAME_IN_PATH,
    TO,
    limit_of,
)
from pairscope.api.query import Query
from pairscope.base.interval import Interval
from pairscope.base.model import BarArray, BarSource

# --- the running system -----------------------------------------------------------------------------


async def get_health(context: Context, query: Query) -> wire.Health:
    return context.rooms.board.health()


async def get_status(context: Context, query: Query) -> wire.Status:
    return context.status()


async def get_tape(context: Context, query: Query) -> wire.TapeStatus:
    async with context.gates.disk.turn():
        return await context.live.reads.run(lambda _: context.rooms.board.tape())


async def get_config(context: Context, query: Query) -> wire.Config:
    return context.rooms.board.config()


async def get_symbols(context: Context, query: Query) -> list[str]:
    return [info.symbol for info in context.rooms.board.config().symbols]


async def put_symbol(context: Context, query: Query) -> wire.SymbolsWatched:
    await context.rooms.watched.add(query.needed("symbol", "name one in the path"))
    return _watched(context)


async def delete_symbol(context: Context, query: Query) -> wire.SymbolsWatched:
    await context.rooms.watched.remove(query.needed("symbol", "name one in the path"))
    return _watched(context)


def _watched(context: Context) -> wire.SymbolsWatched:
    config = context.rooms.board.config()
    return wire.SymbolsWatched(
        symbols=[info.symbol for info in config.symbols],
        pairs=config.pairs,
        most_symbols=context.settings.most_symbols,
    )


# --- bars and trades --------------------------------------------------------------------------------


async def get_ohlc(context: Context, query: Query) -> msgspec.Raw:
    live = context.live
    symbol = query.symbol("symbol", live.symbols)
    stored = query.flag("stored")
    read_interval, read = (query.kept_interval, _stored_bars) if stored else (query.interval, _bars)
    interval = read_interval("interval", context.settings.metric_interval, live.intervals)
    limit = query.integer("limit")
    source = query.choice("source")
    bars = await read(context, symbol, interval, query.time_ms("from"), query.time_ms("to"), limit)
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
    async with context.gates.disk.turn():
        return await context.live.history(symbol, interval, from_ms, to_ms, limit)


async def _stored_bars(
    context: Context, symbol: str, interval: Interval, from_ms: int | None, to_ms: int | None, limit: int
) -> BarArray:
    async with context.gates.disk.turn():
        return await context.live.reads.run(
            lambda _: context.store.bars(symbol, interval, from_ms=from_ms, to_ms=to_ms, limit=limit, newest=True)
        )


async def get_latest_trades(context: Context, query: Query) -> wire.LatestTrades:
    symbol = query.symbol("symbol", context.live.symbols)
    limit = query.integer("limit")
    async with context.gates.disk.turn():
        trades = await context.live.reads.run(lambda _: context.store.trades(symbol, limit=limit, newest=True))
    return wire.LatestTrades(symbol=symbol, trades=trade_columns(trades))


# --- the table --------------------------------------------------------------------------------------

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
        parameters=(SYMBOL, INTERVAL, FROM, TO, limit_of(1000), SOURCE, STORED),
    ),
    Endpoint(
        path="/ohlc/{symbol}/{interval}",
        group="Bars and trades",
        summary="Bars of a symbol, by path",
        description="The same as /ohlc.",
        answer=wire.Ohlc,
        handler=get_ohlc_of,
        example="/ohlc/BTCUSDT/1m?limit=100",
        parameters=(SYMBOL_IN_PATH, TIMEFRAME_IN_PATH, FROM, TO, limit_of(1000), SOURCE, STORED),
    ),
    Endpoint(
        path="/ticks/latest",
        group="Bars and trades",
        summary="The newest trades of a symbol",
        description="Trades on the tape as columns of equal length, oldest first.",
        answer=wire.LatestTrades,
        handler=get_latest_trades,
        example="/ticks/latest?symbol=BTCUSDT&limit=50",
        parameters=(SYMBOL, limit_of(100)),
    ),
    *ANALYTICS,
    *JOBS,
    *ALERT_RULES,
    *ALERT_MUTES,
    *ALERT_HISTORY,
    *ALERT_CHANNELS,
    *SHORT_ALERTS,
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
        path="/symbols/{symbol}",
        group="System",
        summary="Watch one more symbol",
        description="From now on, and after every later start with the same settings; the others lose nothing. Without"
        " explicit pairs in the settings it is paired with all others. Asking again changes nothing.",
        answer=wire.SymbolsWatched,
        handler=put_symbol,
        example="/symbols/SOLUSDT",
        parameters=(SYMBOL_IN_PATH,),
        writes_disk=True,
        may_be_refused=True,
        method="PUT",
    ),
    Endpoint(
        path="/symbols/{symbol}",
        group="System",
        summary="Watch a symbol no longer",
        description="Its tape stays; the others lose nothing. Refused for the last symbol, and for one that a pair of"
        " the settings needs.",
        answer=wire.SymbolsWatched,
        handler=delete_symbol,
        example="/symbols/SOLUSDT",
        parameters=(SYMBOL_IN_PATH,),
        writes_disk=True,
        may_be_refused=True,
        method="DELETE",
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
