"""Each thing is added in one place: whatever else is made of it follows. Each is added here, as CONTRIBUTING tells.

A fitted metric and a screen are also added and looked at in a browser, by `tests/e2e/test_one_place.py`.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests import edited, prepared
from tests.loopback import ask
from tests.patience import ANSWER_S, COMMAND_S
from tests.test_cli import Running, clean_environment
from tests.test_docs import tool

FITTED = """

@Metric(
    scope="symbol",
    title="Usual step",
    formula="mean |ln(close / close before)| of the newest closed bars",
    unit="ln per bar",
    window=120,
    fewest=30,
    remark="As a test has it.",
    cadence="close",
    needs=("history",),
    about="tape",
)
def usual_step(window: SymbolWindow) -> Value:
    if window.history is None:
        return null(Reason.TOO_FEW, 0)
    steps = np.abs(np.diff(np.log(window.history)))
    steps = steps[np.isfinite(steps)]
    return given(float(steps.mean()), len(steps)) if len(steps) else null(Reason.TOO_FEW, 0)
"""
ENDPOINTS = """    Endpoint(
        path="/lengths/{symbol}",
        group="Bars and trades",
        summary="How long a name is",
        description="As a test has it.",
        answer=Lengths,
        handler=get_lengths,
        example="/lengths/BTCUSDT?limit=3",
        parameters=(SYMBOL_IN_PATH, limit_of(7)),
    ),
    Endpoint(
        path="/measured",
        group="Bars and trades",
        summary="How long a text is",
        description="As a test has it.",
        answer=Lengths,
        handler=post_measured,
        example="/measured",
        body=Measurable,
        example_body={"text": "abc"},
        method="POST",
    ),
"""
HANDLERS = '''class Lengths(wire.Wire, frozen=True, kw_only=True):
    """How long something is."""

    letters: int
    limit: int | None


class Measurable(wire.Wire, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is measured."""

    text: str


async def get_lengths(context: Context, query: Query) -> Lengths:
    symbol = query.symbol("symbol", context.live.symbols)
    return Lengths(letters=len(symbol), limit=query.integer("limit"))


async def post_measured(context: Context, query: Query) -> Lengths:
    return Lengths(letters=len(query.body.text), limit=None)


