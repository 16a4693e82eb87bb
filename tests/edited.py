"""pairscope with a few lines more in its sources, as a program of its own; the files stay as they are.

The lines are read in the place of those on the disk. Compiled code is found by the files themselves, so that nothing is
compiled anew as long as no kernel stands in an edited module.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pairscope

PACKAGE = Path(pairscope.__file__).parent

_PROGRAM = """
import sys
from importlib.machinery import SourceFileLoader

edited = {edited!r}
path_stats, get_data = SourceFileLoader.path_stats, SourceFileLoader.get_data

def name_of(path):
    return path.replace("\\\\", "/").rpartition("/pairscope/")[2]

def stats(self, path):
    if name_of(path) in edited:
        raise OSError  # so that no bytecode of the file is taken, or kept
    return path_stats(self, path)

def data(self, path):
    text = edited.get(name_of(path))
    return get_data(self, path) if text is None else text.encode()

SourceFileLoader.path_stats, SourceFileLoader.get_data = stats, data
"""
_COMMAND = """
from pairscope.cli import main
sys.exit(main())
"""


def source(module: str) -> str:
    """The text of a module, by its path in the package."""
    return (PACKAGE / module).read_text(encoding="utf-8")


def after(module: str, place: str, lines: str) -> str:
    """The text of a module with some lines after another one, which stands in it once."""
    text = source(module)
    assert text.count(place) == 1, f"{place!r} stands {text.count(place)} times in {module}"
    return text.replace(place, place + lines)


def program(edited: Mapping[str, str], rest: str = _COMMAND) -> tuple[str, str]:
    """What Python is started with to run the command line, or another program, on these texts of modules."""
    return "-c", _PROGRAM.format(edited=dict(edited)) + rest
