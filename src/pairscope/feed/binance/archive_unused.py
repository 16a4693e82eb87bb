"""Which ids of raw trades the exchange gave to no trade: the official aggregated trades of the day prove it."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from pairscope.base.errors import ArchiveError
from pairscope.base.id_ranges import Runs, intersect, no_runs, union
from pairscope.feed.archive_files import ArchiveFile, ArchiveKind
from pairscope.feed.binance.archive_text import AGG_RANGES, read_fields


def unused_ids(absent: Runs, file: ArchiveFile, proofs: Iterable[ArchiveFile]) -> Runs:
    """Those of some ids that lie between the trades of one aggregated trade and those of the very next.

    A file that cannot be used proves nothing.
    """
    unused = no_runs()
    if not len(absent):
        return unused
    for proof in proofs:
        if (proof.symbol, proof.kind) != (file.symbol, ArchiveKind.AGG):
            continue
        if proof.from_ms >= file.to_ms or file.from_ms >= proof.to_ms:
            continue
        try:
            unused = union(unused, intersect(absent, _between(proof)))
        except ArchiveError:
            continue
    return unused


def _between(proof: ArchiveFile) -> Runs:
    """The ids between neighbours that have no aggregated trade between them."""
    found = [no_runs()]
    before = np.empty((3, 0), np.int64)
    for table in read_fields(proof, AGG_RANGES):
        ids, first, last = np.concatenate([before, table.whole], axis=1)
        whole = (first > 0) & (last >= first)
        next_to = whole[:-1] & whole[1:] & (ids[1:] == ids[:-1] + 1) & (first[1:] > last[:-1] + 1)
        found.append(np.stack([last[:-1][next_to] + 1, first[1:][next_to] - 1], axis=1))
        before = np.stack([ids[-1:], first[-1:], last[-1:]])
    return union(*found)
