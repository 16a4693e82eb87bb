"""A running pairscope and a real browser, for tests that look at the page as a person does."""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import subprocess
import time
import urllib.request
from collections.abc import Iterator, Sequence
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, ConsoleMessage, Page, Response, expect, sync_playwright

from tests import prepared
from tests.patience import EVENT_S, START_S

ROOT = Path(__file__).parent.parent.parent
expect.set_options(timeout=EVENT_S * 1_000)  # Playwright's own 5 s are less than the product gives itself

CHROMIUM_NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")


class Server:
    """`pairscope run` in a process of its own, on a port that stays the same over restarts."""

    def __init__(self, data_dir: Path, flags: Sequence[str] = (), program: Sequence[str] = ()) -> None:
        self._data_dir = data_dir
        self._flags = flags
        self._program = program  # another than the package itself
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = int(probe.getsockname()[1])
        self.url = f"http://localhost:{self.port}"
        self._process: subprocess.Popen[bytes] | prepared.Program | None = None

    def start(self) -> None:
        arguments = [
            "--source",
            "simulator",
            "--port",
            str(self.port),
            "--data-dir",
            str(self._data_dir),
            "--window",
            "20",
            *self._flags,
        ]
        environment = {name: value for name, value in os.environ.items() if not name.startswith("PAIRSCOPE_")}
        environment["PYTHONPATH"] = str(ROOT / "src")
        with (self._data_dir / "server.out").open("ab") as output:
            command = (*(self._program or ("-m", "pairscope")), "run", *arguments)
            self._process = prepared.start(
                *command,
                cwd=self._data_dir,
                env=environment,
                stdout=output,
                stderr=output,
                fresh=bool(self._program),
            )
        self._wait_until_trading()

    def _ask(self, path: str) -> bytes:
        with urllib.request.urlopen(f"{self.url}{path}", timeout=EVENT_S) as answer:
            told: bytes = answer.read()
            return told

    def kill(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def _wait_until_trading(self) -> None:
        deadline = time.monotonic() + START_S
        while time.monotonic() < deadline:
            assert self._process is not None
            if self._process.poll() is not None:
                break
            with contextlib.suppress(OSError):
                if b'"ok"' in self._ask("/health") and b'"preparing":[]' in self._ask("/status"):
                    return
            time.sleep(0.1)
        self.kill()
        pytest.fail(f"pairscope did not start:\n{(self._data_dir / 'server.out').read_text()[-3000:]}")


class Watched:
    """A page, and everything that went wrong on it."""

    def __init__(self, page: Page, server: Server) -> None:
        self.page = page
        self.server = server
        self.expects_lost_server = False
        self.may_refuse: set[str] = set()  # paths whose answers a browser may call a failure
        self.foreign: list[str] = []
        self._told: list[tuple[str, str]] = []  # what went wrong, and at which address
        self._put_off: set[str] = set()  # addresses that were answered with the time to come again
        page.on("console", self._note)
        page.on("pageerror", lambda error: self._told.append((str(error), "")))
        page.on("response", self._note_answer)
        page.on("request", lambda request: self._check_host(request.url))
        page.add_init_script(
            "addEventListener('securitypolicyviolation', e => console.error('CSP', e.violatedDirective, e.blockedURI))"
        )

    def open(self, path: str) -> Page:
        self.page.goto(self.server.url + path)
        self.page.wait_for_selector("figure[data-phase=ready]")
        return self.page

    @property
    def errors(self) -> list[str]:
        return [text for text, address in self._told if not self._is_expected(text, address)]

    def _is_expected(self, text: str, address: str) -> bool:
        """What a browser says of a server that is gone, and of one that has just come back and asks for patience."""
        is_answer = text.startswith("Failed to load resource")
        if is_answer and urlsplit(address).path in self.may_refuse:
            return True
        is_told = "net::ERR_" in text or (is_answer and address in self._put_off)
        return self.expects_lost_server and is_told

    def _note(self, message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            self._told.append((message.text, message.location.get("url", "")))

    def _note_answer(self, response: Response) -> None:
        if response.status == 503 and "retry-after" in response.headers:
            self._put_off.add(response.url)

    def _check_host(self, url: str) -> None:
        parts = urlsplit(url)
        if parts.scheme != "data" and parts.netloc != f"localhost:{self.server.port}":
            self.foreign.append(url)


@pytest.fixture(scope="module")
def chromium() -> str:
    found = next((path for name in CHROMIUM_NAMES if (path := shutil.which(name))), None)
    if found is None:
        pytest.skip(f"no Chromium on this machine (looked for {', '.join(CHROMIUM_NAMES)})")
    return found


@pytest.fixture(scope="module")
def flags() -> Sequence[str]:
    """What the server of a module is started with besides; a module may have its own."""
    return ()


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, flags: Sequence[str]) -> Iterator[Server]:
    if not (ROOT / "src" / "pairscope" / "static" / "index.html").is_file():
        pytest.skip("the dashboard has not been built: pip install -e .")
    server = Server(tmp_path_factory.mktemp("pairscope"), flags)
    server.start()
    yield server
    server.kill()


@pytest.fixture(scope="module")
def browser(chromium: str) -> Iterator[Browser]:
    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(executable_path=chromium, args=["--disable-gpu", "--no-sandbox"])
        yield launched
        launched.close()


@pytest.fixture
def watched(browser: Browser, server: Server) -> Iterator[Watched]:
    """A page of its own for each test; whatever goes wrong on it fails the test."""
    context = browser.new_context(viewport={"width": 1280, "height": 720}, timezone_id="Asia/Kolkata")
    context.set_default_timeout(EVENT_S * 1_000)
    watched = Watched(context.new_page(), server)
    yield watched
    for page in context.pages:  # what a test still held back, and asks the server for, is nobody's any more
        page.unroute_all(behavior="ignoreErrors")
    context.close()
    assert watched.errors == []
    assert watched.foreign == []
