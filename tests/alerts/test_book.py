"""The book of rules: each change is there with the row that tells who made it, or not at all."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from pairscope.alerts import book as module
from pairscope.alerts.book import NOBODY, ChannelInUse, RuleBook
from pairscope.alerts.clauses import RuleRefused
from pairscope.alerts.delivery.addresses import Destinations
from pairscope.alerts.delivery.channels import Channels
from pairscope.base.clock import ManualClock
from pairscope.base.errors import UnknownName
from pairscope.store.state import State
from tests.alerts.test_reading import PAIR, rule_of

RULE = rule_of({**PAIR, "name": "Wide"})
OTHER = rule_of({**PAIR, "name": "Wider", "threshold": 3})
SENT = msgspec.structs.replace(RULE, channels=("desk",))
HOOK = {"name": "desk", "kind": "webhook", "url": "https://hooks.example/abc"}


@pytest.fixture
def state(tmp_path: Path) -> State:
    return State.open(tmp_path / "state.sqlite")


@pytest.fixture
def book(state: State) -> RuleBook:
    return RuleBook(state, ManualClock(5_000))


@pytest.fixture
def channels(state: State, book: RuleBook) -> Channels:
    found = Channels(state, ManualClock(5_000), Destinations(), book.note_channel)
    found.add(HOOK, "ann")
    return found


def notes(state: State) -> list[tuple[str, str, str]]:
    return [tuple(row) for row in state.rows("select who, what, subject from audit order by number")]


def test_a_rule_is_kept_changed_deleted_and_brought_back_and_each_is_noted(book: RuleBook, state: State) -> None:
    made = book.create(RULE, "ann")
    assert book.all() == [made]
    assert (made.number, made.revision, made.rule, made.made_ms) == (1, 1, RULE, 5_000)
    book.replace(1, OTHER, "bob")
    assert (book.get(1).revision, book.get(1).rule) == (2, OTHER)
    assert book.delete(1, "ann").deleted_ms == 5_000
    assert book.all() == []
    assert book.undo(1, "ann") == book.undo(1, "ann") == book.get(1)
    assert (book.get(1).revision, book.get(1).deleted_ms) == (3, None)
    what = [("ann", "created"), ("bob", "changed"), ("ann", "deleted"), ("ann", "undeleted")]
    assert notes(state) == [(*each, "alert rule 1") for each in what]


def test_a_rule_with_the_same_condition_is_the_same_revision(book: RuleBook, channels: Channels) -> None:
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


def test_the_words_of_a_rule_are_kept_with_it(book: RuleBook) -> None:
    assert book.create(RULE, "ann", {"window": "12 half-lives"}).written == {"window": "12 half-lives"}
    assert book.get(1).written == {"window": "12 half-lives"}
    assert book.replace(1, OTHER, "ann", {"window": 100}).written == book.get(1).written == {"window": 100}
    book.delete(1, "ann")
    assert book.undo(1, "ann").written == {"window": 100}


# --- the beginning ------------------------------------------------------------------------------------------


def test_a_new_database_begins_with_one_rule_once(book: RuleBook, state: State) -> None:
    made = book.begin(RULE, {"metric": "spread_z"})
    assert made is not None
    assert book.all() == [made]
    assert book.begin(RULE, {}) is None
    book.delete(1, "ann")
    assert book.begin(RULE, {}) is None, "it was not wanted"
    assert book.all() == []
    assert notes(state)[0] == (NOBODY, "created", "alert rule 1")


def test_where_a_rule_was_made_none_is_begun_with(book: RuleBook) -> None:
    book.create(OTHER, "ann")
    assert book.begin(RULE, {}) is None
    assert [each.rule for each in book.all()] == [OTHER]


# --- channels -----------------------------------------------------------------------------------------------


def test_a_rule_that_names_a_channel_nobody_made_is_refused_and_nothing_is_written(book: RuleBook) -> None:
    with pytest.raises(UnknownName, match="no channel 'desk'"):
        book.create(SENT, "ann")
    book.create(RULE, "ann")
    with pytest.raises(UnknownName, match="no channel 'desk'"):
        book.replace(1, SENT, "ann")
    assert [each.rule for each in book.all()] == [RULE]


def test_a_channel_that_rules_send_to_stays(book: RuleBook, channels: Channels, state: State) -> None:
    for number in range(10):
        book.create(SENT if number else RULE, "ann")
    before = notes(state)
    with pytest.raises(ChannelInUse, match=r"2 \(Wide\), .*9 \(Wide\) and 1 more. take it out") as refused:
        channels.delete("desk", "bob")
    assert refused.value.http_status == 409
    assert channels.names() == ["desk"]
    assert notes(state) == before


def test_one_of_deleted_rules_goes_and_they_come_back_only_with_it(book: RuleBook, channels: Channels) -> None:
    book.create(SENT, "ann")
    book.delete(1, "ann")
    channels.delete("desk", "bob")
    with pytest.raises(UnknownName, match="no channel 'desk'"):
        book.undo(1, "ann")
    assert book.all() == []
    channels.add(HOOK, "ann")
    assert book.undo(1, "ann").rule == SENT


def test_changes_of_channels_are_noted_like_those_of_rules(channels: Channels, state: State) -> None:
    channels.switch("desk", False, "bob")
    channels.delete("desk", "bob")
    whats = [("ann", "channel_added"), ("bob", "channel_off"), ("bob", "channel_deleted")]
    assert notes(state) == [(*each, "channel desk") for each in whats]


def test_beyond_the_bound_no_rule_comes_back(book: RuleBook, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_RULES", 1)
    book.create(RULE, "ann")
    book.delete(1, "ann")
    book.create(OTHER, "ann")
    with pytest.raises(RuleRefused, match="as many as may be"):
        book.undo(1, "ann")
    assert book.undo(2, "ann").revision == 1, "one that is there is no more"
