"""What came of an attempt to send a message, in words that may be shown to anybody."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Outcome:
    """``error`` is None for a message that was accepted; it never holds an address, a header or an answer's text."""

    error: str | None = None
    is_gone: bool = False  # the receiver wants no more of them
    retry_after_s: float | None = None

    @property
    def is_sent(self) -> bool:
        return self.error is None


SENT = Outcome()
