"""How every compiled function of pairscope is declared and given its arrays.

Two decorators and no others: `kernel` keeps IEEE semantics to the letter, so that live and batch give the
same bits; `reduction` additionally lets the compiler reorder sums, for long dot products whose result
has one caller. Compiled code is kept on disk under a hash of all kernel sources, because Numba's own
index does not notice an edit to a callee in another file; in the folder that Numba's own variable
``NUMBA_CACHE_DIR`` names, or in the user's cache.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar, cast

import numba
import numpy as np
import platformdirs
from numba import njit
from numba.core import config
from numpy.typing import NDArray

_F = TypeVar("_F", bound=Callable[..., Any])
_T = TypeVar("_T", bound=np.generic)
_PACKAGE = Path(__file__).parent.parent


def _sources_hash() -> str:
    digest = hashlib.sha256(f"{numba.__version__}".encode())
    for path in sorted(_PACKAGE.rglob("*.py")):
        source = path.read_bytes()
        if b"base.kernel import" in source:
            digest.update(path.relative_to(_PACKAGE).as_posix().encode() + b"\0" + source)
    return digest.hexdigest()[:16]


def _cache_folder() -> Path | None:
    named = os.environ.get("NUMBA_CACHE_DIR")
    cache = Path(named) / "pairscope" if named else Path(platformdirs.user_cache_dir("pairscope"))
    folder = cache / "kernels" / _sources_hash()
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError:  # a read-only home: compile in memory at each start
        return None
    return folder


_FOLDER = _cache_folder()
if _FOLDER is not None:
    setattr(config, "CACHE_DIR", str(_FOLDER))  # noqa: B010 - a name Numba's types do not list


def is_compiled(part: str) -> bool:
    """Whether a part of these sources' kernels is known to be in the cache."""
    return _FOLDER is not None and (_FOLDER / part).exists()


def remember_compiled(part: str) -> None:
    """Say that a part is in the cache now."""
    if _FOLDER is not None:
        (_FOLDER / part).touch()


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
