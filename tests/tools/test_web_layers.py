"""The rooms of the dashboard stand in one order, and a rule that is broken is told."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from tools.web_layers import SOURCES, faults, imports_of

Plant = Callable[[str, str], list[str]]


@pytest.fixture
def plant(tmp_path: Path) -> Plant:
    """A copy of the dashboard's sources with one line more; gives what is found in it."""
    root = tmp_path / "src"
    shutil.copytree(SOURCES, root)

    def planted(file: str, line: str) -> list[str]:
        with (root / file).open("a", encoding="utf-8") as text:
            text.write(f"\n{line}\n")
        return faults(imports_of(root))

    return planted


def test_the_dashboard_keeps_the_order() -> None:
    imports = imports_of(SOURCES)
    assert faults(imports) == []
    assert "wire/client" in imports["main"]
    assert sum(map(len, imports.values())) > 300


@pytest.mark.parametrize(
    "line",
    [
        'import { Notice } from "../ui/notice";',
        'import type { Props } from "../ui/notice";',
        'export { Notice } from "../ui/notice";',
        'const later = () => import("../ui/notice");',
    ],
)
def test_an_import_of_a_later_room_is_told_of_a_type_and_of_a_value(plant: Plant, line: str) -> None:
    assert plant("lib/time.ts", line)[0] == "lib/time imports ui/notice: lib stands before ui"


def test_a_ring_inside_a_room_is_told_of_types_too(plant: Plant) -> None:
    (told,) = plant("wire/state.ts", 'import type { Hub } from "./hub";')
    assert told.startswith("a ring: ")
    assert {"wire/hub", "wire/state"} <= {*told.removeprefix("a ring: ").split(", ")}


def test_a_file_beside_the_rooms_is_the_shell(plant: Plant) -> None:
    assert plant("ui/rail.tsx", 'import { App } from "../app";')[0] == "ui/rail imports app: ui stands before app"
