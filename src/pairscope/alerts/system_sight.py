"""What pairscope sees of itself, for rules on the feed, the tape and the machine."""

from __future__ import annotations

import shutil
from pathlib import Path

from pairscope.alerts.inflow import Inflow
from pairscope.alerts.system import SystemNow
from pairscope.base.clock import Clock, now_ms
from pairscope.base.model import SymbolTable
from pairscope.base.pulse import Pulse
from pairscope.ingest.ingest import Ingest
from pairscope.ingest.status import budget_now, feed_now


def inflow_of(ingest: Ingest, pulse: Pulse, symbols: SymbolTable) -> Inflow:
    """How trades come in."""
    can_ask = ingest.source.venue.capabilities.can_ask  # for missing trades

    def is_filling() -> bool:
        return ingest.intake.unsettled or (can_ask and ingest.backfill.waiting > 0)

    def unsure() -> set[str]:
        unheard = map(symbols.name, ingest.stream.unheard())
        return {*unheard, *ingest.catch_up.unsure()} if can_ask else set()

    return Inflow(ingest.event_ms, pulse.awake_s, is_filling, unsure, ingest.source.finished.is_set, ingest.restored)


class SystemSight:
    """Looks at what runs; cheap enough for every few seconds."""

    def __init__(self, ingest: Ingest, pulse: Pulse, tape: Path, clock: Clock) -> None:
        self._ingest = ingest
        self._pulse = pulse
        self._tape = tape
        self._clock = clock
        self._began_ms = now_ms(clock)

    def now(self) -> SystemNow:
        """What there is to be seen; None where nothing is."""
        at_ms, feed = now_ms(self._clock), feed_now(self._ingest.stream, self._clock)
        budget = budget_now(self._ingest.source.venue.budget, self._clock)
        heard_ms = feed.last_frame_ms or self._began_ms  # a feed that never came is as old as the wait for it
        return SystemNow(
            at_ms=at_ms,
            feed_age_s=None if self._ingest.source.finished.is_set() else max(0, at_ms - heard_ms) / 1_000,
            gaps_open=sum(gap.obstacle is None for gap in self._ingest.tracker.all_open()),
            reconnects=feed.reconnects,
            request_share=budget.used / budget.own_limit if budget.own_limit else None,
            loop_lag_ms=self._pulse.lag().p99_ms,
            disk_free_gb=self._free_gb(),
        )

    def _free_gb(self) -> float | None:
        try:
            return shutil.disk_usage(self._tape.parent).free / 1e9
        except OSError:  # the disk is gone
            return None
