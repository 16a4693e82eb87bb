"""Run an npm script of the dashboard (web/) with the Node of this machine, or with the one from the Python index."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT))

from hatch_build import PageError, install_modules, npm_of_anywhere, web_of  # noqa: E402


def main(arguments: list[str]) -> int:
    web = web_of(ROOT)
    try:
        npm, environment = npm_of_anywhere()
        install_modules(npm, web, environment)
    except PageError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    return subprocess.run([*npm, *arguments], cwd=web, env=environment, check=False).returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
