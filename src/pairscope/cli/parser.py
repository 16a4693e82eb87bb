"""Commands and their flags. Nothing heavy is imported here, so that help and mistakes come at once."""

from __future__ import annotations

import argparse
import re
import textwrap
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NoReturn

from pairscope import __version__
from pairscope.base.errors import nearest
from pairscope.base.setting import limits_of
from pairscope.base.settings import Settings
from pairscope.cli.answers import Misused
from pairscope.cli.exit_codes import MEANINGS
from pairscope.cli.flags import add_settings

# Settings that say which tape is meant, and what is made of it.
PLACE = ("data_dir", "database_path")
TAPE = (*PLACE, "trade_kind", "intervals")

SEED, SPEED = (Settings.model_fields[name] for name in ("simulator_seed", "replay_speed"))
JSON = "print one JSON document, errors too; what is for people goes to the standard error"

EPILOG = """\
examples:
  pairscope run                                       Binance USD-M Futures, or a simulated market without it
  pairscope run --source simulator --port 8001        a simulated market with a known truth
  pairscope run --source replay day.txt.zst           a recording, at the speed it was made
  pairscope run --source replay a.gz b.gz --speed 10  two recordings merged, ten times faster
  pairscope run --source tape                         the tape as it is: offline, nothing is received or written
  pairscope run --symbols BTCUSDT,ETHUSDT             only these
  pairscope import downloads/                         official archive files
  pairscope backfill --from 2026-11-01                past days from the exchange
  pairscope verify                                    prove that nothing is missing that is not told
  pairscope alerts                                    rules and channels of the running server
  pairscope config                                    the settings in force, and where they come from

Every setting can also stand in pairscope.toml or in the environment as PAIRSCOPE_<NAME>; flags win.
"""

CODES = "exit codes, of every command:\n" + "\n".join(
    textwrap.fill(meaning.replace("`", ""), 110, initial_indent=f"  {code:<5}", subsequent_indent=" " * 7)
    for code, meaning in MEANINGS.items()
)


IMPORT_EPILOG = """\
examples:
  pairscope import BTCUSDT-aggTrades-2024-08-08.zip    one official file
  pairscope import downloads/ more/                    all official files in these folders
  pairscope import --replace corrected/                these stand where the tape disagrees
  pairscope import --trade-kind trade BTCUSDT-1m-2024-08.zip   klines beside raw trades

Files of data.binance.vision, USD-M futures: aggTrades, trades and klines, days and months, packed or not. Importing
again changes nothing; what was interrupted goes on where it stopped. Where a file and the tape disagree the tape
stands; with --replace the file does, as for one the exchange has corrected. Exit code 1: some files could not be used.
"""


_WITHOUT_VALUE = re.compile(r"argument (--[\w-]+)\S*: expected (?:one|at least one) argument")


ALERTS_EPILOG = """\
examples:
  pairscope alerts                     rules, how they are and what they did, and channels
  pairscope alerts test                a message to each channel that says it is a test
  pairscope alerts test desk
  pairscope alerts replay desk         what was given up for a channel is sent again, with the same ids
  pairscope alerts --url http://box:8000

Rules and channels are made on the page, or over the API. Exit code 1: a channel did not accept its test.
"""


class Parser(argparse.ArgumentParser):
    """Tells the nearest flag of its commands; flags are not to be cut short, for new ones may come.

    A mistake is raised, as every other error is.
    """

    def __init__(self, **options: Any) -> None:
        super().__init__(**options, allow_abbrev=False)

    def error(self, message: str) -> NoReturn:
        unknown = [word.partition("=")[0] for word in message.split() if word.startswith("--")]
        if message.startswith("unrecognized arguments") and unknown:
            guess = nearest(unknown[0], self._flags())
            if guess:
                raise Misused(message, cure=f"did you mean {guess}?")
        if (flag := _WITHOUT_VALUE.fullmatch(message)) is not None:
            cure = f"give it one; one that begins with - is written {flag[1]}=-…"
            raise Misused(f"{flag[1]} needs a value", cure=cure)
        raise Misused(message, cure=f"see: {self.prog} --help")

    def _flags(self) -> set[str]:
        flags = set(self._option_string_actions)
        for action in self._actions:
            if isinstance(action, argparse._SubParsersAction):
                flags |= {flag for command in action.choices.values() for flag in command._option_string_actions}
        return flags


def parser() -> argparse.ArgumentParser:
    """The parser of all commands; ``command`` is where a command's function is found, such as ``history.bring``."""
    parser = Parser(
        prog="pairscope",
        description="A periscope for pairs: live statistical arbitrage on Binance USD-M Futures.",
        epilog=f"{EPILOG}\n{CODES}\n",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"pairscope {__version__}")
    commands = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")
    for add in (
        _add_run,
        _add_import,
        _add_backfill,
        _add_record,
        _add_doctor,
        _add_verify,
        _add_alerts,
        _add_config,
        _add_simulator,
    ):
        add(commands)
    for command in commands.choices.values():
        command.add_argument("--json", action="store_true", help=JSON)
    return parser


def command_list() -> Sequence[argparse.Action]:
    """The commands with their names and help, in the order of the help."""
    (commands,) = (each for each in parser()._actions if isinstance(each, argparse._SubParsersAction))
    return list(commands._choices_actions)


