"""Write the generated parts of docs/ from the code; a test checks that they are current."""

from __future__ import annotations

import importlib
import pkgutil
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields
from pathlib import Path

import pairscope
from pairscope.alerts.system import SYSTEM_METRICS
from pairscope.analytics.entry.metric import Metric
from pairscope.analytics.estimators import conditions, readings, spikes, suggestion
from pairscope.analytics.estimators.terms import INTERCEPT, PRICES
from pairscope.analytics.metrics import health
from pairscope.analytics.registry import CATALOGUE
from pairscope.analytics.values import Flag, Reason
from pairscope.base.errors import PairscopeError
from pairscope.base.parameter import Parameter
from pairscope.base.setting import SettingTopic, as_text, topic_of, what_it_may_be
from pairscope.base.settings import Settings
from pairscope.cli import answers
from pairscope.cli.exit_codes import MEANINGS
from pairscope.cli.parser import command_list

DOCS = Path(__file__).parent.parent / "docs"

REASONS = {
    Reason.TOO_FEW: "fewer observations than the number needs, or less than half of the window",
    Reason.CONSTANT: "a series that does not move, but for rounding",
    Reason.EXACT_FIT: "the spread is zero, but for rounding",
    Reason.COLLINEAR: "the columns of a regression depend on each other",
    Reason.GAPPY: "enough values, but not without a gap between them",
    Reason.NOT_REVERTING: "coint_p is not below 0.10, so there is no half-life",
    Reason.LEG_IS_STATIONARY: "a leg reverts by itself, at least four fifths as clearly as the spread does",
    Reason.BELOW_ONE_BAR: "nothing of a deviation that could be measured is left at the next bar",
    Reason.STALE: "the newest price is missing or too old",
    Reason.NO_VOLUME: "nothing was traded in the window",
    Reason.NO_TRADES: "too few trades, or none at hand",
    Reason.NO_VARIANCE: "the price does not move, but for bounce between bid and ask",
    Reason.NOT_CONVERGED: "a fit that found no answer",
    Reason.UNCERTAIN: "its interval is as wide as the search for it",
    Reason.NO_ARCH: "a constant variance is as good as the model, whose parameters then mean nothing",
    Reason.NO_RIVAL: "no other fit is nearly as likely",
    Reason.OUT_OF_RANGE: "the estimate lies where its definition has no meaning",
    Reason.NOT_FINITE: "an overflow, or a division by zero",
}

FLAGS = {
    Flag.NO_ARCH: "a constant variance is as good as the model: it is the plain deviation",
    Flag.RIVAL: "another fit is nearly as likely and says something else, `garch_rival`: the next value may be that",
    Flag.INTEGRATED: "alpha + beta is 1: good for the next bar, a long-run variance does not exist",
    Flag.BEYOND_ONE: "a correlation outside of [-1, 1], which an estimate from trades is not kept from: too few "
    "changes, or prices that follow each other",
    Flag.OF_QUANTITIES: "a hedge ratio of prices, not of their logarithms: so many units of x against one of y",
    Flag.BELOW_ONE_BAR: "shorter than the bars it is measured with: all that is known is that it is short",
}

METRICS_HEAD = """\
# Metrics

Written from the catalogue by `tools/gen_docs.py`; the API, alerts, exports and the dashboard use the same names.
What is behind the choices is told in [why these numbers](why.md).

A value comes with `window` (bars), `n` (observations used), `as_of_ms` (open time of its last bar) and `missing`
(share of the window's trade ids that are not on the tape). When it cannot be given it is `null` with a reason; never
NaN or infinite. Logarithms are natural, deviations are those of a sample (n - 1), a year has 365 days of 24 hours. A
window is 300 bars unless something else is asked for or said below. "Fewest" is the number of observations below which
there is no number.

**Stale and short** is one rule for every metric of closes. A bar without a trade takes the close before it, for up to
ten bars and never less than a minute; then its close is missing.

- While the newest close is missing, %(newest)s
  are null with the reason `stale`; so are %(bar)s, which are of the newest bar alone.
- While less than half of the closes of the window are there (for `volatility` and `correlation`, less than half of the
  returns), every metric of closes is null with the reason `too_few_observations`.
- Volumes are sums of what was traded: they are given all the same. GARCH and health are of closed bars, and
  correlations of trades of the trades of the window; they have reasons of their own, as told below.

**Metrics that remember** say how long a window they want, until what was before its first close weighs less than 1
part in 10,000: `ema` five periods, `rsi` ten. In a shorter one they are given, and the page marks them as wanting more
bars.

**Spike bars.** A single bar that goes far and comes back makes any two prices look cointegrated, for nothing reverts as
clearly. A bar of a leg is one when the step to it and the step from it are both beyond %(far)g deviations, of opposite
sign, and leave less than half of the smaller; a deviation is that of the steps that move the price at all, from their
median size. The tests of cointegration, the half-lives and the variance ratio are made with the mean of its two
neighbours in its place; `spike_bars` counts them, `/analytics/pair?tests=true` has their times, and all else has the
closes as they are.
"""

