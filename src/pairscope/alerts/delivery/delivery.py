"""Sends what the outbox holds: one task for each channel, so that none waits for another."""

from __future__ import annotations

import asyncio
import traceback
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, ClassVar, Protocol, TypeVar

import msgspec
import structlog

from pairscope.alerts.delivery.addresses import Destinations
from pairscope.alerts.delivery.channel import Mail, Service, Webhook, read_url
from pairscope.alerts.delivery.channels import Channels, ChannelView, Note
from pairscope.alerts.delivery.heartbeat import Heartbeat, HeartbeatStatus
from pairscope.alerts.delivery.letter import Letter, LetterView
from pairscope.alerts.delivery.letters import Letters
from pairscope.alerts.delivery.mail import MailSender
from pairscope.alerts.delivery.outcome import Outcome
from pairscope.alerts.delivery.rate import SendingRate
from pairscope.alerts.delivery.secret import FOLDER, Secrets
from pairscope.alerts.delivery.service import ServiceSender
from pairscope.alerts.delivery.webhook import Poster, WebhookSender
from pairscope.alerts.outbox import Notice
from pairscope.base import chance
from pairscope.base.clock import Clock, now_ms
from pairscope.base.errors import DataFolderError, Meanings, PairscopeError
from pairscope.base.settings import Settings
from pairscope.base.tasks import comes, end, over
from pairscope.store.state import State

log = structlog.get_logger()
T = TypeVar("T")

PER_MINUTE = 20  # of one channel
ATTEMPT_S = 60.0  # whatever a sender's own limits are
LOOK_S = 60.0  # also without being woken: another process may have written, or the clock was set
AGAIN_S = 5.0  # after the state database could not be written
FORGET_S = 3_600.0
LETTERS_TOLD = 100


class Sender(Protocol):
    """Sends a letter once, and tells what came of it."""

    async def send(self, letter: Letter) -> Outcome: ...


class ChannelBusy(PairscopeError):
    """As many messages went to a channel as may within a minute."""

    code = "channel_busy"
    http_status = 503
    retry_after_s = 60.0
    meanings: ClassVar[Meanings] = {
        "channel_busy": (f"{PER_MINUTE} messages went to the channel within the last minute", "try again in a minute")
    }


class Tried(msgspec.Struct, frozen=True):
    """What came of a test: ``error`` is None when it was accepted."""

    error: str | None
    took_ms: int


@dataclass(frozen=True, slots=True)
class DeliveryStatus:
    """What waits, what was given up and what was done since the start."""

    channels: list[ChannelView]
    on_their_way: int
    sent: int
    failed: int  # attempts
    heartbeat: HeartbeatStatus | None


