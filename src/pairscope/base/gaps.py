"""Why ids are, or once were, missing, and why they cannot be had for now: words that several rooms must know."""

from __future__ import annotations

import enum


class GapReason(enum.StrEnum):
    """How ids came to be missing."""

    START = "start"  # nobody was listening yet
    HISTORY = "history"  # nor was anybody, of what was looked for before the first trade that is heard
    RESTART = "restart"
    LOG_DAMAGED = "log_damaged"  # the newest rows of the open day could not be read when it was opened
    UNWATCHED = "unwatched"  # the symbol was not on the watch list
    DISCONNECTED = "disconnected"
    SKIPPED = "skipped"  # by the exchange, in a connection that stood
    RECORDING = "recording"  # in what is replayed
    DISK_QUEUE_FULL = "disk_queue_full"
    FILE_DAMAGED = "file_damaged"
    IMPORTED = "import"  # of ids older or newer than the tape: missing only while they are being imported
    NEVER_RECORDED = "never_recorded"  # between what was imported and what was there before
    ARCHIVE_HOLE = "archive_hole"  # the official file does not have them either, or in a row that cannot be true
    NOT_A_TRADE = "not_a_trade"  # the exchange told the id without a price or a size: closed at once
    REFUSED = "refused"  # it told the id in a row that cannot be true; the obstacle says why
    LET_GO = "let_go"  # deleted for its age, or for room, between days that are kept


class Obstacle(enum.StrEnum):
    """Why ids that are missing cannot be had for now."""

    TOO_OLD = "too_old_for_rest"
    NOT_SERVED = "not_served_by_rest"
    NO_FILE = "no_archive_file"  # when it was last looked for is told beside it
    IMPORTING = "importing"
    NOT_IMPORTED = "not_imported"
    NOT_IN_ARCHIVE = "not_in_archive"
    # The exchange gives them out in rows that cannot be true: the words of a refusal.
    ID = "id_implausible"
    SIDE = "side_unreadable"
    NOT_FINITE = "not_finite"
    TOO_SMALL = "size_too_small"
    TIME = "time_implausible"


# Nobody had listened for these: once they are there, nothing was closed and nothing is left to tell.
OF_IMPORTS = frozenset({GapReason.IMPORTED, GapReason.NEVER_RECORDED, GapReason.ARCHIVE_HOLE})

# Ids that are known to be absent and are asked for by nobody.
SETTLED = frozenset({GapReason.NOT_A_TRADE, GapReason.LET_GO})

# The rows that told these ids were refused.
BY_REFUSAL = frozenset({Obstacle.ID, Obstacle.SIDE, Obstacle.NOT_FINITE, Obstacle.TOO_SMALL, Obstacle.TIME})
