"""Why ids are missing in trades that come by a stream, as far as the stream itself can know it."""

from __future__ import annotations

from dataclasses import dataclass

JUST_CONNECTED_S = 30.0  # holes found so soon are of the time before the connection
DISCONNECTED = "disconnected"


@dataclass(frozen=True, slots=True)
class HoleReasons:
    """What to say of holes, by when they are found.

    >>> HoleReasons().of(2.0, reconnects=0), HoleReasons().of(2.0, reconnects=1), HoleReasons().of(31.0, reconnects=1)
    ('restart', 'disconnected', 'skipped')
    """

    at_start: str = "restart"  # right after the first connection
    later: str = "skipped"  # while the connection stands

    def of(self, subscribed_for_s: float | None, reconnects: int) -> str:
        """The reason of holes in trades that come now."""
        if subscribed_for_s is None or subscribed_for_s > JUST_CONNECTED_S:
            return self.later
        return DISCONNECTED if reconnects else self.at_start
