"""``pairscope record``."""

from __future__ import annotations

import asyncio
from typing import Any

from pairscope.base.clock import SystemClock
from pairscope.base.logs import set_up_logs
from pairscope.base.saying import say
from pairscope.base.settings import Settings
from pairscope.base.tasks import end
from pairscope.cli.answers import Answer, RecordDocument
from pairscope.cli.common import ProgressLine, settings_from
from pairscope.cli.ending import run_until_told
from pairscope.feed.recording import FrameWriter
from pairscope.feed.venues import open_source, plan_source

_SHOW_EVERY_S = 1.0


def record(parsed: dict[str, Any]) -> Answer:
    file = parsed.pop("file")
    settings = settings_from(parsed)
    set_up_logs("warning", None)
    with FrameWriter(file) as writer:
        run_until_told(_run(settings, writer))
        frames = writer.frames
    say(f"{frames:,} frames in {file}")
    return Answer(document=RecordDocument(str(file), frames))


async def _run(settings: Settings, writer: FrameWriter) -> None:
    clock, line = SystemClock(), ProgressLine()
    plan = await plan_source(settings, clock)
    for each in plan.gone:
        line.say(f"note: {each}")
    if plan.banner:
        line.say(plan.banner)
    line.say(f"recording {', '.join(plan.symbols)} of {plan.label} to {writer.path}; stop it with Ctrl-C")
    async with open_source(plan, settings, clock, {}) as source:
        recorder = source.venue.recorder(plan.symbols, writer, settings.stale_s)
        recording = asyncio.create_task(recorder.run(), name="record")
        finished = asyncio.create_task(source.finished.wait(), name="finished")
        try:
            while not recording.done() and not finished.done():
                await asyncio.wait({recording, finished}, timeout=_SHOW_EVERY_S, return_when=asyncio.FIRST_COMPLETED)
                line.show(f"{recorder.state}: {recorder.frames:,} frames")
            if recording.done():
                recording.result()
            # What the last frames of a replay are still on their way through.
            await asyncio.sleep(_SHOW_EVERY_S / 2)
        finally:
            line.clear()
            await end(recording, finished)
