from __future__ import annotations

import numpy as np

from pairscope.api.bar_cache import EncodedBars
from pairscope.base.model import BAR, BarArray


def bars(close: float = 1.0, count: int = 10) -> BarArray:
    made = np.zeros(count, BAR)
    made["close"] = close
    return made


def test_equal_bars_are_encoded_once() -> None:
    encoded = EncodedBars()
    first = encoded.get("key", bars(), lambda: b"first")
    assert encoded.get("key", bars(), lambda: b"second") is first
    assert (encoded.hits, encoded.misses) == (1, 1)


def test_one_changed_bit_is_encoded_anew() -> None:
    encoded = EncodedBars()
    encoded.get("key", bars(), lambda: b"first")
    changed = bars()
    changed["close"][3] = np.nextafter(1.0, 2.0)
    assert encoded.get("key", changed, lambda: b"second") == b"second"


def test_bars_changed_in_place_are_noticed() -> None:
    encoded, shared = EncodedBars(), bars()
    encoded.get("key", shared, lambda: b"first")
    shared["volume"][-1] += 1
    assert encoded.get("key", shared, lambda: b"second") == b"second"


def test_the_longest_unused_encodings_go_when_the_budget_is_spent() -> None:
    encoded = EncodedBars(budget_bytes=2 * bars().nbytes + 100)
    encoded.get(1, bars(), lambda: b"one")
    encoded.get(2, bars(), lambda: b"two")
    encoded.get(1, bars(), lambda: b"again")
    encoded.get(3, bars(), lambda: b"three")
    assert encoded.get(1, bars(), lambda: b"again") == b"one"
    assert encoded.get(2, bars(), lambda: b"again") == b"again"


def test_bars_beyond_the_whole_budget_are_answered_and_not_kept() -> None:
    encoded = EncodedBars(budget_bytes=10)
    assert encoded.get(1, bars(), lambda: b"one") == b"one"
    assert encoded.get(1, bars(), lambda: b"two") == b"two"
