"""All settings in one frozen class, read from a file, the environment and flags, in rising order of rank.

An unknown key, whether in the file or as a ``PAIRSCOPE_`` variable, is an error that names the nearest known one.
"""

from __future__ import annotations

import itertools
import os
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal, get_args
from urllib.parse import urlsplit

import platformdirs
from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    ValidationError,
    ValidationInfo,
    field_validator,
    model_validator,
)
from pydantic_core import ErrorDetails

from pairscope.base.errors import PairscopeError, SettingsError, nearest
from pairscope.base.interval import Interval
from pairscope.base.model import TradeKind, normal_symbol
from pairscope.base.naming import nearest_symbol
from pairscope.base.reading import LARGEST_WINDOW, SMALLEST_WINDOW, ascii_lower, ascii_upper, read_window

PREFIX = "PAIRSCOPE_"
# Names other tools of this kind use; ours win when both are set.
ALIASES = {
    "API_BASE_URL": "base_url",
    "BACKEND_PORT": "port",
    "DATABASE_PATH": "database_path",
    "FRONTEND_PORT": "frontend_port",
    "KEEP_DATA_DAYS": "keep_data_days",
    "MAX_ALERT_HISTORY": "alert_history",
    "SAMPLING_INTERVAL": "sampling_interval",
    "SYMBOLS": "symbols",
}
DEFAULT_SYMBOLS = ("BTCUSDT", "ETHUSDT", "BNBUSDT", "SOLUSDT", "XRPUSDT")
SourceName = Literal["auto", "live", "simulator", "replay", "tape"]


def _default_data_dir() -> Path:
    return Path(platformdirs.user_data_dir("pairscope", appauthor=False))


