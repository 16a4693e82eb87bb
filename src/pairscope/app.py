"""Wiring only: settings in, a running system out. The one place that knows every room."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass
from functools import partial

from pairscope.alerts.alerts import AlertGround, Alerts, Heard
from pairscope.alerts.opening import open_state
from pairscope.alerts.system_sight import SystemSight, inflow_of
from pairscope.api.endpoint import Rooms
from pairscope.api.serving import Api, Started, listening
from pairscope.api.status import StatusBoard
from pairscope.base.clock import Clock, SystemClock
from pairscope.base.pulse import Pulse
from pairscope.base.settings import Settings
from pairscope.base.threads import apart, opened_apart
from pairscope.feed.venues import VENUES, Venues
from pairscope.ingest.ingest import Ingest
from pairscope.ingest.opening import Ground, open_ground
from pairscope.ingest.tape_jobs import TapeJobs
from pairscope.jobs.queue import Jobs
from pairscope.jobs.workers import WorkerProcesses
from pairscope.live.kernels import Kernels
from pairscope.live.market import Arrival, Market
from pairscope.store.state import State
from pairscope.store.tape import Tape


@dataclass(frozen=True, slots=True)
class Parts:
    """Everything that runs for one set of settings."""

    pulse: Pulse
    tape: Tape
    ingest: Ingest
    market: Market
    tape_jobs: TapeJobs
    board: StatusBoard
    alerts: Alerts
    api: Api

    async def run(self) -> None:
        """All but the server, until cancelled; when one part fails, all end."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self.pulse.run(), name="pulse")
            tasks.create_task(self.market.run(), name="market")
            tasks.create_task(self.ingest.run(), name="ingest")
            tasks.create_task(self.tape.run(), name="tape")
            tasks.create_task(self.tape_jobs.run(), name="jobs")
            tasks.create_task(self.alerts.run(), name="alerts")


def assemble(ground: Ground, state: State) -> Parts:
    """The rooms on one ground, each made of those below it."""
    settings, clock, tape = ground.settings, ground.clock, ground.tape
    pulse, kernels = Pulse(clock), Kernels(ready=())
    ingest = Ingest(ground, pulse, kernels)
    market = Market(
        symbols=tape.symbols,
        memory=ingest.memory,
        pairs=ingest.pairs,
        reader=tape,
        kernels=kernels,
        arrival=Arrival(ingest.intake.heard_at, ingest.restored, is_over=ingest.plan.kind == "tape"),
    )
    board = StatusBoard(settings, ingest, tape, market, pulse, clock)
    tape_jobs = TapeJobs(ground, ingest, Jobs(WorkerProcesses(), clock))
    alerts = _alerts(ground, state, ingest, market, pulse, board)
    api = Api(settings, Rooms(market, tape, ingest, board, tape_jobs, alerts, clock), ingest.plan.label)
    return Parts(pulse, tape, ingest, market, tape_jobs, board, alerts, api)


def _alerts(ground: Ground, state: State, ingest: Ingest, market: Market, pulse: Pulse, board: StatusBoard) -> Alerts:
    sight = SystemSight(ingest, pulse, ground.tape.path, ground.clock)
    heard = Heard(
        ingest.plan,
        ground.tape,
        inflow_of(ingest, pulse, market.symbols),
        sight.now,
        lambda: board.health().status == "ok",
    )
    watched = ingest.watched
    return Alerts(
        AlertGround(
            settings=ground.settings,
            state=state,
            tape=ground.tape.path,
            market=market,
            clock=ground.clock,
            source=ingest.plan.kind,
            watched=lambda: watched.symbols,
            heard=heard,
        )
    )


@contextlib.asynccontextmanager
async def opened(settings: Settings, clock: Clock, venues: Venues = VENUES) -> AsyncIterator[Parts]:
    """Everything on an open tape and an open source; both are closed again whatever happens."""
    async with open_ground(settings, clock, venues) as ground:
        is_looked_at = ground.source.plan.kind == "tape"
        state = await opened_apart(partial(open_state, ground.tape.path, is_looked_at=is_looked_at), State.close)
        try:
            parts = assemble(ground, state)
            await asyncio.to_thread(parts.alerts.begin)
            yield parts
        finally:
            await apart(state.close)


async def serve(settings: Settings, clock: Clock | None = None, started: Started | None = None) -> None:
    """Run until interrupted: the API and the dashboard on one port, the market behind them.

    `started` is told where it is, once it is there.
    """
    with listening(settings) as sockets:
        async with opened(settings, clock or SystemClock()) as parts:
            await parts.api.run(sockets, parts.run, started)
