"""Where the figures come from: the machine, and the versions of everything compared."""

from __future__ import annotations

import os
import platform
import sqlite3
import ssl
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import psutil

import pairscope

COMPARED = (
    *("ccxt", "cryptofeed", "fastapi", "uvicorn", "pydantic", "pandas", "statsmodels"),
    *("websockets", "aiohttp", "uvloop"),
)
BUILT_ON = ("duckdb", "numba", "numpy", "msgspec", "picows", "starlette")


def describe() -> str:
    memory_gib = psutil.virtual_memory().total / 2**30
    lines = [
        f"- machine: {os.cpu_count()} cores, {_processor()}, {memory_gib:.1f} GiB, {_system()}",
        f"- Python {platform.python_version()}, {ssl.OPENSSL_VERSION}, SQLite {sqlite3.sqlite_version}",
        f"- pairscope {pairscope.__version__} on {_versions(BUILT_ON)}",
        f"- beside {_versions(COMPARED)}",
    ]
    return "\n".join(lines)


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()


def _system() -> str:
    try:
        name = platform.freedesktop_os_release()["PRETTY_NAME"]
    except (OSError, KeyError):
        name = platform.system()
    return f"{name} (kernel {platform.release()})"


def _versions(packages: tuple[str, ...]) -> str:
    return ", ".join(f"{name} {_version(name)}" for name in packages)


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "(absent)"
