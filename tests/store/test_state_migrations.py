"""The steps of the state database: one that was released stays as it is, and nothing of any is left out."""

from __future__ import annotations

from hashlib import sha256

import pytest

from pairscope.store.state_migrations import MIGRATIONS, statements

# Of each released step the beginning of its checksum: a file in the field was made by just this text.
RELEASED = ("e1aa16f9dae2cc51", "9e995d948e63b170", "f1a65eaedc3e3716")


def test_a_released_step_is_never_changed() -> None:
    found = tuple(sha256(step.encode()).hexdigest()[:16] for step in MIGRATIONS)
    assert found[: len(RELEASED)] == RELEASED, "leave the step as it is, and add one that changes what it made"


@pytest.mark.parametrize("step", MIGRATIONS)
def test_every_statement_of_a_step_is_done(step: str) -> None:
    assert "".join(statements(step)).strip() == step.strip(), "the last statement needs its semicolon"


def test_a_semicolon_in_a_remark_or_a_text_ends_no_statement() -> None:
    script = "-- one; two\ninsert into words values ('a;\nb');\ndelete from words;\n"
    assert list(statements(script)) == ["-- one; two\ninsert into words values ('a;\nb');\n", "delete from words;\n"]
