"""One word for a pair: is what made it a pair still there?"""

from __future__ import annotations

import enum
import math
from dataclasses import dataclass

from pairscope.analytics.cusum import LINE_1, LINE_5, cusum
from pairscope.analytics.metric import Metric
from pairscope.analytics.pairs import correlation
from pairscope.analytics.reversion import half_life
from pairscope.analytics.stationarity import coint_p
from pairscope.analytics.values import Value
from pairscope.analytics.windows import PairWindow

SURE_P = 0.05
DOUBTFUL_P = 0.10
SLOW_SHARE = 0.25  # of the window, that a half-life may last
LOW_CORRELATION = 0.2
_BROKEN_CUSUM = LINE_1 / LINE_5  # the 1 % line, as a multiple of the 5 % line


class Condition(enum.StrEnum):
    COINTEGRATED = "cointegrated"
    WEAKENING = "weakening"
    BROKEN = "broken"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Health:
    """The condition of a pair, and what speaks against it: nothing when it is cointegrated."""

    condition: Condition
    reasons: tuple[str, ...]


def assess(p: float | None, half: float | None, together: float | None, moved: float | None, window: int) -> Health:
    """Judge a pair by four of its metrics; None for one that is null.

    - ``broken``: no cointegration (p >= 0.10), or a CUSUM beyond its 1 % line;
    - ``weakening``: doubtful cointegration (p >= 0.05), a CUSUM beyond its 5 % line, a half-life that cannot be given
      or is longer than a quarter of the window, or a correlation of returns below 0.2;
    - ``unknown``: no p, and nothing that says broken;
    - ``cointegrated``: none of these.

    Args:
        p: of Engle and Granger, the better direction, doubled.
        half: half-life in bars.
        together: correlation of returns, or Hayashi-Yoshida's.
        moved: CUSUM as a ratio to its 5 % line, on whitened series.
        window: bars.

    >>> assess(0.01, 20.0, 0.7, 0.5, 300).condition.value
    'cointegrated'
    >>> assess(0.07, 20.0, 0.7, 1.1, 300)
    Health(condition=<Condition.WEAKENING: 'weakening'>, reasons=('cointegration is doubtful: p = 0.07', 'the line has \
probably moved: CUSUM at 1.1 of its 5 % line'))
    """
    p, half, together, moved = (_known(value) for value in (p, half, together, moved))
    broken, weak = [], []
    if p is not None and p >= DOUBTFUL_P:
        broken.append(f"no cointegration: p = {p:.2g}")
    elif p is not None and p >= SURE_P:
        weak.append(f"cointegration is doubtful: p = {p:.2g}")
    if moved is not None and moved > _BROKEN_CUSUM:
        broken.append(f"the line has moved: CUSUM at {moved:.2g} of its 5 % line")
    elif moved is not None and moved > 1.0:
        weak.append(f"the line has probably moved: CUSUM at {moved:.2g} of its 5 % line")
    if half is None:
        weak.append("the spread may not return: no half-life")
    elif half > SLOW_SHARE * window:
        weak.append(f"the spread returns slowly: half-life of {half:.0f} bars in a window of {window}")
    if together is not None and together < LOW_CORRELATION:
        weak.append(f"returns hardly move together: correlation {together:.2f}")
    if broken:
        return Health(Condition.BROKEN, tuple(broken + weak))
    if p is None:
        return Health(Condition.UNKNOWN, ("cointegration could not be tested",))
    return Health(Condition.WEAKENING if weak else Condition.COINTEGRATED, tuple(weak))


def judge(window: PairWindow) -> Health:
    """The condition of a pair in its window, by its own metrics."""
    found = [metric(window).value for metric in (coint_p, half_life, correlation, cusum)]
    p, half, together, moved = (value if isinstance(value, float) else None for value in found)
    return assess(p, half, together, moved, window.window)


def health(window: PairWindow) -> Value:
    return Value(judge(window).condition.value, coint_p(window).n)


def _known(value: float | None) -> float | None:
    return value if value is not None and math.isfinite(value) else None


METRICS = (
    Metric(
        name="health",
        scope="pair",
        title="Health",
        formula="cointegrated, weakening, broken or unknown, from coint_p, half_life, correlation and cusum",
        unit="word",
        function=health,
        remark="Broken: coint_p >= 0.10, or a cusum beyond its 1 % line. The reasons come with it.",
        cadence="scan",
    ),
)
