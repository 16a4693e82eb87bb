"""Prove that moving walls has changed no number, reason, bar, gap, address or error.

    PYTHONPATH=src python tools/digest.py before.json          what this checkout publishes
    PYTHONPATH=src python tools/digest.py after.json           the same in another one
    python tools/digest.py --compare before.json after.json [--renames renames.json]

A digest holds every published value by its name: of the metrics of symbols and pairs at several times, windows,
intervals and terms, every bar and gap, every endpoint with every parameter, every topic in both forms, every error;
over an hour of the simulated market, official files, and the recorded day where that lies beside the project. What
tells of the machine or the moment is taken out, by the list in `digests/shape.py`. Whatever exists and was not seen is
named, and nothing is written then (`--incomplete` writes it all the same); exceptions stand in `digests/complete.py`.

The comparison prints what differs and ends with 1 if anything does. The renames are tables of old names and new ones,
see `digests/compare.py`; what was added, removed or changed by intent is listed there by its place, with the reason.
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT)]

from tools.digests.compare import BadRenames, Comparison, Renames  # noqa: E402 - found from any folder

if TYPE_CHECKING:
    from tools.digests.asks import Seen
    from tools.digests.data import World
    from tools.digests.shape import Texts

Json = Any
DATA = ROOT.parent / "shared" / "data"
SHOWN = 500  # differences
DIFFERS, CANNOT = 1, 2


def main(arguments: list[str] | None = None) -> int:
    parsed = _parser().parse_args(arguments)
    try:
        renames = Renames.read(json.loads(parsed.renames.read_text())) if parsed.renames else Renames()
    except (BadRenames, OSError, ValueError) as error:
        print(f"error: {parsed.renames}: {error}", file=sys.stderr)
        return CANNOT
    if parsed.compare:
        return _compare(parsed.compare[0], parsed.compare[1], renames)
    if parsed.out is None:
        _parser().error("name the file to write, or --compare two of them")
    return _write(parsed.out, parsed.data, renames, incomplete=parsed.incomplete)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", nargs="?", type=Path, help="digest to write")
    parser.add_argument("--compare", nargs=2, type=Path, metavar=("BEFORE", "AFTER"))
    parser.add_argument("--renames", type=Path, help="tables of old names and new ones")
    parser.add_argument("--data", type=Path, default=DATA, help="folder of recorded market data")
    parser.add_argument("--incomplete", action="store_true", help="write it although something was never seen")
    return parser


def _compare(before: Path, after: Path, renames: Renames) -> int:
    compared = Comparison(json.loads(before.read_text()), json.loads(after.read_text()), renames)
    found, wanted = compared.found, compared.wanted
    for each in found[:SHOWN]:
        print(each)
    if len(found) > SHOWN:
        print(f"and {len(found) - SHOWN:,} more")
    for pattern in compared.unused:
        print(f"listed, and not so: {pattern}")
    listed = f", and {len(wanted):,} that the renames list" if wanted else ""
    differences = f"{len(found):,} differences{listed}" if found or wanted else "no differences"
    print(f"{compared.values:,} values compared: {differences}")
    return DIFFERS if found else 0


def _write(out: Path, data: Path, renames: Renames, *, incomplete: bool) -> int:
    from tools.digests.asks import Seen
    from tools.digests.complete import never_seen

    with tempfile.TemporaryDirectory(prefix="pairscope-digest-") as temporary:
        seen = Seen()
        making = Making(Path(temporary).resolve(), data.resolve(), renames, seen)
        digest = making.digest()
    missing = never_seen(making.openapi, making.catalogue, making.commands, seen)
    for each in missing:
        print(f"never seen: {each}", file=sys.stderr)
    if not missing or incomplete:
        out.write_text(json.dumps(digest, indent=1, ensure_ascii=False) + "\n")
        print(f"{out}: {out.stat().st_size:,} bytes")
    return DIFFERS if missing else 0


class Making:
    """Makes a digest in a folder of its own."""

    def __init__(self, folder: Path, data: Path, renames: Renames, seen: Seen) -> None:
        from tools.digests import inside
        from tools.digests.shape import Texts

        self.folder = folder
        self.data = data
        self.seen = seen
        self.renames = renames
        places = {"folder": folder, "python": Path(sys.prefix), "root": ROOT, "data": data}
        self.texts: Texts = Texts(places, inside.VERSION)
        self.openapi: Json = {}
        self.catalogue: Json = []
        self.commands: list[str] = []
        self._began_s = time.monotonic()

    def digest(self) -> Json:
        from tools.digests import data, inside

        found: dict[str, Json] = {"errors": inside.error_classes(), "settings": inside.settings()}
        simulated = data.simulated_hour(self.folder)
        found[simulated.name] = self._replayed(simulated, with_refusals=True)
        official = data.official_files(self.folder / "files")
        found[official.name] = self._imported(official)
        found["jobs"] = self._jobs(official)
        recorded = data.recorded_day(self.data)
        if recorded is None:
            self._say(f"the recorded day is left out: it is not in {self.data}")
        else:
            found[recorded.name] = self._replayed(recorded, with_refusals=False)
        found["commands"] = self._command_line(simulated)
        # Tuples and lists become one: as it is read again.
        plain: Json = json.loads(json.dumps(self.texts.of(found)))
        return plain

    def _say(self, text: str) -> None:
        print(f"{time.monotonic() - self._began_s:6.1f} s  {text}", file=sys.stderr)

    def _replayed(self, world: World, *, with_refusals: bool) -> Json:
        """A recording, as it comes through the stream, and then what is left of it on the tape."""
        from tools.digests import jobs, refusals, rows, topics, updates
        from tools.digests.process import Server

        self.seen.commands.add("run")
        data = self.folder / f"{world.name} data"
        play = ("--source", "replay", str(world.recording), "--replay-speed", "0", "--trade-kind", world.trade_kind)
        keep = ("--symbols", ",".join(world.symbols), "--keep-data-days", "3650", "--keep-bar-days", "3650")
        found: dict[str, Json] = {}
        with Server(self.folder, data, *play, *keep) as server:
            server.until(lambda status: bool(status["source"]["finished"]))
            server.ready()
            server.until(_settled, "/status/tape")
            asker = self._asker(server, world)
            time.sleep(ALL_ARE_LATE_S)
            server.until(lambda status: len(status["feed"]["silent"]) == len(world.symbols))
            found["replayed topics"] = topics.snapshots(server.url, world, self.texts, self.seen)
            asker.everything(writes=False)
            asker.bars()
            asker.everything(writes=True)
            jobs.refused(asker)
            refusals.of_alerts(asker)
            refusals.of_the_watch_list(asker, world)
            found["replayed"] = asker.found
        self._say(f"{world.name}: replayed")
        tape = next(data.glob("*/tape.duckdb"))
        found["rows"] = rows.rows_of(tape)
        found |= self._looked_at(world, data, with_refusals=with_refusals)
        if with_refusals:
            found["updates"] = updates.updates(data, world, self.texts, self.seen)
            self._say(f"{world.name}: updates")
        return found

    def _imported(self, world: World) -> Json:
        """Official files brought to a tape, twice."""
        from tools.digests import rows
        from tools.digests.commands import Commands

        data = self.folder / f"{world.name} data"
        bring = ("import", *map(str, world.files), "--data-dir", str(data))
        commands = Commands(self.folder, self.texts, self.seen)
        for name, more in (
            ("import", ()),
            ("once more", ()),
            ("again", ("--again",)),
            ("replace", ("--replace", "--again")),
        ):
            commands.run(name, *bring, *more)
        found: dict[str, Json] = {"commands": commands.found}
        found["rows"] = rows.rows_of(next(data.glob("*/tape.duckdb")))
        return found | self._looked_at(world, data, with_refusals=False)

    def _jobs(self, world: World) -> Json:
        """What is asked of a running server about long work; nothing of a version that knows none."""
        from tools.digests import jobs

        if "/jobs" not in self.openapi["paths"]:
            return None
        found = jobs.of_a_server(self.folder, world, self.texts, self.seen)
        self._say("jobs")
        return found

    def _looked_at(self, world: World, data: Path, *, with_refusals: bool) -> dict[str, Json]:
        """Everything that is asked of a tape."""
        from tools.digests import jobs, refusals, topics
        from tools.digests.process import Server

        found: dict[str, Json] = {}
        with Server(self.folder, data, "--source", "tape", "--window", str(world.windows[0])) as server:
            server.ready()
            asker = self._asker(server, world)
            asker.everything(writes=False)
            asker.bars()
            self._say(f"{world.name}: endpoints and bars")
            asker.metrics()
            self._say(f"{world.name}: metrics")
            found["topics"] = topics.snapshots(server.url, world, self.texts, self.seen)
            if with_refusals:
                self.openapi, self.catalogue = asker.openapi, asker.catalogue
                found["openapi"] = asker.openapi
                refusals.over_http(asker, world)
                refusals.of_alerts(asker)
                jobs.refused(asker)
                asker.everything(writes=True)
                found["beneath HTTP"] = refusals.beneath_http(asker, server.url, self.texts, self.seen)
                found["refused topics"] = refusals.over_socket(server.url, world, self.texts, self.seen)
                self._say(f"{world.name}: refusals")
            found["asked"] = asker.found
        return found

    def _asker(self, server: Any, world: World) -> Any:
        from tools.digests.asks import Asker

        return Asker(server.client, world, self.texts, self.seen, self.renames)

    def _command_line(self, world: World) -> Json:
        from tools.digests.commands import Commands

        tape = next((self.folder / f"{world.name} data").glob("*/tape.duckdb"))
        place = self.folder / "commands"
        place.mkdir()
        commands = Commands(place, self.texts, self.seen)
        self.commands = commands.names()
        copied = shutil.copytree(tape.parent, place / "copied") / tape.name
        data = ("--database-path", str(copied))
        commands.run("doctor", "doctor", *data)
        commands.run("verify", "verify", *data)
        commands.run("verify, of one symbol and day", "verify", *data, "--symbols", "BTCUSDT", "--from", "2026-03-03")
        commands.run("doctor, verified", "doctor", *data)
        replay = (
            "--source",
            "replay",
            str(world.recording),
            "--replay-speed",
            "0",
            "--symbols",
            ",".join(world.symbols),
        )
        commands.run("record", "record", str(place / "recorded.txt"), *replay)
        commands.helps()
        commands.settings()
        commands.refusing_exchange()
        commands.told_to_stop()
        commands.mistakes(tape)
        self._say("commands")
        return commands.found


ALL_ARE_LATE_S = 11.0  # after which a symbol that is not heard is late, whatever the interval


def _settled(tape: dict[str, Any]) -> bool:
    """Whether nothing more is asked for: every gap is closed or has its obstacle."""
    return all(gap["closed_ms"] is not None or gap["obstacle"] is not None for gap in tape["gaps"])


if __name__ == "__main__":
    raise SystemExit(main())
