"""Simulate what docs/why.md tells, and write the page, its figures and the numbers in it: a minute or two.

    python tools/gen_why.py

The numbers are kept in docs/why.json; a test checks that the page is made of them, and simulates a part of them again.
"""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np

from pairscope.analytics.estimators.adf import adf
from pairscope.analytics.estimators.engle_granger import engle_granger_many, residual
from pairscope.analytics.estimators.evidence import CLAIM_P, closes_to_test, weigh
from pairscope.analytics.estimators.half_life import half_life
from pairscope.analytics.estimators.hayashi_yoshida import EPPS_INTERVALS_S, TradeSeries, epps_curve, hayashi_yoshida
from pairscope.analytics.estimators.hedge import SERIES
from pairscope.analytics.kernels.rolling import rolling_moments
from pairscope.base.model import FloatArray

DOCS = Path(__file__).parent.parent / "docs"
NUMBERS = DOCS / "why.json"

Numbers = dict[str, float]


def naive_adf() -> Numbers:
    """How often each test finds a pair among independent walks, at 5 %."""
    found = {}
    for bars in (250, 1_000, 5_000):
        walks = np.random.default_rng(bars).normal(size=(2_000, bars)).cumsum(axis=1)
        y, x = np.arange(0, 2_000, 2), np.arange(1, 2_000, 2)
        spreads = [residual(walks[a], walks[b]).spread for a, b in zip(y, x, strict=True)]
        found[f"adf_{bars}"] = float(np.mean([adf(spread).p < 0.05 for spread in spreads]))
        found[f"coint_{bars}"] = float(np.mean(engle_granger_many(walks, y, x).p < 0.05))
    return found


def scan() -> Numbers:
    """Pairs found among 30 independent walks: by either test, and after controlling the false discovery rate at 5 %."""
    y, x = np.triu_indices(30, 1)
    plain, better, tested, controlled = [], [], [], []
    for seed in range(200):
        walks = np.random.default_rng(seed).normal(size=(30, 1_000)).cumsum(axis=1)
        p = engle_granger_many(walks, y, x).p
        plain.append(sum(adf(residual(walks[a], walks[b]).spread).p < 0.05 for a, b in zip(y, x, strict=True)))
        better.append(int(np.sum(p < 0.10)))  # undoubled, 0.05
        tested.append(int(np.sum(p < 0.05)))
        controlled.append(bool(np.any(np.sort(p) <= 0.05 * np.arange(1, len(p) + 1) / len(p))))
    return {
        "scan_adf": float(np.mean(plain)),
        "scan_better": float(np.mean(better)),
        "scan_coint": float(np.mean(tested)),
        "scan_none": 1.0 - float(np.mean(controlled)),
    }


def _tapes(
    seed: int, rates: tuple[float, float], lag_ms: int = 0, bounce: float = 0.0
) -> tuple[TradeSeries, TradeSeries]:
    """An hour of two prices of which the returns correlate 0.8; y may follow x, both may bounce."""
    random = np.random.default_rng(seed)
    span = 360_000  # of 10 ms
    common, own = random.normal(0, 1e-4, (2, span))
    tapes = []
    for step, rate, delay in ((common, rates[0], lag_ms), (0.8 * common + 0.6 * own, rates[1], 0)):
        at = np.sort(random.choice(span, int(3_600 * rate), replace=False))
        prices = np.cumsum(step)[at] + random.choice([-bounce, bounce], len(at))
        tapes.append(TradeSeries(at * 10 + delay, prices))
    return tapes[0], tapes[1]


def epps() -> Numbers:
    """Correlation against the length of bars, and from the trades themselves."""
    seldom = [_tapes(seed, (2.0, 0.5)) for seed in range(40)]
    curve = np.mean([epps_curve(*pair).correlation for pair in seldom], axis=0)
    found = {f"epps_{seconds}": float(value) for seconds, value in zip(EPPS_INTERVALS_S, curve, strict=True)}
    found["hy"] = float(np.mean([hayashi_yoshida(*pair, 0).correlation for pair in seldom]))
    for name, tapes in (
        ("delay", [_tapes(seed, (10.0, 5.0), lag_ms=150) for seed in range(20)]),
        ("bounce", [_tapes(seed, (10.0, 5.0), bounce=1e-3) for seed in range(20)]),
    ):
        found[f"hy_{name}"] = float(np.mean([hayashi_yoshida(*pair, 0).correlation for pair in tapes]))
        found[f"hy_reach_{name}"] = float(np.mean([hayashi_yoshida(*pair).correlation for pair in tapes]))
    return found


def _autoregression(random: np.random.Generator, phi: float, count: int) -> FloatArray:
    """With a deviation of 1."""
    values = np.zeros(count)
    for t, noise in enumerate(random.normal(0, math.sqrt(1 - phi * phi), count - 1)):
        values[t + 1] = phi * values[t] + noise
    return values


