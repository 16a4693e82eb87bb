"""Hours of a market: memory stays where it was, nothing is lost that is not told. By hand: `make soak`."""

from __future__ import annotations

import os
import time
from pathlib import Path

import psutil
import pytest

from tests.test_cli import Running, pairscope

MINUTES = float(os.environ.get("SOAK_MINUTES", "240"))
WARM_UP = 0.1  # of the time; memory is measured against what it is then
GROWTH_BYTES = 64 << 20
LOOK_EVERY_S = 5.0


@pytest.mark.soak
@pytest.mark.timeout(MINUTES * 60 + 900)
def test_a_long_run_keeps_its_memory_and_every_id(tmp_path: Path) -> None:
    data = tmp_path / "data"
    running = Running(data, "--source", "simulator", "--no-open", "--keep-data-days", "1", "--history-minutes", "1")
    try:
        running.until(lambda status: status["feed"]["trades"] > 0)
        process, begun = psutil.Process(running.process.pid), time.monotonic()
        warm_bytes, last = 0, 0
        while (passed_s := time.monotonic() - begun) < MINUTES * 60:
            status = running.get("/status")
            assert status["store"]["error"] is None
            assert status["feed"]["trades"] >= last
            last = status["feed"]["trades"]
            used = process.memory_info().rss
            if passed_s < WARM_UP * MINUTES * 60:
                warm_bytes = max(warm_bytes, used)
            else:
                assert used < warm_bytes + GROWTH_BYTES
            time.sleep(LOOK_EVERY_S)  # another process: there is nothing to await
        assert last > 0
    finally:
        assert running.stop() == 0
    proved = pairscope("verify", "--data-dir", str(data), seconds=3_600)
    assert proved.returncode == 0, proved.stdout
