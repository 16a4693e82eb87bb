"""Why ids are, or once were, missing: reasons of gaps that several rooms must know."""

from __future__ import annotations

IMPORTED = "import"  # of ids older or newer than the tape: missing only while they are being imported
NEVER_RECORDED = "never_recorded"  # between what was imported and what was there before
ARCHIVE_HOLE = "archive_hole"  # the official file does not have them either, or in a row that cannot be true
NOT_A_TRADE = "not_a_trade"  # the exchange told the id without a price or a size: closed at once
REFUSED = "refused"  # it told the id in a row that cannot be true; the obstacle says why
LET_GO = "let_go"  # deleted for its age, or for room, between days that are kept

# Nobody had listened for these: once they are there, nothing was closed and nothing is left to tell.
OF_IMPORTS = frozenset({IMPORTED, NEVER_RECORDED, ARCHIVE_HOLE})

# Ids that are known to be absent and are asked for by nobody.
SETTLED = frozenset({NOT_A_TRADE, LET_GO})
