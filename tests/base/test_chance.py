from __future__ import annotations

from pairscope.base.chance import jitter, key, token


def test_two_generators_and_two_tokens_differ() -> None:
    assert jitter().random() != jitter().random()
    assert len({token() for _ in range(100)}) == 100


def test_two_keys_differ_and_are_long_enough() -> None:
    assert len({key() for _ in range(100)}) == 100
    assert len(key()) == 32
