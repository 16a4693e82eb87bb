"""Tools shared by all tests."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import settings

# The same examples in every run, and no verdict by the clock: kernels are compiled on their first call.
settings.register_profile("pairscope", deadline=None, derandomize=True)
settings.load_profile("pairscope")

SHARED_DATA = Path(__file__).parent.parent.parent / "shared" / "data"


@pytest.fixture(scope="session")
def data_dir() -> Path:
    """The recorded market data beside the project; a test that needs it is skipped without it."""
    if not SHARED_DATA.is_dir():
        pytest.skip(f"recorded market data not found at {SHARED_DATA}")
    return SHARED_DATA
