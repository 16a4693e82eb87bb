"""Every code an error can carry is explained where people look it up."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

import pairscope
from pairscope.base.errors import PairscopeError
from tools.gen_docs import error_classes

SOURCES = sorted(path for path in Path(pairscope.__file__).parent.rglob("*.py"))


def explained() -> set[str]:
    return {code for kind in error_classes() for code in kind.meanings}


@pytest.mark.parametrize("kind", error_classes(), ids=lambda kind: kind.__name__)
def test_a_class_explains_the_code_it_carries_by_itself(kind: type[PairscopeError]) -> None:
    assert any(kind.code in vars(base).get("meanings", {}) for base in kind.__mro__)


def test_every_code_that_is_given_anywhere_is_explained() -> None:
    given: dict[str, str] = {}
    for path in SOURCES:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call):
                for word in node.keywords:
                    if (
                        word.arg == "code"
                        and isinstance(word.value, ast.Constant)
                        and isinstance(word.value.value, str)
                    ):
                        given[word.value.value] = path.name
    assert len(given) > 20
    assert {code: name for code, name in given.items() if code not in explained()} == {}


def test_causes_and_cures_say_something() -> None:
    for kind in error_classes():
        for code, (cause, cure) in kind.meanings.items():
            assert len(cause) > 10, code
            assert len(cure) > 5, code
