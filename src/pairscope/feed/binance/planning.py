"""Where trades of this exchange come from: from itself, from a simulated one on loopback, or from a recording."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Mapping
from dataclasses import replace
from itertools import islice
from urllib.parse import urlsplit

import msgspec
import structlog

from pairscope.base.clock import Clock
from pairscope.base.errors import FeedUnavailable, RecordingError, SettingsError
from pairscope.base.instrument import Instrument
from pairscope.base.model import TradeKind
from pairscope.base.reading import ascii_upper
from pairscope.base.settings import Settings
from pairscope.feed.binance.simulator.listing import HISTORY_MINUTES, OPENING
from pairscope.feed.binance.simulator.market import SimulatedMarket
from pairscope.feed.binance.venue import BinanceVenue
from pairscope.feed.recording import read_frames
from pairscope.feed.source import Gone, Opening, SourcePlan, listed_of, live_plan, pairs_of

log = structlog.get_logger()

PROBE_S = 3.0
LOOK_AHEAD = 20_000  # frames of a recording read to learn what it holds
BINANCE = (".binance.com", ".binancefuture.com")  # with its test net


async def plan_binance(settings: Settings, clock: Clock) -> SourcePlan:
    """Decide where trades come from.

    Raises:
        SettingsError: for symbols the source does not have.
        RecordingError: for a recording that cannot be played.
    """
    match settings.source:
        case "replay":
            return await asyncio.to_thread(_plan_replay, settings)
        case "simulator":
            return _plan_simulator(settings)
        case "live":
            return await _plan_live(settings, clock)
        case "tape":
            raise SettingsError("a tape is no source of trades", cure="look at it with: pairscope run --source tape")
    try:
        return await _plan_live(settings, clock, must_answer=True)
    except FeedUnavailable as error:
        log.warning("exchange_unavailable", reason=error.code, cause=error.message)
        plan = _plan_simulator(settings)
        banner = f"Simulated market: these are not real prices. {exchange_name(settings)} could not be used."
        return replace(plan, banner=banner, reason=error.code, detail=error.message)


async def _plan_live(settings: Settings, clock: Clock, *, must_answer: bool = False) -> SourcePlan:
    instruments: Mapping[str, Instrument] | None = None
    venue = BinanceVenue.of(settings, clock)
    try:
        async with venue.rest(timeout_s=PROBE_S) as rest:
            hasty = rest.within(PROBE_S)
            await hasty.ping()
            instruments = await hasty.instruments()
    except FeedUnavailable as error:
        # An exchange that asks us to wait is there: its stream may be heard at once.
        if must_answer and error.retry_after_s is None:
            raise
        # `--source live` never falls back: the stream keeps trying, and the page says why it is down.
        log.error("exchange_unavailable", reason=error.code, cause=error.message)
    return live_plan(settings, venue, exchange_name(settings), instruments)


def exchange_name(settings: Settings) -> str:
    """Whom the settings speak to: Binance only where it is Binance, else the host."""
    hosts = [urlsplit(url).hostname or "" for url in (settings.exchange_ws_url, settings.exchange_rest_url)]
    if all(host.endswith(BINANCE) for host in hosts):
        return "Binance USD-M Futures"
    return f"Exchange at {' and '.join(dict.fromkeys(urlsplit(u).netloc for u in _urls(settings)))}"


def _urls(settings: Settings) -> tuple[str, str]:
    return settings.exchange_ws_url, settings.exchange_rest_url


def _plan_simulator(settings: Settings) -> SourcePlan:
    symbols, gone = listed_of(
        settings.symbols, SimulatedMarket(settings.simulator_seed).listings, "the simulated market"
    )
    pairs = pairs_of(settings, gone)
    asked = settings.model_fields_set
    return SourcePlan(
        kind="simulator",
        label=f"Simulated market (seed {settings.simulator_seed})",
        folder=f"simulator-{settings.simulator_seed}-{settings.trade_kind.value}",
        trade_kind=settings.trade_kind,
        symbols=symbols,
        pairs=pairs,
        gone=gone,
        history_minutes=settings.history_minutes if "history_minutes" in asked else HISTORY_MINUTES,
        opening=_opening(settings, pairs),
    )


def _opening(settings: Settings, pairs: tuple[tuple[str, str], ...]) -> Opening | None:
    """Where the simulated market shows a pair at once; none when somebody has chosen what is to be shown."""
    y, x, interval, window = OPENING
    chosen = {"window", "metric_interval"} & settings.model_fields_set
    if chosen or (y, x) not in pairs or interval not in settings.intervals:
        return None
    return Opening(y, x, interval, window)


def _plan_replay(settings: Settings) -> SourcePlan:
    kind, recorded = recorded_trades(settings)
    gone: tuple[Gone, ...] = ()
    if "symbols" in settings.model_fields_set:
        symbols, gone = listed_of(settings.symbols, recorded, "the recording")
    else:
        symbols = tuple(sorted(recorded))
        settings = Settings(**{**settings.model_dump(exclude_unset=True), "symbols": symbols})
    names = ", ".join(path.name for path in settings.replay_file)
    speed = f"{settings.replay_speed:g}×" if settings.replay_speed else "full speed"
    slug = re.sub(r"[^A-Za-z0-9]+", "-", settings.replay_file[0].name).strip("-")[:60]
    return SourcePlan(
        kind="replay",
        label=f"Replay of {names} at {speed}",
        folder=f"replay-{slug}-{kind.value}-{settings.replay_times}",
        trade_kind=kind,
        symbols=symbols,
        pairs=pairs_of(settings, gone),
        gone=gone,
    )


class _Shape(msgspec.Struct):
    """What tells the stream of a recorded frame, wrapped or raw."""

    stream: str | None = None
    e: str = ""
    s: str = ""


def recorded_trades(settings: Settings) -> tuple[TradeKind, set[str]]:
    """The kind of trades a recording holds, and of which symbols; aggregated ones when it has both.

    Raises:
        RecordingError: when the recording cannot be read or has no trades near its start.
    """
    shape = msgspec.json.Decoder(_Shape).decode
    found: dict[str, set[str]] = {kind.value: set() for kind in TradeKind}
    for frame in islice(read_frames(settings.replay_file), LOOK_AHEAD):
        told = shape(frame.payload)
        symbol, _, stream = (told.stream or f"{told.s}@{told.e}").partition("@")
        if stream in found:
            found[stream].add(ascii_upper(symbol))
    for kind in (settings.trade_kind, *TradeKind):
        if found[kind.value]:
            return kind, found[kind.value]
    raise RecordingError(
        f"no trades among the first {LOOK_AHEAD} frames of {settings.replay_file[0]}",
        cure="record @aggTrade or @trade streams",
    )
