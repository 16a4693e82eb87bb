"""The hub of the WebSocket: clients, topics, and who is told what when. Knows no web framework and owns no socket."""

from __future__ import annotations

import asyncio
import itertools
import json
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Literal

import msgspec
import structlog

from pairscope.analytics.estimators.terms import Terms
from pairscope.api import wire
from pairscope.api.alert_topic import AlertFeed, AlertsTopic
from pairscope.api.body import with_choices
from pairscope.api.changes import PairChanges, SymbolChanges, Telling
from pairscope.api.errors import Busy, error_body, internal_error
from pairscope.api.jobs import JobsTopic
from pairscope.api.mailbox import Mailbox
from pairscope.api.market_topics import PairTopic, SymbolTopic
from pairscope.api.parameters import MOST_ROWS
from pairscope.api.query import read_kept_interval
from pairscope.api.topics import StatusTopic, Topic, Touched, encode
from pairscope.base.clock import Clock, now_ms
from pairscope.base.errors import PairscopeError, RequestError, UnknownName
from pairscope.base.interval import Interval
from pairscope.base.model import BarArray, take_bars
from pairscope.base.reading import read_integer, read_window
from pairscope.jobs.queue import Jobs
from pairscope.live.kernels import Part, part_of_pair
from pairscope.live.market import Market
from pairscope.live.span import PairKey, Span
from pairscope.live.verdicts import Verdicts

log = structlog.get_logger()

Updates = Literal["whole", "changes"]
TICK_S = 0.02
STATUS, JOBS, ALERTS = "status", "jobs", "alerts"
OF_SYSTEM = (STATUS, JOBS, ALERTS)  # need no market, and have one form
TOPIC_FORMS = (
    "status, jobs, alerts, symbol:{SYMBOL}:{interval} or pair:{Y}:{X}:{interval}:{window}:{method}, after which may"
    " stand :prices=level and :intercept=false"
)


@dataclass(frozen=True, slots=True)
class ClientLimits:
    """What a client may ask for, and how long things are held."""

    clients: int = 200
    topics: int = 500
    topics_per_client: int = 50
    message_characters: int = 4_096
    bad_messages: int = 100
    waiting_messages: int = 2_000  # that must not be lost; beyond them a client is cut off
    waiting_characters: int = 16_000_000
    longest_send_s: float = 3.0
    retention_s: float = 60.0  # how long a topic that nobody follows can still be resumed


@dataclass(frozen=True, slots=True)
class Also:
    """What can be told besides the market and the status, where it is there."""

    verdicts: Verdicts | None = None
    jobs: Jobs | None = None
    alerts: AlertFeed | None = None


class Follower:
    """One connection."""

    def __init__(self, mailbox: Mailbox) -> None:
        self.mailbox = mailbox
        self.topics: dict[str, Topic] = {}
        self.waiting: dict[str, wire.Subscribe] = {}  # for a part of the compiled code, by topic
        self.bad_messages = 0


