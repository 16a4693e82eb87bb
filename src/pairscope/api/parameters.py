"""The parameters that several endpoints share."""

from __future__ import annotations

from pairscope.analytics.estimators import terms
from pairscope.analytics.estimators.clustering import DEFAULT_CUT
from pairscope.api.query import Parameter
from pairscope.base.model import BarSource
from pairscope.base.parameter import Parameter as MetricParameter
from pairscope.base.reading import FIRST_MS, LARGEST_WINDOW, LAST_MS, SMALLEST_WINDOW
from pairscope.live.analysis import CORRELATIONS_OF

MOST_ROWS = 5000
SOURCES = tuple(source.name.lower() for source in BarSource)

_NOT_GIVEN = {"const": ""}  # a parameter without a value
_TIME = {
    "anyOf": [
        _NOT_GIVEN,
        {"const": 0},
        {"type": "integer", "minimum": FIRST_MS, "maximum": LAST_MS},
        {"type": "string", "format": "date-time", "pattern": "^(19[7-9]|[2-9][0-9])[0-9]"},
    ]
}
_NAME = {"type": "string", "minLength": 1}

SYMBOL = Parameter("symbol", "Name of a symbol, in any case.", _NAME, "BTCUSDT", required=True)
SYMBOL_IN_PATH = Parameter("symbol", SYMBOL.description, SYMBOL.schema, "BTCUSDT", where="path", required=True)
INTERVAL = Parameter(
    "interval",
    "Length of a bar: whole seconds, minutes or hours that divide a day. Without it, the metric interval of the"
    " settings.",
    {"type": "string"},
    "1m",
    aliases=("timeframe", "tf"),
)
TIMEFRAME_IN_PATH = Parameter("interval", INTERVAL.description, INTERVAL.schema, "1m", where="path", required=True)
KEPT_INTERVAL = Parameter(
    "interval",
    "One of the kept intervals (see /config). Without it, the metric interval of the settings.",
    {"type": "string"},
    "1s",
    aliases=("timeframe", "tf"),
)
WINDOW = Parameter(
    "window",
    "Length of the window: bars, or a duration that is a whole number of them (60s, 4h). A metric that needs more is"
    " null. Without it, the window of the settings.",
    {
        "anyOf": [
            _NOT_GIVEN,
            {"type": "integer", "minimum": SMALLEST_WINDOW, "maximum": LARGEST_WINDOW},
            {"type": "string", "pattern": "^[1-9][0-9]{0,5}[smhdSHD]$"},
        ]
    },
    300,
)
FROM = Parameter(
    "from",
    "Earliest time: milliseconds since 1970, or RFC 3339 (UTC when no zone is named). Numbers of another unit are"
    " refused.",
    _TIME,
    "2026-11-20T12:00:00Z",
    aliases=("from_ms", "start"),
)
TO = Parameter(
    "to", "End of the time range, itself not inside.", _TIME, "2026-11-20T13:00:00Z", aliases=("to_ms", "end")
)
SOURCE = Parameter(
    "source",
    "Only bars that came this way.",
    {"type": "string", "enum": list(SOURCES)},
    "live",
)
Y = Parameter(
    "y",
    "The symbol that is explained.",
    _NAME,
    "ETHUSDT",
    required=True,
    aliases=("symbol_y", "symbol1"),
)
X = Parameter(
    "x",
    "The symbol that explains it.",
    _NAME,
    "BTCUSDT",
    required=True,
    aliases=("symbol_x", "symbol2"),
)


def _of_terms(parameter: MetricParameter, what: str, schema: dict[str, object], example: str) -> Parameter:
    """A parameter of the terms that a pair is measured on, as the catalogue has it."""
    told = "; ".join(f"{name}: {remark}" for name, remark in parameter.remarks.items())
    return Parameter(parameter.name, f"{what}: {told}.", schema, example, others=parameter.others)


def _words(parameter: MetricParameter) -> dict[str, object]:
    return {"type": "string", "enum": list(parameter.choices), "default": parameter.default}


METHOD = _of_terms(terms.METHOD, "How the hedge ratio is estimated", _words(terms.METHOD), "kalman")
PRICES = _of_terms(terms.PRICES, "What y and x are", _words(terms.PRICES), "level")
INTERCEPT = _of_terms(
    terms.INTERCEPT, "Whether the line has an intercept", {"type": "boolean", "default": True}, "false"
)

STORED = Parameter(
    "stored",
    "Only what lies on the disk, nothing from memory; of a kept interval.",
    {"type": "boolean", "default": False},
    "true",
)
METRICS = Parameter(
    "metrics",
    "Names of metrics between commas, with parameters after colons: rsi:period=21,sma:period=50. `bar` stands for those"
    " that are computed with each bar, `all` for every one. See /metrics/catalogue.",
    {"type": "string", "default": "bar"},
    "rsi:period=21,volatility",
    aliases=("metric",),
)
TESTS = Parameter(
    "tests",
    "Every metric of the catalogue with critical values, the health with its reasons, and what leads whom by how much.",
    {"type": "boolean", "default": False},
    "true",
)
ALERTS = Parameter(
    "alerts",
    "Where rules stand on the pair, and what became of them within the series.",
    {"type": "boolean", "default": False},
    "true",
)
SYMBOLS = Parameter(
    "symbols", "Names between commas. Without it, every watched symbol.", {"type": "string"}, "BTCUSDT,ETHUSDT"
)
OF = Parameter(
    "of",
    "Of log returns, of log prices (prone to spurious values), or of the trades themselves (Hayashi-Yoshida). As `on`,"
    " with the words levels and hy, it answers for this version only.",
    {"type": "string", "enum": list(CORRELATIONS_OF), "default": CORRELATIONS_OF[0]},
    "returns",
    aliases=("on",),
    others={"levels": "prices", "hy": "trades"},
)
CUT = Parameter(
    "cut",
    "Distance sqrt(2 (1 - correlation)) below which symbols belong together: 0.9 stands for a correlation of about"
    " 0.6.",
    {"type": "number", "minimum": 0, "maximum": 2, "default": DEFAULT_CUT},
    "0.9",
)


def limit_of(default: int) -> Parameter:
    schema = {"type": "integer", "minimum": 1, "maximum": MOST_ROWS, "default": default}
    return Parameter("limit", "At most so many rows, the newest of the range.", schema, default)
