"""How the state database came to its present format: one step after the other, in SQL."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator

# Step by step, each a released format: never change one, add one. The number of the last is kept in the file.
MIGRATIONS: tuple[str, ...] = (
    """
    -- A tape is known by its path from the folder of this file; one that was begun anew in the same place is another.
    create table tapes (tape integer primary key, place text not null, is_over integer not null default 0);
    create unique index tape_of_place on tapes (place) where not is_over;

    -- Files of older versions that were taken over.
    create table taken_over (
        place text not null, file text not null, sha256 text not null, primary key (place, file)
    );

    -- The symbols that are watched, and those the settings named when they were changed: lists in JSON.
    create table watched (place text primary key, settings text not null, symbols text not null);

    create table imported_files (
        tape integer not null references tapes, name text not null, sha256 text not null, symbol text not null,
        rows integer not null, first_id integer not null, last_id integer not null, imported_ms integer not null,
        path text not null, primary key (tape, name, sha256)
    );

    -- Of each sealed file, by the beginning of its checksum, how many rows were imported, and how many are of files.
    create table imported_counts (
        tape integer not null references tapes, file text not null, imported integer not null,
        archive integer not null, primary key (tape, file)
    );

    create table verified (
        tape integer not null references tapes, symbol text not null, verified_ms integer not null,
        differences integer not null, primary key (tape, symbol)
    );
    """,
    """
    -- Where messages of alerts go. What is secret in the settings of a channel is told to nobody again. Of a channel
    -- that fails: since when, in a row how often, and until when nothing is sent to it.
    create table channels (
        name text primary key, kind text not null, made_ms integer not null, settings text not null,
        off_reason text, failing_since_ms integer, failures integer not null default 0, error text,
        rests_until_ms integer not null default 0, tried_ms integer, sent_ms integer
    );

    -- Messages of alerts, one row for each channel. A digest is a row too; what it carries has its fate.
    create table outbox (
        id text primary key, channel text not null, made_ms integer not null, body text not null,
        due_ms integer not null, state text not null check (state in ('waiting', 'sent', 'dead')),
        tries integer not null default 0, tried_ms integer, error text, carried_by text
    );
    create index outbox_of_state on outbox (state, channel, due_ms);
    create index outbox_carried on outbox (carried_by) where carried_by is not null;
    """,
    """
    -- Rules of alerts, in JSON. A deleted one stays, so that it can be brought back, and its number is never another's.
    create table alert_rules (
        number integer primary key autoincrement, revision integer not null, body text not null,
        made_ms integer not null, changed_ms integer not null, deleted_ms integer
    );

    -- Who changed what, written with the change.
    create table audit (
        number integer primary key autoincrement, at_ms integer not null, who text not null, what text not null,
        subject text not null, body text not null
    );
    """,
    """
    -- Rules whose messages are not sent until a time, by their numbers; 0 stands for all of them.
    create table alert_mutes (
        rule integer primary key, since_ms integer not null, until_ms integer not null, remark text not null
    );
    """,
    """
    -- What rules are doing, for each tape by itself: a simulated market does not go on where a real one stopped.
    -- How far bars were read for rules: the end of the last one, by their length or what else is read at a pace.
    create table alert_cursors (
        tape integer not null, beat text not null, read_ms integer not null, primary key (tape, beat)
    ) without rowid;

    -- Since when the present condition of a rule is read.
    create table alert_begun (
        tape integer not null, rule integer not null, revision integer not null, begun_ms integer not null,
        primary key (tape, rule)
    ) without rowid;

    -- A rule on one target. A rule that waits for something to happen, and never did anything, has no row. seen_ms is
    -- null of what is known as far as bars were read. fire is the transition with which the open episode began.
    create table alert_lives (
        tape integer not null, rule integer not null, target text not null, stage text not null, veil text not null,
        held_ms integer not null, seen_ms integer, fired_ms integer, since_ms integer, changes integer not null,
        fire integer, is_told integer not null, is_veil_told integer not null, primary key (tape, rule, target)
    ) without rowid;

    -- Every transition. simulated tells that the trades were those of no market.
    create table alert_history (
        number integer primary key autoincrement, tape integer not null, rule integer not null,
        revision integer not null, name text not null, severity text not null, target text not null,
        change text not null, is_minor integer not null, time_ms integer not null, recorded_ms integer not null,
        value, second, reason text, interval text, window integer, bar_ms integer, missing real, health text,
        half_life_ms integer, fire integer, simulated integer not null, withheld text, messages text,
        revised_ms integer, note text not null default ''
    );
    create index alert_history_of_rule on alert_history (rule, is_minor, number);
    create index alert_history_of_fire on alert_history (fire) where fire is not null;

    -- By which the messages of this database are told from those of every other.
    create table alert_origin (origin text not null);
    insert into alert_origin values (lower(hex(randomblob(8))));
    """,
)


def statements(script: str) -> Iterator[str]:
    """The statements of a script: `executescript` would end the transaction."""
    statement = ""
    for line in script.splitlines(keepends=True):
        statement += line
        if sqlite3.complete_statement(statement):
            yield statement
            statement = ""
