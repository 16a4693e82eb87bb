"""The state as alerts hold it: written where a market is heard, looked at where a tape is."""

from __future__ import annotations

from pathlib import Path

import pytest

from pairscope.alerts.book import RuleBook
from pairscope.alerts.opening import open_state
from pairscope.base.clock import ManualClock
from pairscope.base.errors import DataFolderError
from tests.alerts.test_reading import PAIR, rule_of


def test_rules_are_kept_beside_the_tape_and_seen_where_it_is_looked_at(tmp_path: Path) -> None:
    tape = tmp_path / "live-aggTrade" / "tape.duckdb"
    with open_state(tape, is_looked_at=False) as state:
        made = RuleBook(state, ManualClock()).create(rule_of(PAIR), "ann")
    assert (tmp_path / "state.sqlite").exists()
    before = (tmp_path / "state.sqlite").read_bytes()
    with open_state(tape, is_looked_at=True) as look:
        book = RuleBook(look, ManualClock())
        assert book.all() == [made]
        book.delete(1, "ann")
    assert (tmp_path / "state.sqlite").read_bytes() == before
    assert [each.name for each in tmp_path.iterdir()] == ["state.sqlite"]


def test_a_damaged_state_keeps_nobody_from_looking_at_the_tape(tmp_path: Path) -> None:
    (tmp_path / "state.sqlite").write_bytes(b"this is no database" * 100)
    with open_state(tmp_path / "tape.duckdb", is_looked_at=True) as look:
        assert RuleBook(look, ManualClock()).all() == []
    with pytest.raises(DataFolderError):
        open_state(tmp_path / "tape.duckdb", is_looked_at=False)
    assert [each.name for each in tmp_path.iterdir()] == ["state.sqlite"]
