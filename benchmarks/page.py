"""What a page costs that is left open: bytes on the wire and time of the browser's main thread, beside an earlier page.

The earlier one is a checkout with its page built, named by ``PAGE_BEFORE`` (its root). Without it, only the bytes
of the present page are held against their goal.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, CDPSession, sync_playwright

from benchmarks.processes import BenchmarkError, Server, free_port
from benchmarks.report import Goal, Section, Spread, Table, number

PATH = "/app/pair/ETHUSDT-BTCUSDT?tf=1s&w=300"
MARKET = ("pair", "pair_bar", "pair_metrics")  # messages of the pair; snapshots come once
MOST_BYTES = 400
LEAST_SAVED = 0.25
CHROMIUM = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
SETTLE_S = 8.0


@dataclass
class Page:
    """One page and what was seen of it, round after round."""

    name: str
    root: Path
    sizes: list[int] = field(default_factory=list)
    rest_bytes: int = 0  # of answers over HTTP
    seconds: float = 0.0
    main_ms: list[float] = field(default_factory=list)  # a second, of each round
    script_ms: list[float] = field(default_factory=list)
    per_update_ms: list[float] = field(default_factory=list)
    per_second: list[float] = field(default_factory=list)  # updates


def run(*, quick: bool, progress: Callable[[str], None]) -> Section:
    rounds, seconds = (1, 5.0) if quick else (4, 20.0)
    pages = [Page("this version", Path(__file__).parent.parent)]
    if before := os.environ.get("PAGE_BEFORE"):
        pages.append(Page("before", Path(before)))
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        urls = [stack.enter_context(_served(page, folder)) for page in pages]
        browser = stack.enter_context(_browser())
        for turn in range(rounds):
            for page, url in zip(pages, urls, strict=True):
                progress(f"round {turn + 1} of {rounds}: {page.name}")
                _watch(browser, page, url + PATH, seconds)
    return _section(pages, seconds)


@contextlib.contextmanager
def _served(page: Page, folder: Path) -> Iterator[str]:
    """A server of its own for each page, with the same simulated market."""
    port = free_port()
    data = folder / page.name.replace(" ", "-")
    arguments = ["pairscope", "run", "--source", "simulator", "--port", port, "--data-dir", data]
    environment = {"PYTHONPATH": str(page.root / "src"), "PYTHONDONTWRITEBYTECODE": "1", "PAIRSCOPE_OPEN": "false"}
    with Server(arguments, port, environment) as server:
        server.wait("/status", lambda status: not status["kernels"]["preparing"], patience_s=900.0)
        time.sleep(SETTLE_S)
        yield f"http://localhost:{port}"


@contextlib.contextmanager
def _browser() -> Iterator[Browser]:
    found = next((path for name in CHROMIUM if (path := shutil.which(name))), None)
    if found is None:
        raise BenchmarkError("no Chromium on this machine")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=found, args=["--disable-gpu", "--no-sandbox"])
        yield browser
        browser.close()


def _watch(browser: Browser, page: Page, url: str, seconds: float) -> None:
    """Leave the page open for so long; what comes before it has settled does not count."""
    context = browser.new_context(viewport={"width": 1280, "height": 720})
    opened = context.new_page()
    devtools = context.new_cdp_session(opened)
    devtools.send("Performance.enable", {"timeDomain": "threadTicks"})
    devtools.send("Network.enable")
    sizes: list[int] = []
    rest: list[int] = []

    def on_frame(event: dict[str, Any]) -> None:
        text = event["response"]["payloadData"]
        if json.loads(text)["type"] in MARKET:
            sizes.append(len(text.encode()))

    devtools.on("Network.webSocketFrameReceived", on_frame)
    devtools.on("Network.loadingFinished", lambda event: rest.append(int(event["encodedDataLength"])))
    opened.goto(url)
    opened.wait_for_selector("figure[data-phase=ready]")
    opened.wait_for_timeout(SETTLE_S * 1_000)
    sizes.clear()
    rest.clear()
    began_s, before = time.monotonic(), _thread_ms(devtools)
    opened.wait_for_timeout(seconds * 1_000)
    passed_s, after = time.monotonic() - began_s, _thread_ms(devtools)
    if not sizes or not opened.locator("figure[data-phase=ready] canvas").count():
        raise BenchmarkError(f"{page.name} does not draw: {opened.inner_text('main')[:300]}")
    page.sizes += sizes
    page.rest_bytes += sum(rest)
    page.seconds += passed_s
    page.main_ms.append((after[0] - before[0]) / passed_s)
    page.script_ms.append((after[1] - before[1]) / passed_s)
    page.per_update_ms.append((after[0] - before[0]) / max(1, len(sizes)))
    page.per_second.append(len(sizes) / passed_s)
    context.close()


def _thread_ms(devtools: CDPSession) -> tuple[float, float]:
    """Processor time of the main thread so far: of all its tasks, and of scripts."""
    told = {one["name"]: one["value"] for one in devtools.send("Performance.getMetrics")["metrics"]}
    return told["TaskDuration"] * 1_000, told["ScriptDuration"] * 1_000


def _section(pages: list[Page], seconds: float) -> Section:
    columns = (
        *("page", "updates/s", "bytes of an update: median", "mean", "worst", "B/s of the pair", "of HTTP"),
        *("main thread, ms/s", "of it script", "ms an update"),
    )
    rows = []
    for page in pages:
        rows.append(
            (
                page.name,
                Spread.of(page.per_second).text(),
                number(statistics.median(page.sizes)),
                number(statistics.mean(page.sizes)),
                number(max(page.sizes)),
                number(sum(page.sizes) / page.seconds),
                number(page.rest_bytes / page.seconds),
                Spread.of(page.main_ms).text(),
                Spread.of(page.script_ms).text(),
                Spread.of(page.per_update_ms).text(),
            )
        )
    now = pages[0]
    mean = statistics.mean(now.sizes)
    goals = [Goal(f"an update of a pair has at most {MOST_BYTES} bytes, on average", f"{mean:.0f}", mean <= MOST_BYTES)]
    if len(pages) > 1:
        saved = 1 - statistics.median(now.main_ms) / statistics.median(pages[1].main_ms)
        goals.append(
            Goal(
                f"{LEAST_SAVED:.0%} less of the main thread a second than before", f"{saved:.0%}", saved >= LEAST_SAVED
            )
        )
    return Section(
        title="Page: a pair left open",
        method=f"Chromium without a GPU, {len(now.main_ms)} rounds of {seconds:.0f} s each in turn, the Pair screen "
        "with bars of one second and a window of 300; each page on a server of its own with the same simulated market. "
        "Time of the main thread is processor time, drawing included. An update is a message of the pair; before, a "
        "bar and its metrics were two.",
        tables=[Table(columns, rows)],
        goals=goals,
    )
