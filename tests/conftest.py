"""Tools shared by all tests."""

from __future__ import annotations

import io
import itertools
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import msgspec
import numpy as np
import pytest
import structlog
import zstandard
from hypothesis import settings

from pairscope.base.model import TradeBatch
from tests import prepared, surroundings

# For what is started before the first test: modules that look at the environment, and fixtures of many tests.
surroundings.share_kernels(os.environ)
FOLDER = Path(tempfile.mkdtemp(prefix="pairscope-tests-"))
surroundings.move_in(os.environ, FOLDER / "all")

# As pairscope writes them itself; the usual ones are coloured by a library that takes 200 ms for each.
structlog.configure(
    processors=[
        *structlog.get_config()["processors"][:-1],
        structlog.dev.ConsoleRenderer(colors=False, exception_formatter=structlog.dev.plain_traceback),
    ]
)

# The same examples in every run, and no verdict by the clock: kernels are compiled on their first call.
settings.register_profile("pairscope", deadline=None, derandomize=True)
settings.load_profile("pairscope")

# Tests that measure no time and start no process: they compile what they need.
UNTIMED = ("analytics", "bars", "base", "formats", "store")
# The longest file of all, whose browser works while the others wait; then what starts processes.
LONGEST = ("e2e/test_dashboard.py", "faults", "cli", "e2e", "live")
SHORTEST = ("store", "analytics", "formats", "bars", "base")  # by falling length of their files


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config: pytest.Config) -> None:
    """The limit of a test, on this machine."""
    from tests.patience import within

    if config.getoption("timeout", None) is None:
        config.option.timeout = within(float(config.getini("timeout")))


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What takes longest begins first, so that no process is left alone with it at the end."""
    # Each process is given the next file when it has one left: long files that begin last are waited for.
    here = Path(__file__).parent

    def place(item: pytest.Item) -> int:
        file = item.path.relative_to(here) if item.path.is_relative_to(here) else item.path
        room = file.parts[0]
        for number, each in enumerate(LONGEST):
            if each in (room, file.as_posix()):
                return number
        return len(LONGEST) + (1 + SHORTEST.index(room) if room in SHORTEST else 0)

    items.sort(key=place)


def pytest_collection_finish(session: pytest.Session) -> None:
    """Kernels are compiled before the first test whose time is limited."""
    here = Path(__file__).parent
    rooms = {item.path.relative_to(here).parts[0] for item in session.items if item.path.is_relative_to(here)}
    if not session.config.option.collectonly and rooms - set(UNTIMED):
        surroundings.compile_kernels()


def pytest_unconfigure() -> None:
    prepared.end_source()
    shutil.rmtree(FOLDER, ignore_errors=True)


_numbers = itertools.count()


@pytest.fixture(autouse=True)
def surroundings_of_its_own() -> Iterator[Path]:
    """Every test has a home, a folder it starts in and a free port of its own, and no setting of the user's."""
    before, started_in = dict(os.environ), Path.cwd()
    folder = FOLDER / str(next(_numbers))
    surroundings.move_in(os.environ, folder)
    os.chdir(folder)
    yield folder
    os.chdir(started_in)
    os.environ.clear()
    os.environ.update(before)
    shutil.rmtree(folder, ignore_errors=True)


SHARED_DATA = Path(__file__).parent.parent.parent / "shared" / "data"


@pytest.fixture(scope="session")
def data_dir() -> Path:
    """The recorded market data beside the project; a test that needs it is skipped without it."""
    if not SHARED_DATA.is_dir():
        pytest.skip(f"recorded market data not found at {SHARED_DATA}")
    return SHARED_DATA


SHARED_CASES = SHARED_DATA.parent / "cases"


@pytest.fixture(scope="session")
def cases_dir() -> Path:
    """Small inputs that an earlier version got wrong; a test that needs them is skipped without them."""
    if not SHARED_CASES.is_dir():
        pytest.skip(f"the shared cases were not found at {SHARED_CASES}")
    return SHARED_CASES


RECORDED_SYMBOLS = ("BTCUSDT", "ETHUSDT")


@pytest.fixture(scope="session")
def recorded_day(data_dir: Path) -> TradeBatch:
    """Six minutes of raw trades of 2024, in their order of arrival; symbols are those of `RECORDED_SYMBOLS`."""
    rows = list(_recorded(data_dir / "usdm-trades-2024-08-08" / "usdm_trades_20240808.txt.zst"))
    symbol_id, trade_id, time_ms, price, size, maker, received = zip(*rows, strict=True)
    return TradeBatch(
        np.array(symbol_id, np.int32),
        np.array(trade_id, np.int64),
        np.array(time_ms, np.int64),
        np.array(price),
        np.array(size),
        np.array(maker),
        np.array(received, np.int64),
    )


def _recorded(path: Path) -> Iterator[tuple[int, int, int, float, float, bool, int]]:
    with path.open("rb") as file, zstandard.ZstdDecompressor().stream_reader(file) as stream:
        for line in io.TextIOWrapper(stream):
            received, _, frame = line.partition(" ")
            trade = msgspec.json.decode(frame)["data"]
            price, size = float(trade["p"]), float(trade["q"])
            symbol_id = RECORDED_SYMBOLS.index(trade["s"])
            yield symbol_id, trade["t"], trade["T"], price, size, trade["m"], int(received)