SYSTEM_HEAD = """\
## Of pairscope itself

For rules of alerts, which are read on them every few seconds; they are asked of no symbol and no pair. What is not
known is no value.

"""

TERMS = """\
## Terms of a pair

Every metric that lists `prices` or `intercept` can be asked for on other terms: for a whole request
(`/analytics/pair?prices=level&intercept=false`), in the name of a topic
(`pair:ETHUSDT:BTCUSDT:1s:300:ols:prices=level:intercept=false`), or for one metric (`coint_p:prices=level`).

- `prices=log`, as usual: y and x are logarithms. beta says by how many per cent y moves with a per cent of x, and
  all is the same in whatever unit the prices are.
- `prices=level`: y and x are prices. **beta is a ratio of quantities**: so many units of x against one of y, which is
  what an order needs and what most dashboards print; such a beta carries the flag `ratio_of_quantities`. alpha, spread
  and its deviation are in the unit of prices. `tls` depends on that unit: it is nearly least squares of the
  cheaper leg on the dearer one.
- `intercept=false`: y = beta x. alpha is 0, `r2` is that of the squares of y and near 1 for any two prices, and z is
  around the mean of the spread over the window. The kalman filter has no `a` to learn. Tests take the tables without a
  constant: Engle-Granger those of MacKinnon (1994) for two series without one (his paper of 2010 has none, so that
  `coint_crit` is where their probability is 1, 5 or 10 %), `spread_adf_*` and Johansen those of the case without one. A
  leg's own test keeps its constant. A pair of log prices nearly always needs an intercept; without one such a pair is
  not found.

`correlation` is of log returns, `price_spread` of prices, and `correlation_hy` and `lead_lag` of trades, on any terms.
The half-life is that of deviations from the mean of the spread on any terms.
"""


def settings_page(page: str) -> str:
    """The page with its tables as the code has them now, one for each topic."""
    parts = [page.partition("\n## ")[0]]
    for topic in SettingTopic:
        names = [name for name, field in Settings.model_fields.items() if topic_of(field) is topic]
        rows = [_setting(name) for name in names]
        parts.append(f"\n## {topic}\n\n{_table(('setting', 'default', 'may be', 'what it is'), rows)}")
    return "".join(parts)


def _setting(name: str) -> tuple[str, ...]:
    field = Settings.model_fields[name]
    default = "the user's data folder" if name == "data_dir" else as_text(field.get_default()).replace(",", ", ")
    return f"`{name}`", default or "—", what_it_may_be(field), str(field.description)


def metrics_page(_: str) -> str:
    """The whole page of metrics."""
    sources = list(dict.fromkeys(metric.reference for metric in CATALOGUE.values() if metric.reference))
    parts = [METRICS_HEAD % _silence()]
    for scope, title in (("symbol", "Of a symbol"), ("pair", "Of a pair (y, x)")):
        rows = [_metric_row(metric, sources) for metric in CATALOGUE.values() if metric.scope == scope]
        parts.append(f"## {title}\n\n{_table(('metric', 'formula', 'unit', 'fewest', 'parameters', 'to know'), rows)}")
    system = [(f"`{each.name}`", each.title, each.formula, each.unit) for each in SYSTEM_METRICS.values()]
    parts.append(SYSTEM_HEAD + _table(("metric", "what it is", "formula", "unit"), system))
    parts += [_health(), TERMS]
    for name, remarks in _choices().items():
        parts.append(
            f"## Choices of `{name}`\n\n{_table((name, 'to know'), [(f'`{k}`', v) for k, v in remarks.items()])}"
        )
    parts.append(
        "## Reasons\n\n" + _table(("reason", "meaning"), [(f"`{reason}`", REASONS[reason]) for reason in Reason])
    )
    parts.append(
        "## Flags\n\nBeside a value that is given all the same.\n\n"
        + _table(("flag", "meaning"), [(f"`{flag}`", FLAGS[flag]) for flag in Flag])
    )
    parts.append("## References\n\n" + "".join(f"{place}. {source}\n" for place, source in enumerate(sources, 1)))
    return "\n".join(parts)


