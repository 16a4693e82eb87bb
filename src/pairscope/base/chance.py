"""Chance that nothing depends on: jitter of waits, names that no other process has, and keys that nobody guesses.

Whatever is computed takes a seeded generator instead, so that it comes out the same again.
"""

from __future__ import annotations

import random
import secrets


def jitter() -> random.Random:
    """A generator of its own, for waits."""
    return random.Random()


def token() -> str:
    """Eight letters that no other process has.

    >>> len(token()), token() == token()
    (8, False)
    """
    return secrets.token_hex(4)


def key() -> bytes:
    """32 bytes that nobody guesses."""
    return secrets.token_bytes(32)
