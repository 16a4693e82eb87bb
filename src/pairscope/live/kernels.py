"""Compiled code is made before it is needed, by other processes: never on the event loop, never in a request.

It is made in parts, those of an open screen first. Who needs a part that is not there yet is told so, and what waits
for it comes when it is there.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable, Iterable
from typing import ClassVar, Literal, get_args

import structlog

from pairscope.analytics.entry.request import MetricRequest
from pairscope.analytics.estimators.terms import Terms
from pairscope.analytics.registry import PAIR_BAR, PAIR_TESTS, SYMBOL_BAR
from pairscope.base.errors import Meanings, PairscopeError
from pairscope.base.jit import forget_old_caches, is_compiled, watch_compiles
from pairscope.base.notifier import Notifier

log = structlog.get_logger()

# Bars and symbols; a pair as it is shown first; every method and test of a pair; all else; frames of trades, which are
# read without it too, for more; official files.
Part = Literal["symbols", "pairs", "tests", "rest", "frames", "files"]
PARTS: tuple[Part, ...] = get_args(Part)
LIVE: tuple[Part, ...] = ("symbols", "pairs")  # without which nothing is computed at all
LATER: tuple[Part, ...] = ("tests", "rest", "frames")
RETRY_AFTER_S = 2


class WarmingUp(PairscopeError):
    """Something is asked for whose compiled code is still being made."""

    code = "warming_up"
    http_status = 503
    meanings: ClassVar[Meanings] = {
        "warming_up": (
            "the numeric code for it is still being compiled: once after an installation or an upgrade",
            "ask again after `Retry-After`; `/status` names under `kernels` what is not there yet",
        )
    }
    retry_after_s = RETRY_AFTER_S


class Kernels:
    """Which parts are there. Without an argument all are, as in a test whose calls may compile what they need."""

    def __init__(self, ready: Iterable[Part] = PARTS) -> None:
        self._ready = set(ready)
        self._more = Notifier[[]]()
        self._first: dict[Part, list[Callable[[], object]]] = {}
        self.compiled_here = 0

    @property
    def missing(self) -> list[Part]:
        return [part for part in PARTS if part not in self._ready]

    def has(self, part: Part) -> bool:
        return part in self._ready

    def need(self, part: Part) -> None:
        """Go on only when a part is there.

        Raises:
            WarmingUp: when it is not.
        """
        if part not in self._ready:
            raise WarmingUp(
                "this is being prepared: its numeric code is compiled once after an installation or an upgrade",
                cure=f"ask again in {RETRY_AFTER_S} s",
            )

    def found_compiling(self, function: str) -> None:
        """A function was compiled in this process, while whatever called it waited: some part lacks it."""
        self.compiled_here += 1
        log.error("kernel_compiled_in_server", function=function)

    def when_ready(self, callback: Callable[[], None]) -> None:
        """Be called on the event loop whenever one more part is there."""
        self._more.listen(callback)

    def before(self, part: Part, act: Callable[[], object]) -> None:
        """Have something done, on the event loop, before anybody hears that a part is there: at once if it is."""
        if part in self._ready:
            act()
        else:
            self._first.setdefault(part, []).append(act)

    async def until(self, *parts: Part) -> None:
        """Return when parts are there."""
        there = asyncio.Event()

        def look() -> None:
            if self._ready.issuperset(parts):
                there.set()

        self.when_ready(look)
        look()
        await there.wait()

    async def run(self, begun: asyncio.Event) -> None:
        """Have everything compiled, what no screen needs to open once the market has begun; until cancelled."""
        loop = asyncio.get_running_loop()

        def told(function: str) -> None:  # in any thread
            loop.call_soon_threadsafe(self.found_compiling, function)

        stop_watching = watch_compiles(told)
        try:
            await asyncio.gather(*(self.prepare(part) for part in LIVE))
            await begun.wait()
            await self.prepare_later()
            await asyncio.Event().wait()  # what is compiled here all the same is counted to the end
        finally:
            stop_watching()

    async def prepare(self, *parts: Part, gently: bool = False) -> None:
        """Have parts compiled by processes of their own, all at once, and loaded."""
        await asyncio.gather(*(compile_apart(part, gently=gently) for part in parts))
        for part in parts:
            if part != "rest":  # those are loaded by the thread that uses them first
                await asyncio.to_thread(_load, part)
        self.add(parts)

    def add(self, parts: Iterable[Part]) -> None:
        """Say that parts are there, once what must be done before anybody hears of it is done."""
        for part in parts:
            for act in self._first.pop(part, ()):
                act()
            self._ready.add(part)
        self._more()

    async def prepare_later(self) -> None:
        """What no screen needs to open, one after the other and behind everything else."""
        for part in LATER:
            await self.prepare(part, gently=True)
        await asyncio.to_thread(forget_old_caches)


def part_of_symbol(wanted: Iterable[MetricRequest]) -> Part:
    return "symbols" if tuple(wanted) == SYMBOL_BAR else "rest"


def part_of_pair(terms: Terms, wanted: Iterable[MetricRequest] | None = None) -> Part:
    """The part that the rows of a pair on some terms need, and metrics of its window."""
    asked = PAIR_BAR[terms] if wanted is None else tuple(wanted)
    if terms.method == "ols" and terms.intercept and asked == PAIR_BAR[terms]:
        return "pairs"
    return "tests" if asked in (PAIR_BAR[terms], PAIR_TESTS[terms]) else "rest"


def _load(part: Part) -> None:
    from pairscope.live.compiling import warm_up  # it calls what asks this module

    warm_up(part)


# --- compiling ----------------------------------------------------------------------------------------


async def compile_apart(part: Part, *, gently: bool = False) -> None:
    """Fill a cold cache by a process of its own, whose memory goes away with it, and which ends when this one does."""
    if is_compiled(part):
        return
    log.info("compiling_kernels", part=part)
    arguments = ["-m", "pairscope.live.compiling", part, "apart", *(["gently"] if gently else [])]
    compiler = await asyncio.create_subprocess_exec(
        sys.executable,
        *arguments,
        stdin=asyncio.subprocess.PIPE,  # ends when this process does, however it ends
        start_new_session=True,  # Ctrl-C is for this process, which ends the other one
    )
    try:
        code = await compiler.wait()
        if code:
            log.error("kernels_not_compiled", part=part, exit_code=code)
    finally:
        if compiler.returncode is None:
            compiler.kill()
            await compiler.wait()
