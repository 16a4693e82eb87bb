from __future__ import annotations

from pairscope.base.chance import jitter, token


def test_two_generators_and_two_tokens_differ() -> None:
    assert jitter().random() != jitter().random()
    assert len({token() for _ in range(100)}) == 100
