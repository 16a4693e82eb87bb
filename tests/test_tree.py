"""Tests mirror the source: each module has a test file of its own, or stands here with the one that covers it."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

TESTS = Path(__file__).parent
PACKAGE = TESTS.parent / "src" / "pairscope"
NO_CODE = ("__init__.py", "__main__.py")

# By the module: the test file that covers it, because that asks for it as people do, or together with its neighbours.
COVERED_BY = {
    "alerts/audit.py": "alerts/test_book.py",
    "alerts/beat.py": "alerts/test_engine.py",
    "alerts/clauses.py": "alerts/test_reading.py",
    "alerts/delivery/digest.py": "alerts/delivery/test_flood.py",
    "alerts/delivery/letter.py": "alerts/delivery/test_webhook.py",
    "alerts/delivery/outcome.py": "alerts/delivery/test_webhook.py",
    "alerts/delivery/rate.py": "alerts/delivery/test_flood.py",
    "alerts/delivery/retries.py": "alerts/delivery/test_delivery.py",
    "alerts/delivery/services.py": "alerts/delivery/test_service.py",
    "alerts/desk.py": "api/test_alert_rules.py",
    "alerts/durations.py": "alerts/test_reading.py",
    "alerts/inflow.py": "alerts/test_reader.py",
    "alerts/questions.py": "alerts/test_values.py",
    "alerts/roster.py": "alerts/test_engine.py",
    "alerts/rule_fields.py": "alerts/test_reading.py",
    "alerts/standing.py": "alerts/test_alerts.py",
    "alerts/targets.py": "alerts/test_alerts.py",
    "alerts/transition.py": "alerts/test_history.py",
    "analytics/entry/metric.py": "analytics/test_registry.py",
    "analytics/entry/window.py": "analytics/test_inputs.py",
    "analytics/estimators/readings.py": "analytics/test_locality.py",
    "analytics/metrics/asynchronous.py": "analytics/test_degenerate.py",
    "analytics/metrics/johansen.py": "analytics/metrics/test_cointegration.py",
    "analytics/metrics/stability.py": "analytics/test_degenerate.py",
    "analytics/metrics/stationarity.py": "analytics/metrics/test_cointegration.py",
    "analytics/metrics/volatility.py": "analytics/estimators/test_garch.py",
    "analytics/values.py": "analytics/test_degenerate.py",
    "analytics/warm.py": "analytics/test_registry.py",
    "api/alert_answers.py": "api/test_alert_history.py",
    "api/alert_mutes.py": "api/test_alert_rules.py",
    "api/alert_short.py": "api/test_alert_rules.py",
    "api/caller.py": "api/test_gates.py",
    "api/errors.py": "api/test_error_statuses.py",
    "api/parameters.py": "api/test_bounds.py",
    "api/serving.py": "test_app.py",
    "api/standing.py": "test_app.py",
    "api/status.py": "test_app.py",
    "api/wire/alerts.py": "api/test_schema.py",
    "api/wire/jobs.py": "api/test_schema.py",
    "api/wire/numbers.py": "api/test_schema.py",
    "api/wire/record.py": "api/test_schema.py",
    "api/wire/stream.py": "api/test_schema.py",
    "api/wire/system.py": "api/test_schema.py",
    "api/wire/tape.py": "api/test_schema.py",
    "bars/memory.py": "ingest/test_intake.py",
    "bars/warm.py": "bars/test_builder.py",
    "base/clock.py": "base/test_pulse.py",
    "base/instrument.py": "feed/binance/test_protocol.py",
    "base/logs.py": "base/test_files.py",
    "base/parameter.py": "analytics/test_registry.py",
    "base/saying.py": "cli/test_history.py",
    "cli/common.py": "cli/test_flags.py",
    "cli/exit_codes.py": "cli/test_answers.py",
    "cli/parser.py": "cli/test_flags.py",
    "cli/running.py": "test_cli.py",
    "feed/access.py": "feed/test_proxy.py",
    "feed/archive_files.py": "feed/binance/test_archive.py",
    "feed/backoff.py": "feed/binance/test_managed_connection.py",
    "feed/binance/archive_faults.py": "feed/binance/test_archive_trades.py",
    "feed/binance/archive_reading.py": "ingest/history/test_download.py",
    "feed/binance/archive_unused.py": "ingest/history/test_merge.py",
    "feed/binance/opening.py": "test_exchange.py",
    "feed/binance/planning.py": "test_exchange.py",
    "feed/binance/recorder.py": "cli/test_recording.py",
    "feed/binance/simulator/connection.py": "feed/binance/simulator/test_exchange.py",
    "feed/binance/simulator/hub.py": "feed/binance/simulator/test_exchange.py",
    "feed/binance/simulator/listing.py": "feed/binance/simulator/test_market.py",
    "feed/binance/simulator/noise.py": "feed/binance/simulator/test_prices.py",
    "feed/binance/simulator/rhythm.py": "feed/binance/simulator/test_prices.py",
    "feed/binance/simulator/source.py": "feed/binance/simulator/test_exchange.py",
    "feed/binance/venue.py": "test_exchange.py",
    "feed/health.py": "feed/binance/test_trade_stream.py",
    "feed/loose.py": "feed/binance/test_protocol.py",
    "feed/retry_after.py": "feed/binance/test_rest.py",
    "feed/sequence.py": "feed/test_continuity.py",
    "feed/source.py": "feed/binance/simulator/test_opening.py",
    "feed/venue.py": "toy/test_venue.py",
    "ingest/history/file_import.py": "ingest/history/test_merge.py",
    "ingest/import_parts.py": "ingest/test_tape_jobs.py",
    "ingest/ingest.py": "test_app.py",
    "ingest/opening.py": "test_app.py",
    "ingest/read_only.py": "test_source_tape.py",
    "ingest/repair/repair.py": "ingest/repair/test_reach_back.py",
    "ingest/revisions.py": "ingest/test_intake.py",
    "ingest/status.py": "test_app.py",
    "ingest/watch.py": "test_app.py",
    "jobs/job.py": "jobs/test_queue.py",
    "jobs/pipe.py": "jobs/test_executor.py",
    "jobs/worker.py": "jobs/test_workers.py",
    "live/analysis.py": "api/test_analytics.py",
    "live/compiling.py": "live/test_kernels.py",
    "live/market.py": "live/test_verdicts.py",
    "store/holdings.py": "store/test_inventory.py",
    "store/iterate.py": "store/test_verify.py",
    "store/kline_check.py": "store/test_verify.py",
    "store/maintenance.py": "store/test_room.py",
    "store/read_only.py": "test_source_tape.py",
    "store/reads.py": "store/test_tape.py",
    "store/sealed_files.py": "store/test_sealing.py",
    "store/shapes.py": "store/test_sealing.py",
    "store/tape_state.py": "store/test_tape.py",
}
# What tests start as a program of its own, which they do not import.
STARTED = {"test_cli.py": "cli/__init__.py", "cli/test_recording.py": "cli/recording.py", "test_exchange.py": "app.py"}


def modules() -> set[str]:
    return {path.relative_to(PACKAGE).as_posix() for path in PACKAGE.rglob("*.py") if path.name not in NO_CODE}


def own_test(module: str) -> Path:
    place = Path(module)
    return TESTS / place.parent / f"test_{place.name}"


def test_every_module_has_its_test_file_or_says_where_it_is_covered() -> None:
    alone = {module for module in modules() if not own_test(module).is_file()}
    assert sorted(alone - set(COVERED_BY)) == [], "give it a test file, or name here the one that covers it"


def test_no_exception_is_out_of_date() -> None:
    assert sorted(set(COVERED_BY) - modules()) == [], "no such module"
    assert [module for module in COVERED_BY if own_test(module).is_file()] == [], "it has a test file of its own"
    assert list(COVERED_BY) == sorted(COVERED_BY)


@pytest.mark.parametrize("module", COVERED_BY)
def test_the_test_that_covers_a_module_reaches_it(module: str) -> None:
    test = TESTS / COVERED_BY[module]
    assert test.is_file()
    todo = [*imported(test), *([STARTED[COVERED_BY[module]]] if COVERED_BY[module] in STARTED else [])]
    seen: set[str] = set()
    while todo:
        place = todo.pop()
        if place not in seen:
            seen.add(place)
            todo += imported(PACKAGE / place)
    assert module in seen


@cache
def imported(path: Path) -> tuple[str, ...]:
    """The modules of the package that a file imports, by their paths; helpers of tests are looked into."""
    return tuple(_imported(path))


def _imported(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names = [each.name for each in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            names = [node.module, *(f"{node.module}.{each.name}" for each in node.names)]
        elif isinstance(node, ast.Attribute) and node.attr == "import_module":
            # The commands are found by their names.
            names = [f"pairscope.cli.{place.stem}" for place in (PACKAGE / "cli").glob("*.py")]
        else:
            continue
        for name in names:
            place = name.replace(".", "/")
            if name.startswith("tests.") and (helper := TESTS.parent / f"{place}.py").is_file():
                yield from imported(helper)
            for end in (".py", "/__init__.py"):
                within = f"{place.removeprefix('pairscope/')}{end}"
                if name.startswith("pairscope.") and (PACKAGE / within).is_file():
                    yield within


# Public classes of one name in two modules, because they are the same thing on two sides of a wall.
SAME_THING = {
    "TapeJobs": "the interface, and what fulfils it",
    "Gate": "who comes is admitted by turns: to the server's answers, and to the tape",
    "Health": "of a pair, as metric; the record of the wire is of the process, and its name is published",
    "Opening": "what a page shows first, decided by the source and sent to the page",
    "PairColumns": "rows of pairs in columns, computed and sent",
    "Parameter": "what somebody may give a value, of a metric and of a request",
    "Recorder": "the interface, and what fulfils it",
    "Shares": "of missing ids in windows, measured and sent",
}


def test_no_two_public_classes_have_one_name_and_two_meanings() -> None:
    places: dict[str, list[str]] = {}
    for path in PACKAGE.rglob("*.py"):
        for node in ast.parse(path.read_text(encoding="utf-8")).body:
            if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                places.setdefault(node.name, []).append(path.relative_to(PACKAGE).as_posix())
    twice = {name: found for name, found in places.items() if len(found) > 1}
    assert {name: found for name, found in twice.items() if name not in SAME_THING} == {}
    assert sorted(set(SAME_THING) - set(twice)) == [], "no longer twice"


def test_every_module_says_in_a_sentence_what_is_in_it() -> None:
    without = []
    for path in PACKAGE.rglob("*.py"):
        source = path.read_text(encoding="utf-8")
        first = (ast.get_docstring(ast.parse(source)) or "").partition("\n\n")[0]
        if source.strip() and not first.rstrip(")").endswith((".", "?", ":")):
            without.append(path.relative_to(PACKAGE).as_posix())
    assert without == []


MOST_LINES = 400
# What is longer, and why it is one thing.
LONGER = {
    "web/src/api.gen.ts": "made by tools/gen_ts.py",
}


def test_a_file_holds_one_idea_and_is_read_in_one_sitting() -> None:
    root = TESTS.parent
    files = [path for folder in ("src/pairscope", "tools", "benchmarks") for path in (root / folder).rglob("*.py")]
    files += [path for end in ("ts", "tsx", "css") for path in (root / "web" / "src").rglob(f"*.{end}")]
    lines = {path.relative_to(root).as_posix(): path.read_text(encoding="utf-8").count("\n") for path in files}
    longer = {name for name, count in lines.items() if count > MOST_LINES}
    assert sorted(longer - set(LONGER)) == [], (
        f"more than {MOST_LINES} lines: move one of its ideas to a file of its own"
    )
    assert sorted(set(LONGER) - longer) == [], "no longer so long: take it off the list"
