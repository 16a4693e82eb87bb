"""For programs of tests that kill themselves, as `kill -9` would, at one of their calls."""

from __future__ import annotations

import os
import signal
from typing import Any


class DiesAfter:
    """Lets so many calls of the named functions pass, all together."""

    def __init__(self, calls: int) -> None:
        self.left = calls

    def within(self, owner: Any, *names: str) -> None:
        """Have these functions of a class or a module counted."""
        for name in names:
            setattr(owner, name, self._counted(getattr(owner, name)))

    def _counted(self, function: Any) -> Any:
        def call(*arguments: Any, **options: Any) -> Any:
            self.left -= 1
            if self.left < 0:
                os.kill(os.getpid(), signal.SIGKILL)
            return function(*arguments, **options)

        return call
