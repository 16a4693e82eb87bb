"""The command line: helps, what commands print, every mistake with its exit code, and every setting's error."""

from __future__ import annotations

import json
import re
import socket
import threading
from collections.abc import Iterator, Mapping, Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from tools.digests import inside
from tools.digests.asks import Seen
from tools.digests.process import Case, command, commands, interrupted
from tools.digests.shape import Texts

Json = Any

# A value that each setting refuses; by the name it has today.
BAD_SETTINGS: Mapping[str, tuple[str, ...]] = {
    "source": ("binance",),
    "symbols": ("BTC/USDT", ""),
    "most_symbols": ("0", "1"),
    "most_pairs": ("0", "50001"),
    "pairs": ("BTCUSDT", "ETHUSDT/ETHUSDT", "NOPE/BTCUSDT"),
    "intervals": ("7s", "fast"),
    "trade_kind": ("quotes",),
    "host": (" ",),
    "port": ("99999", "x"),
    "frontend_port": ("0", "8000"),
    "base_url": ("example.com", "http://example.com/path"),
    "open": ("perhaps",),
    "history_minutes": ("-1", "2801"),
    "keep_data_days": ("0",),
    "keep_bar_days": ("0",),
    "keep_imported_days": ("0",),
    "most_disk_gb": ("0",),
    "metric_interval": ("7s", "1h"),
    "window": ("1", "5001", "61x"),
    "sampling_interval": ("7s",),
    "alert_history": ("0",),
    "alert_hosts_allowed": ("http://hooks.lan",),
    "alerts_from_simulator": ("perhaps",),
    "alert_heartbeat_url": ("ftp://ping.example",),
    "history_bars": ("1",),
    "flush_ms": ("1",),
    "commit_ms": ("1",),
    "queue_rows": ("1",),
    "stale_s": ("0",),
    "replay_speed": ("-1",),
    "replay_times": ("later",),
    "simulator_seed": ("-1",),
    "log_level": ("loud",),
    "tape": ("nowhere",),
    "exchange_ws_url": ("http://localhost",),
    "exchange_rest_url": ("localhost",),
    "archive_url": ("ws://localhost",),
}
NOT_REFUSED = "there is no tape"
NO_BAD_SETTINGS: Mapping[str, str] = {
    "allowed_hosts": "any text is taken as it is",
    "data_dir": "a folder that cannot be used is among the commands",
    "database_path": "a file that cannot be used is among the commands",
    "proxy": "read when it is used: among the commands",
    "replay_file": "a recording that cannot be used is among the commands",
}


