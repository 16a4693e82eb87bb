"""Sets of trade ids as runs: an array of shape (n, 2), first and last id of each run, both included.

Runs are in rising order, do not overlap and do not touch. A day of trades is a handful of runs, however many
ids it has.
"""

from __future__ import annotations

import numpy as np

from pairscope.base.model import BoolArray, IntArray

Runs = IntArray


def no_runs() -> Runs:
    return np.empty((0, 2), np.int64)


def run(first_id: int, last_id: int) -> Runs:
    """One run; none when it would be empty."""
    return np.array([[first_id, last_id]], np.int64) if first_id <= last_id else no_runs()


def runs_of(ids: IntArray) -> Runs:
    """The runs of some ids, in any order; doubles count once.

    >>> runs_of(np.array([7, 3, 4, 4, 5])).tolist()
    [[3, 5], [7, 7]]
    """
    if len(ids) == 0:
        return no_runs()
    if not (np.diff(ids) >= 0).all():
        ids = np.sort(ids)
    breaks = np.flatnonzero(np.diff(ids) > 1)
    return np.stack([ids[np.append(0, breaks + 1)], ids[np.append(breaks, len(ids) - 1)]], axis=1)


def size(runs: Runs) -> int:
    """How many ids there are."""
    return int((runs[:, 1] - runs[:, 0] + 1).sum())


def contains(runs: Runs, ids: IntArray) -> BoolArray:
    """Which ids are in the set.

    >>> contains(run(3, 5), np.array([2, 3, 5, 6])).tolist()
    [False, True, True, False]
    """
    if len(runs) == 0:
        return np.zeros(len(ids), np.bool_)
    place = np.searchsorted(runs[:, 0], ids, side="right") - 1
    inside: BoolArray = (place >= 0) & (ids <= runs[place, 1])
    return inside


def union(*sets: Runs) -> Runs:
    """Ids that are in any of the sets.

    >>> union(run(1, 3), run(4, 6), run(9, 9)).tolist()
    [[1, 6], [9, 9]]
    """
    together = np.concatenate([no_runs(), *sets])
    if len(together) == 0:
        return together
    together = together[np.argsort(together[:, 0], kind="stable")]
    reach = np.maximum.accumulate(together[:, 1])
    starts = np.append(True, together[1:, 0] > reach[:-1] + 1)
    ends = np.append(starts[1:], True)
    return np.stack([together[starts, 0], reach[ends]], axis=1)


def holes(runs: Runs) -> Runs:
    """What lies between the runs of a set.

    >>> holes(runs_of(np.array([1, 2, 5, 9]))).tolist()
    [[3, 4], [6, 8]]
    """
    return np.stack([runs[:-1, 1] + 1, runs[1:, 0] - 1], axis=1)


def subtract(runs: Runs, others: Runs) -> Runs:
    """Ids of the first set that are not in the second.

    >>> subtract(run(1, 9), runs_of(np.array([3, 4, 9, 12]))).tolist()
    [[1, 2], [5, 8]]
    """
    if len(runs) == 0:
        return runs
    # Ends just beyond what matters make everything outside `others` a hole between two of its runs.
    low, high = int(runs[0, 0]) - 1, int(runs[-1, 1]) + 1
    return intersect(runs, holes(union(run(low, low), others, run(high, high))))


def intersect(runs: Runs, others: Runs) -> Runs:
    """Ids that are in both sets.

    >>> intersect(run(1, 5), run(4, 9)).tolist()
    [[4, 5]]
    """
    if len(runs) == 0 or len(others) == 0:
        return no_runs()
    # Runs of one set never touch, so each edge of a common run is an edge of one of the two.
    firsts = np.unique(np.concatenate([runs[:, 0], others[:, 0]]))
    lasts = np.unique(np.concatenate([runs[:, 1], others[:, 1]]))
    firsts = firsts[contains(runs, firsts) & contains(others, firsts)]
    lasts = lasts[contains(runs, lasts) & contains(others, lasts)]
    return np.stack([firsts, lasts], axis=1)
