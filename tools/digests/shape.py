"""What is kept of an answer: every number by its exact bits, under the names by which it was published.

A single value is kept as it is, for its text in JSON tells its bits. A long column becomes its length, its first and
last value and a hash; a column of words also keeps the words, so that a renamed word can be told from another one.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import json
import re
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

Json = Any
LONGEST_KEPT = 6  # of a list that is kept as it is
MOST_WORDS = 40  # of a column that are kept beside its hash
BY_OUR_CLOCK = {"gaps": ("symbol", "first_id")}  # lists in the order of a volatile time, and what orders them here
KEYS = ("name", "symbol", "code")  # by which the records of a list are told apart, when each has another
GONE = "~"
NOT_KNOWN_AT_FIRST = frozenset({"used_bytes"})  # null until a first look, which is made when there is time

# Fields that tell of the machine, the moment or the process. Where one name has two meanings its parent stands before
# it. Everything else must be the same in every run.
VOLATILE: Mapping[str, str] = {
    "version": "of the program",
    "now_ms": "our clock",
    "started_ms": "our clock",
    "uptime_s": "our clock",
    "asked_ms": "our clock",
    "began_ms": "our clock",
    "ended_ms": "our clock",
    "found_ms": "when a gap was found, by our clock",
    "closed_ms": "when a gap was closed, by our clock",
    "received_ms": "our clock",
    "received_ns": "our clock",
    "last_frame_ms": "our clock",
    "last_commit_ms": "our clock",
    "verified_ms": "our clock",
    "imported_goes_ms": "counts from our clock",
    "next_retry_ms": "our clock",
    "clock_offset_ms": "measured",
    "clock_checked_ms": "our clock",
    "commit_ms_p50": "measured",
    "commit_ms_p99": "measured",
    "lag_ms": "of our clock",
    "lag_ms_p50": "measured",
    "lag_ms_p95": "measured",
    "lag_ms_p99": "measured",
    "lag_ms_longest": "measured",
    "trades_per_s": "measured",
    "memory_bytes": "measured",
    "open_bytes": "of DuckDB's file",
    "database_bytes": "of DuckDB's file",
    "trades_bytes": "of Parquet files",
    "bars_bytes": "of Parquet files",
    "used_bytes": "of files",
    "free_bytes": "of the machine",
    "state_bytes": "of SQLite's log, and of what rules do",
    "sealed_days": "whether a minute has passed yet",
    "feed.since_ms": "our clock",
    "frames_waiting": "of the moment",
    "rows_waiting": "of the moment",
    "reads_waiting": "of the moment",
    "exchange.connections": "of the moment",
    "requests.connections": "of the moment",
    "clients.sent": "how often a page was told",
    "clients.conflated": "how often a page was told",
    "clients.topics": "of the moment",
    "clients.clients": "of the moment",
    "backfill.pages": "how often the exchange was asked",
    "weight_used": "of the moment",
    "kernels.preparing": "of the moment",
    "path": "of a temporary folder",
}


def condensed(answer: Json, place: tuple[str, str] = ("", ""), volatile: Collection[str] = VOLATILE) -> Json:
    """What is kept of an answer; volatile fields keep their name and whether they are null.

    `place` is the name of the field it stands in, and before it that of the field around.
    """
    if place[1] in volatile or ".".join(place) in volatile:
        return None if answer is None and place[1] not in NOT_KNOWN_AT_FIRST else GONE
    if isinstance(answer, dict):
        return {key: condensed(value, (place[1], key), volatile) for key, value in answer.items()}
    if not isinstance(answer, list):
        return answer
    if answer and all(isinstance(value, dict) for value in answer):
        return _records(answer, place, volatile)
    if any(isinstance(value, dict | list) for value in answer):
        return [condensed(value, place, volatile) for value in answer]
    return answer if len(answer) <= LONGEST_KEPT else column(answer)


def _records(records: list[dict[str, Json]], place: tuple[str, str], volatile: Collection[str]) -> Json:
    if (order := BY_OUR_CLOCK.get(place[1])) is not None:
        records = sorted(records, key=lambda record: [record[name] for name in order])
    for key in KEYS:
        found = [record.get(key) for record in records]
        if all(isinstance(each, str) for each in found) and len(set(found)) == len(found):
            return {f"{key}={record[key]}": condensed(record, place, volatile) for record in records}
    fields = dict.fromkeys(field for record in records for field in record)
    if any(isinstance(value, dict | list) for record in records for value in record.values()):
        return [condensed(record, place, volatile) for record in records]
    return {
        field: condensed([record.get(field) for record in records], (place[1], field), volatile) for field in fields
    }


def column(values: Sequence[Json]) -> Json:
    """A column by its hash, with what helps to find a difference."""
    kept: dict[str, Json] = {"n": len(values), "first": values[0], "last": values[-1]}
    if not any(isinstance(value, str) for value in values):
        return kept | {"sha256": sha256(values)}
    words = {repr(value): value for value in values}  # 0.0 and -0.0 are two
    if len(words) > MOST_WORDS:
        return kept | {"sha256": sha256(values)}
    place = {word: number for number, word in enumerate(words)}
    return kept | {"words": list(words.values()), "sha256": sha256([place[repr(value)] for value in values])}


def sha256(values: Json) -> str:
    return hashlib.sha256(json.dumps(values, separators=(",", ":")).encode()).hexdigest()


def _today() -> list[str]:
    """The day on which a digest is made, and the next one: no data are of these."""
    now = dt.datetime.now(dt.UTC)
    return [f"{now + dt.timedelta(days=days):%Y-%m-%d}" for days in (0, 1)]


class Texts:
    """Takes out of texts what tells of the machine: folders, ports, versions, times of our clock."""

    def __init__(self, folders: Mapping[str, Path], version: str) -> None:
        places = sorted(((str(path), f"~{name}") for name, path in folders.items()), key=lambda one: -len(one[0]))
        self._places = places
        self._patterns = (
            (re.compile(rf"\b{re.escape(version)}\b"), "~version"),
            (re.compile(r"(127\.0\.0\.1|localhost|\[::1\]):\d+"), r"\1:~port"),
            (re.compile(r"--port \d{4,5}\b"), "--port ~port"),
            (re.compile(r"\bprocess \d+"), "process ~pid"),
            (re.compile(r"\bpid \d+", re.IGNORECASE), "pid ~pid"),
            (re.compile(rf"\b({'|'.join(_today())})[T ]\d\d:\d\d:\d\d(\.\d+)?"), "~now"),
        )

    def plain(self, text: str) -> str:
        for place, name in self._places:
            text = text.replace(place, name)
        for pattern, name in self._patterns:
            text = pattern.sub(name, text)
        return text

    def of(self, answer: Json) -> Json:
        """The same of all texts in an answer."""
        if isinstance(answer, str):
            return self.plain(answer)
        if isinstance(answer, list):
            return [self.of(each) for each in answer]
        if isinstance(answer, dict):
            return {key: self.of(value) for key, value in answer.items()}
        return answer
