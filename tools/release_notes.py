"""Print what CHANGELOG.md says of a tag; one that is not the version of the package, or not told of, is refused."""

from __future__ import annotations

import re
import sys
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).parent.parent


def notes_of(tag: str, changelog: str, version: str) -> str:
    """The part of the changelog below the heading of a tag.

    Raises:
        ValueError: when the tag is not that of the version, or the changelog has no such heading or nothing below it.
    """
    if tag != f"v{version}":
        raise ValueError(f"the tag {tag} is not v{version}, which src/pairscope/__init__.py says")
    parts = re.split(r"^## ", changelog, flags=re.MULTILINE)[1:]
    told = [body for heading, _, body in (part.partition("\n") for part in parts) if version in heading.split()[0]]
    if not told or not told[0].strip():
        raise ValueError(f"CHANGELOG.md tells nothing of {version}")
    return told[0].strip()


def main(arguments: Sequence[str]) -> int:
    source = (ROOT / "src" / "pairscope" / "__init__.py").read_text(encoding="utf-8")
    version = re.search(r'^__version__ = "(.+)"', source, flags=re.MULTILINE)
    assert version is not None
    try:
        print(notes_of(arguments[0], (ROOT / "CHANGELOG.md").read_text(encoding="utf-8"), version[1]))
    except ValueError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
