"""The command line: ``pairscope run``, ``pairscope simulator``, ``pairscope version``."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pairscope import __version__
from pairscope.base.errors import PairscopeError
from pairscope.base.logs import set_up_logs
from pairscope.base.settings import Settings, load_settings

EXIT_CANNOT_START = 2

EPILOG = """\
examples:
  pairscope run                                       Binance USD-M Futures, or a simulated market without it
  pairscope run --source simulator --port 8001        a simulated market with a known truth
  pairscope run --source replay day.txt.zst           a recording, at the speed it was made
  pairscope run --source replay a.gz b.gz --speed 10  two recordings merged, ten times faster
  pairscope run --symbols BTCUSDT,ETHUSDT             only these

Every setting can also stand in pairscope.toml or in the environment as PAIRSCOPE_<NAME>; flags win.
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; 0 when it ended as asked, 2 with one line when it could not start."""
    parsed = vars(_parser().parse_args(arguments))
    command = parsed.pop("command")
    try:
        with contextlib.suppress(KeyboardInterrupt):
            command(parsed)
    except PairscopeError as error:
        print(f"error: {error}", file=sys.stderr)
        return EXIT_CANNOT_START
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="pairscope",
        description="A periscope for pairs: live statistical arbitrage on Binance USD-M Futures.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"pairscope {__version__}")
    commands = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")
    _add_run(commands)
    _add_simulator(commands)
    return parser


def _add_run(commands: Any) -> None:
    run = commands.add_parser(
        "run",
        help="watch the market and serve the dashboard and the API",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    run.set_defaults(command=_run)
    add = run.add_argument
    add("--source", nargs="+", metavar="SOURCE", help="auto (default), live, simulator, or replay FILE...")
    add("--symbols", help="comma-separated symbols to watch")
    add("--pairs", help="comma-separated pairs Y/X to keep computed; all pairs of the symbols by default")
    add("--intervals", help="comma-separated bar intervals to keep, such as 1s,1m,5m")
    add("--port", help="port of the API and the dashboard (8000)")
    add("--host", help="address to listen on (127.0.0.1)")
    add("--data-dir", help="folder of the tape")
    add("--keep-data-days", help="days of trades kept (7)")
    add("--window", help="bars in the window of a metric (300)")
    add("--trade-kind", choices=["aggTrade", "trade"], help="trade stream to record (aggTrade)")
    add("--speed", dest="replay_speed", help="replay N times faster; 0 is as fast as possible")
    add("--times", dest="replay_times", choices=["kept", "now"], help="keep a recording's times or shift them to now")
    add("--seed", dest="simulator_seed", help="seed of the simulated market")
    add("--log-level", choices=["debug", "info", "warning", "error"])
    add("--settings", type=Path, metavar="FILE", help="settings file instead of pairscope.toml")


def _add_simulator(commands: Any) -> None:
    simulator = commands.add_parser(
        "simulator", help="run only the simulated exchange, speaking Binance's protocol on loopback"
    )
    simulator.set_defaults(command=_simulator)
    add = simulator.add_argument
    add("--port", type=int, default=9443, help="port of the streams (9443)")
    add("--rest-port", type=int, default=9444, help="port of the REST API (9444)")
    add("--seed", type=int, default=1, help="seed of the market (1)")
    add("--speed", type=float, default=1.0, help="play N times faster; for recordings 0 is as fast as possible")
    add("--rate", type=float, default=1.0, help="N times as many trades as a usual day")
    add("--times", choices=["kept", "now"], default="now", help="keep a recording's times or shift them to now")
    add("recordings", nargs="*", type=Path, help="recordings to play instead of the seeded market")


def settings_from(parsed: dict[str, Any]) -> Settings:
    """Settings from parsed flags; ``--source replay FILE...`` is taken apart here."""
    flags = {key: value for key, value in parsed.items() if value is not None and key != "settings"}
    if "source" in flags:
        flags["source"], *files = flags["source"]
        if files:
            flags["replay_file"] = tuple(files)
    return load_settings(flags, file=parsed.get("settings"))


def _run(parsed: dict[str, Any]) -> None:
    settings = settings_from(parsed)
    set_up_logs(settings.log_level, settings.data_dir / "pairscope.log")
    # Heavy: imported once it is known that there is something to run.
    from pairscope.app import serve

    asyncio.run(serve(settings))


def _simulator(parsed: dict[str, Any]) -> None:
    set_up_logs("info", None)
    from pairscope.feed.simulator.exchange import serve

    asyncio.run(serve(**parsed))
