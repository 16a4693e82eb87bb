"""A module that asks the machine for its clock, for chance, a file's fate or a socket is found by its line."""

from __future__ import annotations

from pathlib import Path

import pytest

from tools.seams import MAY, asked_by, faults


def test_no_module_asks_that_may_not() -> None:
    assert faults() == []


@pytest.mark.parametrize(
    ("line", "what"),
    [
        ("import time\ntime.time()", "time"),
        ("from time import monotonic as m\nm()", "time"),
        ("import time\nfield(default_factory=time.time_ns)", "time"),
        ("from datetime import datetime\ndatetime.now(UTC)", "datetime.datetime.now"),
        ("import datetime as d\nd.date.today()", "datetime.date.today"),
        ("from pairscope.base.clock import SystemClock\nSystemClock()", "pairscope.base.clock.SystemClock"),
        ("import random\nrandom.random()", "random.random"),
        ("from random import Random\nRandom()", "random.Random"),
        ("import secrets\nsecrets.token_hex(4)", "secrets"),
        ("import numpy as np\nnp.random.default_rng()", "numpy.random.default_rng"),
        ("import numpy as np\nnp.random.normal(0, 1)", "numpy.random.normal"),
        ("from os import replace\nreplace(a, b)", "os.replace"),
        ("import os\nos.fsync(3)", "os.fsync"),
        ("draft.replace(target)", "Path.replace"),
        ("path.rename(path.with_name('x'))", "Path.rename"),
        ("import socket\nsocket.create_server(('', 0))", "socket.create_server"),
        ("from socket import socket\nsocket()", "socket.socket"),
        ("import asyncio\nasyncio.open_connection('a', 1)", "asyncio.open_connection"),
        ("import httpx", "httpx"),
        ("from http import client", "http.client"),
        ("from uvicorn.protocols.http import h11_impl", "uvicorn"),
        ("def f():\n    import urllib.request", "urllib.request"),
    ],
)
def test_what_asks_the_machine_is_found(line: str, what: str) -> None:
    assert [asking.what for asking in asked_by(line)] == [what]


@pytest.mark.parametrize(
    "line",
    [
        "import asyncio\nawait asyncio.sleep(1)",
        "import asyncio\nasyncio.get_running_loop().time()",
        "def f(rng: random.Random, port: socket.socket) -> None: ...",
        "import socket\nfamily = socket.AF_INET\ntry: pass\nexcept socket.gaierror: pass",
        "import numpy as np\nnp.random.default_rng(7)\nnp.random.Generator(np.random.Philox(key=1))",
        "from dataclasses import replace\nreplace(record)",
        "import msgspec\nmsgspec.structs.replace(record, a=1)",
        "'a'.replace('b', 'c')\nwhen.replace(tzinfo=UTC)",
        "from http import HTTPStatus",
        "from datetime import datetime\ndatetime.fromtimestamp(1, UTC)",
        "time = clock.now_ns()\ntime.bit_length()",
    ],
)
def test_what_was_handed_in_is_not(line: str) -> None:
    assert list(asked_by(line)) == []


def test_a_planted_line_is_told_with_its_place_and_cure(tmp_path: Path) -> None:
    (tmp_path / "base").mkdir()
    for name in ("base/clock.py", "store.py"):
        (tmp_path / name).write_text("import time\n\nnow = time.time()\n")
    assert faults(tmp_path, {}) == [f"{tmp_path}/store.py:3: asks the machine by time: take a `Clock`"]
    assert faults(tmp_path, {"store.py": ("time",)}) == []


def test_a_permission_that_nobody_needs_is_told(tmp_path: Path) -> None:
    assert faults(tmp_path, {"gone.py": ("httpx",)}) == ["tools/seams.py: gone.py may use httpx and does not"]
    assert all(MAY.values())
