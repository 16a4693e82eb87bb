"""The desk at which rules are handed in: read, measured and kept, one at a time."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import Any

from pairscope.alerts.book import Kept, RuleBook
from pairscope.alerts.measuring import Measuring
from pairscope.alerts.reading import Draft, Known, read_rule
from pairscope.alerts.revising import merged, revise
from pairscope.alerts.rule import AlertRule


class RuleDesk:
    """Takes rules as they are sent; lives on the event loop.

    ``known`` tells what rules may name now; it is asked in a thread, for it reads the state database.
    """

    def __init__(self, book: RuleBook, measuring: Measuring, known: Callable[[], Known]) -> None:
        self._book = book
        self._measuring = measuring
        self._known = known
        self._one_at_a_time = asyncio.Lock()  # what is changed is what was read before

    async def read(self, body: object) -> tuple[AlertRule, Mapping[str, Any]]:
        """A rule as it would be kept, and its words; nothing is kept.

        Raises:
            RequestError: for anything that is no rule.
            WarmingUp: while what has to be measured cannot be.
        """
        draft = read_rule(body, await asyncio.to_thread(self._known))
        return await self._measured(draft), draft.written

    async def create(self, body: object, who: str) -> Kept:
        """Keep a new rule.

        Raises:
            RequestError: when it cannot be kept.
            WarmingUp: while what has to be measured cannot be.
        """
        rule, written = await self.read(body)
        return await asyncio.to_thread(self._book.create, rule, who, written)

    async def replace(self, number: int, body: object, who: str) -> Kept:
        """Put a rule in the place of another, which keeps its state and its measures when the condition is the same.

        Raises:
            UnknownName: when there is none of this number; `create` has the rest.
        """
        known = await asyncio.to_thread(self._known)
        return await self._change(number, who, known, lambda _: read_rule(body, known).written)

    async def patch(self, number: int, body: object, who: str) -> Kept:
        """Say a part of a rule anew; null takes a key back.

        Raises:
            UnknownName: when there is none of this number; `create` has the rest.
        """
        known = await asyncio.to_thread(self._known)
        return await self._change(number, who, known, lambda before: merged(before, body))

    async def _change(
        self, number: int, who: str, known: Known, written_after: Callable[[Mapping[str, Any]], Mapping[str, Any]]
    ) -> Kept:
        async with self._one_at_a_time:
            before = await asyncio.to_thread(self._book.get, number)
            written = written_after(before.written)
            found = revise(before.rule, before.written, written, known)
            if isinstance(found, Draft):
                written, rule = found.written, await self._measured(found)
            else:
                rule = found
            return await asyncio.to_thread(self._book.replace, number, rule, who, written)

    async def _measured(self, draft: Draft) -> AlertRule:
        return draft.rule(await self._measuring.facts(draft))