def _silence() -> Mapping[str, object]:
    """What the rule for stale metrics names."""
    named: dict[str, object] = {"far": spikes.FAR}
    for about in ("newest", "bar"):
        names = [f"`{each.name}`" for each in CATALOGUE.values() if each.about == about]
        named[about] = f"{', '.join(names[:-1])} and {names[-1]}"
    return named


def _health() -> str:
    """The rules of health, with the numbers that the code goes by."""
    template = (Path(__file__).parent / "health.template.md").read_text(encoding="utf-8")
    numbers: dict[str, object] = {
        "per_window": conditions.PER_WINDOW,
        "readings": readings.READINGS,
        "windows": readings.WINDOWS,
        "fewest": readings.FEWEST,
        "good": conditions.GOOD_P,
        "bad": f"{conditions.BAD_P:.2f}",
        "strong": conditions.STRONG_P,
        "enter": conditions.TO_ENTER,
        "recover": conditions.TO_RECOVER,
        "doubt": conditions.TO_DOUBT,
        "leave": conditions.TO_LEAVE,
        "establish": conditions.TO_ESTABLISH,
        "moved": f"{conditions.MOVED_BY:g}",
        "to_move": conditions.TO_MOVE,
        "fade": conditions.FADE,
        "legs": conditions.LEGS_UNRELATED,
        "low": conditions.LOW,
        "high": f"{conditions.HIGH:.2f}",
        "part": conditions.TO_PART,
        "seen": f"{health.SEEN_IN_4_OF_5:g}",
        "times": ", ".join(map(str, suggestion.TIMES[:-1])) + f" or {suggestion.TIMES[-1]}",
        "least": suggestion.FEWEST_BARS,
        "most": f"{suggestion.MOST_BARS:,}",
        "level": suggestion.LEVEL,
    }
    return template.format_map(numbers)


def _metric_row(metric: Metric, sources: list[str]) -> tuple[str, ...]:
    remarks = [f"{metric.title}.", metric.remark]
    if metric.window != 300:
        remarks.append(f"Window {metric.window:,} bars.")
    if metric.cadence == "on_request":
        remarks.append("Only when asked for." if not {"trades", "history"} & set(metric.needs) else "")
    remarks.append("Needs the trades." if "trades" in metric.needs else "")
    remarks.append("Needs the bars of seven windows." if "history" in metric.needs and metric.scope == "pair" else "")
    if metric.reference:
        remarks.append(f"[{sources.index(metric.reference) + 1}]")
    told = " ".join(filter(None, remarks))
    parameters = "; ".join(map(_parameter, metric.parameters)) or "—"
    unit = f"{metric.unit}; on levels {metric.unit_on_levels}" if metric.unit_on_levels else metric.unit
    return f"`{metric.name}`", metric.formula, unit, str(metric.fewest), parameters, told


def _parameter(parameter: Parameter) -> str:
    if parameter in (PRICES, INTERCEPT):  # a section of their own tells of them
        return f"`{parameter.name}`"
    if parameter.kind == "choice":
        others = [choice for choice in parameter.choices if choice != parameter.default]
        return f"`{parameter.name}` = {parameter.default}, or {', '.join(others)}"
    low, high = (None if end is None else f"{end:,}" for end in (parameter.low, parameter.high))
    ends = f", {low} to {high}" if low and high else f", from {low}" if low else f", to {high}" if high else ""
    return f"`{parameter.name}` = {parameter.default:,}{ends}"


def _choices() -> dict[str, Mapping[str, str]]:
    """What is to be known of the choices of a parameter, once for all metrics that share it."""
    parameters = [parameter for metric in CATALOGUE.values() for parameter in metric.parameters]
    return {parameter.name: parameter.remarks for parameter in parameters if parameter.remarks}


