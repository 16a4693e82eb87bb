"""``python -m benchmarks [name...]``: measure, print, and after a full run write ``benchmarks/RESULTS.md``."""

from __future__ import annotations

import argparse
import sys
import time
from datetime import UTC, datetime
from pathlib import Path

from benchmarks import analytics, api, crowd, ingest, latency, outage, page, start, storage
from benchmarks.machine import describe
from benchmarks.report import Section, section_text
from pairscope.base.logs import set_up_logs

BENCHMARKS = {
    "ingest": ingest.run,
    "latency": latency.run,
    "api": api.run,
    "crowd": crowd.run,
    "start": start.run,
    "outage": outage.run,
    "storage": storage.run,
    "analytics": analytics.run,
    "page": page.run,
}
RESULTS = Path(__file__).parent / "RESULTS.md"
HEAD = "# Benchmarks\n\nWritten by `make bench`; every figure and ratio on this page is of one run."


def measure(name: str, *, quick: bool) -> Section:
    began_s = time.monotonic()

    def progress(text: str) -> None:
        print(f"  {time.monotonic() - began_s:6.1f} s  {name}: {text}", file=sys.stderr, flush=True)

    return BENCHMARKS[name](quick=quick, progress=progress)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="name", help=f"which ones: {', '.join(BENCHMARKS)}; all by default")
    parser.add_argument("--quick", action="store_true", help="a short run that shows whether they work, not how fast")
    parser.add_argument("--output", type=Path, help="write the report here, whichever were run")
    arguments = parser.parse_args()
    unknown = [name for name in arguments.names if name not in BENCHMARKS]
    if unknown:
        parser.error(f"no benchmark '{unknown[0]}': there are {', '.join(BENCHMARKS)}")
    set_up_logs("error", None)
    names = arguments.names or list(BENCHMARKS)
    sections = [measure(name, quick=arguments.quick) for name in names]
    about = f"{datetime.now(UTC):%Y-%m-%d}, {'a quick run: only a check' if arguments.quick else 'a full run'}"
    report = "\n\n".join([HEAD, f"- {about}\n{describe()}", *map(section_text, sections)]) + "\n"
    print(report)
    full = names == list(BENCHMARKS) and not arguments.quick
    target = arguments.output or (RESULTS if full else None)
    if target:
        target.write_text(report, encoding="utf-8")
    missed = [goal.promise for section in sections for goal in section.goals if not goal.met]
    print(f"missed: {'; '.join(missed)}" if missed else "every goal was met", file=sys.stderr)
    return 0


if __name__ == "__main__":
    sys.exit(main())
