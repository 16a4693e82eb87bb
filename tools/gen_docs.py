"""Write the generated parts of docs/ from the code; a test checks that they are current."""

from __future__ import annotations

import sys
from pathlib import Path

from pairscope.base.settings import Settings

DOCS = Path(__file__).parent.parent / "docs"


def settings_table() -> str:
    """One row a setting."""
    rows = []
    for name, field in Settings.model_fields.items():
        default = "the user's data folder" if name == "data_dir" else field.get_default()
        if isinstance(default, tuple):
            default = ", ".join(map(str, default)) or "—"
        shown = "—" if default is None else str(default)
        rows.append(f"| `{name}` | {shown} | {field.description} |\n")
    return "".join(rows)


def current(text: str) -> str:
    """The page with its table as the code has it now."""
    head, mark, _ = text.partition("|---|---|---|\n")
    return f"{head}{mark}{settings_table()}"


def main() -> int:
    page = DOCS / "settings.md"
    page.write_text(current(page.read_text(encoding="utf-8")), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
