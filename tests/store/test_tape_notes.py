"""What the state says of one tape, beside what it says of others."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from pairscope.base.clock import SystemClock
from pairscope.base.errors import DataFolderError
from pairscope.base.model import TradeKind
from pairscope.store.inventory import Verified, VerifiedList
from pairscope.store.state import kept_states, state_path
from pairscope.store.tape import Tape
from pairscope.store.tape_notes import TapeNotes, report_state


def test_tapes_of_one_folder_have_one_state_and_their_own_rows(tmp_path: Path) -> None:
    live, simulated = (tmp_path / folder / "tape.duckdb" for folder in ("live-aggTrade", "simulator-1-aggTrade"))
    VerifiedList(live).add({"BTCUSDT": Verified(1, 0)})
    VerifiedList(simulated).add({"BTCUSDT": Verified(2, 0)})
    assert VerifiedList(live).read() == {"BTCUSDT": Verified(1, 0)}
    assert VerifiedList(simulated).read() == {"BTCUSDT": Verified(2, 0)}
    assert os.listdir(tmp_path) == ["state.sqlite"]


def test_a_tape_of_which_nothing_is_kept_has_no_state(tmp_path: Path) -> None:
    path = tmp_path / "tape.duckdb"
    Tape.open(path, kind=TradeKind.AGG, clock=SystemClock()).close()
    assert TapeNotes(path).rows("select 1") == []
    assert os.listdir(tmp_path) == ["tape.duckdb"]


def test_opening_a_tape_sets_a_damaged_state_aside(tmp_path: Path) -> None:
    path = tmp_path / "tape.duckdb"
    Tape.open(path, kind=TradeKind.AGG, clock=SystemClock()).close()
    state_path(path).write_bytes(b"junk" * 5_000)
    assert VerifiedList(path).read() == {}
    assert "is damaged" in (report_state(path).error or "")
    Tape.open(path, kind=TradeKind.AGG, clock=SystemClock()).close()
    assert [each.name for each in kept_states(state_path(path))] == report_state(path).damaged
    assert report_state(path).damaged == ["state.sqlite.damaged-1"]
    assert report_state(path).error is None
    VerifiedList(path).add({"BTCUSDT": Verified(1, 0)})
    assert VerifiedList(path).read() == {"BTCUSDT": Verified(1, 0)}


def test_a_tape_that_is_begun_anew_is_not_called_verified(tmp_path: Path) -> None:
    path = tmp_path / "tape.duckdb"
    Tape.open(path, kind=TradeKind.AGG, clock=SystemClock()).close()
    VerifiedList(path).add({"BTCUSDT": Verified(1, 0)})
    Tape.open(path, kind=TradeKind.AGG, clock=SystemClock()).close()
    assert VerifiedList(path).read() == {"BTCUSDT": Verified(1, 0)}
    path.unlink()
    Tape.open(path, kind=TradeKind.AGG, clock=SystemClock()).close()
    assert VerifiedList(path).read() == {}


def test_a_tape_cannot_be_called_as_the_state(tmp_path: Path) -> None:
    with pytest.raises(DataFolderError, match="the name of the state database"):
        Tape.open(tmp_path / "state.sqlite", kind=TradeKind.AGG, clock=SystemClock())
    assert list(tmp_path.glob("state.sqlite*")) == []
