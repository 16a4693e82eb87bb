"""Why ids are missing in trades that come by a stream, as far as the stream itself can know it."""

from __future__ import annotations

from dataclasses import dataclass

from pairscope.base.gaps import GapReason

JUST_CONNECTED_S = 30.0  # holes found so soon are of the time before the connection


@dataclass(frozen=True, slots=True)
class HoleReasons:
    """What to say of holes, by when they are found.

    >>> reasons = HoleReasons()
    >>> [reasons.of(for_s, reconnects).value for for_s, reconnects in ((2.0, 0), (2.0, 1), (31.0, 1))]
    ['restart', 'disconnected', 'skipped']
    """

    at_start: GapReason = GapReason.RESTART  # right after the first connection
    later: GapReason = GapReason.SKIPPED  # while the connection stands

    def of(self, subscribed_for_s: float | None, reconnects: int) -> GapReason:
        """The reason of holes in trades that come now."""
        if subscribed_for_s is None or subscribed_for_s > JUST_CONNECTED_S:
            return self.later
        return GapReason.DISCONNECTED if reconnects else self.at_start
