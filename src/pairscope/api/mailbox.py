"""What waits to be sent to one client: bounded, with two rules.

Posted messages (closed and revised bars, snapshots, errors) are never dropped: when too many wait, the mailbox
overflows and its client must go. Kept messages (open bar, metrics, status, ping) are replaced by newer ones.
"""

from __future__ import annotations

import asyncio
from collections import deque


class MailboxOverflow(Exception):
    """The client reads too slowly to ever catch up."""


class Mailbox:
    """Messages for one client, in the order they must arrive."""

    def __init__(self, most_messages: int, most_characters: int) -> None:
        self.conflated = 0
        self.overflowed = False
        self._most_messages = most_messages
        self._most_characters = most_characters
        self._posted: deque[tuple[str, str]] = deque()  # topic, message
        self._kept: dict[tuple[str, str], str] = {}  # (topic, kind) -> message
        self._characters = 0
        self._filled = asyncio.Event()

    @property
    def crowded(self) -> bool:
        """Whether more than half of the room is taken: no time to ask for more."""
        return 2 * len(self._posted) > self._most_messages or 2 * self._characters > self._most_characters

    def post(self, topic: str, message: str) -> None:
        """Queue a message that must not be lost. The open bar it follows on is out of date with it."""
        if self.overflowed:
            return
        self._kept.pop((topic, "bar"), None)
        self._posted.append((topic, message))
        self._characters += len(message)
        if len(self._posted) > self._most_messages or self._characters > self._most_characters:
            self.overflowed = True
            self._posted.clear()
            self._kept.clear()
            self._characters = 0
        self._filled.set()

    def holds(self, topic: str, kind: str) -> bool:
        """Whether a message of a kind still waits."""
        return (topic, kind) in self._kept

    def keep(self, topic: str, kind: str, message: str) -> None:
        """Queue a message, in the place of an older one of its kind."""
        if self.overflowed:
            return
        if (topic, kind) in self._kept:
            self.conflated += 1
        self._kept[topic, kind] = message
        self._filled.set()

    def forget(self, topic: str) -> None:
        """Drop what waits for a topic: it was left, or a snapshot makes it obsolete."""
        self._posted = deque(item for item in self._posted if item[0] != topic)
        self._kept = {key: message for key, message in self._kept.items() if key[0] != topic}
        self._characters = sum(len(message) for _, message in self._posted)

    async def next(self) -> str:
        """The next message to send; waits for one.

        Raises:
            MailboxOverflow: when messages were lost.
        """
        while True:
            if self.overflowed:
                raise MailboxOverflow
            if self._posted:
                _, message = self._posted.popleft()
                self._characters -= len(message)
                return message
            if self._kept:
                return self._kept.pop(next(iter(self._kept)))
            self._filled.clear()
            await self._filled.wait()
