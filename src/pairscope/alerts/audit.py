"""Who changed what, written in the transaction of the change."""

from __future__ import annotations

import sqlite3


def note(connection: sqlite3.Connection, at_ms: int, who: str, what: str, subject: str, body: str = "") -> None:
    """Write that somebody did something to a subject, which is then as the body tells."""
    connection.execute(
        "insert into audit (at_ms, who, what, subject, body) values (?, ?, ?, ?, ?)", (at_ms, who, what, subject, body)
    )
