"""Which modules may ask the machine for its clock, for chance, for a file's fate or a socket. `make check` runs it.

Outside of `base` and `app.py` a module is handed what it needs, so that the whole of pairscope can run under a clock
that somebody else moves, over a network and a disk that somebody else plays. To sleep is to ask the loop, which may be
one of these too; so is a generator with a seed that was handed in.
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

PACKAGE = Path(__file__).parent.parent / "src" / "pairscope"
FREE = ("base/", "app.py")

CLOCK = "take a `Clock`"
CHANCE = "take a seeded generator, or ask `base.chance` where nothing depends on it"
DISK = "use `base.files`"
NETWORK = "use `base.net`, or name the module in tools/seams.py"

# To name one of these is to ask the machine.
NAMED: Mapping[str, str] = {
    "time": CLOCK,
    "datetime.datetime.now": CLOCK,
    "datetime.datetime.utcnow": CLOCK,
    "datetime.datetime.today": CLOCK,
    "datetime.date.today": CLOCK,
    "pairscope.base.clock.SystemClock": CLOCK,
    "secrets": CHANCE,
    "uuid.uuid1": CHANCE,
    "uuid.uuid4": CHANCE,
    "os.urandom": CHANCE,
    "os.replace": DISK,
    "os.rename": DISK,
    "os.renames": DISK,
    "os.fsync": DISK,
    "os.fdatasync": DISK,
    "os.sync": DISK,
    "shutil.move": DISK,
    "asyncio.open_connection": NETWORK,
    "asyncio.start_server": NETWORK,
    "asyncio.open_unix_connection": NETWORK,
    "asyncio.start_unix_server": NETWORK,
}
# To call one of these is; their types and constants may be named.
CALLED: Mapping[str, str] = {"random": CHANCE, "socket": NETWORK}
# To import one of these is to speak to the network.
LIBRARIES = (
    *("aiohttp", "http.client", "http.server", "httpx", "picows", "python_socks", "requests", "smtplib"),
    *("socketserver", "urllib.request", "urllib3", "uvicorn", "websockets"),
)
SEEDED = ("default_rng", "Generator", "Philox", "PCG64", "SeedSequence", "RandomState")  # of numpy.random

# Who may all the same; each is a wall of the house, where the machine begins.
MAY: Mapping[str, tuple[str, ...]] = {
    "alerts/delivery/channel.py": ("httpx",),
    "alerts/delivery/mail.py": ("smtplib",),
    "alerts/delivery/webhook.py": ("httpx",),
    "client.py": ("httpx",),
    "api/http_server.py": ("uvicorn", "websockets"),
    "api/server.py": ("uvicorn",),
    "api/serving.py": ("uvicorn",),
    "cli/checking.py": ("pairscope.base.clock.SystemClock",),
    "cli/common.py": ("pairscope.base.clock.SystemClock",),
    "cli/ending.py": ("pairscope.base.clock.SystemClock",),
    "cli/history.py": ("pairscope.base.clock.SystemClock",),
    "cli/recording.py": ("pairscope.base.clock.SystemClock",),
    "feed/access.py": ("httpx",),
    "feed/binance/archive_site.py": ("httpx",),
    "feed/binance/connection.py": ("picows", "python_socks"),
    "feed/binance/rest.py": ("httpx",),
    "feed/binance/simulator/connection.py": ("picows",),
    "feed/binance/simulator/hub.py": ("picows",),
    # It also runs alone, in a process of its own.
    "feed/binance/simulator/exchange.py": ("picows", "uvicorn", "pairscope.base.clock.SystemClock"),
}


class Asking(NamedTuple):
    """That a line asks the machine for something."""

    line: int
    what: str
    cure: str


def asked_by(source: str) -> Iterator[Asking]:
    """What the lines of a module ask the machine for."""
    tree = ast.parse(source)
    names = dict(_imported(tree))
    for node in ast.walk(tree):
        if isinstance(node, ast.Import | ast.ImportFrom):
            within = f"{node.module}." if isinstance(node, ast.ImportFrom) else ""
            modules = [f"{within}{each.name}" for each in node.names]
            for each in LIBRARIES:
                if any(_within(module, each) for module in modules):
                    yield Asking(node.lineno, each, NETWORK)
        elif isinstance(node, ast.Call):
            yield from _called(node, _name_of(node.func, names))
        elif isinstance(node, ast.Attribute | ast.Name):
            name = _name_of(node, names)
            yield from (Asking(node.lineno, each, cure) for each, cure in NAMED.items() if name and _asks(name, each))


def _called(node: ast.Call, name: str | None) -> Iterator[Asking]:
    if name is not None:
        module, _, function = name.rpartition(".")
        if module in CALLED:
            yield Asking(node.lineno, name, CALLED[module])
        if module == "numpy.random" and not (function in SEEDED and (node.args or node.keywords)):
            yield Asking(node.lineno, name, CHANCE)
        return
    # With one argument it is that of a path: of a text it has two, of a time it has names.
    is_of_path = len(node.args) == 1 and not node.keywords
    if isinstance(node.func, ast.Attribute) and node.func.attr in ("replace", "rename") and is_of_path:
        yield Asking(node.lineno, f"Path.{node.func.attr}", DISK)


def _imported(tree: ast.Module) -> Iterator[tuple[str, str]]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for each in node.names:
                first = each.name.partition(".")[0]
                yield (each.asname, each.name) if each.asname else (first, first)
        elif isinstance(node, ast.ImportFrom) and node.module:
            for each in node.names:
                yield each.asname or each.name, f"{node.module}.{each.name}"


def _name_of(node: ast.expr, names: Mapping[str, str]) -> str | None:
    """The full name of what is named, imports followed; None for what was not imported."""
    if isinstance(node, ast.Name):
        return names.get(node.id)
    if isinstance(node, ast.Attribute):
        base = _name_of(node.value, names)
        return None if base is None else f"{base}.{node.attr}"
    return None


def _within(name: str, module: str) -> bool:
    return name == module or name.startswith(f"{module}.")


def _asks(name: str, asked: str) -> bool:
    # A module by itself is not asked before something of it is named.
    return name == asked if "." in asked else name.startswith(f"{asked}.")


def faults(package: Path = PACKAGE, may: Mapping[str, tuple[str, ...]] = MAY) -> list[str]:
    """Every line that asks and may not, and every permission that nobody needs."""
    found, used = [], set()
    for path in sorted(package.rglob("*.py")):
        place = path.relative_to(package).as_posix()
        if place.startswith(FREE):
            continue
        for asking in asked_by(path.read_text(encoding="utf-8")):
            if asking.what in may.get(place, ()):
                used.add((place, asking.what))
            else:
                found.append(f"{path}:{asking.line}: asks the machine by {asking.what}: {asking.cure}")
    idle = [(place, each) for place, allowed in may.items() for each in allowed if (place, each) not in used]
    return found + [f"tools/seams.py: {place} may use {each} and does not" for place, each in idle]


def main() -> int:
    found = faults()
    print("\n".join(found), file=sys.stderr, end="\n" if found else "")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