class Settings(BaseModel):
    """What a person can choose. Cannot be built wrong, cannot be changed after."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_enum_values=False)

    source: SourceName = Field("auto", description="where trades come from")
    symbols: tuple[str, ...] = Field(DEFAULT_SYMBOLS, description="symbols to watch")
    most_symbols: Annotated[int, Field(ge=1, le=2_000)] = Field(
        300, description="symbols that may be watched at once; each takes about 3 MB of memory"
    )
    most_pairs: Annotated[int, Field(ge=1, le=50_000)] = Field(
        2_000, description="pairs that are kept computed; others are computed when somebody looks at them"
    )
    pairs: tuple[str, ...] = Field((), description="pairs Y/X to keep computed; empty means all of the symbols")
    intervals: tuple[str, ...] = Field(("1s", "5s", "1m", "5m"), description="bar intervals kept on disk")
    trade_kind: TradeKind = Field(TradeKind.AGG, description="trade stream to record: aggTrade or trade")

    host: str = Field("127.0.0.1", description="address to listen on")
    port: Annotated[int, Field(ge=1, le=65535)] = Field(8000, description="port of the API and the dashboard")
    frontend_port: Annotated[int, Field(ge=1, le=65535)] | None = Field(
        None, description="a second port for the same, where another tool's dashboard used to be"
    )
    base_url: str | None = Field(
        None, description="address people reach it under, when that is another; its name counts as an allowed host"
    )
    open: bool | None = Field(
        None, description="open the page in a browser; by default when there are a terminal and a display"
    )
    allowed_hosts: tuple[str, ...] = Field(
        (), description="names besides localhost under which the page may be asked for"
    )

    data_dir: Path = Field(default_factory=_default_data_dir, description="folder of the tape")
    database_path: Path | None = Field(None, description="file of the tape, instead of one in data_dir")
    tape: Path | None = Field(None, description="folder or file of the tape to look at, with source tape")
    history_minutes: Annotated[int, Field(ge=0, le=2_800)] = Field(
        15,
        description="minutes of trades fetched from before the first start, so that metrics need no warm-up;"
        " of the simulated market 150 unless it is given",
    )
    keep_data_days: Annotated[int, Field(ge=1, le=3650)] = Field(7, description="days of trades kept")
    keep_bar_days: Annotated[int, Field(ge=1, le=3650)] = Field(365, description="days of bars kept")
    keep_imported_days: Annotated[int, Field(ge=1, le=36_500)] | None = Field(
        None, description="days that days with anything imported or uploaded are kept, if more; left out: for ever"
    )

    most_disk_gb: Annotated[float, Field(gt=0, le=1_000_000)] | None = Field(
        None, description="GB (10^9 bytes) the tape may take; at that the oldest sealed live days go first"
    )

    metric_interval: str = Field("1s", description="bar interval of the metrics that are always computed")
    window: Annotated[int, Field(ge=SMALLEST_WINDOW, le=LARGEST_WINDOW)] = Field(
        300, description="length of the window of a metric: bars, or a duration such as 5m"
    )
    sampling_interval: str | None = Field(
        None, description="bars that are kept besides intervals, for windows of volume-weighted prices"
    )
    alert_history: Annotated[int, Field(ge=1, le=1_000_000)] = Field(
        1_000, description="alerts kept after they fired; there are no alerts in this version yet"
    )
    history_bars: Annotated[int, Field(ge=500, le=50_000)] = Field(
        6000, description="bars of each symbol and interval held in memory"
    )

    flush_ms: Annotated[int, Field(ge=5, le=1000)] = Field(25, description="how often frames are decoded")
    commit_ms: Annotated[int, Field(ge=10, le=5000)] = Field(100, description="how often trades are committed")
    queue_rows: Annotated[int, Field(ge=1_000, le=20_000_000)] = Field(
        400_000, description="trades that may wait for the disk before they are refused and counted"
    )

    exchange_ws_url: str = Field("wss://fstream.binance.com", description="address of the exchange's streams")
    exchange_rest_url: str = Field("https://fapi.binance.com", description="address of the exchange's REST API")
    archive_url: str = Field("https://data.binance.vision", description="address of the exchange's daily files")
    proxy: str | None = Field(
        None,
        repr=False,
        description="proxy to the exchange, http:// or socks5://; none for none; else as HTTPS_PROXY says",
    )
    stale_s: Annotated[float, Field(gt=0, le=3600)] = Field(
        5.0, description="seconds without any frame after which a connection is replaced"
    )

    replay_file: tuple[Path, ...] = Field((), description="recordings to replay, merged by receive time")
    replay_speed: Annotated[float, Field(ge=0, le=10_000)] = Field(
        1.0, description="N times real time; 0 is full speed"
    )
    replay_times: Literal["kept", "now"] = Field("kept", description="keep recorded times or shift them to now")
    simulator_seed: Annotated[int, Field(ge=0, lt=2**32)] = Field(1, description="seed of the simulated market")

    log_level: Literal["debug", "info", "warning", "error"] = Field("info", description="least severe log line shown")

    @field_validator("symbols", "pairs", "intervals", "allowed_hosts", "replay_file", mode="before")
    @classmethod
    def _split(cls, value: object) -> object:
        return [part.strip() for part in value.split(",") if part.strip()] if isinstance(value, str) else value

    @model_validator(mode="before")
    @classmethod
    def _with_sampling_interval(cls, values: Any) -> Any:
        if not isinstance(values, dict) or values.get("sampling_interval") is None:
            return values
        sampling = str(Interval.parse(str(values["sampling_interval"])))
        kept = values.get("intervals", cls.model_fields["intervals"].default)
        listed = kept.split(",") if isinstance(kept, str) else list(kept)
        return values | {"sampling_interval": sampling, "intervals": [*listed, sampling]}

    @field_validator("host")
    @classmethod
    def _host(cls, value: str) -> str:
        host = value.strip().removeprefix("[").removesuffix("]")
        if not host:
            raise SettingsError(
                "host cannot be empty", cure="127.0.0.1 is this machine alone, 0.0.0.0 every network it is in"
            )
        return host

    @field_validator("base_url")
    @classmethod
    def _base_url(cls, value: str | None) -> str | None:
        if value is None:
            return None
        parts = urlsplit(value.strip())
        if parts.scheme not in ("http", "https") or not parts.hostname or parts.path not in ("", "/") or parts.query:
            raise SettingsError(
                f"base_url cannot be '{value[:80]}'", cure="write it as http://name:8000, without a path"
            )
        return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}"

    @field_validator("window", mode="before")
    @classmethod
    def _window(cls, value: object, info: ValidationInfo) -> object:
        if not isinstance(value, str):
            return value
        return read_window("window", value.strip(), Interval.parse(info.data.get("metric_interval", "1s")))

    @field_validator("symbols")
    @classmethod
    def _symbols(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        if not value:
            raise SettingsError("no symbol to watch", cure="name at least one, such as BTCUSDT")
        return tuple(dict.fromkeys(normal_symbol(symbol) for symbol in value))

    @field_validator("intervals")
    @classmethod
    def _intervals(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(str(i) for i in sorted({Interval.parse(text) for text in value}))

    @field_validator("metric_interval")
    @classmethod
    def _metric_interval(cls, value: str) -> str:
        return str(Interval.parse(value))

    @model_validator(mode="after")
    def _belongs_together(self) -> Settings:
        # Of a tape the default is what is on it, of which so many are chosen.
        named = self.source != "tape" or "symbols" in self.model_fields_set
        if named and len(self.symbols) > self.most_symbols:
            raise SettingsError(
                f"{len(self.symbols)} symbols are more than the {self.most_symbols} that may be watched",
                cure="name fewer, or raise most_symbols",
            )
        if len(self.pairs) > self.most_pairs:
            raise SettingsError(
                f"{len(self.pairs)} pairs are more than the {self.most_pairs} that may be kept computed",
                cure="name fewer, or raise most_pairs",
            )
        if self.source == "replay" and not self.replay_file:
            raise SettingsError("replay needs a recording", cure="name one: --source replay FILE")
        if self.tape is not None and self.source != "tape":
            raise SettingsError("a tape is named, and the source is another", cure="add --source tape, or leave it out")
        if self.metric_interval not in self.intervals:
            raise SettingsError(
                f"metric_interval {self.metric_interval} is not among the intervals {', '.join(self.intervals)}",
                cure="add it to intervals or choose another",
            )
        if self.frontend_port == self.port:
            raise SettingsError(
                f"port and frontend_port are both {self.port}", cure="leave one out: the dashboard is on port"
            )
        self.pair_list()
        return self

    def names(self) -> tuple[str, ...]:
        """Names besides those of this machine under which the page may be asked for."""
        public = urlsplit(self.base_url).hostname if self.base_url else None
        return (*self.allowed_hosts, public) if public else self.allowed_hosts

    def interval_list(self) -> list[Interval]:
        return [Interval.parse(text) for text in self.intervals]

    def tape_path(self, folder: str) -> Path:
        """Where the tape of a source lies, `folder` being that of the source.

        Each source keeps its own: simulated trades never mix with real ones.
        """
        if self.database_path is None:
            return self.data_dir / folder / "tape.duckdb"
        path = self.database_path
        is_live = folder in map(live_folder, TradeKind)
        return path if is_live else path.with_name(f"{path.stem}.{folder}{path.suffix}")

    def pair_list(self) -> list[tuple[str, str]]:
        """Configured pairs as (y, x); without any, every two symbols, the later one regressed on the earlier.

        >>> Settings(symbols=("A", "B", "C")).pair_list()
        [('B', 'A'), ('C', 'A'), ('C', 'B')]
        """
        if not self.pairs:
            return every_pair(self.symbols, self.most_pairs)
        return [self._pair(text) for text in self.pairs]

    def _pair(self, text: str) -> tuple[str, str]:
        y, slash, x = (part.strip() for part in ascii_upper(text).partition("/"))
        for leg in (y, x):
            if not slash or leg not in self.symbols:
                guess = nearest_symbol(leg, self.symbols) or self.symbols[0]
                raise SettingsError(
                    f"'{text}' is no pair of watched symbols",
                    cure=f"write Y/X, such as {guess}/{self.symbols[0]}",
                )
        if y == x:
            raise SettingsError(f"'{text}' pairs a symbol with itself", cure="name two different symbols")
        return y, x


def live_folder(kind: TradeKind) -> str:
    """The folder of the real market's tape, below the data folder."""
    return f"live-{kind.value}"


