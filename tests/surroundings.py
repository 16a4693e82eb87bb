"""What a test and the processes it starts find around them: nothing of the user's, and kernels that are compiled.

Nothing here asks for the user's home, settings, tape, proxies or the usual port; whatever runs on this machine besides
does not change a test, and a test changes nothing of it. Only compiled kernels are shared, because they take a minute.
"""

from __future__ import annotations

import contextlib
import getpass
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator, MutableMapping
from pathlib import Path

import platformdirs

from pairscope.base.settings_sources import ALIASES, PREFIX

ROOT = Path(__file__).parent.parent
PROXIES = ("http_proxy", "https_proxy", "all_proxy", "ftp_proxy", "no_proxy")
HOMES = {  # of data, settings and caches, on every system; below the folder of a test
    "HOME": "home",
    "USERPROFILE": "home",
    "LOCALAPPDATA": "home/local",
    "APPDATA": "home/roaming",
    "XDG_DATA_HOME": "home/data",
    "XDG_CONFIG_HOME": "home/config",
    "XDG_STATE_HOME": "home/state",
    "XDG_CACHE_HOME": "home/cache",
}
KERNELS = "NUMBA_CACHE_DIR"
WARM_UP = """
from pairscope.base.jit import remember_compiled
from pairscope.live.compiling import PARTS, main
main(*PARTS)
remember_compiled("for-pytest")
"""


def is_the_users(name: str) -> bool:
    """Whether an environment variable would reach pairscope from the user's shell."""
    return name.upper().startswith(PREFIX) or name in ALIASES or name.lower() in PROXIES


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port: int = taken.getsockname()[1]
        return port


def move_in(environment: MutableMapping[str, str], folder: Path) -> None:
    """Leave the user's surroundings for those of a test; a process that is told no port takes a free one."""
    for name in [name for name in environment if is_the_users(name)]:
        del environment[name]
    for name, place in HOMES.items():
        environment[name] = str(folder / place)
    (folder / "home").mkdir(parents=True, exist_ok=True)
    environment["BACKEND_PORT"] = str(free_port())


def share_kernels(environment: MutableMapping[str, str]) -> None:
    """Name the folder of compiled kernels, before the homes are changed: the user's, or else one of all test runs."""
    if environment.get(KERNELS):
        return
    cache = Path(platformdirs.user_cache_dir("pairscope"))
    try:
        cache.mkdir(parents=True, exist_ok=True)
        tempfile.TemporaryFile(dir=cache).close()
    except OSError:
        environment[KERNELS] = str(Path(tempfile.gettempdir()) / f"pairscope-tests-{getpass.getuser()}")
    else:
        environment[KERNELS] = str(cache.parent)


def compile_kernels() -> None:
    """Compile what is not compiled yet of these sources, in a process of its own, while others with the same wait."""
    from numba.core import config

    from pairscope.base.jit import is_compiled

    with _alone(Path(vars(config)["CACHE_DIR"]) / "tests.lock"):
        if not is_compiled("for-pytest"):
            subprocess.run([sys.executable, "-c", WARM_UP], check=True, cwd=ROOT, stdout=subprocess.DEVNULL)


@contextlib.contextmanager
def _alone(path: Path) -> Iterator[None]:
    """Hold a file that other processes wait for; where there is no such lock they compile side by side."""
    try:
        import fcntl
    except ImportError:
        yield
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        yield
