"""Random numbers by their place: the same seed, label and cell give the same numbers, in any order, at any time."""

from __future__ import annotations

import hashlib

import numpy as np


class Noise:
    """Independent random generators by label and cell number, all drawn from one seed.

    Built on the counter-based Philox generator: a cell is a place in its sequence, so nothing before it
    has to be drawn first. Whoever asks for a cell must draw from it in the same order each time.

    >>> noise = Noise(seed=7)
    >>> bool(noise.cell("BTCUSDT", 5).random() == noise.cell("BTCUSDT", 5).random())
    True
    """

    def __init__(self, seed: int) -> None:
        self._seed = seed
        self._keys: dict[str, np.ndarray[tuple[int], np.dtype[np.uint64]]] = {}

    def cell(self, label: str, number: int) -> np.random.Generator:
        """A fresh generator at the start of a cell; ``number`` >= 0."""
        key = self._keys.get(label)
        if key is None:
            digest = hashlib.blake2b(f"{self._seed}/{label}".encode(), digest_size=16).digest()
            key = self._keys[label] = np.frombuffer(digest, np.uint64)
        # The second word of the counter: each cell has 2**64 draws for itself.
        return np.random.Generator(np.random.Philox(key=key, counter=number << 64))
