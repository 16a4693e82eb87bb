"""A tape as it stands at one moment, for another process to read while it goes on: the open tables are copied, sealed
files linked, so that neither can change or go while they are read.
"""

from __future__ import annotations

import itertools
import os
import shutil
from collections.abc import Sequence
from pathlib import Path

import duckdb

from pairscope.base import files
from pairscope.store.database import Database
from pairscope.store.schema import TABLES
from pairscope.store.sealed_catalog import Part, select_parts
from pairscope.store.sealed_files import SealedFiles, days_folder
from pairscope.store.shapes import quoted

FILE = "tape.duckdb"
_OF_SYMBOLS = ("trades", "bars", "gaps", "parts")
_numbers = itertools.count(1)  # of the databases that are attached meanwhile


def take_snapshot(database: Database, sealed: SealedFiles, folder: Path, symbol_ids: Sequence[int]) -> Path:
    """Copy what a tape holds of some symbols to a tape of its own in a new folder; work for a thread.

    Raises:
        StoreUnavailable: after close, or when the tape cannot be read.
        FileNotWritten: when the folder cannot be written; `DiskFull` when there is no room.
    """
    target = folder / FILE
    with files.telling(target):
        folder.mkdir(parents=True)
    with database.reading() as cursor:  # files that are listed in it stay until it ends
        name = f"snapshot_{next(_numbers)}"
        cursor.execute(f"attach {quoted(str(target))} as {name}")
        try:
            parts = _copy(cursor, name, symbol_ids)
        finally:
            cursor.execute(f"detach {name}")
        with files.telling(target):
            for part in parts:
                _link(sealed.path(part), days_folder(target) / part.path)
    return target


def _copy(cursor: duckdb.DuckDBPyConnection, name: str, symbol_ids: Sequence[int]) -> list[Part]:
    """The tables, and which files are listed in them."""
    chosen = f"symbol_id in ({', '.join(map(str, symbol_ids)) or 'null'})"
    cursor.execute("begin")  # all of one moment
    try:
        for table in TABLES:
            where = f" where {chosen}" if table in _OF_SYMBOLS else ""
            cursor.execute(f"create table {name}.main.{table} as select * from main.{table}{where}")
        parts = select_parts(cursor, chosen)
        cursor.execute("commit")
    except BaseException:
        cursor.execute("rollback")
        raise
    return parts


def _link(file: Path, link: Path) -> None:
    """Another name for a file that never changes; a copy where the disk has no such names."""
    link.parent.mkdir(parents=True, exist_ok=True)
    try:
        os.link(file, link)
    except FileNotFoundError:  # damaged, and moved away: whoever reads the snapshot notices
        return
    except OSError:
        shutil.copyfile(file, link)