'''
SETTING = """
    tea_minutes: Annotated[int, Field(ge=1, le=60)] = setting(SettingTopic.SERVER, 4, "minutes that tea draws")
"""


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """A server in whose sources stand one fitted metric, and a table with two endpoints more."""
    volatility = edited.source("analytics/metrics/volatility.py") + FITTED
    routes = edited.source("api/routes.py").replace("ENDPOINTS = (\n", f"{HANDLERS}ENDPOINTS = (\n{ENDPOINTS}")
    program = edited.program({"analytics/metrics/volatility.py": volatility, "api/routes.py": routes})
    market = ("--source", "simulator", "--symbols", "BTCUSDT,ETHUSDT", "--history-minutes", "4")
    here = Running(tmp_path_factory.mktemp("tape"), *market, program=program, fresh=True)
    here.until(lambda status: not status["warming_up"] and not status["kernels"]["preparing"])
    yield here
    here.stop()


# --- a fitted metric --------------------------------------------------------------------------------


def test_a_fitted_metric_of_one_function_is_in_the_catalogue(served: Running) -> None:
    entries = {each["name"]: each for each in served.get("/metrics/catalogue")}
    entry = entries["usual_step"]
    assert (entry["title"], entry["cadence"], entry["unit"]) == ("Usual step", "close", "ln per bar")
    names = list(entries)
    assert names[names.index("usual_step") - 1] == "garch_gain", "after those of its module"
    assert names[names.index("usual_step") + 1] == "beta"


STEP = "/analytics/BTCUSDT?interval=1s&metrics=usual_step"


def test_a_fitted_metric_of_one_function_is_computed_of_closed_bars_at_each_close(served: Running) -> None:
    served.until(lambda _: len(closes(served, None)) > 121)
    found = served.get(STEP)["metrics"]["usual_step"]
    assert (found["reason"], found["window"], found["n"]) == (None, 120, 119)
    known = closes(served, found["as_of_ms"])[-120:]
    expected = sum(abs(math.log(one / before)) for before, one in pairwise(known)) / 119
    assert found["value"] == pytest.approx(expected, rel=1e-9)
    assert "usual_step" in served.get("/analytics/BTCUSDT?interval=1s&metrics=all")["metrics"]
    assert "usual_step" not in served.get("/analytics/BTCUSDT?interval=1s")["metrics"], "it is not of every bar"


def test_a_series_of_a_fitted_metric_stands_still_while_a_bar_is_open(served: Running) -> None:
    told: list[tuple[int, float | None]] = []  # of each row since the newest close

    def saw_an_open_bar(_: Any) -> bool:
        found = served.get(STEP)["metrics"]["usual_step"]
        series = served.get(f"{STEP.replace('?', '/series?')}&limit=20")
        rows = list(zip(series["open_time_ms"], series["metrics"]["usual_step"], strict=True))
        told[:] = [(found["as_of_ms"], found["value"]), *(row for row in rows if row[0] >= found["as_of_ms"])]
        return len(told) == 3 and served.get(STEP)["metrics"]["usual_step"]["as_of_ms"] == found["as_of_ms"]

    served.until(saw_an_open_bar)
    (at_ms, value), *rows = told
    assert rows == [(at_ms, value), (at_ms + 1_000, value)]


def closes(served: Running, until_ms: int | None) -> list[float]:
    """Closes of the closed bars of a second up to a time, those without a trade carried."""
    bars = served.get(f"/ohlc?symbol=BTCUSDT&interval=1s&limit=300{'' if until_ms is None else f'&to={until_ms + 1}'}")
    rows = zip(bars["bars"]["open_time_ms"], bars["bars"]["close"], bars["bars"]["status"], strict=True)
    known = {open_ms: close for open_ms, close, status in rows if status != "open"}
    found: list[float] = []
    for open_ms in range(min(known, default=0), max(known, default=-1) + 1, 1_000):
        found.append(known.get(open_ms, found[-1] if found else math.nan))
    return found


def test_a_fitted_metric_of_one_function_is_in_the_manual() -> None:
    text = edited.source("analytics/metrics/volatility.py") + FITTED
    assert "| `usual_step` | mean \\|ln(close / close before)\\| of" in written(
        "metrics.md", {"analytics/metrics/volatility.py": text}
    )


def written(page: str, texts: dict[str, str]) -> str:
    """A page of the manual as it is written of sources with some texts in place of their own."""
    root = Path(__file__).parent.parent
    rest = f"sys.path[:0] = [{str(root)!r}, {str(root / 'tools')!r}]\nimport gen_docs\n"
    rest += f"print(gen_docs.PAGES[{page!r}]((gen_docs.DOCS / {page!r}).read_text(encoding='utf-8')))"
    done = prepared.run(*edited.program(texts, rest), seconds=COMMAND_S, env=clean_environment(), fresh=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


# --- an endpoint ------------------------------------------------------------------------------------


def test_an_endpoint_of_one_record_is_served(served: Running) -> None:
    assert served.get("/lengths/ethusdt") == {"letters": 7, "limit": 7}
    assert served.get("/lengths/BTCUSDT?limit=3") == {"letters": 7, "limit": 3}
    assert send(served, {"text": "four"}).json() == {"letters": 4, "limit": None}


def send(served: Running, body: object, **headers: str) -> httpx.Response:
    given: dict[str, Any] = {"content": json.dumps(body), "headers": {"content-type": "application/json"} | headers}
    return httpx.post(f"{served.url}/measured", timeout=ANSWER_S, verify=False, trust_env=False, **given)


def test_an_endpoint_of_one_record_is_documented_and_typed(served: Running) -> None:
    document = served.get("/openapi.json")
    operation = document["paths"]["/lengths/{symbol}"]["get"]
    assert [one["name"] for one in operation["parameters"]] == ["symbol", "limit"]
    assert {"200", "403", "404", "421", "422", "500", "503"} == set(operation["responses"])
    posted = document["paths"]["/measured"]["post"]
    assert posted["requestBody"]["content"]["application/json"]["example"] == {"text": "abc"}
    assert {"404", "413", "415"} < set(posted["responses"])
    types = tool("gen_ts").typescript(document)
    path, query = "{ symbol: string; }", "{ limit?: number; }"
    assert f'"GET /lengths/{{symbol}}": {{ path: {path}; query: {query}; body: undefined; ok: Lengths }};' in types
    assert '"POST /measured": { path: undefined; query: undefined; body: Measurable; ok: Lengths };' in types
    assert "export interface Lengths {\n  letters: number;\n  limit: number | null;\n}" in types
    (proxied,) = (line for line in types.splitlines() if line.startswith("export const SERVED"))
    assert '"lengths"' in proxied, "the server of `npm run dev` hands it on"
    assert '"measured"' in proxied
    page = ask("GET", f"{served.url}/docs").text
    assert "/lengths/{symbol}" in page
    assert "How long a text is" in page


@pytest.mark.parametrize(
    ("address", "headers", "status", "code"),
    [
        ("/lengths/BTCUSDT", {"Host": "elsewhere.example"}, 421, "foreign_host"),
        ("/lengths/BTCUSDT", {"Origin": "http://elsewhere.example"}, 403, "foreign_origin"),
        ("/lengths/BTCUSDT", {"Sec-Fetch-Site": "cross-site"}, 403, "foreign_origin"),
        ("/lengths/XYZUSDT", {}, 404, "unknown_symbol"),
        ("/lengths/BTCUSDT?limitt=3", {}, 422, "unknown_parameter"),
        ("/lengths/BTCUSDT?limit=0", {}, 422, "bad_parameter"),
        ("/lengths/BTCUSDT?limit=1&limit=2", {}, 422, "bad_request"),
        ("/length/BTCUSDT", {}, 404, "not_found"),
    ],
)
def test_an_endpoint_of_one_record_has_every_guard(
    served: Running, address: str, headers: dict[str, str], status: int, code: str
) -> None:
    answer = httpx.get(served.url + address, headers=headers, timeout=ANSWER_S, verify=False, trust_env=False)
    assert (answer.status_code, answer.json()["error"]["code"]) == (status, code)
    assert answer.json()["error"]["cure"]
    assert "default-src 'none'" in answer.headers["content-security-policy"]


def test_a_body_of_one_record_has_every_guard(served: Running) -> None:
    assert ask("GET", f"{served.url}/measured").status_code == 405
    for answer, status, code in (
        (send(served, {"text": 5}), 422, "bad_body"),
        (send(served, {"texts": "a"}), 422, "bad_body"),
        (send(served, {"text": "a" * 70_000}), 413, "body_too_large"),
        (send(served, {"text": "a"}, **{"content-type": "text/plain"}), 415, "body_not_json"),
        (send(served, {"text": "a"}, origin="http://elsewhere.example"), 403, "foreign_origin"),
    ):
        assert (answer.status_code, answer.json()["error"]["code"]) == (status, code)
    assert send(served, {"text": 5}).json()["error"]["cure"] == 'send one such as {"text": "abc"}'


# --- a setting --------------------------------------------------------------------------------------

ASKED = """
import contextlib, io, json, os
from pathlib import Path
from pairscope.cli import main

def told(*arguments, file="", **environment):
    Path("pairscope.toml").write_text(file)
    os.environ.update(environment)
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            code = main(arguments)
        except SystemExit as end:
            code = end.code
    for name in environment:
        del os.environ[name]
    return [code, out.getvalue() + err.getvalue()]

print(json.dumps({
    "help": told("run", "--help"),
    "default": told("config", "tea_minutes"),
    "file": told("config", "tea_minutes", file="tea_minutes = 5"),
    "environment": told("config", "tea_minutes", file="tea_minutes = 5", PAIRSCOPE_TEA_MINUTES="6"),
    "flag": told("config", "tea_minutes", "--tea-minutes", "7", PAIRSCOPE_TEA_MINUTES="6"),
    "all": told("config"),
    "wrong": told("config", file="tea_minutes = 61"),
    "misspelt": told("config", PAIRSCOPE_TEA_MINUTE="6"),
}))
"""


@pytest.fixture(scope="module")
def texts() -> dict[str, str]:
    """The sources with one setting more."""
    name = "base/settings.py"
    return {name: edited.after(name, 'setting(SettingTopic.SERVER, "127.0.0.1", "address to listen on")', SETTING)}


def test_a_setting_of_one_line_can_be_given_everywhere_and_is_told_of_everywhere(texts: dict[str, str]) -> None:
    done = prepared.run(*edited.program(texts, ASKED), seconds=COMMAND_S, env=clean_environment(), fresh=True)
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    codes = {name: code for name, (code, _) in told.items()}
    assert codes == dict.fromkeys(told, 0) | {"wrong": 2, "misspelt": 2}
    text = {name: " ".join(words.split()) for name, (_, words) in told.items()}
    assert "--tea-minutes N minutes that tea draws (4)" in text["help"]
    of_the_server = told["help"][1].partition("The server:")[2].partition("The way to the exchange:")[0]
    assert "--tea-minutes" in of_the_server
    assert text["default"].startswith("tea_minutes = 4 (default)")
    assert "a whole number from 1 to 60, such as 4" in text["default"]
    assert "tea_minutes = 4 in pairscope.toml, PAIRSCOPE_TEA_MINUTES=4 in the environment" in text["default"]
    assert "--tea-minutes 4 after the command" in text["default"]
    assert text["file"].startswith("tea_minutes = 5 (file pairscope.toml)")
    assert text["environment"].startswith("tea_minutes = 6 (environment PAIRSCOPE_TEA_MINUTES)")
    assert text["flag"].startswith("tea_minutes = 7 (flag --tea-minutes)")
    assert "tea_minutes 4 default" in text["all"]
    assert "setting 'tea_minutes' cannot be 61" in text["wrong"]
    assert "give a whole number from 1 to 60, such as 4" in text["wrong"]
    assert "did you mean tea_minutes?" in text["misspelt"]


def test_a_setting_of_one_line_is_in_the_manual(texts: dict[str, str]) -> None:
    row = "| `tea_minutes` | 4 | a whole number from 1 to 60, such as 4 | minutes that tea draws |"
    assert row in written("settings.md", texts)
