"""The first start after an installation: the server answers while other processes compile its numeric code."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.loopback import get
from tests.patience import within
from tests.test_cli import Running, run

__all__ = ["run"]

ASKED = [
    "/symbols",
    "/ohlc/BTCUSDT/1s?limit=100",
    "/analytics/BTCUSDT",
    "/analytics/BTCUSDT?metrics=all",
    "/analytics/pair?y=ETHUSDT&x=BTCUSDT&interval=1s",
    "/analytics/pair?y=ETHUSDT&x=BTCUSDT&interval=1s&method=huber&metrics=all",
    "/analytics/pair?y=ETHUSDT&x=BTCUSDT&interval=1s&method=kalman",
    "/correlations?interval=1s",
    "/clustering?interval=1s",
]
COMPILED_S = within(600.0)


@pytest.mark.slow
def test_all_that_is_asked_while_kernels_compile_is_answered_and_nothing_compiles_in_the_server(
    tmp_path: Path, run: Callable[..., Running], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(tmp_path / "cold"))
    server = run(tmp_path / "data", "--source", "simulator", "--no-open", fresh=True)
    status = server.until(lambda status: status["kernels"]["preparing"])
    deadline_s = time.monotonic() + COMPILED_S
    early = set()
    questions = itertools.cycle(ASKED)
    while status["kernels"]["preparing"]:
        assert time.monotonic() < deadline_s, status["kernels"]
        asked = next(questions)
        code, answer = ask(server.url + asked)
        assert code == 200 or answer["error"]["code"] == "warming_up", (asked, answer)
        early.add(code)
        status = server.get("/status")
    assert early == {200, 503}  # some before its code was there, and some after
    for asked in ASKED:
        assert ask(server.url + asked)[0] == 200, asked
    assert server.get("/status")["kernels"]["compiled_here"] == 0


def ask(url: str) -> tuple[int, Any]:
    answer = get(url)
    return answer.status_code, answer.json()