def short_windows() -> Numbers:
    """A spread with a half-life of 60 bars: alarms of |z| > 2 by window, and where the spread truly was."""
    spread = _autoregression(np.random.default_rng(1), 0.5 ** (1 / 60), 400_000)
    found = {}
    for window in (20, 60, 300, 1_200):
        z = rolling_moments(spread, window, 0).z
        beyond = np.abs(z) > 2
        alarms = np.flatnonzero(beyond[1:] & ~beyond[:-1]) + 1
        found[f"alarms_{window}"] = 3_600 * len(alarms) / len(spread)
        found[f"idle_{window}"] = float(np.mean(np.abs(spread[alarms]) < 1))
        found[f"far_{window}"] = float(np.mean(np.abs(spread[alarms])))
    return found


def levels() -> Numbers:
    """Correlation of independent walks."""
    steps = np.random.default_rng(1).normal(size=(2_000, 2, 1_000))
    on_levels, on_returns = (
        np.abs([np.corrcoef(pair)[0, 1] for pair in series]) for series in (steps.cumsum(axis=2), steps)
    )
    return {
        "levels_half": float(np.mean(on_levels > 0.5)),
        "levels_median": float(np.median(on_levels)),
        "returns_median": float(np.median(on_returns)),
    }


def _cointegrated(seed: int, count: int) -> tuple[FloatArray, FloatArray, FloatArray]:
    random = np.random.default_rng(seed)
    x = np.cumsum(random.normal(0, 0.001, count))
    spread = 0.002 * _autoregression(random, 0.97, count)
    return 11.1 + 0.9 * x + spread, 11.0 + x, spread


def kalman() -> Numbers:
    """How well the spread of each method follows the true one."""
    found: dict[str, list[float]] = {}
    for seed in range(12):
        y, x, truth = _cointegrated(seed, 4_000)
        for name, window in (("kalman", 1_500), ("kalman_naive", 1_500), ("rolling", 1_500), ("rolling", 200)):
            spread = SERIES[name](y, x, window, 7, True).spread
            known = np.isfinite(spread)
            value = float(np.corrcoef(spread[known], truth[known])[0, 1])
            found.setdefault(f"{name}_{window}", []).append(value)
    return {name: float(np.mean(values)) for name, values in found.items()}


def cancellation() -> Numbers:
    """Variance of 300 prices near 60,000 that wobble by 0.0001: the school formula, and sums around a reference."""
    values = 60_000 + np.random.default_rng(1).normal(0, 1e-4, 20_000)
    windows = np.lib.stride_tricks.sliding_window_view(values, 300)
    school = ((windows**2).mean(axis=1) - windows.mean(axis=1) ** 2) * 300 / 299
    ours = rolling_moments(values, 300, 0).std[299:] ** 2
    exact = (windows - 60_000.0).var(axis=1, ddof=1)  # the differences are exact
    return {
        "school_error": float(np.median(np.abs(school / exact - 1))),
        "school_negative": float(np.mean(school <= 0)),
        "ours_error": float(np.max(np.abs(ours / exact - 1))),
    }


def half_lives() -> Numbers:
    """The half-life of spreads of independent walks, which have none."""
    walks = np.random.default_rng(3).normal(size=(1_000, 2, 500)).cumsum(axis=2)
    found = [half_life(residual(y, x).spread) for y, x in walks]
    naive = [one.ar1 for one in found if 0 < one.ar1_phi < 1]
    given = [weigh(y, x).believed.p < CLAIM_P for y, x in walks]
    return {"naive_half_life": float(np.median(naive)), "refused": 1.0 - float(np.mean(given))}


def noisy_half_lives() -> Numbers:
    """The half-life of a spread of 20 bars on noisy closes, by the ratio and by a plain fit."""
    random, phi = np.random.default_rng(4), 0.5 ** (1 / 20)
    found = []
    for _ in range(400):
        spread, errors = np.zeros(2_000), random.normal(size=2_000)
        for t in range(1, 2_000):
            spread[t] = phi * spread[t - 1] + errors[t]
        found.append(half_life(spread + 1.5 * random.normal(size=2_000)))
    return {
        "noisy_half_life": float(np.median([one.bars for one in found])),
        "noisy_ar1": float(np.median([one.ar1 for one in found])),
    }


def windows() -> Numbers:
    """How often a sound pair is seen at 5 %, by the half-lives in a window of 300 bars."""
    found = {}
    for lives in (7, 20, 41, 60, 100):
        random = np.random.default_rng(lives)
        seen = 0
        for _ in range(500):
            x = np.cumsum(random.normal(size=300))
            phi = 0.5 ** (lives / 300)
            spread = _autoregression(random, phi, 400)[100:] / math.sqrt(1 - phi * phi)
            seen += weigh(x + spread, x).test.p < 0.05
        found[f"seen_{lives}"] = seen / 500
    return found


