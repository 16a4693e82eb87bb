"""The outbox as who delivers sees it: what is to be sent next, and what became of it, each in one transaction.

A message is ``waiting`` until it was accepted (``sent``) or given up (``dead``); while it is on its way it waits too,
so that it goes out again, with the same id, when the process ends in that moment.
"""

from __future__ import annotations

import random
import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from pairscope.alerts.delivery.channel import ChannelSettings
from pairscope.alerts.delivery.digest import PREFIX, digest, digest_id
from pairscope.alerts.delivery.letter import Letter, LetterView
from pairscope.alerts.delivery.outcome import Outcome
from pairscope.alerts.delivery.retries import DOWN_AFTER, GIVEN_UP_S, rest_s, wait_s
from pairscope.alerts.outbox import Notice
from pairscope.base.chance import jitter
from pairscope.base.clock import Clock, now_ms
from pairscope.store.state import State

MOST_CARRIED = 100  # messages of a digest that a webhook gets in full
MOST_DEAD = 10_000  # of one channel; the oldest go first
SENT_KEPT_MS = 30 * 86_400_000
DEAD_KEPT_MS = 90 * 86_400_000
_SET_BACK_MS = 60_000  # a time so far ahead was written before the clock was set back
_MINUTE_MS = 60_000
# What may go out now. Of a clock that was set back, what it wrote before is not waited for.
_DUE = (
    "state = 'waiting' and carried_by is null"
    " and (due_ms <= :now or tried_ms > :now + :back or (tries = 0 and made_ms > :now + :back))"
)


@dataclass(frozen=True, slots=True)
class Pause:
    """Nothing is to be sent now; ``seconds`` until something may be, None when nothing waits."""

    seconds: float | None


