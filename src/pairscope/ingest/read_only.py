"""``--source tape``: which tape is looked at, what of it is shown, and a source from which nothing comes."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any, NoReturn

import numpy as np

from pairscope.base.clock import Clock, now_ms
from pairscope.base.errors import SettingsError
from pairscope.base.instrument import ContractKind, Instrument
from pairscope.base.naming import LISTED_QUOTES, assets_of, ends_on_a_day
from pairscope.base.reading import utc_text
from pairscope.base.settings import Settings, live_folder
from pairscope.base.symbol import ALLOWED, is_symbol
from pairscope.feed.source import Source, SourcePlan, cure_unlisted
from pairscope.feed.venues import nowhere
from pairscope.ingest.watch_list import WatchRefused
from pairscope.store.extents import Extent
from pairscope.store.read_only import ReadOnlyTape

TAPE_FILE = "tape.duckdb"
MOST_NAMED = 8
CLOSES_LOOKED_AT = 500  # of a symbol, to learn in which steps its price moves
MOST_DECIMALS = 8
BEGIN = "import files: pairscope import FILE; or record the market: pairscope run"


def find_tape(settings: Settings) -> Path:
    """The tape that is meant: the one named, else that of the real market, else the only one there is.

    Raises:
        SettingsError: when there is none, or when there are several and none is meant more than the others.
    """
    place = settings.tape or settings.database_path
    if place is not None and place.is_file():
        return place
    folder = place or settings.data_dir
    if settings.tape is None and settings.database_path is not None:
        raise SettingsError(f"there is no tape {folder}", cure=f"check --database-path, or {BEGIN}")
    if (folder / TAPE_FILE).is_file():
        return folder / TAPE_FILE
    meant = folder / live_folder(settings.trade_kind) / TAPE_FILE
    if meant.is_file():
        return meant
    found = sorted(folder.glob(f"*/{TAPE_FILE}"))
    if not found:
        flag = "--source tape PATH" if settings.tape else "--data-dir"
        raise SettingsError(f"there is no tape in {folder}", cure=f"check {flag}, or {BEGIN}")
    if len(found) > 1:
        names = ", ".join(path.parent.name for path in found[:MOST_NAMED])
        raise SettingsError(
            f"there are {len(found)} tapes in {folder}: {names}", cure=f"name one: --source tape {found[0].parent}"
        )
    return found[0]


def plan_tape(settings: Settings, store: ReadOnlyTape) -> tuple[SourcePlan, Settings]:
    """What of a tape is shown, and the settings with its symbols and intervals. Reads the disk: for a thread.

    Raises:
        SettingsError: when the tape is empty, or has not what the settings name.
    """
    extents = {store.symbols.name(symbol_id): each for symbol_id, each in store.extents().items()}
    if not extents:
        raise SettingsError(f"the tape {store.path} holds no trade and no bar yet", cure=BEGIN)
    unnamed = [symbol for symbol in extents if not is_symbol(symbol)]  # released versions allowed more
    symbols = _symbols(settings, {symbol: each for symbol, each in extents.items() if symbol not in unnamed})
    given: dict[str, Any] = settings.model_dump(exclude_unset=True)
    given |= {"symbols": symbols, **_intervals(settings, [extents[symbol] for symbol in symbols])}
    settings = Settings(**given)
    until = utc_text(max(extents[symbol].newest_ms for symbol in symbols) // 1_000 * 1_000)
    plan = SourcePlan(
        kind="tape",
        label="Tape (nothing is received)",
        folder=store.path.parent.name,
        trade_kind=store.kind,
        symbols=symbols,
        pairs=tuple(settings.pair_list()),
        banner=f"A tape is looked at: nothing is received, and nothing is written to it. It ends at {until}."
        + _left_out(unnamed),
        detail=f"{store.path}",
        instruments={symbol: _instrument(store, symbol, extents[symbol]) for symbol in symbols},
    )
    return plan, settings


def _symbols(settings: Settings, extents: dict[str, Extent]) -> tuple[str, ...]:
    """Those that are named, else all, and of too many those whose data reach furthest, and are most."""
    if not extents:
        raise SettingsError("the tape holds no symbol that can be asked for", cure=ALLOWED)
    if "symbols" in settings.model_fields_set:
        for symbol in settings.symbols:
            if symbol not in extents:
                raise SettingsError(f"the tape has nothing of {symbol}", cure=cure_unlisted(symbol, extents))
        return settings.symbols
    ranked = sorted(extents, key=lambda symbol: (-extents[symbol].newest_ms, -extents[symbol].rows))
    chosen = set(ranked[: settings.most_symbols])
    return tuple(symbol for symbol in extents if symbol in chosen)


def _left_out(unnamed: Sequence[str]) -> str:
    """What is said of symbols that cannot be asked for."""
    if not unnamed:
        return ""
    more = f" and {len(unnamed) - MOST_NAMED} more" if len(unnamed) > MOST_NAMED else ""
    return f" Not shown: {', '.join(unnamed[:MOST_NAMED])}{more}, for a symbol is letters, digits and _ now."


def _intervals(settings: Settings, extents: Sequence[Extent]) -> dict[str, Any]:
    """The intervals of the bars there are, and for metrics the finest one that most symbols have."""
    counts = Counter(interval for each in extents for interval in each.intervals)
    if not counts or "intervals" in settings.model_fields_set:
        return {}
    asked = settings.metric_interval if "metric_interval" in settings.model_fields_set else None
    finest = min(counts, key=lambda interval: (-counts[interval], interval.ms))
    kept = {str(interval) for interval in counts} | ({asked} if asked else set())
    return {"intervals": tuple(kept), "metric_interval": asked or str(finest)}


def _instrument(store: ReadOnlyTape, symbol: str, extent: Extent) -> Instrument:
    """Steps as the newest prices show them, assets as the name does: a tape does not say what the exchange lists."""
    if extent.intervals:
        prices = store.bars(symbol, extent.intervals[0], limit=CLOSES_LOOKED_AT, newest=True)["close"]
    else:
        prices = store.trades(symbol, limit=CLOSES_LOOKED_AT, newest=True).price
    base, quote = assets_of(symbol, LISTED_QUOTES)
    tick_size = tick_of(prices.tolist())
    kind = ContractKind.FUTURE if ends_on_a_day(symbol) else ContractKind.PERPETUAL
    return Instrument(symbol, tick_size, 0.001, base=base if quote else None, quote=quote or None, kind=kind)


def tick_of(prices: Sequence[float]) -> float:
    """The decimal step that all prices are multiples of.

    >>> tick_of([0.1234, 0.12]), tick_of([50_000.0, 50_000.1]), tick_of([])
    (0.0001, 0.1, 0.01)
    """
    if not prices:
        return 0.01
    digits = (
        np.format_float_positional(price, precision=MOST_DECIMALS, trim="-").partition(".")[2] for price in prices
    )
    return float(f"1e-{max(len(each) for each in digits)}")


def tape_source(plan: SourcePlan, clock: Clock) -> Source:
    """A source that is nowhere, and never begins."""
    return Source(
        plan=plan,
        venue=nowhere(plan.trade_kind, clock),
        instruments=plan.instruments or {},
        now_ms=partial(now_ms, clock),
        finished=asyncio.Event(),
    )


async def refuse_to_watch(symbol: str) -> NoReturn:
    """Symbols of a tape that is looked at are those that were chosen at the start."""
    raise WatchRefused(
        "a tape is looked at: nothing is received, and its symbols cannot be changed",
        cure="start pairscope with --symbols to choose others of the tape, or without --source tape to watch a market",
    )