def _table(columns: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> str:
    lines = [columns, tuple("---" for _ in columns), *rows]
    return "".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |\n" for line in lines)


TROUBLES_HEAD = """\
# Troubleshooting

Written from the classes of errors by `tools/gen_docs.py`. The command line prints an error as one line, first what
happened, then the cure, and ends with exit code 2; the API answers `{"error": {"code", "message", "cure"}}` with the
HTTP status below, and a WebSocket sends the same. Messages carry the details, such as the name that was meant; this
page says what is behind a code.

"""


def troubles_page(_: str) -> str:
    """Every code of every error, with its cause and its cure."""
    rows: dict[tuple[int, str], tuple[str, ...]] = {}
    for kind in error_classes():
        for code, (cause, cure) in vars(kind).get("meanings", {}).items():
            rows.setdefault((kind.http_status, code), (f"`{code}`", str(kind.http_status), cause, cure))
    own = [row for _, row in sorted(rows.items(), key=lambda one: one[0][::-1])]
    return TROUBLES_HEAD + _table(("code", "HTTP", "cause", "cure"), own)


def error_classes() -> list[type[PairscopeError]]:
    """All classes of errors, of every room."""
    for module in pkgutil.walk_packages(pairscope.__path__, "pairscope."):
        if not module.name.endswith("__main__"):
            importlib.import_module(module.name)
    found: list[type[PairscopeError]] = [PairscopeError]
    for kind in found:
        found += kind.__subclasses__()
    return found


COMMANDS_HEAD = """\
# Commands

Written from the parser by `tools/gen_docs.py`; `pairscope COMMAND --help` has the flags, and every setting that a
command goes by is one of them ([settings](settings.md)).

With `--json` a command prints one JSON document on the standard output and nothing else; what is for people goes to the
standard error. An error is `{"error": {"code", "message", "cure"}}`, as of the API, with the same codes
([troubleshooting](troubleshooting.md)). `run` and `simulator` write their document once they can be reached. In Python,
`pairscope.Client` asks a running server:

```python
from pairscope import Client

with Client("http://localhost:8000") as client:
    print(client.pair("ETHUSDT", "BTCUSDT", window=300).metrics["coint_p"])
```

"""
DOCUMENTS: Mapping[str, type] = {
    "run": answers.RunDocument,
    "import": answers.ImportDocument,
    "backfill": answers.ImportDocument,
    "record": answers.RecordDocument,
    "doctor": answers.DoctorDocument,
    "verify": answers.VerifyDocument,
    "alerts": answers.AlertsDocument,
    "config": answers.ConfigDocument,
    "simulator": answers.SimulatorDocument,
}


def commands_page(_: str) -> str:
    """Every command with its document, and what the exit codes mean."""
    told = {action.dest: str(action.help) for action in command_list()}
    rows = [(f"`{name}`", told[name], _document(DOCUMENTS[name])) for name in told]
    codes = [(str(code), meaning) for code, meaning in MEANINGS.items()]
    return (
        COMMANDS_HEAD
        + _table(("command", "what it does", "fields of its document"), rows)
        + "\n## Exit codes\n\nThe same of all commands.\n\n"
        + _table(("code", "meaning"), codes)
    )


def _document(kind: type) -> str:
    names = getattr(kind, "__struct_fields__", None) or [each.name for each in fields(kind)]
    return ", ".join(f"`{name}`" for name in names)


# Each generated page: from what it says, what it should say.
PAGES: Mapping[str, Callable[[str], str]] = {
    "settings.md": settings_page,
    "metrics.md": metrics_page,
    "troubleshooting.md": troubles_page,
    "commands.md": commands_page,
}


def main(arguments: Sequence[str]) -> int:
    """Write the pages; with ``--check`` only say which are not as they would be written."""
    stale = []
    for name, page_of in PAGES.items():
        path = DOCS / name
        before = path.read_text(encoding="utf-8") if path.exists() else ""
        after = page_of(before)
        if before != after and "--check" in arguments:
            stale.append(name)
        elif before != after:
            path.write_text(after, encoding="utf-8")
    if stale:
        print(f"docs/{', docs/'.join(stale)}: not as tools/gen_docs.py writes them; run it", file=sys.stderr)
    return 1 if stale else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
