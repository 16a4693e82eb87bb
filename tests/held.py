"""A tape that cannot be had: another process that holds it, and what is said to who asked."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from pairscope.base.errors import DataFolderError
from pairscope.store.tape import Tape

OpenStore = Callable[..., Tape]

HOLDER = """
import sys
from pathlib import Path
from pairscope.base.clock import SystemClock
from pairscope.base.model import TradeKind
from pairscope.store.tape import Tape

store = Tape.open(Path(sys.argv[1]), kind=TradeKind.AGG, clock=SystemClock())
if len(sys.argv) > 2:
    store.announce(sys.argv[2])
print("open", flush=True)
sys.stdin.readline()
store.close()
"""


@contextmanager
def held_by_a_child(path: Path, *url: str) -> Iterator[subprocess.Popen[str]]:
    """Another process that has the tape open for the time of a `with` block."""
    command = [sys.executable, "-c", HOLDER, str(path), *url]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as child:
        assert child.stdin is not None
        assert child.stdout is not None
        assert any(line == "open\n" for line in child.stdout)
        yield child
        if child.poll() is None:
            child.communicate("\n")


def refusal(open_store: OpenStore, **options: object) -> DataFolderError:
    """What is said when a tape is refused: one line, and a cure."""
    with pytest.raises(DataFolderError) as caught:
        open_store(**options)
    assert "\n" not in str(caught.value)
    assert caught.value.cure
    return caught.value
