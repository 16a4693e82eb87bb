"""The dashboard's build: its lock file, its generated types, and the hook that puts it into the package."""

from __future__ import annotations

import gzip
import importlib.util
import json
import re
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from pairscope.api.schema import openapi_document

ROOT = Path(__file__).parent.parent
WEB = ROOT / "web"
BUNDLE_LIMIT = 260_000  # bytes of JavaScript and CSS, compressed


def load(path: Path) -> ModuleType:
    """A Python file that belongs to no package."""
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


# --- the lock file -----------------------------------------------------------------------------------

Packages = dict[str, dict[str, Any]]


def missing_optional(packages: Packages) -> list[tuple[str, str]]:
    """Optional dependencies that are named and not locked: an installation on their platform would lack them."""
    return [
        (path, name)
        for path, package in packages.items()
        for name in package.get("optionalDependencies", {})
        if not any(candidate in packages for candidate in _places(path, name))
    ]


def _places(path: str, name: str) -> list[str]:
    """Where Node would look for a package, seen from another."""
    places = []
    while path:
        places.append(f"{path}/node_modules/{name}")
        path = path.rpartition("node_modules/")[0].rstrip("/")
    return [*places, f"node_modules/{name}"]


@pytest.fixture
def packages() -> Packages:
    loaded: Packages = json.loads((WEB / "package-lock.json").read_text(encoding="utf-8"))["packages"]
    return loaded


def test_the_lock_file_is_complete_for_every_platform(packages: Packages) -> None:
    assert missing_optional(packages) == []


def test_a_dropped_platform_would_be_noticed(packages: Packages) -> None:
    dropped = next(path for path, package in packages.items() if package.get("optional") and "darwin" in path)
    del packages[dropped]
    assert missing_optional(packages)


def test_the_lock_file_names_no_registry(packages: Packages) -> None:
    assert [path for path, package in packages.items() if "resolved" in package] == []
    assert "registry" not in re.sub(r"omit-lockfile-registry-resolved=true\n", "", (WEB / ".npmrc").read_text())


def test_every_locked_package_has_a_hash(packages: Packages) -> None:
    bare = [p for p, package in packages.items() if p and "integrity" not in package and not package.get("inBundle")]
    assert bare == []


def test_every_direct_dependency_is_pinned_to_one_version() -> None:
    manifest = json.loads((WEB / "package.json").read_text(encoding="utf-8"))
    ranges = {**manifest["dependencies"], **manifest["devDependencies"]}
    assert [name for name, version in ranges.items() if not re.fullmatch(r"\d+\.\d+\.\d+", version)] == []


# --- the generated types -----------------------------------------------------------------------------


@pytest.fixture
def gen_ts() -> ModuleType:
    return load(ROOT / "tools" / "gen_ts.py")


def test_the_generated_types_are_current(gen_ts: ModuleType) -> None:
    committed = (WEB / "src" / "api.gen.ts").read_text(encoding="utf-8")
    assert committed == gen_ts.typescript(openapi_document()), "run: python tools/gen_ts.py"


@pytest.mark.parametrize(
    ("schema", "expected"),
    [
        ({"type": "integer"}, "number"),
        ({"enum": ["live", "stale"]}, '"live" | "stale"'),
        ({"type": "array", "items": {"type": "string"}}, "string[]"),
        ({"anyOf": [{"type": "number"}, {"type": "null"}]}, "number | null"),
        ({"type": "array", "items": {"anyOf": [{"type": "number"}, {"type": "null"}]}}, "(number | null)[]"),
        ({"type": "object", "additionalProperties": {"type": "number"}}, "Record<string, number>"),
        ({"properties": {"a": {"type": "null"}, "b-c": {}}, "required": ["a"]}, '{ a: null; "b-c"?: unknown; }'),
    ],
)
def test_a_schema_becomes_its_type(gen_ts: ModuleType, schema: dict[str, Any], expected: str) -> None:
    assert gen_ts.type_of(schema) == expected