class Delivery:
    """Runs until cancelled; lives on the event loop."""

    def __init__(
        self,
        letters: Letters,
        channels: Channels,
        senders: Mapping[type, Sender],
        clock: Clock,
        *,
        heartbeat: Heartbeat | None = None,
        per_minute: int = PER_MINUTE,
    ) -> None:
        self.channels = channels
        self._letters = letters
        self._senders = senders
        self._clock = clock
        self._heartbeat = heartbeat
        self._per_minute = per_minute
        self._rates: dict[str, SendingRate] = {}
        self._news: dict[str, asyncio.Event] = {}  # of the channels that a task works for
        self._woken = asyncio.Event()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._disk: ThreadPoolExecutor | None = None
        self._on_their_way = self._sent = self._failed = 0

    def status(self) -> DeliveryStatus:
        """Counts of the outbox and of this run; it takes a moment, for it reads the state database."""
        heartbeat = self._heartbeat.status() if self._heartbeat else None
        return DeliveryStatus(self.channels.views(), self._on_their_way, self._sent, self._failed, heartbeat)

    def wake(self) -> None:
        """Something was written to the outbox or to the book of channels; from any thread, after the commit."""
        if self._loop is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._woken.set)

    async def run(self) -> None:
        """Send what waits, until cancelled; what is on its way then goes out again, with the same id."""
        self._loop = asyncio.get_running_loop()
        # One thread for the database: a commit waits for the disk, and the loop must not.
        self._disk = ThreadPoolExecutor(1, "outbox")
        tasks: dict[str, asyncio.Task[None]] = {}
        beside = [asyncio.create_task(self._forget())]
        if self._heartbeat is not None:
            beside.append(asyncio.create_task(self._heartbeat.run()))
        try:
            await self._written(self._letters.begin)
            while True:
                self._woken.clear()
                for name in await self._written(self._letters.channels):
                    if name not in tasks or tasks[name].done():
                        self._news[name] = asyncio.Event()
                        tasks[name] = asyncio.create_task(self._work(name))
                    self._news[name].set()
                for task in beside:
                    if task.done():
                        task.result()  # they go on until cancelled: whoever runs this is to know of a fault
                await comes(self._woken, LOOK_S)
        finally:
            self._loop = None
            await end(*tasks.values(), *beside)
            self._disk.shutdown()

    async def test(self, name: str) -> Tried:
        """Send a message that says it is a test, at once and once, and tell what came of it.

        Raises:
            UnknownChannel: when there is no such channel.
            ChannelBusy: when as many messages went to it as may.
        """
        settings = self.channels.settings(name)
        rate = await asyncio.to_thread(self._rate, name)
        if not rate.left:
            told = f"{self._per_minute} messages went to {name} within a minute"
            raise ChannelBusy(told, cure="try again in a minute")
        notice = Notice(
            title="A test of pairscope",
            text=f"This was sent to try the channel {name}. Nothing has happened.",
            severity="info",
            rule="",
            target="",
            transition="test",
            time_ms=now_ms(self._clock),
        )
        started_s = self._clock.monotonic_s()
        rate.count()
        outcome = await self._tried(Letter(id=f"test_{chance.token()}", channel=name, settings=settings, notice=notice))
        return Tried(outcome.error, round(1_000 * (self._clock.monotonic_s() - started_s)))

    def letters(
        self,
        *,
        state: str | None = None,
        channel: str | None = None,
        ids: Sequence[str] | None = None,
        limit: int = LETTERS_TOLD,
    ) -> list[LetterView]:
        """What became of messages, the latest first; with ``state="dead"`` those that can be sent again."""
        return self._letters.views(state, channel, ids, limit)

    def replay(self, ids: Sequence[str]) -> int:
        """Have dead letters sent again, with their ids; from any thread.

        Returns:
            How many wait now.
        """
        replayed = self._letters.replay(ids)
        self.wake()
        return replayed

    # --- one channel ---

    async def _work(self, name: str) -> None:
        """Send to a channel, one message after the other."""
        news = self._news[name]
        rate = await self._written(partial(self._rate, name))
        while True:
            news.clear()
            try:
                found = await self._written(partial(self._letters.next_for, name, rate.left, rate.opens_s))
                if isinstance(found, Letter):
                    rate.count()
                    await self._send(found)
                elif found.seconds is not None:
                    await comes(news, min(found.seconds, LOOK_S))
                elif not news.is_set():
                    return  # nothing waits; it is begun again when something does
            except Exception as error:  # noqa: BLE001 - the edge of the task: the next message is another
                # Without the words of the error: they may be those of a library that was given a secret.
                where = "".join(traceback.format_tb(error.__traceback__))
                log.error("delivery_failed", channel=name, cause=type(error).__name__, where=where)
                await comes(news, AGAIN_S)

    async def _send(self, letter: Letter) -> None:
        self._on_their_way += 1
        try:
            outcome = await self._tried(letter)
            if outcome.is_sent:
                self._sent += 1
            else:
                self._failed += 1
                told = {"channel": letter.channel, "id": letter.id, "tries": letter.tries + 1}
                log.warning("alert_not_sent", cause=outcome.error, **told)
            # What was accepted is not sent again because the disk is full for a while.
            await self._written(partial(self._letters.settle, letter, outcome))
        finally:
            self._on_their_way -= 1

    async def _tried(self, letter: Letter) -> Outcome:
        try:
            async with asyncio.timeout(ATTEMPT_S):
                return await self._senders[type(letter.settings)].send(letter)
        except TimeoutError:
            return Outcome("no answer in time")
        except Exception as error:  # noqa: BLE001 - whatever a library makes of what the other side says
            where = "".join(traceback.format_tb(error.__traceback__))
            log.error("sender_failed", channel=letter.channel, cause=type(error).__name__, where=where)
            return Outcome(f"a fault of pairscope while it was sent ({type(error).__name__})")

    def _rate(self, name: str) -> SendingRate:
        if name not in self._rates:
            self._rates[name] = SendingRate(self._clock, self._per_minute, self._letters.ages_s(name))
        return self._rates[name]

    # --- the state database ---

    async def _written(self, work: Callable[[], T]) -> T:
        """What is done to the database, tried until it can be."""
        assert self._disk is not None
        is_told = False
        while True:
            doing = asyncio.get_running_loop().run_in_executor(self._disk, work)
            try:
                return await asyncio.shield(doing)
            except asyncio.CancelledError:
                await over(doing)  # it is done all the same: what was accepted is written as such at the end too
                raise
            except DataFolderError as error:
                if not is_told:
                    log.error("outbox_not_written", cause=error.message)
                    is_told = True
                await asyncio.sleep(AGAIN_S)

    async def _forget(self) -> None:
        while True:
            if dropped := await self._written(self._letters.forget):
                log.info("outbox_forgotten", rows=dropped)
            await asyncio.sleep(FORGET_S)


def deliver(
    state: State,
    settings: Settings,
    clock: Clock,
    *,
    is_well: Callable[[], bool] = lambda: True,
    note: Note = lambda *_: None,
) -> Delivery:
    """What sends the messages of a state database, as the settings say.

    Args:
        is_well: whether the sign of life may be given.
        note: called in the transaction of each change of a channel, to keep who changed what.
    """
    destinations = Destinations(settings.alert_hosts_allowed)
    secrets = Secrets(_secrets_folder(state))
    senders: dict[type, Any] = {
        Webhook: WebhookSender(Poster(destinations, clock), secrets, clock),
        Mail: MailSender(destinations, secrets, clock),
        Service: ServiceSender(secrets),
    }
    return Delivery(
        Letters(state, clock),
        Channels(state, clock, destinations, note),
        senders,
        clock,
        heartbeat=_heartbeat(settings, clock, is_well),
    )


def _heartbeat(settings: Settings, clock: Clock, is_well: Callable[[], bool]) -> Heartbeat | None:
    url = settings.alert_heartbeat_url
    if url is None:
        return None
    # Who may set the address may set what is allowed too: its host need not be named twice.
    allowed = Destinations((*settings.alert_hosts_allowed, read_url(url).host))
    return Heartbeat(url, Poster(allowed, clock), clock, is_well)


def _secrets_folder(state: State) -> Path:
    return state.path.parent / FOLDER