def every_pair(symbols: Sequence[str], most: int) -> list[tuple[str, str]]:
    """Every two symbols as (y, x), the later one regressed on the earlier; of very many, those of the first symbols.

    >>> every_pair(["A", "B", "C"], 2)
    [('B', 'A'), ('C', 'A')]
    """
    return [(y, x) for x, y in itertools.islice(itertools.combinations(symbols, 2), most)]


def load_settings(
    flags: Mapping[str, Any] | None = None,
    environment: Mapping[str, str] | None = None,
    file: Path | None = None,
) -> Settings:
    """Settings from ``pairscope.toml`` (or ``file``), then the environment, then flags; later ones win.

    Raises:
        SettingsError: for an unreadable file, an unknown key or a value that cannot be used.
    """
    environment = os.environ if environment is None else environment
    values: dict[str, Any] = {**_from_file(file), **_from_environment(environment), **(flags or {})}
    try:
        return Settings(**values)
    except SettingsError:
        raise
    except PairscopeError as error:  # an interval that cannot be built, say
        raise SettingsError(error.message, cure=error.cure) from None
    except ValidationError as error:
        raise _readable(error, values) from None


def _from_file(file: Path | None) -> dict[str, Any]:
    path = file or Path("pairscope.toml")
    if not path.exists():
        if file is None:
            return {}
        raise SettingsError(f"no settings file {path}", cure="check the path given with --settings")
    try:
        values = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise SettingsError(f"cannot read settings file {path}: {error}", cure="it must be TOML: key = value") from None
    for key in values:
        _known(key, f"in {path}")
    return values


