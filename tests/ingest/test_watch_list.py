"""The list of watched symbols and its file."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from pairscope.base.errors import DataFolderError, UnknownName
from pairscope.ingest.watch_list import WatchList, WatchRefused
from pairscope.store.state import State, state_path

START = ("BTCUSDT", "ETHUSDT")


@pytest.fixture
def tape(tmp_path: Path) -> Path:
    return tmp_path / "tape.duckdb"


def opened(tape: Path, start: tuple[str, ...] = START, *pairs: tuple[str, str], most: int = 4) -> WatchList:
    return WatchList(tape, start, pairs, most).read()


def file_of(tape: Path) -> Path:
    """Where older versions kept the list."""
    return tape.with_name("tape.duckdb.symbols.json")


def keep(tape: Path, settings: str, symbols: str) -> None:
    """Write a list as another hand would."""
    opened(tape).add("SOLUSDT")
    with State.open(state_path(tape)) as state, state.change() as connection:
        connection.execute("update watched set settings = ?, symbols = ?", (settings, symbols))


def test_a_list_begins_with_the_symbols_of_the_settings_and_writes_nothing(tape: Path) -> None:
    watched = opened(tape)
    assert (watched.symbols, watched.pairs) == (START, (("ETHUSDT", "BTCUSDT"),))
    assert os.listdir(tape.parent) == []


def test_changes_hold_for_the_next_start_with_the_same_settings(tape: Path) -> None:
    watched = opened(tape)
    watched.add("SOLUSDT")
    watched.remove("BTCUSDT")
    for each in (watched, opened(tape)):
        assert (each.symbols, each.pairs) == (("ETHUSDT", "SOLUSDT"), (("SOLUSDT", "ETHUSDT"),))
    assert os.listdir(tape.parent) == [state_path(tape).name]


def test_settings_that_name_other_symbols_are_newer_than_the_list(tape: Path) -> None:
    opened(tape).add("SOLUSDT")
    assert opened(tape, ("XRPUSDT", "BTCUSDT")).symbols == ("XRPUSDT", "BTCUSDT")
    assert opened(tape).symbols == (*START, "SOLUSDT")


def test_a_symbol_the_exchange_no_longer_lists_is_left_out(tape: Path) -> None:
    opened(tape).add("SOLUSDT")
    assert WatchList(tape, START, (), 4).read(listed={"BTCUSDT", "SOLUSDT"}).symbols == ("BTCUSDT", "SOLUSDT")
    assert WatchList(tape, START, (), 4).read(listed={"XRPUSDT"}).symbols == START


def test_no_more_than_the_most_are_watched(tape: Path) -> None:
    watched = opened(tape, most=3)
    watched.add("SOLUSDT")
    with pytest.raises(WatchRefused, match="one more than the 3"):
        watched.add("XRPUSDT")


def test_what_is_needed_cannot_be_removed(tape: Path) -> None:
    watched = opened(tape, START, ("ETHUSDT", "BTCUSDT"))
    with pytest.raises(WatchRefused, match="the configured pair ETHUSDT/BTCUSDT needs BTCUSDT"):
        watched.remove("BTCUSDT")
    with pytest.raises(UnknownName, match="did you mean BTCUSDT"):
        watched.remove("BTCUSD")
    alone = opened(tape, ("BTCUSDT",))
    with pytest.raises(WatchRefused, match="the only symbol"):
        alone.remove("BTCUSDT")
    assert os.listdir(tape.parent) == []


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\xff\xfe",
        b"[]",
        b'{"format": 1, "settings": ["BTCUSDT", "ETHUSDT"]}',
        b'{"format": 2, "settings": ["BTCUSDT", "ETHUSDT"], "watched": ["BTCUSDT"]}',
        b'{"format": 1, "settings": ["BTCUSDT", "ETHUSDT"], "watched": "BTCUSDT"}',
        b"[" * 100_000,
    ],
)
def test_a_file_of_an_older_version_that_cannot_be_read_is_named_with_its_cure_and_stays(
    tape: Path, content: bytes
) -> None:
    file_of(tape).write_bytes(content)
    for _ in range(2):
        with pytest.raises(DataFolderError, match=r"symbols\.json cannot be used.*move it away"):
            opened(tape)
        WatchList(tape, START, (), 4).add("SOLUSDT")  # whoever changes the list without having read it
    assert file_of(tape).read_bytes() == content


@pytest.mark.parametrize(
    ("symbols", "cure"),
    [
        ("", "name other symbols"),
        ("{}", "name other symbols"),
        ("[]", "name other symbols"),
        ('["BTCUSDT", "BTCUSDT"]', "name other symbols"),
        ('["btcusdt"]', "name other symbols"),
        ('["../../etc"]', "name other symbols"),
        ('["A", "B", "C", "D", "E"]', "raise most_symbols to 5, or name other"),
    ],
)
def test_a_kept_list_that_cannot_be_used_is_named_with_its_cure(tape: Path, symbols: str, cure: str) -> None:
    keep(tape, '["BTCUSDT", "ETHUSDT"]', symbols)
    with pytest.raises(DataFolderError, match="cannot be used") as refused:
        opened(tape)
    assert cure in refused.value.cure
    assert str(tape) in refused.value.message


def test_the_cure_of_a_list_that_cannot_be_used_works(tape: Path) -> None:
    keep(tape, '["BTCUSDT", "ETHUSDT"]', '["A", "B", "C", "D", "E"]')
    assert opened(tape, most=5).symbols == ("A", "B", "C", "D", "E")
    assert opened(tape, ("XRPUSDT",)).symbols == ("XRPUSDT",)


def test_a_kept_list_without_a_leg_of_a_configured_pair_is_named(tape: Path) -> None:
    watched = opened(tape)
    watched.add("SOLUSDT")
    watched.remove("BTCUSDT")
    with pytest.raises(DataFolderError, match="a configured pair needs BTCUSDT"):
        opened(tape, START, ("ETHUSDT", "BTCUSDT"))


def test_a_change_that_cannot_be_written_is_no_change(tape: Path) -> None:
    watched = opened(tape)
    watched.add("SOLUSDT")
    with State.open(state_path(tape)) as state, state.change() as connection:
        connection.execute("create trigger full before insert on watched begin select raise(abort, 'no'); end")
    with pytest.raises(DataFolderError, match="cannot use"):
        watched.add("XRPUSDT")
    assert watched.symbols == opened(tape).symbols == (*START, "SOLUSDT")


def test_of_very_many_pairs_those_of_the_first_symbols_are_kept_computed(tape: Path) -> None:
    names = tuple(f"S{i}" for i in range(300))
    watched = WatchList(tape, names, (), 300, most_pairs=2_000)
    assert len(watched.pairs) == 2_000
    assert watched.possible_pairs == 44_850
    assert {x for _, x in watched.pairs} == set(names[:7])
    few = WatchList(tape, names[:3], (), 300, most_pairs=2_000)
    assert len(few.pairs) == few.possible_pairs == 3