class Letters:
    """Reads and writes the outbox; to be used by any thread, one call at a time."""

    def __init__(self, state: State, clock: Clock, rng: random.Random | None = None) -> None:
        self._state = state
        self._clock = clock
        self._rng = rng or jitter()

    def begin(self) -> None:
        """Take up the work of a process before this one: the time in which nobody tried counts against no channel."""
        with self._state.change() as connection:
            connection.execute(
                "update channels set failing_since_ms = failing_since_ms + :now - tried_ms"
                " where failing_since_ms is not null and tried_ms < :now",
                {"now": now_ms(self._clock)},
            )

    def channels(self) -> list[str]:
        """The channels that something waits for, those that are not in the book any more too."""
        return [name for (name,) in self._state.rows("select distinct channel from outbox where state = 'waiting'")]

    def ages_s(self, channel: str) -> list[float]:
        """How long ago messages went out to a channel within the last minute."""
        now = now_ms(self._clock)
        found = self._state.rows(
            "select tried_ms from outbox where channel = ? and tried_ms between ? and ? and carried_by is null",
            (channel, now - _MINUTE_MS, now),
        )
        return [(now - tried) / 1_000 for (tried,) in found]

    def next_for(self, channel: str, left: int, opens_s: float) -> Letter | Pause:
        """What goes out to a channel next, of which ``left`` more may go out now, or in ``opens_s`` when it is none.

        With one left and more than one message due, that one is a digest of all of them.
        """
        now = now_ms(self._clock)
        found = self._state.rows(
            "select settings, off_reason, rests_until_ms, coalesce(tried_ms, 0) from channels where name = ?",
            (channel,),
        )
        if not found or found[0][1] is not None:
            self._bury(channel, "channel_off" if found else "no_channel")
            return Pause(None)
        settings, _, rests_until, tried = found[0]
        if now < rests_until and tried <= now + _SET_BACK_MS:
            return Pause((rests_until - now) / 1_000)
        due = self._due(channel, left + 1, now)
        if not due:
            return self._until_due(channel, now)
        if not left:
            return Pause(opens_s)
        decoded: ChannelSettings = msgspec.json.decode(settings, type=ChannelSettings)
        if left == 1 and len(due) > 1 and (letter := self._gathered(channel, decoded, now)) is not None:
            return letter
        return self._letter(channel, decoded, *due[0])

    # --- what became of it ---

    def settle(self, letter: Letter, outcome: Outcome) -> None:
        """Write what came of an attempt.

        Raises:
            FileNotWritten: when it cannot be written; `DiskFull` when there is no room.
        """
        now = now_ms(self._clock)
        with self._state.change() as connection:
            if outcome.is_sent:
                self._accepted(connection, letter, now)
            else:
                self._refused(connection, letter, outcome, now)

    def _accepted(self, connection: sqlite3.Connection, letter: Letter, now: int) -> None:
        connection.execute(
            "update outbox set state = 'sent', tries = tries + 1, tried_ms = ?, error = null"
            " where id = ? or carried_by = ?",
            (now, letter.id, letter.id),
        )
        was_down = connection.execute(
            "select 1 from channels where name = ? and failures >= ?", (letter.channel, DOWN_AFTER)
        ).fetchall()
        if was_down:  # it is back: what waits for it waits no longer
            connection.execute(
                "update outbox set due_ms = ? where channel = ? and state = 'waiting' and tries > 0 and due_ms > ?",
                (now, letter.channel, now),
            )
        connection.execute(
            "update channels set failures = 0, failing_since_ms = null, error = null, rests_until_ms = 0,"
            " tried_ms = ?, sent_ms = ? where name = ?",
            (now, now, letter.channel),
        )

    def _refused(self, connection: sqlite3.Connection, letter: Letter, outcome: Outcome, now: int) -> None:
        tries = letter.tries + 1
        wait = wait_s(tries, self._rng, outcome.retry_after_s)
        connection.execute(
            "update outbox set tries = ?, tried_ms = ?, error = ?, due_ms = ? where id = ? and state = 'waiting'",
            (tries, now, outcome.error, now + round(1_000 * (wait or 0)), letter.id),
        )
        if wait is None:
            _dead(connection, "id = :id", {"name": letter.channel, "id": letter.id})
        ((failures,),) = connection.execute(
            "update channels set failures = failures + 1, failing_since_ms = coalesce(failing_since_ms, :now),"
            " error = :error, tried_ms = :now, off_reason = case when :gone then 'gone' else off_reason end"
            " where name = :name returning failures",
            {"now": now, "error": outcome.error, "gone": outcome.is_gone, "name": letter.channel},
        ).fetchall() or ((1,),)
        rest = round(1_000 * rest_s(failures, self._rng, outcome.retry_after_s))
        connection.execute("update channels set rests_until_ms = ? where name = ?", (now + rest, letter.channel))
        if outcome.is_gone:
            _dead(connection, "true", {"name": letter.channel, "error": outcome.error})
            return
        # Those that a channel's failure kept from being tried at all do not wait for ever either.
        _dead(
            connection,
            "max(made_ms, (select failing_since_ms from channels where name = :name)) < :before",
            {"name": letter.channel, "error": outcome.error, "before": now - 1_000 * GIVEN_UP_S},
        )

    def _bury(self, channel: str, why: str) -> None:
        with self._state.change() as connection:
            _dead(connection, "true", {"name": channel, "error": why})

    # --- dead letters ---

    def replay(self, ids: Sequence[str]) -> int:
        """Have dead letters sent again, with their ids and from the first try; what a digest carried goes with it.

        Returns:
            How many wait now, digests with what they carry counted as one.
        """
        now, replayed = now_ms(self._clock), 0
        with self._state.change() as connection:
            for each in ids:
                # What went out in a digest goes by itself when it alone is asked for.
                connection.execute("update outbox set carried_by = null where id = ? and state = 'dead'", (each,))
                replayed += connection.execute(
                    "update outbox set state = 'waiting', tries = 0, due_ms = ?, tried_ms = null"
                    " where id = ? and state = 'dead'",
                    (now, each),
                ).rowcount
                connection.execute(
                    "update outbox set state = 'waiting' where carried_by = ? and state = 'dead'", (each,)
                )
        return replayed

    def forget(self) -> int:
        """Drop what is old, and the oldest dead letters of a channel that has too many of them.

        Returns:
            How many were dropped.
        """
        now = now_ms(self._clock)
        with self._state.change() as connection:
            dropped = connection.execute(
                "delete from outbox where (state = 'sent' and coalesce(tried_ms, made_ms) < ?)"
                " or (state = 'dead' and made_ms < ?)",
                (now - SENT_KEPT_MS, now - DEAD_KEPT_MS),
            ).rowcount
            crowded = connection.execute(
                "select channel from outbox where state = 'dead' group by channel having count(*) > ?", (MOST_DEAD,)
            ).fetchall()
            for (channel,) in crowded:
                dropped += connection.execute(
                    "delete from outbox where channel = :name and state = 'dead' and rowid not in (select rowid from"
                    " outbox where channel = :name and state = 'dead' order by made_ms desc, rowid desc limit :most)",
                    {"name": channel, "most": MOST_DEAD},
                ).rowcount
        return dropped

    # --- reading ---

    def views(self, state: str | None, channel: str | None, ids: Sequence[str] | None, limit: int) -> list[LetterView]:
        """What became of messages, the latest first: of a state, a channel, or those of the given ids."""
        rows = self._state.rows(
            "select id, channel, state, body, made_ms, due_ms, tries, tried_ms, error, carried_by from outbox"
            " where (:state is null or state = :state) and (:channel is null or channel = :channel)"
            " and (:ids is null or id in (select value from json_each(:ids)))"
            " order by made_ms desc, rowid desc limit :limit",
            {
                "state": state,
                "channel": channel,
                "ids": None if ids is None else msgspec.json.encode(list(ids)).decode(),
                "limit": limit,
            },
        )
        return [_view(*row) for row in rows]

    def _due(self, channel: str, limit: int, now: int) -> list[tuple[Any, ...]]:
        return self._state.rows(
            f"select id, body, tries from outbox where channel = :name and {_DUE} order by made_ms, rowid limit :limit",
            {"name": channel, "now": now, "back": _SET_BACK_MS, "limit": limit},
        )

    def _until_due(self, channel: str, now: int) -> Pause:
        ((due,),) = self._state.rows(
            "select min(due_ms) from outbox where channel = ? and state = 'waiting' and carried_by is null", (channel,)
        )
        return Pause(None if due is None else max(0.0, (due - now) / 1_000))

    def _letter(self, channel: str, settings: ChannelSettings, number: str, body: str, tries: int) -> Letter:
        carried = self._state.rows(
            "select id, body from outbox where carried_by = ? order by made_ms desc, rowid desc limit ?",
            (number, MOST_CARRIED),
        )
        return Letter(
            id=number,
            channel=channel,
            settings=settings,
            notice=msgspec.json.decode(body, type=Notice),
            tries=tries,
            carried=tuple((each, msgspec.json.decode(text, type=Notice)) for each, text in reversed(carried)),
        )

    def _gathered(self, channel: str, settings: ChannelSettings, now: int) -> Letter | None:
        """All that is due, as one message that is in the outbox itself; None when it would carry one alone."""
        where = {"name": channel, "now": now, "back": _SET_BACK_MS, "digests": f"{PREFIX}*"}
        with self._state.change() as connection:
            due = connection.execute(
                f"select id, body from outbox where channel = :name and {_DUE} and id not glob :digests"
                " order by made_ms, rowid",
                where,
            ).fetchall()
            if len(due) < 2:
                return None
            number = digest_id([each for each, _ in due], now)
            notice = digest([msgspec.json.decode(text, type=Notice) for _, text in due], now)
            body = msgspec.json.encode(notice).decode()
            connection.execute(
                "insert into outbox (id, channel, made_ms, body, due_ms, state) values (?, ?, ?, ?, ?, 'waiting')",
                (number, channel, now, body, now),
            )
            connection.executemany("update outbox set carried_by = ? where id = ?", [(number, each) for each, _ in due])
        return self._letter(channel, settings, number, body, 0)


def _view(number: str, channel: str, state: str, body: str, *told: Any) -> LetterView:
    notice = msgspec.json.decode(body, type=Notice)
    made_ms, due_ms, tries, tried_ms, error, carried_by = told
    return LetterView(
        id=number,
        channel=channel,
        state=state,
        title=notice.title,
        transition=notice.transition,
        made_ms=made_ms,
        due_ms=due_ms,
        tries=tries,
        tried_ms=tried_ms,
        error=error,
        carried_by=carried_by,
    )


def _dead(connection: sqlite3.Connection, which: str, values: dict[str, str | int | None]) -> None:
    """Give up messages of the channel ``name`` that wait, and with a digest what it carries."""
    connection.execute(
        "update outbox set state = 'dead', error = coalesce(:error, error)"
        f" where channel = :name and state = 'waiting' and {which}",
        {"error": None} | values,
    )
    connection.execute(
        "update outbox set state = 'dead',"
        " error = (select error from outbox as whole where whole.id = outbox.carried_by)"
        " where channel = :name and state = 'waiting' and carried_by is not null"
        " and exists (select 1 from outbox as whole where whole.id = outbox.carried_by and whole.state = 'dead')",
        values,
    )