# --- the hook ----------------------------------------------------------------------------------------


@pytest.fixture
def hook() -> ModuleType:
    pytest.importorskip("hatchling", reason="the build backend is not installed here")
    return load(ROOT / "hatch_build.py")


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project with the smallest web/ that can be stamped."""
    web = tmp_path / "web"
    (web / "src").mkdir(parents=True)
    (web / "package.json").write_text("{}")
    (web / "src" / "main.ts").write_text("main()")
    return tmp_path


def build_pretended(hook: ModuleType, project: Path) -> None:
    page = hook.page_of(project)
    page.mkdir(parents=True)
    (page / "index.html").write_text("<!doctype html>")
    (page / ".stamp").write_text(hook.stamp_of(hook.web_of(project)))


def test_a_page_is_current_until_a_source_changes(hook: ModuleType, project: Path) -> None:
    assert not hook.is_current(project)
    build_pretended(hook, project)
    assert hook.is_current(project)
    (project / "web" / "src" / "main.ts").write_text("other()")
    assert not hook.is_current(project)


def test_a_changed_test_leaves_the_page_current(hook: ModuleType, project: Path) -> None:
    build_pretended(hook, project)
    (project / "web" / "src" / "main.test.ts").write_text("it()")
    assert hook.is_current(project)


def test_a_renamed_source_makes_the_page_stale(hook: ModuleType, project: Path) -> None:
    build_pretended(hook, project)
    (project / "web" / "src" / "main.ts").rename(project / "web" / "src" / "start.ts")
    assert not hook.is_current(project)


def test_a_stamp_without_a_page_is_not_current(hook: ModuleType, project: Path) -> None:
    build_pretended(hook, project)
    (hook.page_of(project) / "index.html").unlink()
    assert not hook.is_current(project)


def test_only_an_editable_install_may_go_without_the_page(hook: ModuleType) -> None:
    skip = {"PAIRSCOPE_WEB": "skip"}
    assert hook.may_skip("editable", skip, False)
    assert hook.may_skip("standard", skip, True)
    assert not hook.may_skip("standard", {}, False)
    assert not hook.may_skip("editable", {}, False)
    with pytest.raises(hook.PageError, match="must contain the dashboard"):
        hook.may_skip("standard", skip, False)


def test_the_page_is_built_with_the_versions_of_node_that_vite_takes(hook: ModuleType) -> None:
    good = [(20, 19), (20, 20), (22, 12), (24, 0)]
    bad = [(), (18, 20), (20, 18), (21, 7), (22, 11)]
    assert [hook.node_is_good(version) for version in good] == [True] * len(good)
    assert [hook.node_is_good(version) for version in bad] == [False] * len(bad)


def test_every_input_of_the_stamp_exists(hook: ModuleType) -> None:
    assert [name for name in hook.INPUTS if not (WEB / name).exists()] == []


def test_a_failing_npm_stops_the_build_with_its_cure(
    hook: ModuleType, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (project / "web" / "package-lock.json").write_text("{}")
    monkeypatch.setattr(hook, "node_of_machine", lambda: ["false"])
    with pytest.raises(hook.PageError, match=r"npm ci .* ended with 1\. It needs an npm registry"):
        hook.build_page(project)


# --- the built page ----------------------------------------------------------------------------------


def test_the_built_page_is_small_and_loads_nothing_from_elsewhere() -> None:
    page = ROOT / "src" / "pairscope" / "static"
    if not (page / "index.html").is_file():
        pytest.skip("the dashboard has not been built")
    assets = [path for path in page.rglob("*") if path.suffix in (".js", ".css")]
    assert sum(len(gzip.compress(path.read_bytes(), 9)) for path in assets) <= BUNDLE_LIMIT
    index = (page / "index.html").read_text(encoding="utf-8")
    assert re.findall(r'(?:src|href)="(?!/app/)[^"]*"', index) == []
    assert "<style" not in index
    assert re.findall(r"<script(?![^>]*\ssrc=)", index) == []
