"""How rules are read: in the long form, and in the short forms that people bring from elsewhere.

What a rule leaves to be measured (the half-life that its times are told in, how far the default reset level lies from
the threshold) is asked of the market once, by `Draft.needs_half_life` and `Draft.needs_deviation`, and then frozen.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec

from pairscope.alerts.clauses import RuleRefused, read_clause, with_reset
from pairscope.alerts.durations import BARS_OF_HALF_LIFE, HalfLives, bars_of_half_life, read_duration, whole_ms
from pairscope.alerts.rule import AlertRule, AlertScope, Clause, Comparison
from pairscope.alerts.rule_fields import CHECKED, KNOWN, MOST_NAME, long_form
from pairscope.alerts.sentence import duration_text, sentence_of
from pairscope.alerts.system import SYSTEM_METRICS
from pairscope.base.errors import RequestError, UnknownName, nearest
from pairscope.base.interval import Interval
from pairscope.base.reading import LARGEST_WINDOW, SMALLEST_WINDOW, read_window


@dataclass(frozen=True, slots=True)
class Known:
    """What rules may name, as it is now."""

    symbols: Sequence[str]
    pairs: Sequence[tuple[str, str]]
    intervals: Sequence[Interval]  # that are kept; bars of their multiples are made of them
    interval: Interval  # and window: what is computed anyway
    window: int
    channels: Sequence[str] | None = None  # None: not checked
    normal: Callable[[str], str] = str.upper  # how a symbol is spelled


@dataclass(frozen=True, slots=True)
class Facts:
    """What was measured for a draft."""

    half_life_ms: float | None = None
    why_no_half_life: str = ""
    deviations: Mapping[str, float] = field(default_factory=dict)  # of metrics over the last day; where it is known


@dataclass(frozen=True, slots=True)
class Draft:
    """A rule that was read; `rule` makes it whole."""

    fields: Mapping[str, Any]
    clauses: Sequence[Clause]
    resets: Sequence[Any]  # as they were given; None for the default
    centred: Sequence[bool]
    known: Known
    written: Mapping[str, Any]  # in the long form, and on what: read again, it is the same rule

    @property
    def symbols(self) -> tuple[str, ...]:
        found: tuple[str, ...] = self.fields["symbols"]
        return found

    @property
    def needs_half_life(self) -> bool:
        """Whether times are told in half-lives and no half-life was named."""
        return any(isinstance(self.fields[each], HalfLives) for each in _TIMES) and self.fields["half_life"] is None

    @property
    def needs_deviation(self) -> list[str]:
        """The metrics of whose values over the last day the default reset level is made."""
        found = zip(self.clauses, self.resets, self.centred, strict=True)
        return [
            each.metric
            for each, reset, centred in found
            if reset is None and not centred and each.comparison is not Comparison.IS
        ]

    def bars(self, facts: Facts = Facts()) -> tuple[Interval, int, float | None]:
        """Interval, window in bars, and the half-life in milliseconds of a rule that has one.

        Raises:
            RuleRefused: when it is told in half-lives and none is known.
        """
        half_life_ms = self._half_life_ms(facts)
        interval: Interval | None = self.fields["interval"]
        if interval is None:
            interval = self.known.interval
            if half_life_ms is not None:
                interval = bars_of_half_life(half_life_ms, self.known.intervals)
        if half_life_ms is not None and half_life_ms < BARS_OF_HALF_LIFE[0] * interval.ms:
            raise RuleRefused(
                f"a half-life of {duration_text(round(half_life_ms))} is less than {BARS_OF_HALF_LIFE[0]} bars of"
                f" {interval}, too few to see it in",
                cure="choose shorter bars, name a longer half-life, or write times out, such as 10s",
            )
        window = self.fields["window"]
        if window is None:
            return interval, self.known.window, half_life_ms
        if isinstance(window, HalfLives):
            window = f"{max(interval.ms, whole_ms(window, half_life_ms, interval.ms)) // interval.ms}"
        return interval, read_window("window", str(window), interval), half_life_ms

    def _half_life_ms(self, facts: Facts) -> float | None:
        if self.fields["half_life"] is not None:
            return float(self.fields["half_life"])
        if not self.needs_half_life:
            return None
        if facts.half_life_ms is not None:
            return facts.half_life_ms
        if self.fields["scope"] != "pair":
            raise RuleRefused(
                "half-lives are those of one pair, and this rule is on others",
                cure='name the half-life to reckon with, "half_life": "5m", or write times out, such as 10s',
                code="half_life_unknown",
            )
        why = f": {facts.why_no_half_life}" if facts.why_no_half_life else ""
        raise RuleRefused(
            f"the half-life of {'/'.join(self.symbols)} is not known{why}",
            cure='name one, "half_life": "5m", write times out, such as 10s, or wait until health shows the pair',
            code="half_life_unknown",
        )

    def rule(self, facts: Facts = Facts()) -> AlertRule:
        """The rule, with nothing left to be worked out.

        Raises:
            RuleRefused: when something that has to be known is not.
        """
        interval, window, half_life_ms = self.bars(facts)
        _check_interval(interval, self.known)
        times: dict[str, Any] = {
            name: whole_ms(self.fields[key], half_life_ms)
            for key, name in _TIMES.items()
            if name and self.fields[key] is not None
        }
        clauses = [
            with_reset(clause, reset, centred, facts.deviations.get(clause.metric, 0.0))
            for clause, reset, centred in zip(self.clauses, self.resets, self.centred, strict=True)
        ]
        kept = {name: self.fields[key] for name, key in KNOWN.items() if self.fields[key] is not None}
        found = AlertRule(
            **{"name": "", **kept},
            scope=self.fields["scope"],
            symbols=self.symbols,
            first=clauses[0],
            second=clauses[1] if len(clauses) > 1 else None,
            interval=str(interval),
            window=window,
            half_life_ms=None if half_life_ms is None else round(half_life_ms),
            **times,
        )
        return found if found.name else msgspec.structs.replace(found, name=sentence_of(found)[:MOST_NAME])


# Keys of times, and the field that each becomes; the window is counted in bars.
_TIMES = {
    "window": "",
    "for": "hold_ms",
    "keep_firing_for": "keep_ms",
    "cooldown": "cooldown_ms",
    "no_data_after": "no_data_after_ms",
}


def read_rule(body: object, known: Known) -> Draft:
    """Read a rule.

    Args:
        body: what was sent: the long form, ``{"symbol", "metric", "condition", "threshold"}``, ``{"metric",
            "operator", "value"}``, or ``{"name", "threshold", "direction", "pair"}``.

    Raises:
        RequestError: for anything that is no rule; the cure tells what to write.

    >>> known = Known(["BTCUSDT", "ETHUSDT"], [("ETHUSDT", "BTCUSDT")], [Interval(1_000)], Interval(1_000), 300)
    >>> rule = read_rule({"metric": "zscore", "operator": ">", "value": 2}, known).rule()
    >>> rule.first.metric, rule.symbols, rule.first.high, rule.first.reset_high
    ('spread_z', ('ETHUSDT', 'BTCUSDT'), 2.0, 0.5)
    """
    given = long_form(body)
    scope, symbols = _target(given, known)
    clauses, resets, centred = [], [], []
    for part in (given, given.get("and")):
        if part is not None:
            clause, reset, metric = read_clause(part, scope)
            clauses.append(clause)
            resets.append(reset)
            centred.append(metric.is_centred)
    fields: dict[str, Any] = {key: check(key, given.get(key)) for key, check in CHECKED.items()}
    for key in _TIMES:
        fields[key] = given.get(key) if given.get(key) is None else read_time(key, given[key])
    fields["scope"], fields["symbols"] = scope, symbols
    fields["half_life"] = None if given.get("half_life") is None else _half_life(given["half_life"])
    fields["interval"] = None if given.get("interval") is None else Interval.parse(str(given["interval"]))
    if scope == "system" and len(clauses) > 1:
        raise RuleRefused("a rule of the system has one condition", cure="leave out 'and', or write two rules")
    check_channels(fields["channels"] or (), known)
    return Draft(fields, clauses, resets, centred, known, _written(given, scope, symbols))


def _written(given: Mapping[str, Any], scope: AlertScope, symbols: Sequence[str]) -> Mapping[str, Any]:
    on = {"symbol": {"symbol": symbols[:1]}, "pair": {"pair": symbols}}.get(scope)
    told = {"scope": scope} if on is None else {key: "/".join(each) for key, each in on.items()}
    of_target = ("scope", "symbol", "pair")
    return told | {key: value for key, value in given.items() if value is not None and key not in of_target}


def read_time(key: str, value: Any) -> Any:
    """A time as it stands in a rule: a window may be a number of bars; others are durations or half-lives.

    Raises:
        RequestError: for anything else.
    """
    if key == "window" and (
        isinstance(value, int) or (isinstance(value, str) and value.strip().isascii() and value.strip().isdigit())
    ):
        if not SMALLEST_WINDOW <= int(value) <= LARGEST_WINDOW:
            cure = f"give from {SMALLEST_WINDOW} to {LARGEST_WINDOW:,} bars"
            raise RequestError(f"'window' cannot be {value}", cure=cure, code="bad_parameter")
        return int(value)
    found = read_duration(key, value)
    return f"{found // 1_000}s" if key == "window" and isinstance(found, int) else found


def _half_life(value: Any) -> int:
    found = read_duration("half_life", value)
    if isinstance(found, HalfLives) or found < 1_000:
        raise RequestError("'half_life' is a time", cure="give one of 1s or more, such as 5m", code="bad_parameter")
    return found


# --- on what ---------------------------------------------------------------------------------------------


def _target(given: Mapping[str, Any], known: Known) -> tuple[AlertScope, tuple[str, ...]]:
    scope, name = given.get("scope"), str(given.get("metric", "")).partition(":")[0].strip().lower()
    if name in SYSTEM_METRICS or scope == "system":
        if given.get("symbol") or given.get("pair") or scope not in (None, "system"):
            raise RuleRefused(f"{name} is of pairscope itself", cure="leave out symbol, pair and scope")
        return "system", ()
    if scope in ("all_symbols", "all_pairs"):
        if given.get("symbol") or given.get("pair"):
            raise RuleRefused(f"a rule on {scope} names none of them", cure="leave out symbol and pair, or scope")
        return scope, ()
    if given.get("symbol") and given.get("pair"):
        raise RuleRefused("a rule is on a symbol or on a pair", cure="leave out one of the two")
    if given.get("symbol"):
        if scope == "pair":
            raise RuleRefused("a rule on a pair names two symbols", cure='write "pair": "ETHUSDT/BTCUSDT"')
        return "symbol", (_symbol(given["symbol"], known),)
    if given.get("pair"):
        return "pair", _pair(given["pair"], known)
    if not known.pairs:
        raise RuleRefused("the rule names no symbol and no pair", cure='add "symbol" or "pair"')
    return "pair", known.pairs[0]


def _symbol(text: Any, known: Known) -> str:
    symbol = known.normal(str(text).strip())
    if symbol in known.symbols:
        return symbol
    guess = nearest(symbol, known.symbols)
    cure = f"did you mean {guess}?" if guess else f"watched are {', '.join(known.symbols[:12])}"
    raise UnknownName(f"'{str(text)[:40]}' is not watched", cure=cure, code="unknown_symbol")


def _pair(value: Any, known: Known) -> tuple[str, ...]:
    parts = value.replace("-", "/").split("/") if isinstance(value, str) else value
    if not isinstance(parts, list | tuple) or len(parts) != 2:
        raise RuleRefused("a pair is two symbols", cure='write "pair": "ETHUSDT/BTCUSDT"')
    y, x = (_symbol(each, known) for each in parts)
    if y == x:
        raise RequestError("a pair needs two different symbols", cure="name another", code="same_symbol")
    return y, x


# --- the rest ---------------------------------------------------------------------------------------------


def _check_interval(interval: Interval, known: Known) -> None:
    if not any(interval.ms % kept.ms == 0 for kept in known.intervals):
        kept = ", ".join(map(str, known.intervals))
        raise RequestError(
            f"bars of {interval} cannot be made from {kept}", cure="give a multiple of one", code="unknown_interval"
        )


def check_channels(channels: Sequence[str], known: Known) -> None:
    """Refuse channels that are not there.

    Raises:
        UnknownName: with the nearest one as the cure.
    """
    there = channels if known.channels is None else known.channels
    for each in channels:
        if each not in there:
            guess = nearest(each, there)
            cure = f"did you mean {guess}?" if guess else "make it first, or leave channels out: the page shows it"
            raise UnknownName(f"there is no channel '{each[:40]}'", cure=cure, code="unknown_channel")
