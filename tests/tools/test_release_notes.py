from __future__ import annotations

import re
from pathlib import Path

import pytest

import pairscope
from tools.release_notes import main, notes_of

CHANGELOG = "# Changes\n\n## 0.2.0 (2026-02-02)\n\n### Added\n- two\n\n## 0.1.0\n\n- one\n\n## 0.0.1\n\n"
ROOT = Path(__file__).parent.parent.parent


def test_the_notes_of_a_tag_are_its_part_of_the_changelog() -> None:
    assert notes_of("v0.2.0", CHANGELOG, "0.2.0") == "### Added\n- two"
    assert notes_of("v0.1.0", CHANGELOG, "0.1.0") == "- one"


@pytest.mark.parametrize(
    ("tag", "version"), [("v0.2.0", "0.1.0"), ("0.2.0", "0.2.0"), ("v0.3.0", "0.3.0"), ("v0.0.1", "0.0.1")]
)
def test_a_tag_that_is_another_version_or_is_not_told_of_is_refused(tag: str, version: str) -> None:
    with pytest.raises(ValueError, match=re.escape(version)):
        notes_of(tag, CHANGELOG, version)


def test_the_version_of_today_has_its_notes(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([f"v{pairscope.__version__}"]) == 0
    assert capsys.readouterr().out.strip()
    assert main(["v0.0.0"]) == 1


def test_every_workflow_runs_targets_that_are_there() -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), flags=re.MULTILINE))
    workflows = {path.name: path.read_text(encoding="utf-8") for path in (ROOT / ".github" / "workflows").glob("*.yml")}
    assert set(workflows) == {"ci.yml", "nightly.yml", "release.yml"}
    run = {name: set(re.findall(r"run: make ([a-z-]+)", text)) for name, text in workflows.items()}
    assert {name: used - targets for name, used in run.items() if used - targets} == {}
    assert run["nightly.yml"] == {"test-all", "coverage"}


def test_help_tells_of_every_target_that_people_use() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    phony = set(re.findall(r"^\.PHONY: (.+)$", makefile, flags=re.MULTILINE)[0].split())
    told = set(re.findall(r"^([a-z-]+):.*## ", makefile, flags=re.MULTILINE))
    own_steps = {"ready-to-test", "kernels-of-symbols", "kernels-of-pairs", "kernels-of-day"}
    assert phony - own_steps == told
