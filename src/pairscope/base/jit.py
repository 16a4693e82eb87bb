"""How every compiled function of pairscope is declared and given its arrays.

Two decorators and no others: `kernel` keeps IEEE semantics to the letter, so that live and batch give the
same bits; `reduction` additionally lets the compiler reorder sums, for long dot products whose result
has one caller. Compiled code is kept on disk under a hash of all kernel sources, because Numba's own
index does not notice an edit to a callee in another file; in the folder that Numba's own variable
``NUMBA_CACHE_DIR`` names, or in the user's cache.
"""

from __future__ import annotations

import atexit
import contextlib
import hashlib
import os
import shutil
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar, cast

import numba
import numpy as np
import platformdirs
from numba import njit
from numba.core import config, event
from numpy.typing import ArrayLike, NDArray

_F = TypeVar("_F", bound=Callable[..., Any])
_T = TypeVar("_T", bound=np.generic)
_TOLD = "KERNEL_CACHE_DIR"  # by a process that has made a passing one to those it starts
CACHES_KEPT = 3  # of other sources, beside the present one
CACHE_IN_USE_S = 24 * 3600.0
_PACKAGE = Path(__file__).parent.parent


def _sources_hash() -> str:
    # Numba believes a cached kernel only of the same file, unchanged since: what says that all are there must too.
    digest = hashlib.sha256(f"{numba.__version__} {_PACKAGE}".encode())
    for path in sorted(_PACKAGE.rglob("*.py")):
        source = path.read_bytes()
        if b"base.jit import" in source:
            written_ns = path.stat().st_mtime_ns
            digest.update(f"{path.relative_to(_PACKAGE).as_posix()} {written_ns}\0".encode() + source)
    return digest.hexdigest()[:16]


def _cache_folder() -> Path | None:
    told = os.environ.get(_TOLD)
    if told is not None:
        return Path(told)
    named = os.environ.get("NUMBA_CACHE_DIR")
    cache = Path(named) / "pairscope" if named else Path(platformdirs.user_cache_dir("pairscope"))
    folder = cache / "kernels" / _sources_hash()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if os.access(folder, os.W_OK) or (folder / "rest").exists():
            return folder
    except OSError:
        pass
    return _passing_folder()


def _passing_folder() -> Path | None:
    """In a read-only home: a cache for this process and those that compile for it."""
    try:
        folder = tempfile.mkdtemp(prefix="pairscope-kernels-")
    except OSError:  # compile in memory
        return None
    os.environ[_TOLD] = folder
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return Path(folder)


_FOLDER = _cache_folder()
if _FOLDER is not None:
    setattr(config, "CACHE_DIR", str(_FOLDER))  # noqa: B010 - a name Numba's types do not list


def is_compiled(part: str) -> bool:
    """Whether a part of these sources' kernels is known to be in the cache."""
    return _FOLDER is not None and (_FOLDER / part).exists()


def remember_compiled(part: str) -> None:
    """Say that a part is in the cache now."""
    if _FOLDER is not None:
        with contextlib.suppress(OSError):  # a cache that may only be read, and holds all
            (_FOLDER / part).touch()


def forget_old_caches() -> None:
    """Delete what was compiled of other sources, but for the newest few and what was used of late."""
    if _FOLDER is None:
        return
    try:
        os.utime(_FOLDER)
        others = sorted((each for each in _FOLDER.parent.iterdir() if each != _FOLDER), key=_used_s, reverse=True)
    except OSError:  # may only be read: nothing can be deleted there
        return
    for each in others[CACHES_KEPT:]:
        if time.time() - _used_s(each) > CACHE_IN_USE_S:
            shutil.rmtree(each, ignore_errors=True)


def _used_s(folder: Path) -> float:
    try:
        return folder.stat().st_mtime
    except OSError:  # another process has deleted it
        return 0.0


class CompileWatch(event.Listener):
    """Told of each function that is compiled in this process, and not loaded from the cache."""

    def __init__(self, told: Callable[[str], None]) -> None:
        self._told = told

    def on_start(self, event: event.Event) -> None:
        dispatcher = (event.data or {}).get("dispatcher")
        function = getattr(dispatcher, "py_func", None)
        self._told(f"{function.__module__}.{function.__qualname__}" if function else str(dispatcher))

    def on_end(self, event: event.Event) -> None:
        pass


def watch_compiles(told: Callable[[str], None]) -> Callable[[], None]:
    """Be told of each compilation in this process from now on, in its thread; returns the way to stop it."""
    listener = CompileWatch(told)
    register, unregister = cast(Any, event.register), cast(Any, event.unregister)
    register("numba:compile", listener)
    return lambda: unregister("numba:compile", listener)


def kernel(function: _F) -> _F:
    """Compile with exact IEEE semantics, without holding the interpreter lock."""
    compiled = njit(cache=_FOLDER is not None, nogil=True, error_model="numpy", fastmath=False)(function)
    return cast(_F, compiled)


def reduction(function: _F) -> _F:
    """Compile a sum whose terms may be reordered; NaN semantics are kept."""
    relaxed = {"reassoc", "contract"}
    compiled = njit(cache=_FOLDER is not None, nogil=True, error_model="numpy", fastmath=relaxed)(function)
    return cast(_F, compiled)


def plain(values: NDArray[_T]) -> NDArray[_T]:
    """The values in the one memory layout kernels are given; any other would make Numba compile them once more."""
    flags = values.flags
    return values if flags.c_contiguous and flags.writeable else np.array(values, order="C")


def floats(values: ArrayLike) -> NDArray[np.float64]:
    """The values as kernels are given numbers: float64 in one memory layout, whatever numbers they were.

    Kernels are compiled for this type alone; integers would have them compiled anew, to lose digits in sums of theirs.

    >>> floats([1, 2]).dtype, floats(np.arange(6, dtype=np.float32)[::2]).tolist()
    (dtype('float64'), [0.0, 2.0, 4.0])
    """
    return plain(np.asarray(values, np.float64))


def integers(values: ArrayLike) -> NDArray[np.int64]:
    """Positions and times as kernels are given them: int64 in one memory layout."""
    return plain(np.asarray(values, np.int64))
