"""pairscope: a self-hosted, real-time statistical-arbitrage workbench.

>>> from pairscope import Client  # asks a running one
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pairscope.client import Client as Client

__version__ = "0.4.0"

__all__ = ["Client", "__version__"]


def __getattr__(name: str) -> object:
    """`Client` is loaded when it is asked for: a command that asks nobody starts without it."""
    if name == "Client":
        return importlib.import_module("pairscope.client").Client
    raise AttributeError(f"module 'pairscope' has no attribute '{name}'")
