"""No function takes more than six parameters, but for compiled kernels and those named here."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

PACKAGE = Path(__file__).parent.parent / "src" / "pairscope"
MOST = 6
KERNELS = {"kernel", "reduction"}  # compiled: they take arrays and numbers, not records

# How many they take: constructors of parts that are handed everything, all of it by name, and few others. To be fewer.
WIDE = {
    "analytics/entry/window.py::PairWindow.of_closes": 7,
    "analytics/estimators/engle_granger.py::engle_granger_many": 8,
    "analytics/estimators/panel.py::pair_columns": 7,
    "feed/binance/managed_connection.py::ManagedConnection.__init__": 9,
    "feed/binance/recorder.py::Recorder.__init__": 8,
    "feed/binance/rest.py::BinanceRest.__init__": 7,
    "feed/binance/simulator/connection.py::ClientConnection.__init__": 8,
    "feed/binance/simulator/exchange.py::SimulatedExchange.__init__": 8,
    "feed/binance/simulator/exchange.py::serve": 9,
    "feed/binance/simulator/replay.py::RecordingSource.__init__": 7,
    "feed/binance/trade_stream.py::TradeStream.__init__": 17,
    "ingest/history/download.py::Download.__init__": 10,
    "ingest/history/file_import.py::FileImport.__init__": 9,
    "ingest/intake.py::Intake.__init__": 7,
    "ingest/repair/archive_fill.py::ArchiveFill.__init__": 11,
    "ingest/repair/catch_up.py::CatchUp.__init__": 8,
    "ingest/repair/reach_back.py::ReachBack.__init__": 7,
    "ingest/repair/rest_backfill.py::Backfill.__init__": 8,
    "ingest/watch.py::Watch.__init__": 12,
    "store/maintenance.py::Maintenance.__init__": 9,
    "store/retention.py::Retention.__init__": 7,
    "store/tape.py::Tape.__init__": 7,
    "store/tape.py::Tape.open": 12,
    "store/tape.py::Tape.trades": 7,
    "store/verify.py::verify_symbol": 7,
}


def wide(source: str) -> Iterator[tuple[str, int]]:
    """Functions with more than six parameters, by their names; `self` does not count."""
    yield from _wide(ast.parse(source), "")


def _wide(node: ast.AST, within: str) -> Iterator[tuple[str, int]]:
    for each in ast.iter_child_nodes(node):
        name = ""
        if isinstance(each, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            name = f"{within}{each.name}"
        if isinstance(each, ast.FunctionDef | ast.AsyncFunctionDef):
            given = [one.arg for one in (*each.args.posonlyargs, *each.args.args, *each.args.kwonlyargs)]
            count = len(given) - (given[:1] in (["self"], ["cls"]))
            decorators = {ast.unparse(one).partition("(")[0].rpartition(".")[2] for one in each.decorator_list}
            if count > MOST and not decorators & KERNELS:
                yield name, count
        yield from _wide(each, f"{name}." if name else within)


def test_no_function_takes_more_than_six_parameters_but_those_named() -> None:
    found = {}
    for path in sorted(PACKAGE.rglob("*.py")):
        for name, count in wide(path.read_text(encoding="utf-8")):
            found[f"{path.relative_to(PACKAGE).as_posix()}::{name}"] = count
    assert {name: count for name, count in found.items() if count > WIDE.get(name, MOST)} == {}
    assert {name: count for name, count in WIDE.items() if found.get(name) != count} == {}, "take it out of the list"


def test_a_seventh_parameter_is_found_wherever_it_stands() -> None:
    source = "class A:\n  def f(self, a, b, c, d, e, f): ...\n  def g(self, a, b, c, *, d, e, f, g): ...\n"
    source += "async def h(a, b, c, d, e, f, /, g):\n  def i(a, b, c, d, e, f, g): ...\n"
    source += "@kernel\ndef j(a, b, c, d, e, f, g): ...\n@jit.reduction\ndef k(a, b, c, d, e, f, g): ...\n"
    source += "@other\ndef m(a, b, c, d, e, f, g, h): ...\n"
    assert list(wide(source)) == [("A.g", 7), ("h", 7), ("h.i", 7), ("m", 8)]