class Hub:
    """Everything lives on the event loop; `run` is the only task."""

    def __init__(
        self,
        *,
        live: Market,
        status: Callable[[], wire.Status],
        clock: Clock,
        window: int,
        limits: ClientLimits = ClientLimits(),
        also: Also = Also(),
    ) -> None:
        self.limits = limits
        self._live = live
        self._status = status
        self._clock = clock
        self._window = window
        self._verdicts = also.verdicts
        self._jobs = also.jobs
        self._alerts = also.alerts
        self._numbers = itertools.count(1)  # of topics that send changes
        self._clients: set[Follower] = set()
        self._topics: dict[str, Topic] = {}
        self._left_s: dict[str, float] = {}  # topics nobody follows, and since when
        self._sent = 0
        self._conflated = 0
        self._cut_off = 0
        self._next_second_s = 0.0
        self._last_seq = 0
        live.kernels.when_ready(self._prepared)

    def counters(self) -> wire.ClientsStatus:
        return wire.ClientsStatus(
            clients=len(self._clients),
            topics=len(self._topics),
            sent=self._sent,
            conflated=self._conflated + sum(client.mailbox.conflated for client in self._clients),
            cut_off=self._cut_off,
        )

    async def run(self) -> None:
        """Follow the market until cancelled."""
        stop_listening = self._live.listen(self.on_update)
        try:
            while True:
                await asyncio.sleep(TICK_S)
                self.tick()
        finally:
            stop_listening()

    # --- clients ---

    def connect(self) -> Follower:
        """Take a client in.

        Raises:
            Busy: when there are too many.
        """
        if len(self._clients) >= self.limits.clients:
            raise Busy(f"{self.limits.clients} clients are connected", cure="close a page, or try again later")
        client = Follower(Mailbox(self.limits.waiting_messages, self.limits.waiting_characters))
        self._clients.add(client)
        return client

    def disconnect(self, client: Follower) -> None:
        """Let a client go; its topics are kept for a while, so that it can resume."""
        for name in list(client.topics):
            self._leave(client, name)
        client.waiting.clear()
        self._clients.discard(client)
        self._conflated += client.mailbox.conflated

    def count_sent(self) -> None:
        self._sent += 1

    def count_cut_off(self) -> None:
        self._cut_off += 1

    def receive(self, client: Follower, text: str | bytes) -> bool:
        """Do what a client asks; False when it has sent so much nonsense that it should be let go."""
        try:
            message = _decode(text, self.limits.message_characters)
        except PairscopeError as error:
            self._refuse(client, None, error)
        else:
            self._do(client, message)
        return client.bad_messages < self.limits.bad_messages

    def _do(self, client: Follower, message: wire.Subscribe | wire.Unsubscribe) -> None:
        try:
            if isinstance(message, wire.Subscribe):
                self._subscribe(client, message)
            else:
                self._unsubscribe(client, message)
        except PairscopeError as error:
            self._refuse(client, message.topic[:200], error)

    def _refuse(self, client: Follower, topic: str | None, error: PairscopeError) -> None:
        client.bad_messages += 1
        client.mailbox.post(topic or "", encode(wire.ErrorMessage(topic=topic, error=error_body(error))))

    def _subscribe(self, client: Follower, message: wire.Subscribe) -> None:
        read_integer("limit", str(message.limit), 1, MOST_ROWS)
        if client.mailbox.crowded:
            raise Busy("too much waits to be read", cure="read the messages, then subscribe again")
        name, build = self._read_topic(message.topic, message.updates)
        key = _key(name, message.updates)
        topic = self._topics.get(key)
        followed = {*client.topics, *client.waiting}
        if name not in followed and len(followed) >= self.limits.topics_per_client:
            raise Busy(f"{len(followed)} topics are followed", cure="unsubscribe from one first", code="too_many")
        if name not in OF_SYSTEM and not self._live.has(_part_of(name)):
            client.waiting[name] = message
            client.mailbox.keep(name, "preparing", encode(wire.Preparing(topic=name)))
            return
        if topic is None:
            if len(self._topics) >= self.limits.topics:
                raise Busy("too many topics are followed", cure="try again in a minute")
            topic = build()
            topic.key = key
        if client.topics.get(name, topic) is not topic:
            self._leave(client, name)  # it was followed in the other form
        self._topics[key] = client.topics[name] = topic
        self._left_s.pop(key, None)
        self._guarded(topic, partial(topic.add, client, message.limit, message.since))

    def _unsubscribe(self, client: Follower, message: wire.Unsubscribe) -> None:
        name, _ = self._read_topic(message.topic)
        client.waiting.pop(name, None)
        if name in client.topics:
            self._leave(client, name)

    def _prepared(self) -> None:
        """One more part of the compiled code is there: what waited for it begins."""
        for client in self._clients:
            for name, message in list(client.waiting.items()):
                if self._live.has(_part_of(name)):
                    del client.waiting[name]
                    self._do(client, message)

    def _leave(self, client: Follower, name: str) -> None:
        topic = client.topics.pop(name)
        topic.remove(client)
        if not topic.clients:
            self._left_s[topic.key] = self._clock.monotonic_s()

    # --- topics ---

    def _read_topic(self, text: str, updates: Updates = "whole") -> tuple[str, Callable[[], Topic]]:
        """A topic's own spelling and the way to make it.

        Raises:
            RequestError: when nothing of that name can be followed.
        """
        match text.strip().split(":"):
            case ["status"]:
                return STATUS, lambda: StatusTopic(STATUS, self._first_seq(), self.status_now)
            case ["jobs"] if (jobs := self._jobs) is not None:
                return JOBS, lambda: JobsTopic(JOBS, self._first_seq(), jobs)
            case ["alerts"] if (alerts := self._alerts) is not None:
                return ALERTS, lambda: AlertsTopic(ALERTS, self._first_seq(), alerts)
            case ["symbol", symbol_text, interval_text]:
                symbol, interval = self._symbol(symbol_text), self._interval(interval_text)
                name = f"symbol:{symbol}:{interval}"
                return name, partial(self._symbol_topic, name, symbol, interval, updates)
            case ["pair", y_text, x_text, interval_text, window_text, method, *parts]:
                y, x, interval = self._symbol(y_text), self._symbol(x_text), self._interval(interval_text)
                window = read_window("window", window_text.strip(), interval)
                terms = Terms.read_parts(method, parts)
                if x == y:
                    raise RequestError("a pair needs two different symbols", cure="name another", code="same_symbol")
                name = ":".join(["pair", y, x, str(interval), str(window), *terms.parts])
                return name, partial(self._pair_topic, name, PairKey(y, x, interval, window, terms), updates)
        raise UnknownName(f"no topic '{text[:80]}'", cure=f"write {TOPIC_FORMS}", code="unknown_topic")

    def _symbol_topic(self, name: str, symbol: str, interval: Interval, updates: Updates) -> Topic:
        about = (name, self._first_seq(), self._live, symbol, Span(interval, self._window))
        return SymbolTopic(*about) if updates == "whole" else SymbolChanges(*about, self._telling())

    def _pair_topic(self, name: str, key: PairKey, updates: Updates) -> Topic:
        about = (name, self._first_seq(), self._live, key)
        return PairTopic(*about) if updates == "whole" else PairChanges(*about, self._telling())

    def _telling(self) -> Telling:
        return Telling(next(self._numbers), self._clock, self._verdicts)

    def _symbol(self, text: str) -> str:
        return self._live.symbols.name(self._live.symbols.index(text))

    def _interval(self, text: str) -> Interval:
        return read_kept_interval(text, self._live.intervals)

    def _first_seq(self) -> int:
        """The time in microseconds: above every number of an earlier topic, whatever process it was of.

        A topic has less than one message a microsecond, so that its numbers stay behind the clock; and a browser
        reads them exactly until the year 2255.
        """
        self._last_seq = max(self._last_seq + 1, self._clock.now_ns() // 1_000)
        return self._last_seq

    def status_now(self) -> wire.Status:
        """The status with the counters only the hub knows."""
        return msgspec.structs.replace(self._status(), clients=self.counters())

    # --- what happens ---

    def on_update(self, bars: BarArray) -> None:
        """Tell the topics of the bars that a flush touched."""
        if not self._topics:
            return
        touched = _by_series(bars, self._live)
        now_s = self._clock.monotonic_s()
        for topic in list(self._topics.values()):
            self._guarded(topic, partial(topic.on_bars, touched))
            self._guarded(topic, partial(topic.pump, now_s))

    def tick(self) -> None:
        """What is due by time: open bars that wait, pings, status, topics nobody resumed."""
        now_s = self._clock.monotonic_s()
        for topic in list(self._topics.values()):
            self._guarded(topic, partial(topic.pump, now_s))
        if now_s < self._next_second_s:
            return
        self._next_second_s = now_s + 1.0
        ping = encode(wire.Ping(now_ms=now_ms(self._clock)))
        for client in self._clients:
            client.mailbox.keep("", "ping", ping)
        for name, left_s in list(self._left_s.items()):
            if now_s - left_s >= self.limits.retention_s:
                del self._left_s[name]
                del self._topics[name]

    def _guarded(self, topic: Topic, work: Callable[[], None]) -> None:
        """The edge of a topic: when one fails, the feed and the other topics go on."""
        if topic.key not in self._topics:
            return
        try:
            work()
        except Exception:
            log.exception("topic_failed", topic=topic.name)
            del self._topics[topic.key]
            self._left_s.pop(topic.key, None)
            topic.end()
            message = encode(wire.ErrorMessage(topic=topic.name, error=error_body(internal_error())))
            for client in [one for one in self._clients if one.topics.get(topic.name) is topic]:
                del client.topics[topic.name]
                client.mailbox.forget(topic.name)
                client.mailbox.post(topic.name, message)


def _each_once(pairs: list[tuple[str, object]]) -> None:
    """Refuse what msgspec would pass over: the same key twice."""
    keys = [key for key, _ in pairs]
    for key in keys:
        if keys.count(key) > 1:
            raise RequestError(f"'{key[:40]}' is given more than once", cure="give it once")


def _key(name: str, updates: Updates) -> str:
    """A topic has its own numbers in each form in which it is told."""
    return name if updates == "whole" or name in OF_SYSTEM else f"{name} {updates}"


def _part_of(name: str) -> Part:
    """The part of the compiled code that a topic needs."""
    kind, *rest = name.split(":")
    return part_of_pair(Terms.read_parts(rest[4], rest[5:])) if kind == "pair" else "symbols"


_decoder: msgspec.json.Decoder[wire.Subscribe | wire.Unsubscribe] = msgspec.json.Decoder(wire.ClientMessage)


def _decode(text: str | bytes, most: int) -> wire.Subscribe | wire.Unsubscribe:
    if len(text) > most:
        raise RequestError(f"a message of {len(text):,} characters", cure=f"send at most {most:,}", code="too_long")
    try:
        json.loads(text, object_pairs_hook=_each_once)
        return _decoder.decode(text)
    except (msgspec.DecodeError, ValueError, RecursionError) as error:
        cure = 'send {"op": "sub", "topic": "status"} or {"op": "unsub", "topic": "status"}'
        why = with_choices(error, wire.ClientMessage)
        raise RequestError(f"the message cannot be read: {why}", cure=cure, code="bad_message") from None


def _by_series(bars: BarArray, live: Market) -> Touched:
    """Touched bars by symbol and interval."""
    rows: dict[tuple[int, int], list[int]] = {}
    for row, key in enumerate(zip(bars["symbol_id"].tolist(), bars["interval_ms"].tolist(), strict=True)):
        rows.setdefault(key, []).append(row)
    return {(live.symbols.name(symbol), Interval(ms)): take_bars(bars, chosen) for (symbol, ms), chosen in rows.items()}
