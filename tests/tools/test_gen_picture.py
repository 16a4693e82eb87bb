from __future__ import annotations

import re
import tomllib
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest

from tools import gen_picture
from tools.gen_picture import TARGET, WORDS, drawn, floors, layers, main, picture

ROOT = Path(__file__).parent.parent.parent
CONTRACTS = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["importlinter"]["contracts"]


def test_the_picture_of_the_rooms_is_that_of_the_linter_now() -> None:
    assert main(["--check"]) == 0, "run: python tools/gen_picture.py"
    assert "images/rooms.svg" in (ROOT / "docs" / "how-it-works.md").read_text(encoding="utf-8")


def test_every_room_is_drawn_once_from_the_top_down() -> None:
    named = re.findall(r'font-weight="bold" fill="#\w+">(\w+)<', drawn())
    assert named == [room for layer in layers(CONTRACTS) for room in layer]
    assert set(named) == set(WORDS)
    assert named[0] == "cli"
    assert named[-1] == "base"
    ElementTree.fromstring(drawn())


def test_the_floors_of_a_room_stand_in_it() -> None:
    assert floors(CONTRACTS)["analytics"][-1] == "values"
    assert all(f">{floor}<" in drawn() for floor in floors(CONTRACTS)["analytics"])


def test_a_room_that_is_not_built_is_drawn_otherwise() -> None:
    assert picture(CONTRACTS, set()).count("stroke-dasharray") == len(WORDS)
    assert picture(CONTRACTS, set(WORDS)).count("stroke-dasharray") == 0


def test_a_stale_picture_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stale = tmp_path / "rooms.svg"
    stale.write_text(TARGET.read_text(encoding="utf-8").replace("cli", "cly"), encoding="utf-8")
    monkeypatch.setattr(gen_picture, "TARGET", stale)
    assert main(["--check"]) == 1
    assert main([]) == 0
    assert main(["--check"]) == 0
