"""The dashboard has words for everything the server may say."""

from __future__ import annotations

import re
from pathlib import Path

from pairscope.analytics.values import Reason

WORDS = Path(__file__).parent.parent / "web" / "src" / "lib" / "quantity.ts"


def test_the_dashboard_has_words_for_every_reason_and_no_others() -> None:
    text = WORDS.read_text(encoding="utf-8")
    table = re.search(r"const REASONS: Record<string, string> = \{(.*?)\n\};", text, re.DOTALL)
    assert table is not None
    assert set(re.findall(r"^  (\w+):", table[1], re.MULTILINE)) == {reason.value for reason in Reason}
