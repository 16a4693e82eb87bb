"""The dashboard has words for everything the server may say."""

from __future__ import annotations

import enum
import re
from pathlib import Path

import pytest

from pairscope.analytics.values import Flag, Reason

WORDS = Path(__file__).parent.parent / "web" / "src" / "lib" / "quantity.ts"


@pytest.mark.parametrize(("name", "said"), [("REASONS", Reason), ("FLAGS", Flag)])
def test_the_dashboard_has_words_for_every_reason_and_flag_and_no_others(name: str, said: type[enum.StrEnum]) -> None:
    text = WORDS.read_text(encoding="utf-8")
    table = re.search(rf"const {name}: Record<string, string> = \{{(.*?)\n\}};", text, re.DOTALL)
    assert table is not None
    assert set(re.findall(r"^  (\w+):", table[1], re.MULTILINE)) == {one.value for one in said}
