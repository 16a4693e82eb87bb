"""Where trades come from: the exchange itself, or the simulated one on loopback. The client is the same.

`plan_source` decides and looks at what there is; `open_source` makes it run once the tape is open, because a
replay goes on where the tape ends.
"""

from __future__ import annotations

import asyncio
import contextlib
import re
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from itertools import islice
from typing import Literal
from urllib.parse import urlsplit

import msgspec
import structlog

from pairscope.base.clock import Clock, now_ms
from pairscope.base.errors import FeedUnavailable, RecordingError, SettingsError
from pairscope.base.model import Instrument, TradeKind
from pairscope.base.naming import nearest_symbol
from pairscope.base.reading import ascii_upper
from pairscope.base.settings import Settings, live_folder
from pairscope.feed.access import Access
from pairscope.feed.binance.budget import WeightBudget
from pairscope.feed.binance.protocol import stream_name
from pairscope.feed.binance.rest import BinanceRest
from pairscope.feed.binance.simulator.exchange import SimulatedExchange
from pairscope.feed.binance.simulator.listing import HISTORY_MINUTES, OPENING, WEIGHT_PER_MINUTE
from pairscope.feed.binance.simulator.market import SimulatedMarket
from pairscope.feed.binance.simulator.replay import RecordingSource
from pairscope.feed.binance.simulator.source import MarketSource
from pairscope.feed.recording import read_frames

log = structlog.get_logger()

PROBE_S = 3.0
LOOK_AHEAD = 20_000  # frames of a recording read to learn what it holds
BINANCE = (".binance.com", ".binancefuture.com")  # with its test net
SourceKind = Literal["live", "simulator", "replay", "tape"]


@dataclass(frozen=True, slots=True)
class Gone:
    """A symbol that was asked for and is not listed: misspelt, or listed no more."""

    symbol: str
    guess: str | None  # the nearest name that is listed

    def __str__(self) -> str:
        return f"{self.symbol} is not listed" + (f" (nearest name: {self.guess})" if self.guess else "")


@dataclass(frozen=True, slots=True)
class Opening:
    """A pair, an interval and a window that are worth looking at first."""

    y: str
    x: str
    interval: str
    window: int


@dataclass(frozen=True, slots=True)
class SourcePlan:
    """What was decided, before anything runs."""

    kind: SourceKind
    label: str
    folder: str  # of its tape, below the data folder: simulated trades never mix with real ones
    trade_kind: TradeKind
    symbols: tuple[str, ...]
    pairs: tuple[tuple[str, str], ...]
    banner: str | None = None
    reason: str | None = None
    detail: str | None = None
    instruments: Mapping[str, Instrument] | None = None
    budget: WeightBudget | None = None  # of the requests that were made to decide
    access: Access | None = None
    gone: tuple[Gone, ...] = ()  # asked for, and not listed
    history_minutes: int = 0  # of trades from before the first start
    opening: Opening | None = None  # where a page begins that names nothing


@dataclass(frozen=True, slots=True)
class Source:
    """A running source: where to connect, and what the exchange says of its symbols."""

    plan: SourcePlan
    ws_url: str
    rest_url: str
    archive_url: str | None  # of the daily files, where there are any
    instruments: Mapping[str, Instrument]
    budget: WeightBudget  # of REST requests, those before the start included
    access: Access
    now_ms: Callable[[], int]  # the clock that the times of trades follow
    finished: asyncio.Event  # set when a replay has played to its end; never otherwise


async def plan_source(settings: Settings, clock: Clock) -> SourcePlan:
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
    access = Access.of(settings, clock)
    budget = WeightBudget(clock, door=access.limits.door(settings.exchange_rest_url))
    try:
        async with BinanceRest(
            settings.exchange_rest_url, clock, timeout_s=PROBE_S, budget=budget, access=access
        ) as rest:
            hasty = rest.within(PROBE_S)
            await hasty.ping()
            instruments = await hasty.instruments()
    except FeedUnavailable as error:
        # An exchange that asks us to wait is there: its stream may be heard at once.
        if must_answer and error.retry_after_s is None:
            raise
        # `--source live` never falls back: the stream keeps trying, and the page says why it is down.
        log.error("exchange_unavailable", reason=error.code, cause=error.message)
    symbols, gone = _listed(settings.symbols, instruments, exchange_name(settings))
    return SourcePlan(
        kind="live",
        label=exchange_name(settings),
        folder=live_folder(settings.trade_kind),
        trade_kind=settings.trade_kind,
        symbols=symbols,
        pairs=_pairs_of(settings, gone),
        instruments=instruments,
        budget=budget,
        access=access,
        gone=gone,
        history_minutes=settings.history_minutes,
    )


