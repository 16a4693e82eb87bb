"""Frames as a damaged line or a hostile peer would send them: seeded mutations of real ones."""

from __future__ import annotations

import random
from collections.abc import Iterator

TOKENS = (
    b"1e999", b"-1", b"-0", b"0", b"1_0", b"NaN", b"Infinity", b"true", b"null", b'""', b'"1.5"', b"[]", b"{}",
    b"99999999999999999999999999", b"4611686018427387905", b"1.0", b"\xef\xbc\x91\xef\xbc\x92", b"\\ud800",
    b"\xff", b"\x00", b'"p":"1","p":"2"', b"aggTrade", b"trade", b"serverShutdown", b'"result":null', b"[" * 600,
)  # fmt: skip


def mutated(frame: bytes, rng: random.Random) -> bytes:
    """One to four changes, each a flipped bit, a cut, a repeat, a nasty word or a swap."""
    data = bytearray(frame)
    for _ in range(rng.randint(1, 4)):
        place = rng.randrange(len(data) + 1)
        length = rng.choice((1, 1, 2, 4, 16, 64))
        match rng.randrange(6):
            case 0 if data:
                data[place % len(data)] ^= 1 << rng.randrange(8)
            case 1:
                del data[place : place + length]
            case 2:
                data[place:place] = data[place : place + length]
            case 3:
                data[place:place] = rng.choice(TOKENS)
            case 4:
                data[place : place + length] = rng.choice(TOKENS)
            case _:
                del data[place:]
    return bytes(data)


def hostile(frames: list[bytes], count: int, seed: int) -> Iterator[bytes]:
    """Mutated copies of some frames, in order and over again, one in ten left as it was."""
    rng = random.Random(seed)
    for number in range(count):
        frame = frames[number % len(frames)]
        yield frame if rng.random() < 0.1 else mutated(frame, rng)