def misled() -> Numbers:
    """How often independent prices pass at 5 %: with one bar that comes back, and with a leg that returns by itself."""
    random = np.random.default_rng(5)
    tests: dict[str, list[tuple[bool, bool]]] = {"spike": [], "leg": []}
    for _ in range(500):
        y, x = 0.002 * np.cumsum(random.normal(size=(2, 300)), axis=1)
        y[random.integers(20, 280)] += math.log(0.7)
        closes = closes_to_test(y, x, 300)
        tests["spike"].append((weigh(y, x).test.p < 0.05, weigh(closes.y, closes.x).believed.p < 0.05))
        leg, walk = _autoregression(random, 0.9, 1_000), np.cumsum(random.normal(size=1_000))
        evidence = weigh(leg, walk)
        tests["leg"].append((evidence.test.p < 0.05, evidence.believed.p < 0.05))
    found = {}
    for name, rows in tests.items():
        found[f"{name}_plain"], found[f"{name}_ours"] = np.mean(rows, axis=0).tolist()
    return found


SIMULATIONS: tuple[Callable[[], Numbers], ...] = (
    *(naive_adf, scan, epps, short_windows),
    *(levels, kalman, cancellation, half_lives, noisy_half_lives),
    *(windows, misled),
)
QUICK: tuple[Callable[[], Numbers], ...] = (cancellation, half_lives, levels)


def page(numbers: Mapping[str, float]) -> str:
    """The text, with its numbers filled in."""
    template = (Path(__file__).parent / "why.template.md").read_text(encoding="utf-8")
    return template.format_map(numbers)


def epps_figure(numbers: Mapping[str, float]) -> str:
    """Correlation by length of bars, on a logarithmic axis."""
    xs = [math.log(seconds) / math.log(EPPS_INTERVALS_S[-1]) for seconds in EPPS_INTERVALS_S]
    ys = [numbers[f"epps_{seconds}"] for seconds in EPPS_INTERVALS_S]
    ticks = [(place, f"{seconds} s") for place, seconds in zip(xs, EPPS_INTERVALS_S, strict=True)]
    return _figure(ticks, [("bars", "#2f6fb2", xs, ys), ("trades", "#c2571a", [0.0, 1.0], [numbers["hy"]] * 2)])


def _figure(
    ticks: Sequence[tuple[float, str]], lines: Sequence[tuple[str, str, Sequence[float], Sequence[float]]]
) -> str:
    """Lines over [0, 1] x [0, 1]."""
    width, height, left, low = 560, 260, 40, 30

    def at(x: float, y: float) -> str:
        return f"{left + x * (width - left - 70):.1f},{10 + (1 - y) * (height - low - 10):.1f}"

    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" '
        'font-family="sans-serif" font-size="11">',
        f'<rect width="{width}" height="{height}" fill="#ffffff"/>',
    ]
    for y in (0.0, 0.2, 0.4, 0.6, 0.8, 1.0):
        parts.append(f'<polyline points="{at(0, y)} {at(1, y)}" stroke="#dddddd" fill="none"/>')
        x_at, y_at = at(0, y).split(",")
        parts.append(f'<text x="{float(x_at) - 6:g}" y="{float(y_at) + 4:.1f}" text-anchor="end">{y:g}</text>')
    for x, text in ticks:
        parts.append(f'<text x="{at(x, 0).split(",")[0]}" y="{height - 12}" text-anchor="middle">{text}</text>')
    for name, colour, xs, ys in lines:
        points = " ".join(at(x, y) for x, y in zip(xs, ys, strict=True))
        parts.append(f'<polyline points="{points}" stroke="{colour}" stroke-width="2" fill="none"/>')
        x_at, y_at = at(xs[-1], ys[-1]).split(",")
        shift = -4 if name == "trades" else 12
        parts.append(f'<text x="{float(x_at) + 6:g}" y="{float(y_at) + shift:.1f}" fill="{colour}">{name}</text>')
    return "\n".join([*parts, "</svg>"]) + "\n"


def main(arguments: Sequence[str]) -> int:
    """Simulate and write all; with ``--check`` only say what is not as the numbers there are would have it."""
    if "--check" in arguments:
        stale = [path for path, text in _pages(json.loads(NUMBERS.read_text(encoding="utf-8"))) if not _is(path, text)]
        for path in stale:
            print(f"{path}: not as tools/gen_why.py writes it; run it", file=sys.stderr)
        return 1 if stale else 0
    numbers: Numbers = {}
    for simulation in SIMULATIONS:
        numbers |= simulation()
        print(f"{simulation.__name__}: done", file=sys.stderr)
    NUMBERS.write_text(json.dumps(numbers, indent=1) + "\n", encoding="utf-8")
    for path, text in _pages(numbers):
        path.write_text(text, encoding="utf-8")
    return 0


def _pages(numbers: Numbers) -> list[tuple[Path, str]]:
    return [(DOCS / "why.md", page(numbers)), (DOCS / "images" / "why-epps.svg", epps_figure(numbers))]


def _is(path: Path, text: str) -> bool:
    return path.is_file() and path.read_text(encoding="utf-8") == text


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
