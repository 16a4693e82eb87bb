"""With --json a command prints one document and nothing else, whatever happens; its exit code stays the same."""

from __future__ import annotations

import argparse
import json
import signal
from pathlib import Path
from typing import Any

import pytest

from pairscope.cli import main
from pairscope.cli.answers import Answer, encode
from pairscope.cli.exit_codes import MEANINGS
from pairscope.cli.parser import command_list, parser
from tests.cli.test_checking import lay, trades_of
from tests.test_cli import Running, free_port, pairscope
from tools.gen_docs import DOCUMENTS

COMMANDS: dict[str, argparse.ArgumentParser] = {}
for each in parser()._actions:
    if isinstance(each, argparse._SubParsersAction):
        COMMANDS.update(each.choices)


def answered(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, Any]:
    """The exit code and the one document; anything else on the standard output fails."""
    code = main([*arguments, "--json"])
    out = capsys.readouterr().out
    assert out.count("\n") == 1
    return code, json.loads(out)


@pytest.mark.parametrize(
    "arguments",
    [
        ["run", "--port", "99999"],
        ["import", "nowhere"],
        ["backfill", "--from", "yesterday"],
        ["record", "{here}", "--source", "simulator"],
        ["doctor", "--data-dir", "{here}"],
        ["verify", "--data-dir", "{here}"],
        ["config", "--window", "1"],
        ["alerts", "--data-dir", "{here}"],
        ["simulator", "{here}/missing.gz", "--port", "0", "--rest-port", "0"],
    ],
    ids=lambda arguments: arguments[0],
)
def test_every_command_tells_an_error_in_the_one_shape(
    tmp_path: Path, arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    code, document = answered(capsys, *(text.format(here=tmp_path) for text in arguments))
    assert code == 2
    assert set(document) == {"error"}
    assert set(document["error"]) == {"code", "message", "cure"}
    assert all(document["error"].values())


def test_the_commands_that_were_tried_are_all_there_are() -> None:
    assert set(COMMANDS) == {"run", "import", "backfill", "record", "doctor", "verify", "alerts", "config", "simulator"}


@pytest.mark.parametrize(
    "arguments", [[], ["rum"], ["run", "--prot", "1"], ["doctor", "--no-such"], ["simulator", "--seed", "-1"]]
)
def test_a_command_line_that_is_not_understood_is_told_so_too(
    arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    code, document = answered(capsys, *arguments)
    assert code == 2
    assert document["error"]["code"] == "settings"
    assert document["error"]["cure"]


@pytest.mark.parametrize(
    ("flag", "text", "says"),
    [
        ("--seed", "-1", "a whole number from 0 to 4294967295"),
        ("--speed", "-1", "a number from 0 to 10000"),
        ("--speed", "nan", "a number from 0 to 10000"),
        ("--rate", "0", "a number from 0.001 to 1000"),
        ("--port", "99999", "a whole number from 0 to 65535"),
        ("--rest-port", "x", "a whole number from 0 to 65535"),
    ],
)
def test_numbers_of_the_simulator_are_refused_with_their_range(
    flag: str, text: str, says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["simulator", f"{flag}={text}"]) == 2
    assert says in capsys.readouterr().err


def test_doctor_and_verify_tell_what_they_found(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = lay(tmp_path, trades_of(100))
    code, verified = answered(capsys, "verify", "--data-dir", str(tmp_path))
    assert (code, verified["differences"], verified["compared"]) == (0, 0, 116)
    (tape,) = verified["tapes"]
    assert (tape["path"], tape["trade_kind"], tape["server"]) == (str(path), "aggTrade", None)
    assert [(each["symbol"], each["trades"], each["last_id"]) for each in tape["symbols"]] == [
        ("BTCUSDT", 100, 100),
        ("ETHUSDT", 0, None),
    ]
    code, document = answered(capsys, "doctor", "--data-dir", str(tmp_path))
    first, second = document["tapes"][0]["symbols"]
    assert code == 0
    assert (first["report"]["symbol"], first["report"]["trades"], first["verified"]["differences"]) == (
        "BTCUSDT",
        100,
        0,
    )
    assert (second["report"]["first_ms"], second["verified"]) == (None, None)


def test_a_damaged_tape_is_told_beside_the_sound_one(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    lay(tmp_path, trades_of(10))
    (tmp_path / "torn").mkdir()
    (tmp_path / "torn" / "tape.duckdb").write_bytes(b"x" * 20_000)
    code, document = answered(capsys, "doctor", "--data-dir", str(tmp_path))
    assert code == 1
    assert [tape["error"] and tape["error"]["code"] for tape in document["tapes"]] == [None, "data_folder"]


def test_import_tells_each_file_and_each_refusal(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    open_ms = 1_614_816_000_000
    good = tmp_path / "BTCUSDT-1m-2021-03-04.csv"
    good.write_text(f"{open_ms},1.0,1.0,1.0,1.0,2.0,{open_ms + 59_999},2.0,1,1.0,1.0,0\n")
    (tmp_path / "ETHUSDT-1m-2021-03-04.csv").write_text("nothing of the kind\n")
    code, document = answered(capsys, "import", str(tmp_path), "--data-dir", str(tmp_path / "data"))
    assert (code, document["stopped"]) == (1, False)
    assert [(each["name"], each["bars"]) for each in document["files"]] == [(good.stem, 1)]
    assert [each["code"] for each in document["refused"]] == ["archive"]


def test_a_fault_of_ours_has_its_own_code_and_keeps_its_traceback(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def broken(parsed: object) -> Answer:
        raise ZeroDivisionError("planted")

    monkeypatch.setattr("pairscope.cli.checking.doctor", broken)
    assert main(["doctor", "--json"]) == 70
    told = capsys.readouterr()
    assert json.loads(told.out)["error"]["code"] == "internal_error"
    assert "ZeroDivisionError: planted" in told.err
    assert "Traceback" in told.err


def test_ctrl_c_is_told_as_what_it_is(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    def stopped(parsed: object) -> Answer:
        raise KeyboardInterrupt

    monkeypatch.setattr("pairscope.cli.checking.doctor", stopped)
    code, document = answered(capsys, "doctor")
    assert (code, document["error"]["code"]) == (130, "interrupted")


def test_a_server_tells_where_it_is_once_it_is_there(tmp_path: Path) -> None:
    running = Running(tmp_path / "data", "--source", "simulator", "--no-open", "--json")
    try:
        running.until(lambda status: "{" in running.log.read_text())
        (document,) = [json.loads(line) for line in running.log.read_text().splitlines() if line.startswith("{")]
        assert document["url"] == f"http://localhost:{running.port}"
        assert Path(document["tape"]).is_file()
    finally:
        assert running.stop(signal.SIGTERM) == 0


def test_in_a_process_of_its_own_text_goes_to_the_other_stream(tmp_path: Path) -> None:
    done = pairscope("doctor", "--data-dir", str(tmp_path), "--json")
    assert (done.returncode, json.loads(done.stdout)["error"]["code"]) == (2, "settings")
    assert done.stderr.startswith("error: there is no tape in")
    port = str(free_port())
    shown = pairscope("config", "port", "--port", port, "--json")
    assert shown.returncode == 0
    assert json.loads(shown.stdout)["settings"][0]["value"] == int(port)
    assert f"port = {port}" in shown.stderr


def test_what_is_no_number_and_no_text_of_json_is_told_all_the_same() -> None:
    told = json.loads(encode({"a": float("nan"), "b": [float("inf"), 1.5], "c": Path("x")}))
    assert told == {"a": None, "b": [None, 1.5], "c": "x"}


def test_the_manual_tells_of_every_command_the_document_that_it_gives() -> None:
    assert [action.dest for action in command_list()] == list(COMMANDS)
    assert set(DOCUMENTS) == set(COMMANDS)


def test_help_tells_every_exit_code() -> None:
    told = parser().format_help()
    assert [code for code in MEANINGS if f"\n  {code:<5}" not in told] == []
    assert [name for name, command in COMMANDS.items() if "--json" not in command.format_help()] == []
