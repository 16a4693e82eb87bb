"""A start: the tape, the symbols that are watched and the source of trades, opened for a set of settings."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from functools import partial

from pairscope.base.clock import Clock
from pairscope.base.settings import Settings
from pairscope.base.threads import apart, opened_apart
from pairscope.feed.source import Source
from pairscope.feed.venues import VENUES, Venues, open_source, plan_source
from pairscope.ingest.read_only import find_tape, plan_tape, tape_source
from pairscope.ingest.replayed import clear_replayed
from pairscope.ingest.watch_list import WatchList
from pairscope.store.read_only import ReadOnlyTape
from pairscope.store.tape import Tape

DATABASE_MB = 64  # DuckDB spills to disk beyond it


@dataclass(frozen=True, slots=True)
class Ground:
    """What everything that runs stands on."""

    settings: Settings
    clock: Clock
    source: Source
    tape: Tape
    watched: WatchList


@contextlib.asynccontextmanager
async def open_ground(settings: Settings, clock: Clock, venues: Venues = VENUES) -> AsyncIterator[Ground]:
    """Open the tape and the source; both are closed again whatever happens."""
    if settings.source == "tape":
        async with _looked_at(settings, clock) as ground:
            yield ground
        return
    plan = await plan_source(settings, clock, venues)
    path = settings.tape_path(plan.folder)
    if plan.kind == "replay":
        clear_replayed(path)
    opening = partial(
        Tape.open,
        path,
        kind=plan.trade_kind,
        clock=clock,
        commit_ms=settings.commit_ms,
        queue_rows=settings.queue_rows,
        memory_limit_mb=DATABASE_MB,
        keep_data_days=settings.keep_data_days,
        keep_bar_days=settings.keep_bar_days,
        keep_imported_days=settings.keep_imported_days,
        most_disk_bytes=None if settings.most_disk_gb is None else round(settings.most_disk_gb * 1e9),
    )
    tape = await opened_apart(opening, Tape.close)
    try:
        pairs = plan.pairs if settings.pairs else ()
        asked = settings.symbols if plan.gone else plan.symbols
        watched = WatchList(path, plan.symbols, pairs, settings.most_symbols, asked, settings.most_pairs)
        watched.read(plan.instruments or ())
        plan = replace(plan, symbols=watched.symbols, pairs=watched.pairs)
        heads = await asyncio.to_thread(tape.last_trades)
        had = {tape.symbols.name(symbol_id): last_id for symbol_id, (last_id, _) in heads.items()}
        async with open_source(plan, settings, clock, had, venues) as source:
            yield Ground(settings, clock, source, tape, watched)
    finally:
        await apart(tape.close)


@contextlib.asynccontextmanager
async def _looked_at(settings: Settings, clock: Clock) -> AsyncIterator[Ground]:
    look = partial(ReadOnlyTape.look, find_tape(settings), clock=clock, memory_limit_mb=DATABASE_MB)
    tape = await opened_apart(look, ReadOnlyTape.close)
    try:
        plan, settings = await asyncio.to_thread(plan_tape, settings, tape)
        pairs = plan.pairs if settings.pairs else ()
        watched = WatchList(tape.path, plan.symbols, pairs, settings.most_symbols, (), settings.most_pairs)
        yield Ground(settings, clock, tape_source(plan, clock), tape, watched)
    finally:
        await apart(tape.close)