def _number(kind: type[int] | type[float], low: float, high: float) -> Callable[[str], float]:
    """Reads a number between two ends, both among it."""

    def read(text: str) -> float:
        try:
            if low <= (value := kind(text)) <= high:
                return value
        except ValueError:
            pass
        whole = "whole " if kind is int else ""
        raise argparse.ArgumentTypeError(f"'{text[:40]}' is not a {whole}number from {low} to {high}")

    return read


def _add_run(commands: Any) -> None:
    run = commands.add_parser(
        "run",
        help="watch the market and serve the dashboard and the API",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    run.set_defaults(command="running.run", tells_at_once=True)
    add_settings(run)


def _add_simulator(commands: Any) -> None:
    simulator = commands.add_parser(
        "simulator", help="run only the simulated exchange, speaking Binance's protocol on loopback"
    )
    simulator.set_defaults(command="running.simulator", tells_at_once=True)
    add = simulator.add_argument
    port, seed, speed = _number(int, 0, 65_535), limits_of(SEED), limits_of(SPEED)
    add("--port", type=port, default=9443, help="port of the streams (9443)")
    add("--rest-port", type=port, default=9444, help="port of the REST API (9444)")
    add("--seed", type=_number(int, seed["ge"], seed["le"]), default=1, help="seed of the market (1)")
    told = "play N times faster; for recordings 0 is as fast as possible"
    add("--speed", type=_number(float, speed["ge"], speed["le"]), default=1.0, help=told)
    add("--rate", type=_number(float, 0.001, 1_000), default=1.0, help="N times as many trades as a usual day")
    add("--times", choices=["kept", "now"], default="now", help="keep a recording's times or shift them to now")
    add("recordings", nargs="*", type=Path, help="recordings to play instead of the seeded market")


def _add_alerts(commands: Any) -> None:
    alerts = commands.add_parser(
        "alerts",
        help="list the rules and channels of the running server, test channels, send messages again",
        epilog=ALERTS_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    alerts.set_defaults(command="alerting.alerts")
    add = alerts.add_argument
    add("action", nargs="?", choices=["list", "test", "replay"], default="list", help="what to do (list)")
    add("names", nargs="*", metavar="CHANNEL", help="channels to test, or to send to again (all)")
    add("--messages", metavar="ID,ID,...", help="send only these messages again")
    add("--url", metavar="ADDRESS", help="server to ask (the one that runs on the data folder)")
    add_settings(alerts, PLACE)


def _add_config(commands: Any) -> None:
    config = commands.add_parser(
        "config",
        help="show the settings in force, where each comes from, and how to change it",
        description="Without names all settings by topic; with names also what each may be and how to change it.",
    )
    config.set_defaults(command="configuring.config")
    config.add_argument("names", nargs="*", metavar="NAME", help="settings to tell all about, such as port")
    add_settings(config)


def _add_import(commands: Any) -> None:
    bring = commands.add_parser(
        "import",
        help="bring official archive files to the tape",
        epilog=IMPORT_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    bring.set_defaults(command="history.bring")
    bring.add_argument("paths", nargs="+", type=Path, metavar="PATH", help="files and folders")
    bring.add_argument("--again", action="store_true", help="read files even when they were imported before")
    bring.add_argument(
        "--replace",
        action="store_true",
        help="where a file and the tape disagree the file stands; of several files the one of the later path",
    )
    add_settings(bring, TAPE)


def _add_backfill(commands: Any) -> None:
    fetch = commands.add_parser("backfill", help="fetch past days from the exchange: official files, then REST")
    fetch.set_defaults(command="history.backfill")
    fetch.add_argument("--from", dest="first", required=True, metavar="DATE", help="first UTC day, such as 2026-11-01")
    fetch.add_argument("--to", dest="last", metavar="DATE", help="last UTC day (today)")
    add_settings(fetch, ("symbols", *TAPE))


def _add_record(commands: Any) -> None:
    record = commands.add_parser("record", help="write the raw frames of the watched symbols to a file, until Ctrl-C")
    record.set_defaults(command="recording.record")
    add = record.add_argument
    add("file", type=Path, metavar="FILE", help="recording to write, such as day.txt.zst; it must not exist")
    add_settings(record, ("source", "symbols", "trade_kind", "replay_speed", "simulator_seed"))


def _add_doctor(commands: Any) -> None:
    doctor = commands.add_parser("doctor", help="say what the tapes hold and what they lack")
    doctor.set_defaults(command="checking.doctor")
    add_settings(doctor, PLACE)


def _add_verify(commands: Any) -> None:
    verify = commands.add_parser(
        "verify",
        help="prove the tapes: every id once or in a gap, every bar equal to its trades",
        description="Exit code 0: all is as it should be; 1: there are differences, of which 20 a symbol are shown.",
    )
    verify.set_defaults(command="checking.verify")
    add = verify.add_argument
    add("--symbols", dest="wanted", help="comma-separated symbols (all)")
    add("--from", dest="first", metavar="DATE", help="first UTC day (the first there is)")
    add("--to", dest="last", metavar="DATE", help="last UTC day (the last there is)")
    add("--klines", nargs="+", type=Path, default=[], metavar="PATH", help="official kline files to compare with")
    add("--metrics", action="store_true", help="compute again what the running server publishes, from its stored bars")
    add_settings(verify, PLACE)
