"""When a message that was not accepted is tried again, and how long its channel is left alone meanwhile.

A message has its own waits, over three days. A channel that fails rests too, for minutes at most: so the many messages
that wait for one receiver do not all ask it, and one that answers again gets them soon.
"""

from __future__ import annotations

import random

# The first attempt comes at once. 76 h, jitter besides: a receiver that is away over a weekend gets all of it, and one
# that is back after days of it within hours.
WAITS_S = (5, 60, 300, 1_800, 3_600, 7_200, *(18 * (14_400,)))
TRIES = len(WAITS_S) + 1
GIVEN_UP_S = 96 * 3_600  # one that its channel's failure kept from being tried at all
DOWN_AFTER = 3  # failures in a row; the first success after that takes along all that waits
LONGEST_REST_S = 300
JITTER = 0.2
LONGEST_WISH_S = 7 * 86_400  # of a receiver that asks to be left alone


def wait_s(tries: int, rng: random.Random, asked_s: float | None = None) -> float | None:
    """How long a message waits after so many tries; None when it has none left.

    Never shorter than the receiver asked for.

    >>> rng = random.Random(1)
    >>> 5 <= wait_s(1, rng) <= 6, wait_s(1, rng, asked_s=3600), wait_s(TRIES, rng)
    (True, 3600, None)
    """
    if tries >= TRIES:
        return None
    return max(_jittered(WAITS_S[tries - 1], rng), _wish(asked_s))


def rest_s(failures: int, rng: random.Random, asked_s: float | None = None) -> float:
    """How long a channel is left alone after so many failures in a row.

    >>> 5 <= rest_s(1, random.Random(1)) <= 6, rest_s(1, random.Random(1), asked_s=40)
    (True, 40)
    """
    return max(_jittered(min(LONGEST_REST_S, WAITS_S[0] * 2 ** min(failures - 1, 10)), rng), _wish(asked_s))


def _jittered(seconds: float, rng: random.Random) -> float:
    return seconds * (1 + JITTER * rng.random())


def _wish(asked_s: float | None) -> float:
    return min(asked_s or 0.0, LONGEST_WISH_S)
