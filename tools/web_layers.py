"""Check that the rooms of the dashboard stand in one order, and that no files import one another in a ring.

    python tools/web_layers.py

`web/src` is `lib → wire → ui → chart → screens → app`: pure functions first, then what speaks to the server, the parts
every screen has, pictures, screens, and the shell. A file imports its own room and those before it, a type as well as
a value; what is generated from the server's schema stands before all.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable, Mapping
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

SOURCES = Path(__file__).parent.parent / "web" / "src"
ROOMS = ("api.gen", "lib", "wire", "ui", "chart", "screens", "app")
APP = ROOMS.index("app")
_IMPORT = re.compile(r"""(?:\bfrom|\bimport)\s*\(?\s*["'](\.[^"']*)["']""")


def imports_of(root: Path) -> Mapping[str, tuple[str, ...]]:
    """What each file imports of the others, as paths below the root without their suffix."""
    root = root.resolve()
    files = {path: path.relative_to(root).with_suffix("").as_posix() for path in sorted(root.rglob("*.ts*"))}
    known = {*files.values()}
    found = {}
    for path, name in files.items():
        targets = ((path.parent / text).resolve() for text in _IMPORT.findall(path.read_text(encoding="utf-8")))
        named = [
            target.relative_to(root.resolve()).as_posix() for target in targets if target.is_relative_to(root.resolve())
        ]
        found[name] = tuple(dict.fromkeys(target for target in named if target in known))
    return found


def faults(imports: Mapping[str, Iterable[str]]) -> list[str]:
    """A line for each import of a room that comes later, and for a ring.

    >>> faults({"lib/a": ["ui/b"], "ui/b": []})
    ['lib/a imports ui/b: lib stands before ui']
    >>> faults({"ui/a": ["ui/b"], "ui/b": ["ui/a"]})
    ['a ring: ui/a, ui/b, ui/a']
    """
    told = [
        f"{name} imports {target}: {ROOMS[_room(name)]} stands before {ROOMS[_room(target)]}"
        for name, targets in imports.items()
        for target in targets
        if _room(target) > _room(name)
    ]
    try:
        TopologicalSorter({name: sorted(targets) for name, targets in imports.items()}).prepare()
    except CycleError as error:
        ring = error.args[1][:-1]
        first = ring.index(min(ring))
        told.append(f"a ring: {', '.join([*ring[first:], *ring[:first], ring[first]])}")
    return told


def _room(name: str) -> int:
    first = name.split("/")[0]
    return ROOMS.index(first) if first in ROOMS else APP


def main() -> int:
    found = faults(imports_of(SOURCES))
    for line in found:
        print(line, file=sys.stderr)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
