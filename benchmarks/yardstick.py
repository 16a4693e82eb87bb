"""How fast this machine is at this minute: a fixed piece of work that has nothing to do with pairscope.

Seconds and microseconds depend on the processor, and a goal in them is met on one and missed on another by the same
program. Goals are ratios: to a peer, or to this. It uses nothing that some processors have instructions of their own
for: the usual sort of NumPy is ten times as fast where it finds them, and pairscope is not.
"""

from __future__ import annotations

import json
import statistics
import time

import numpy as np

from benchmarks.report import Goal, number

ROUNDS = 9
_TEXT = json.dumps([{"a": i, "p": f"{i}.5", "m": i % 2 == 0} for i in range(1_000)])


def yardstick_s() -> float:
    """Processor seconds of one piece: the larger half of it NumPy, the other JSON and objects of Python."""
    values = np.random.default_rng(1).normal(size=1_000_000)
    shuffled = values[:120_000]
    taken = []
    for _ in range(ROUNDS):
        began_s = time.process_time()
        np.sort(shuffled, kind="stable")
        np.cumsum(values * values)
        for _ in range(40):
            sum(float(row["p"]) for row in json.loads(_TEXT))
        taken.append(time.process_time() - began_s)
    return statistics.median(taken)


def in_yardsticks(promise: str, took_s: float, most: float, stick_s: float) -> Goal:
    """A goal for a time, in yardsticks measured beside it; the time itself is only shown."""
    ratio = took_s / stick_s
    shown = f"{number(ratio)} ({number(took_s * 1e3)} ms; a yardstick took {stick_s * 1e3:.0f} ms)"
    return Goal(f"{promise}: at most {most:g} yardsticks", shown, ratio <= most)
