"""What the package says it needs, what is asked for, and what is locked are the same."""

from __future__ import annotations

import ast
import re
import sys
import tomllib
from collections.abc import Iterator
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
REQUIREMENTS = ROOT / "requirements"
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
REQUIREMENT = re.compile(r"^([A-Za-z0-9][\w.-]*)(\[[\w,-]+\])?\s*([^;#\s]*)")


def named(lines: Iterator[str] | list[str]) -> dict[str, str]:
    """Each requirement's range by its name as indexes spell it."""
    found = {}
    for line in lines:
        if (match := REQUIREMENT.match(line.strip())) is not None:
            found[re.sub(r"[-_.]+", "-", match[1]).lower()] = match[3]
    return found


NEEDED = named(PROJECT["project"]["dependencies"])


def asked(name: str) -> dict[str, str]:
    """What an input file asks for, those it includes too."""
    lines = (REQUIREMENTS / f"{name}.in").read_text(encoding="utf-8").splitlines()
    included = [asked(Path(line.split()[1]).stem) for line in lines if line.startswith("-r ")]
    return {key: value for each in included for key, value in each.items()} | named(lines)


def locked(name: str) -> dict[str, str]:
    lines = (REQUIREMENTS / f"{name}.txt").read_text(encoding="utf-8").splitlines()
    return named([line for line in lines if line and not line[0].isspace()])


def test_the_package_needs_what_is_asked_for_to_run_it() -> None:
    assert sorted(NEEDED) == sorted(asked("runtime"))


@pytest.mark.parametrize("name", ["runtime", "dev", "bench", "uv"])
def test_all_that_is_asked_for_is_locked_to_one_version_within_its_range(name: str) -> None:
    found = locked(name)
    assert sorted(set(asked(name)) - set(found)) == []
    for key, version in found.items():
        assert version.startswith("=="), key
        low = re.match(r">=([\d.]+)", NEEDED.get(key, ""))
        if low is not None:
            assert parts(version[2:]) >= parts(low[1]), key


def parts(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in re.findall(r"\d+", version.partition("+")[0]))


def test_tests_run_with_the_versions_that_people_run() -> None:
    runtime, dev = locked("runtime"), locked("dev")
    assert {name: dev[name] for name in runtime if name in dev and dev[name] != runtime[name]} == {}


def test_every_package_that_the_source_imports_is_named_and_every_named_one_is_imported() -> None:
    distributions = packages_distributions()
    imported = set()
    for path in (ROOT / "src" / "pairscope").rglob("*.py"):
        for module in modules_of(ast.parse(path.read_text(encoding="utf-8"))):
            if module not in sys.stdlib_module_names and module != "pairscope":
                imported |= {re.sub(r"[-_.]+", "-", name).lower() for name in distributions[module]}
    assert sorted(imported - set(NEEDED) - BROUGHT_BY) == [], "name it in pyproject.toml and requirements/runtime.in"
    assert sorted(set(NEEDED) - imported) == [], "nothing imports it"


BROUGHT_BY = {"starlette", "pydantic-core"}  # parts of fastapi and pydantic, whose versions they fix


def modules_of(tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (each.name.partition(".")[0] for each in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node.module.partition(".")[0]