class Commands:
    """Runs commands, two at once, and keeps what they say."""

    def __init__(self, folder: Path, texts: Texts, seen: Seen) -> None:
        self._folder = folder
        self._texts = texts
        self._seen = seen
        self.found: dict[str, Json] = {}

    def run(self, name: str, *arguments: str, settings: Mapping[str, str] | None = None, code: str = "") -> None:
        """One command in a process of its own; `code` is that of the error it is meant to end with."""
        done = command(self._folder, arguments, settings or {})
        self._keep((name, arguments, {}, code), done.returncode, done.stdout, done.stderr)

    def all(self, cases: Sequence[Case]) -> None:
        """Many commands that end soon."""
        for case, done in zip(cases, commands(self._folder, cases), strict=True):
            self._keep(case, *done)

    def _keep(self, case: Case, exit_code: int, out: str, err: str) -> None:
        name, arguments, _, code = case
        out, err = (self._texts.plain(_steady(text)) for text in (out, err))
        self.found[name] = {"exit_code": exit_code, "out": out.splitlines(), "err": err.splitlines()}
        if arguments and not arguments[0].startswith("-") and exit_code in (0, 1):
            self._seen.commands.add(arguments[0])
        told = {each for line in out.splitlines() for each in _codes(_json(line))} if "--json" in arguments else set()
        if code and ("error: " in err or "note: " in err) and not told:
            told = {code}
        self._seen.codes |= told

    def names(self) -> list[str]:
        """The commands there are, as the help names them."""
        help_ = command(self._folder, ["--help"], {}).stdout
        return re.findall(
            r"^    (\w[\w-]*)(?= |$)", help_.partition("commands:")[2].partition("examples:")[0], re.MULTILINE
        )

    def helps(self) -> None:
        self.all([(f"{name} --help", [name, "--help"], {}, "") for name in self.names()])
        self.all([(name, [name], {}, "") for name in ("--help", "--version")])

    def settings(self) -> None:
        """Each setting's error, as it comes from the environment."""
        cases: list[Case] = []
        for name in inside.settings():
            for value in BAD_SETTINGS.get(name, ()):
                given = {f"PAIRSCOPE_{name.upper()}": value}
                if name != "port":
                    given["PAIRSCOPE_PORT"] = "8000"
                cases.append((f"{name}={value}", ["doctor"], given, "settings"))
        self.all(cases)  # by a command that starts nothing
        for name in inside.settings():
            told = [self.found[f"{name}={value}"]["err"] for value in BAD_SETTINGS.get(name, ())]
            if told and not any(NOT_REFUSED in "".join(lines) for lines in told):
                self._seen.settings.add(name)

    def mistakes(self, tape: Path) -> None:
        """What a person gets wrong at a prompt."""
        folder = self._folder
        broken, frames, empty = folder / "broken.toml", folder / "frames.txt", folder / "empty"
        broken.write_text("port = \n")
        unknown = folder / "unknown.toml"
        unknown.write_text("prot = 1\n")
        frames.write_text("nothing of the kind\n")
        empty.mkdir(exist_ok=True)
        odd = folder / "BTCUSDT-aggTrades-2026-03-02.csv"
        odd.write_text("hello\n")
        damaged = folder / "damaged"
        damaged.mkdir()
        (damaged / "state.sqlite").write_text("this is no state database")
        newer = folder / "taken.duckdb"
        newer.write_text("this is no tape")
        place, held = ("--data-dir", str(empty)), ("--database-path", str(tape))
        swapped = ("--from", "2026-03-03", "--to", "2026-03-01")
        proxy = {"PAIRSCOPE_PROXY": "ftp://localhost"}
        wrong: list[Case] = [
            ("no command", [], {}, ""),
            ("unknown command", ["runn"], {}, ""),
            ("unknown flag", ["run", "--symbol", "A"], {}, ""),
            ("no number", ["simulator", "--port", "x"], {}, ""),
            ("unknown setting of the environment", ["doctor", *place], {"PAIRSCOPE_PROT": "1"}, "settings"),
            ("settings file missing", ["run", "--settings", "missing.toml"], {}, "settings"),
            ("settings file broken", ["run", "--settings", str(broken)], {}, "settings"),
            ("settings file with an unknown key", ["run", "--settings", str(unknown)], {}, "settings"),
            ("replay without a file", ["run", "--source", "replay"], {}, "settings"),
            ("replay of nothing", ["run", "--source", "replay", "missing.gz", *place], {}, "recording"),
            ("replay of no recording", ["run", "--source", "replay", str(frames), *place], {}, "recording"),
            ("symbol not simulated", ["run", "--source", "simulator", "--symbols", "BTCUSD", *place], {}, "settings"),
            ("folder that cannot be", ["run", "--source", "simulator", "--data-dir", "/dev/null/x"], {}, "data_folder"),
            ("tape missing", ["run", "--source", "tape", *place], {}, "settings"),
            ("tape that is none", ["run", "--source", "tape", str(newer)], {}, "data_folder"),
            ("two tapes", ["run", "--source", "tape", "a", "b"], {}, "settings"),
            ("tape without its source", ["run", "--tape", str(tape)], {}, "settings"),
            ("symbol not on the tape", ["run", "--source", "tape", str(tape), "--symbols", "NOPE"], {}, "settings"),
            ("doctor without a tape", ["doctor", *place], {}, "settings"),
            ("verify without a tape", ["verify", *place], {}, "settings"),
            ("verify no day", ["verify", "--from", "yesterday", *place], {}, "settings"),
            ("verify days swapped", ["verify", *swapped, *place], {}, "settings"),
            ("verify metrics without a server", ["verify", "--metrics", *held], {}, "settings"),
            ("verify an unknown symbol", ["verify", "--symbols", "NOPE", *held], {}, "unknown_name"),
            ("import of nothing", ["import", "missing.zip", *place], {}, "archive"),
            ("import of no official file", ["import", str(frames), *place], {}, "archive"),
            ("import of a damaged file", ["import", str(odd), *place], {}, ""),
            ("import beside a damaged state", ["import", str(odd), "--data-dir", str(damaged)], {}, "state_damaged"),
            ("backfill no day", ["backfill", "--from", "yesterday", *place], {}, "settings"),
            ("backfill days swapped", ["backfill", *swapped, *place], {}, "settings"),
            ("proxy that is none", ["backfill", "--from", "2026-03-02", *place], proxy, "settings"),
            ("record over a file", ["record", str(frames), "--source", "simulator"], {}, "file_not_written"),
        ]  # fmt: skip
        self.all(wrong)

    def refusing_exchange(self) -> None:
        """An exchange that refuses, and one that is not there."""
        for name, status, body, code in _REFUSALS:
            with _Exchange(status, body) as url:
                self._ask_exchange(name, url, code)
        with socket.create_server(("127.0.0.1", 0)) as taken:
            port = taken.getsockname()[1]
        self._ask_exchange("nobody there", f"http://127.0.0.1:{port}", "unreachable")

    def told_to_stop(self) -> None:
        """A server that is told to stop while it still waits for its exchange."""
        with socket.create_server(("127.0.0.1", 0)) as silent:
            url = f"http://127.0.0.1:{silent.getsockname()[1]}"
            place = ("--data-dir", str(self._folder / "stopped"), "--port", str(inside.free_port()), "--no-open")
            given = ("run", "--json", "--source", "live", *place, "--exchange-rest-url", url, "--proxy", "none")
            done = interrupted(self._folder, given, silent)
        self._keep(("run, told to stop", given, {}, "interrupted"), *done)

    def _ask_exchange(self, name: str, url: str, code: str) -> None:
        place = ("--data-dir", str(self._folder / f"exchange {name}"), "--settings", str(self._exchange_file(url)))
        one_day = ("--from", "2026-03-02", "--to", "2026-03-02", "--symbols", "BTCUSDT")
        proxy = {"PAIRSCOPE_PROXY": "none"}
        self.run(f"backfill, {name}", "backfill", *one_day, *place, settings=proxy, code=code)

    def _exchange_file(self, url: str) -> Path:
        path = self._folder / "exchange.toml"
        path.write_text(f'exchange_rest_url = "{url}"\narchive_url = "{url}"\n')
        return path


