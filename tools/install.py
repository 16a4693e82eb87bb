"""Install into the environment this runs in: by uv, which takes seconds, and by pip where uv cannot.

``python tools/install.py uv`` brings uv, pinned by hash; else it takes what ``pip install`` takes::

    python tools/install.py --require-hashes -r requirements/runtime.txt

uv reads nothing of pip's configuration, and people have good reasons for theirs: an index of their own, certificates, a
folder of wheels. What it says is handed on. Where there is no uv for this machine, or it fails, pip does the work.
"""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

ROOT = Path(__file__).parent.parent
PIP = (sys.executable, "-m", "pip", "--disable-pip-version-check", "-q")
# What pip is told, and how uv is told the same.
HANDED_ON = {
    "index-url": "UV_DEFAULT_INDEX",
    "extra-index-url": "UV_INDEX",
    "find-links": "UV_FIND_LINKS",
    "cert": "SSL_CERT_FILE",
    "no-index": "UV_NO_INDEX",
    "constraint": "UV_CONSTRAINT",
}
LISTED = {"find-links": ","}  # how uv parts what pip parts by spaces


def read_pip_config(listing: str) -> dict[str, str]:
    """What ``pip config list`` prints: the environment wins over files, and a command's own section over all.

    >>> read_pip_config("global.index-url='https://a/simple'\\ninstall.index-url='https://b/simple'\\n:env:.cert='/c'")
    {'index-url': 'https://b/simple', 'cert': '/c'}
    """
    found: dict[str, tuple[int, str]] = {}
    for line in listing.splitlines():
        name, equals, value = line.partition("=")
        section, _, key = name.rpartition(".")
        rank = {"global": 0, "install": 1, ":env:": 2}.get(section)
        if equals and rank is not None and rank >= found.get(key, (0, ""))[0]:
            try:
                found[key] = rank, str(ast.literal_eval(value))
            except (SyntaxError, ValueError):
                continue
    return {key: value for key, (_, value) in found.items()}


def uv_environment(environment: Mapping[str, str], pip: Mapping[str, str]) -> dict[str, str]:
    """The environment for uv; what it is told by names of its own stands.

    >>> uv_environment({"UV_INDEX": "https://mine"}, {"extra-index-url": "https://a"})["UV_INDEX"]
    'https://mine'
    """
    told = {
        # An index that refuses would cost ten seconds before it is pip's turn.
        "UV_HTTP_RETRIES": "0",
        "UV_SYSTEM_CERTS": "1",
        # As pip chooses: the best of all indexes. Which file it is, the hashes say.
        "UV_INDEX_STRATEGY": "unsafe-best-match",
    }
    for key, name in HANDED_ON.items():
        if pip.get(key):
            told[name] = LISTED.get(key, " ").join(pip[key].split())
    return {**told, **environment}


def uv_of_environment() -> Path | None:
    uv = Path(sys.executable).parent / ("uv.exe" if os.name == "nt" else "uv")
    return uv if uv.is_file() else None


def install(arguments: Sequence[str]) -> int:
    uv = uv_of_environment()
    if uv is not None:
        listing = subprocess.run([*PIP, "config", "list"], capture_output=True, text=True, check=False).stdout
        command = [str(uv), "--no-config", "-q", "pip", "install", "--python", sys.executable, *arguments]
        environment = uv_environment(os.environ, read_pip_config(listing))
        done = subprocess.run(command, env=environment, stderr=subprocess.PIPE, text=True, check=False)
        if done.returncode == 0:
            return 0
        print(f"· uv could not do it, so pip does: {last_line(done.stderr)}", file=sys.stderr)
    # Compiling all packages takes pip as long as installing them; Python does it as it needs them.
    return subprocess.run([*PIP, "install", "--no-compile", *arguments], check=False).returncode


def last_line(text: str) -> str:
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return lines[-1][:200] if lines else "it gave no reason"


def bring_uv() -> int:
    """Without it everything goes on by pip, so that it is no error when there is none."""
    pinned = ["--require-hashes", "--only-binary", ":all:", "-r", str(ROOT / "requirements" / "uv.txt")]
    done = subprocess.run([*PIP, "install", "--no-compile", *pinned], capture_output=True, text=True, check=False)
    if done.returncode:
        print(f"· no uv here, so pip installs, which takes longer: {last_line(done.stderr)}", file=sys.stderr)
    return 0


if __name__ == "__main__":
    sys.exit(bring_uv() if sys.argv[1:] == ["uv"] else install(sys.argv[1:]))