def _from_environment(environment: Mapping[str, str]) -> dict[str, Any]:
    values: dict[str, Any] = {key: environment[name] for name, key in ALIASES.items() if environment.get(name)}
    if values.get("sampling_interval", "").isdigit():  # under this name others write seconds
        values["sampling_interval"] += "s"
    for name, text in environment.items():
        if name.startswith(PREFIX):
            key = ascii_lower(name.removeprefix(PREFIX))
            _known(key, f"in the environment as {name}")
            values[key] = text
    return values


# Read by the build of the dashboard, not by the program.
_BUILD_VARIABLES = {"web"}


def _known(key: str, where: str) -> None:
    if key in Settings.model_fields or key in _BUILD_VARIABLES:
        return
    guess = nearest(key, Settings.model_fields)
    cure = f"did you mean {guess}?" if guess else f"known: {', '.join(sorted(Settings.model_fields))}"
    raise SettingsError(f"unknown setting '{key}' {where}", cure=cure)


def _readable(error: ValidationError, values: Mapping[str, Any]) -> SettingsError:
    first = error.errors()[0]
    key = str(first["loc"][0]) if first["loc"] else "settings"
    if first["type"] == "extra_forbidden":
        _known(key, "given")
    return SettingsError(f"setting '{key}' cannot be {values.get(key)!r}", cure=_cure(key, first))


def _cure(key: str, error: ErrorDetails) -> str:
    """What the setting may be."""
    expected = error.get("ctx", {}).get("expected")
    if expected is not None:
        return f"choose from {expected}"
    if error["type"].startswith("bool"):
        return "write true or false"
    bounds = _bounds(key)
    whole = "whole " if error["type"].startswith("int") or isinstance(bounds.get("ge"), int) else ""
    match bounds:
        case {"ge": low, "le": high}:
            return f"give a {whole}number from {low} to {high}"
        case {"gt": low, "le": high}:
            return f"give a number above {low}, up to {high}"
    return f"{error['msg'][:1].lower()}{error['msg'][1:]}"


def _bounds(key: str) -> dict[str, float]:
    """The bounds of a setting, wherever in its type they stand."""
    if key not in Settings.model_fields:
        return {}
    field = Settings.model_fields[key]
    inner = [one for kind in get_args(field.annotation) for one in getattr(kind, "__metadata__", ())]
    stated = [*field.metadata, *(each for one in inner for each in one.metadata)]
    sides = ("ge", "gt", "le")
    return {side: getattr(one, side) for one in stated for side in sides if hasattr(one, side)}
