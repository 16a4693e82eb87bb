import importlib.util
import json
import re
from pathlib import Path
from types import ModuleType

import pytest

from pairscope.alerts.system import SYSTEM_METRICS
from pairscope.analytics.registry import CATALOGUE

ROOT = Path(__file__).parent.parent


def tool(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, ROOT / "tools" / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


GENERATED = ["settings.md", "metrics.md", "troubleshooting.md", "commands.md"]


@pytest.mark.parametrize("name", GENERATED)
def test_a_generated_page_is_what_the_code_says_now(name: str) -> None:
    pages = tool("gen_docs").PAGES
    assert list(pages) == GENERATED
    page = (ROOT / "docs" / name).read_text(encoding="utf-8")
    assert page == pages[name](page), "run: python tools/gen_docs.py"


def test_every_metric_is_on_the_page_of_metrics() -> None:
    page = (ROOT / "docs" / "metrics.md").read_text(encoding="utf-8")
    assert [name for name in (*CATALOGUE, *SYSTEM_METRICS) if f"| `{name}` |" not in page] == []


def test_the_page_of_reasons_is_made_of_the_simulated_numbers() -> None:
    gen_why = tool("gen_why")
    numbers = json.loads((ROOT / "docs" / "why.json").read_text(encoding="utf-8"))
    cure = "run: python tools/gen_why.py"
    assert (ROOT / "docs" / "why.md").read_text(encoding="utf-8") == gen_why.page(numbers), cure
    figure = (ROOT / "docs" / "images" / "why-epps.svg").read_text(encoding="utf-8")
    assert figure == gen_why.epps_figure(numbers), cure


def test_simulating_again_gives_the_numbers_of_the_page_of_reasons() -> None:
    gen_why = tool("gen_why")
    numbers = json.loads((ROOT / "docs" / "why.json").read_text(encoding="utf-8"))
    for simulation in gen_why.QUICK:
        for name, value in simulation().items():
            assert value == pytest.approx(numbers[name], rel=1e-6, abs=1e-12), name


def test_every_file_with_a_long_test_is_in_the_table_of_tiers() -> None:
    page = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    table = page[page.index("| file below `tests/` |") : page.index("What takes hours")]
    tests = {str(path.relative_to(ROOT / "tests")): path for path in (ROOT / "tests").rglob("test_*.py")}
    mark = "pytest.mark." + "slow"
    long = {name for name, path in tests.items() if mark in path.read_text(encoding="utf-8")}
    assert set(re.findall(r"`([\w/]+\.py)`", table)) == long


def test_every_promise_names_a_test_that_is_there() -> None:
    page = (ROOT / "docs" / "promises.md").read_text(encoding="utf-8")
    rows = [line for line in page.splitlines() if line.startswith("| ") and not line.startswith("| promise")]
    assert rows
    for row in rows:
        named = re.findall(r"`(\w[\w/]*\.py)(?:::(\w+))?`", row.split(" | ")[-1])
        assert named, row
        for file, test in named:
            source = (ROOT / "tests" / file).read_text(encoding="utf-8")
            assert re.search(rf"def {test or 'test_'}", source), f"{file}::{test}"


def test_every_file_on_the_way_of_a_trade_and_of_a_metric_is_there() -> None:
    page = (ROOT / "docs" / "how-it-works.md").read_text(encoding="utf-8")
    named = re.findall(r"`((?:src|web)/[\w./-]+)`", page)
    assert len(named) > 25
    assert [name for name in named if not (ROOT / name).exists()] == []


def test_every_decision_is_in_the_list_of_decisions_under_its_title() -> None:
    folder = ROOT / "docs" / "decisions"
    listed = re.findall(
        r"^\d+\. \[(.+)\]\((.+)\)$", (folder / "README.md").read_text(encoding="utf-8"), flags=re.MULTILINE
    )
    pages = sorted(path for path in folder.glob("*.md") if path.name != "README.md")
    titles = [path.read_text(encoding="utf-8").splitlines()[0].partition(". ")[2] for path in pages]
    assert listed == list(zip(titles, (path.name for path in pages), strict=True))
