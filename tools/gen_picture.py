"""Draw docs/images/rooms.svg, the order of the rooms, from the layers that the linter holds; `--check` only looks."""

from __future__ import annotations

import sys
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

ROOT = Path(__file__).parent.parent
TARGET = ROOT / "docs" / "images" / "rooms.svg"

# What each room does, in a few words; one that is not here yet is drawn in grey.
WORDS: Mapping[str, str] = {
    "cli": "commands, flags, exit codes",
    "app": "wires the rooms together",
    "client": "asks a running server",
    "api": "REST, WebSocket topics, the page",
    "alerts": "not built yet",
    "backtest": "not built yet",
    "scan": "not built yet",
    "live": "answers: metrics of now and of any window",
    "ingest": "takes in, and repairs what is missing",
    "jobs": "long work beside the live path",
    "store": "the tape: an open day, sealed days, gaps",
    "feed": "the way to an exchange, and its judge",
    "bars": "builds bars from trades, and holds them",
    "analytics": "numbers of arrays, without I/O",
    "base": "records, errors, settings, clock, files, sockets",
}
WIDTH, ROOM_HEIGHT, GAP, FLOOR_HEIGHT, LEFT = 760, 54, 14, 20, 20
INK, PALE, LINE, ROOM, LATER = "#1f2933", "#52606d", "#9aa5b1", "#eef4fb", "#f5f5f5"


def layers(contracts: Sequence[Mapping[str, object]]) -> list[list[str]]:
    """The rooms, the first that may import all others first; of a layer several."""
    return [
        [_name(one) for one in layer.split("|")] for layer in _layers_of(contracts, None) if "__main__" not in layer
    ]


def floors(contracts: Sequence[Mapping[str, object]]) -> Mapping[str, list[str]]:
    """The order inside a room, of those that have one."""
    found = {}
    for each in contracts:
        for container in each.get("containers", ()):  # type: ignore[attr-defined]
            room = _name(str(container))
            found[room] = [_name(layer) for layer in _layers_of(contracts, str(container))]
    return found


def _layers_of(contracts: Sequence[Mapping[str, object]], container: str | None) -> list[str]:
    for each in contracts:
        containers: Sequence[str] = each.get("containers", ())  # type: ignore[assignment]
        if each["type"] == "layers" and (container in containers if container else not containers):
            found: list[str] = each["layers"]  # type: ignore[assignment]
            return found
    raise LookupError("the linter has no layers")


def _name(layer: str) -> str:
    return layer.strip().strip("()").removeprefix("pairscope.")


def picture(contracts: Sequence[Mapping[str, object]], there: set[str]) -> str:
    """The picture; `there` are the rooms that are built."""
    order, inside = layers(contracts), floors(contracts)
    heights = [ROOM_HEIGHT + (FLOOR_HEIGHT + 12 if set(layer) & set(inside) else 0) for layer in order]
    height = sum(heights) + GAP * (len(order) - 1) + 70
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" font-family="sans-serif">',
        "<title>The rooms of pairscope: each imports only those below it</title>",
        f'<rect width="{WIDTH}" height="{height}" fill="#ffffff"/>',
        '<defs><marker id="tip" markerWidth="8" markerHeight="8" refX="4" refY="6" markerUnits="userSpaceOnUse">'
        f'<path d="M0,0 L8,0 L4,7 z" fill="{LINE}"/></marker></defs>',
        f'<text x="{LEFT}" y="28" font-size="15" fill="{INK}">Each room imports only those below it</text>',
    ]
    top = 46
    for place, (layer, tall) in enumerate(zip(order, heights, strict=True)):
        parts += _layer(layer, inside, there, top, tall)
        if place + 1 < len(order):
            parts.append(
                f'<line x1="{WIDTH / 2:g}" y1="{top + tall}" x2="{WIDTH / 2:g}" y2="{top + tall + GAP - 3}" '
                f'stroke="{LINE}" stroke-width="1.5" marker-end="url(#tip)"/>'
            )
        top += tall + GAP
    return "\n".join([*parts, "</svg>"]) + "\n"


def _layer(
    layer: Sequence[str], inside: Mapping[str, list[str]], there: set[str], top: int, tall: int
) -> Iterator[str]:
    wide = (WIDTH - 2 * LEFT - GAP * (len(layer) - 1)) / len(layer)
    for place, room in enumerate(layer):
        left = LEFT + place * (wide + GAP)
        fill, dash = (ROOM, "") if room in there else (LATER, ' stroke-dasharray="5 4"')
        yield (
            f'<rect x="{left:.1f}" y="{top}" width="{wide:.1f}" height="{tall}" rx="6" fill="{fill}" '
            f'stroke="{LINE}"{dash}/>'
        )
        yield f'<text x="{left + 14:.1f}" y="{top + 23}" font-size="15" font-weight="bold" fill="{INK}">{room}</text>'
        yield f'<text x="{left + 14:.1f}" y="{top + 42}" font-size="12" fill="{PALE}">{WORDS[room]}</text>'
        rooms = inside.get(room, [])
        for number, floor in enumerate(rooms):
            share = (wide - 28) / len(rooms)
            x, y = left + 14 + number * share, top + ROOM_HEIGHT
            yield (
                f'<rect x="{x:.1f}" y="{y}" width="{share - 6:.1f}" height="{FLOOR_HEIGHT}" rx="4" fill="#ffffff" '
                f'stroke="{LINE}"/>'
            )
            yield f'<text x="{x + 8:.1f}" y="{y + 14}" font-size="11" fill="{PALE}">{floor}</text>'


def drawn() -> str:
    """The picture of the rooms as they stand."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    contracts = project["tool"]["importlinter"]["contracts"]
    package = ROOT / "src" / "pairscope"
    rooms = {room for layer in layers(contracts) for room in layer}
    return picture(
        contracts,
        {room for room in rooms if (package / room / "__init__.py").is_file() or (package / f"{room}.py").is_file()},
    )


def main(arguments: Sequence[str]) -> int:
    text = drawn()
    if "--check" not in arguments:
        TARGET.write_text(text, encoding="utf-8")
        return 0
    if TARGET.is_file() and TARGET.read_text(encoding="utf-8") == text:
        return 0
    print(f"{TARGET} is stale: run python tools/gen_picture.py", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