def _json(line: str) -> Json:
    try:
        return json.loads(line)
    except ValueError:
        return None


def _codes(document: Json) -> Iterator[str]:
    """The codes of all errors in a document."""
    if isinstance(document, dict):
        if {"code", "message", "cure"} <= document.keys():
            yield str(document["code"])
        document = list(document.values())
    if isinstance(document, list):
        for each in document:
            yield from _codes(each)


_REFUSALS = (
    ("a firewall", 403, b"<html>", "http_403"),
    ("a location not served", 451, b'{"code": 0, "msg": "Service unavailable from a restricted location"}', "http_451"),
    ("a page of a hotel", 200, b"<html>log in</html>", "unreadable"),
)


def _steady(text: str) -> str:
    """What the log writes is no part of what a command says."""
    lines = (line for line in text.splitlines() if not re.match(r"(\x1b\[\d+m)*\d{4}-\d\d-\d\dT", line))
    return "\n".join(re.sub(r" +$", "", line) for line in lines)


class _Exchange:
    """Answers everything the same."""

    def __init__(self, status: int, body: bytes) -> None:
        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self.send_response(status)
                self.send_header("content-length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            do_HEAD = do_GET  # noqa: N815 - as the server asks for it

            def log_message(self, format: str, *args: Any) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)

    def __enter__(self) -> str:
        self._thread.start()
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
