"""What everything that closes holes has in common."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class RepairStatus:
    """What a repair says of itself."""

    name: str
    ids_waiting: int = 0  # trade ids that it is still to ask for
    answers: int = 0  # pages, files, questions that were answered
    trades: int = 0  # that it brought
    failures: int = 0
    last_error: str | None = None
    symbols_waiting: tuple[str, ...] = ()  # about which it is still to ask


class Repair(Protocol):
    """Finds out what is missing, or fetches it. What it brings goes the way of every other trade."""

    async def run(self) -> None:
        """Do so until cancelled."""

    def status(self) -> RepairStatus: ...
