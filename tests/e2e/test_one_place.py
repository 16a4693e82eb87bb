"""A screen of one file and one line, and a fitted metric of one function, in a page that is built with them."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import expect

from tests import edited
from tests.e2e.conftest import Server
from tests.patience import COMMAND_S
from tests.test_one_place import FITTED
from tests.test_web_build import load
from tools.web_layers import faults, imports_of

if TYPE_CHECKING:
    from tests.e2e.conftest import Watched

pytestmark = pytest.mark.browser

ROOT = Path(__file__).parent.parent.parent
SCREEN = """\
import type { Screen } from "../ui/screen";
import { useConfig } from "../wire/context";

function TeaScreen({ symbols: [symbol = ""] }: { symbols: readonly string[] }) {
  return (
    <p>
      Tea for {symbol}, of {useConfig().symbols.length} symbols
    </p>
  );
}

export const tea: Screen = {
  name: "tea",
  title: "Tea time",
  key: "9",
  icon: <circle cx="9" cy="9" r="6" />,
  takes: 1,
  has: ["interval"],
  heading: ([symbol = ""]) => `tea ${symbol}`,
  View: ({ symbols }) => <TeaScreen symbols={symbols} />,
};
"""


@pytest.fixture(scope="module")
def web(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The dashboard's sources with a file more in `screens/`, and in their list."""
    if not (ROOT / "web" / "node_modules").is_dir():
        pytest.skip("the dashboard cannot be built: web/node_modules is not installed (tools/npm.py installs it)")
    web = tmp_path_factory.mktemp("project") / "web"
    shutil.copytree(ROOT / "web", web, ignore=shutil.ignore_patterns("node_modules"))
    (web / "node_modules").symlink_to((ROOT / "web" / "node_modules").resolve())
    (web / "src" / "screens" / "tea.tsx").write_text(SCREEN, encoding="utf-8")
    listed = web / "src" / "screens" / "list.ts"
    text = listed.read_text(encoding="utf-8").replace("\nexport", 'import { tea } from "./tea";\n\nexport')
    listed.write_text(text.replace("\n\nimport { tea }", "\nimport { tea }").replace("system];", "system, tea];"))
    return web


def npm(web: Path, *arguments: str) -> None:
    run, environment = load(ROOT / "hatch_build.py").npm_of_anywhere()
    done = subprocess.run(
        [*run, *arguments], cwd=web, env=environment, capture_output=True, text=True, timeout=COMMAND_S, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.fixture(scope="module")
def server(web: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    npm(web, "run", "build")
    static = web.parent / "src" / "pairscope" / "static"
    elsewhere = f"\nSTATIC = Path({str(static)!r})"
    texts = {
        "analytics/metrics/volatility.py": edited.source("analytics/metrics/volatility.py") + FITTED,
        "api/server.py": edited.after("api/server.py", '.parent.parent / "static"', elsewhere),
    }
    symbols = ("--symbols", "BTCUSDT,ETHUSDT", "--history-minutes", "4")
    server = Server(tmp_path_factory.mktemp("pairscope"), symbols, program=edited.program(texts))
    server.start()
    yield server
    server.kill()


def test_a_screen_of_one_file_and_one_line_keeps_the_order_of_rooms_and_its_types(web: Path) -> None:
    imports = imports_of(web / "src")
    assert "screens/tea" in imports["screens/list"]
    assert faults(imports) == []
    npm(web, "run", "typecheck")
    npm(web, "run", "lint")


def test_a_screen_of_one_file_and_one_line_has_rail_key_address_help_and_search(watched: Watched) -> None:
    page = watched.open("/app/symbol/ETHUSDT?tf=5s")
    rail = page.get_by_role("navigation", name="Screens")
    link = rail.get_by_role("link", name="Tea time")
    expect(link).to_have_attribute("href", "/app/tea/ETHUSDT?tf=5s")
    expect(link).to_have_attribute("title", "Tea time (9)")
    page.keyboard.press("9")
    expect(page).to_have_url(re.compile(r"/app/tea/ETHUSDT\?tf=5s$"))
    expect(page.get_by_role("main")).to_have_text("Tea for ETHUSDT, of 2 symbols")
    expect(link).to_have_attribute("aria-current", "page")
    expect(page.get_by_role("banner").get_by_role("button", name="tea ETHUSDT")).to_be_visible()
    expect(page.get_by_role("group", name="Interval")).to_be_visible()
    page.keyboard.press("?")
    helped = page.get_by_role("dialog", name="Keyboard")
    expect(helped.get_by_role("definition").filter(has_text="Tea time")).to_be_visible()
    page.keyboard.press("Escape")
    page.keyboard.press("2")  # at once: it is for the screen, however long the dialog takes to fade
    expect(page).to_have_url(re.compile(r"/app/symbol/ETHUSDT"))
    page.keyboard.press("/")
    page.keyboard.type("tea")
    page.keyboard.press("Enter")
    expect(page.get_by_role("main")).to_have_text("Tea for ETHUSDT, of 2 symbols")
    page.goto(f"{watched.server.url}/app/tea/btcusdt")
    expect(page.get_by_role("main")).to_have_text("Tea for BTCUSDT, of 2 symbols")
    page.goto(f"{watched.server.url}/app/tea")
    expect(page.get_by_role("main")).to_contain_text("There is no such page")


def test_a_fitted_metric_of_one_function_stands_among_the_fits_of_the_page(watched: Watched) -> None:
    page = watched.open("/app/symbol/BTCUSDT?tf=1s")
    fits = page.get_by_role("region", name="Tests and fits")
    row = fits.get_by_role("row").filter(has_text="Usual step")
    expect(row.get_by_role("cell")).to_have_text(re.compile(r"\d"))
    row.get_by_role("button", name="Usual step").hover()
    expect(page.get_by_text("As a test has it.")).to_be_visible()
