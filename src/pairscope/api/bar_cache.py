"""Encoded bars, given again while the bars are the same to the last bit.

Turning a thousand bars into JSON costs three times as much as all the rest of a request. A market changes at most
once a flush, however many pages ask; comparing the bars' bytes with those of the last answer tells whether it did,
without anybody having to say so.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable

from pairscope.base.model import BarArray

BUDGET_BYTES = 16_000_000


class EncodedBars:
    """The latest encodings, the longest unused ones given up when they grow beyond a budget."""

    def __init__(self, budget_bytes: int = BUDGET_BYTES) -> None:
        self.hits = 0
        self.misses = 0
        self._budget = budget_bytes
        self._held: OrderedDict[Hashable, tuple[bytes, bytes]] = OrderedDict()  # key -> the bars, their encoding
        self._bytes = 0

    def get(self, key: Hashable, bars: BarArray, encode: Callable[[], bytes]) -> bytes:
        """What `encode` gave for the same key and bars, or gives now."""
        content = bars.tobytes()
        held = self._held.get(key)
        if held is not None and held[0] == content:
            self.hits += 1
            self._held.move_to_end(key)
            return held[1]
        self.misses += 1
        body = encode()
        self._drop(key)
        self._held[key] = content, body
        self._bytes += len(content) + len(body)
        while self._bytes > self._budget:
            self._drop(next(iter(self._held)))
        return body

    def _drop(self, key: Hashable) -> None:
        if key in self._held:
            content, body = self._held.pop(key)
            self._bytes -= len(content) + len(body)
