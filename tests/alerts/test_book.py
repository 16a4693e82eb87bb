"""The book of rules: each change is there with the row that tells who made it, or not at all."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from pairscope.alerts import book as module
from pairscope.alerts.book import RuleBook
from pairscope.alerts.clauses import RuleRefused
from pairscope.base.clock import ManualClock
from pairscope.base.errors import UnknownName
from pairscope.store.state import State
from tests.alerts.test_reading import PAIR, rule_of

RULE = rule_of({**PAIR, "name": "Wide"})
OTHER = rule_of({**PAIR, "name": "Wider", "threshold": 3})


@pytest.fixture
def state(tmp_path: Path) -> State:
    return State.open(tmp_path / "state.sqlite")


@pytest.fixture
def book(state: State) -> RuleBook:
    return RuleBook(state, ManualClock(5_000))


def notes(state: State) -> list[tuple[str, str, str]]:
    return [tuple(row) for row in state.rows("select who, what, subject from audit order by number")]


def test_a_rule_is_kept_changed_deleted_and_brought_back_and_each_is_noted(book: RuleBook, state: State) -> None:
    made = book.create(RULE, "ann")
    assert book.all() == [made]
    assert (made.number, made.revision, made.rule, made.made_ms) == (1, 1, RULE, 5_000)
    book.replace(1, OTHER, "bob")
    assert (book.get(1).revision, book.get(1).rule) == (2, OTHER)
    book.delete(1, "ann")
    assert book.all() == []
    assert book.undo(1, "ann").revision == book.undo(1, "ann").revision == 3
    what = [("ann", "created"), ("bob", "changed"), ("ann", "deleted"), ("ann", "undeleted")]
    assert notes(state) == [(*each, "alert rule 1") for each in what]


def test_a_rule_with_the_same_condition_is_the_same_revision(book: RuleBook) -> None:
    book.create(RULE, "ann")
    assert book.replace(1, msgspec.structs.replace(RULE, name="New", channels=("desk",)), "ann").revision == 1


def test_the_number_of_a_deleted_rule_is_never_anothers(book: RuleBook) -> None:
    book.create(RULE, "ann")
    book.delete(1, "ann")
    assert book.create(RULE, "ann").number == 2


def test_one_that_is_not_there_is_told(book: RuleBook) -> None:
    with pytest.raises(UnknownName, match="no rule 9"):
        book.get(9)
    with pytest.raises(UnknownName, match="no rule 9"):
        book.undo(9, "ann")
    with pytest.raises(UnknownName, match="no rule 9"):
        book.replace(9, RULE, "ann")
    book.create(RULE, "ann")
    book.delete(1, "ann")
    with pytest.raises(UnknownName, match="no rule 1"):
        book.delete(1, "ann")


def test_beyond_the_bound_a_rule_is_refused_and_not_noted(
    book: RuleBook, state: State, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MOST_RULES", 1)
    book.create(RULE, "ann")
    with pytest.raises(RuleRefused, match="as many as may be"):
        book.create(RULE, "ann")
    assert len(notes(state)) == 1


def test_a_change_whose_note_cannot_be_written_is_not_made(book: RuleBook, state: State) -> None:
    book.create(RULE, "ann")
    with state.change() as connection:
        connection.execute("create trigger no_notes before insert on audit begin select raise(abort, 'full'); end")
    with pytest.raises(Exception, match="full"):
        book.replace(1, OTHER, "bob")
    assert book.get(1).rule == RULE