def exchange_name(settings: Settings) -> str:
    """Whom the settings speak to: Binance only where it is Binance, else the host."""
    hosts = [urlsplit(url).hostname or "" for url in (settings.exchange_ws_url, settings.exchange_rest_url)]
    if all(host.endswith(BINANCE) for host in hosts):
        return "Binance USD-M Futures"
    return f"Exchange at {' and '.join(dict.fromkeys(urlsplit(u).netloc for u in _urls(settings)))}"


def _urls(settings: Settings) -> tuple[str, str]:
    return settings.exchange_ws_url, settings.exchange_rest_url


def _plan_simulator(settings: Settings) -> SourcePlan:
    symbols, gone = _listed(settings.symbols, SimulatedMarket(settings.simulator_seed).listings, "the simulated market")
    pairs = _pairs_of(settings, gone)
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
        symbols, gone = _listed(settings.symbols, recorded, "the recording")
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
        pairs=_pairs_of(settings, gone),
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


def _listed(
    symbols: tuple[str, ...], listed: Iterable[str] | None, where: str
) -> tuple[tuple[str, ...], tuple[Gone, ...]]:
    """The symbols that are there, and those that are not; all are there where the list is not known.

    Raises:
        SettingsError: when none is left, with the nearest name as its cure.
    """
    if listed is None:
        return symbols, ()
    known = set(listed)
    gone = tuple(Gone(symbol, nearest_symbol(symbol, known)) for symbol in symbols if symbol not in known)
    left = tuple(symbol for symbol in symbols if symbol in known)
    if not left:
        missing = ", ".join(symbols[:5])
        raise SettingsError(f"{where} has no symbol {missing}", cure=cure_unlisted(symbols[0], known))
    return left, gone


def _pairs_of(settings: Settings, gone: tuple[Gone, ...]) -> tuple[tuple[str, str], ...]:
    """The pairs whose legs are both there."""
    missing = {each.symbol for each in gone}
    return tuple(pair for pair in settings.pair_list() if not missing & set(pair))


def cure_unlisted(symbol: str, listed: Iterable[str]) -> str:
    """What a person may have meant by a symbol the source does not have."""
    known = sorted(listed)
    guess = nearest_symbol(symbol, known)
    return f"did you mean {guess}?" if guess else f"it has {', '.join(known[:12])}"


@contextlib.asynccontextmanager
async def open_source(
    plan: SourcePlan, settings: Settings, clock: Clock, had: Mapping[str, int]
) -> AsyncIterator[Source]:
    """Make the plan run; `had` is the highest trade id the tape already holds, by symbol."""
    if plan.kind == "live":
        yield Source(
            plan=plan,
            ws_url=settings.exchange_ws_url,
            rest_url=settings.exchange_rest_url,
            archive_url=settings.archive_url,
            instruments=plan.instruments or {},
            budget=plan.budget or WeightBudget(clock),
            access=plan.access or Access.of(settings, clock),
            now_ms=partial(now_ms, clock),
            finished=asyncio.Event(),
        )
        return
    finished = asyncio.Event()
    if plan.kind == "replay":
        recording = RecordingSource(
            settings.replay_file,
            clock,
            speed=settings.replay_speed,
            times=settings.replay_times,
            start_after={stream_name(symbol, plan.trade_kind): last_id for symbol, last_id in had.items()},
            wait_for=[stream_name(symbol, plan.trade_kind) for symbol in plan.symbols],
        )
        finished = recording.finished
    feed = recording if plan.kind == "replay" else MarketSource(SimulatedMarket(settings.simulator_seed), clock)
    weight = WEIGHT_PER_MINUTE if plan.kind == "simulator" else 2_400
    async with SimulatedExchange(feed, clock=clock, weight_per_minute=weight) as exchange:
        async with BinanceRest(exchange.rest_url, clock) as rest:
            instruments = await rest.instruments()
        yield Source(
            plan=plan,
            ws_url=exchange.ws_url,
            rest_url=exchange.rest_url,
            archive_url=exchange.rest_url if exchange.archive else None,
            instruments=instruments,
            budget=rest.budget,
            access=Access.direct(clock),
            now_ms=recording.latest_ms if plan.kind == "replay" else partial(now_ms, clock),
            finished=finished,
        )
