"""All settings in one frozen class; where their values come from stands in `settings_sources`."""

from __future__ import annotations

import ipaddress
import itertools
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

import platformdirs
from pydantic import BaseModel, ConfigDict, Field, ValidationInfo, field_validator, model_validator
from pydantic_core import PydanticUndefined

from pairscope.base.errors import SettingsError
from pairscope.base.interval import Interval
from pairscope.base.model import TradeKind
from pairscope.base.naming import nearest_symbol
from pairscope.base.reading import LARGEST_WINDOW, SMALLEST_WINDOW, read_window
from pairscope.base.setting import SettingTopic, setting
from pairscope.base.symbol import normal_symbol

DEFAULT_SYMBOLS = ("BTCUSDT", "ETHUSDT", "BNBUSDT", "SOLUSDT", "XRPUSDT")
_HOST = re.compile(r"[A-Za-z0-9_]([A-Za-z0-9._-]{0,253})")
SourceName = Literal["auto", "live", "simulator", "replay", "tape"]


def _default_data_dir() -> Path:
    return Path(platformdirs.user_data_dir("pairscope", appauthor=False))


class Settings(BaseModel):
    """What a person can choose. Cannot be built wrong, cannot be changed after."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_enum_values=False)

    source: SourceName = setting(SettingTopic.MARKET, "auto", "where trades come from")
    symbols: tuple[str, ...] = setting(SettingTopic.MARKET, DEFAULT_SYMBOLS, "symbols to watch")
    most_symbols: Annotated[int, Field(ge=1, le=2_000)] = setting(
        SettingTopic.MARKET, 300, "symbols that may be watched at once; each takes about 3 MB of memory"
    )
    pairs: tuple[str, ...] = setting(
        SettingTopic.MARKET, (), "pairs Y/X to keep computed; empty means all of the symbols", example="ETHUSDT/BTCUSDT"
    )
    most_pairs: Annotated[int, Field(ge=1, le=50_000)] = setting(
        SettingTopic.MARKET, 2_000, "pairs that are kept computed; others are computed when somebody looks at them"
    )
    trade_kind: TradeKind = setting(SettingTopic.MARKET, TradeKind.AGG, "trade stream to record: aggTrade or trade")
    history_minutes: Annotated[int, Field(ge=0, le=2_800)] = setting(
        SettingTopic.MARKET,
        15,
        "minutes of trades fetched from before the first start, so that metrics need no warm-up;"
        " of the simulated market 150 unless it is given",
    )

    intervals: tuple[str, ...] = setting(SettingTopic.METRICS, ("1s", "5s", "1m", "5m"), "bar intervals kept on disk")
    metric_interval: str = setting(SettingTopic.METRICS, "1s", "bar interval of the metrics that are always computed")
    window: Annotated[int, Field(ge=SMALLEST_WINDOW, le=LARGEST_WINDOW)] = setting(
        SettingTopic.METRICS, 300, "length of the window of a metric: bars, or a duration such as 5m"
    )
    sampling_interval: str | None = setting(
        SettingTopic.METRICS,
        None,
        "bars that are kept besides intervals, for windows of volume-weighted prices",
        example="10s",
    )
    history_bars: Annotated[int, Field(ge=500, le=50_000)] = setting(
        SettingTopic.METRICS, 6000, "bars of each symbol and interval held in memory"
    )

    data_dir: Path = setting(
        SettingTopic.TAPE, PydanticUndefined, "folder of the tape", example="tapes", default_factory=_default_data_dir
    )
    database_path: Path | None = setting(
        SettingTopic.TAPE, None, "file of the tape, instead of one in data_dir", example="tapes/binance.duckdb"
    )
    tape: Path | None = setting(
        SettingTopic.TAPE,
        None,
        "folder or file of the tape to look at, with source tape",
        example="tapes/binance.duckdb",
    )
    keep_data_days: Annotated[int, Field(ge=1, le=3650)] = setting(SettingTopic.TAPE, 7, "days of trades kept")
    keep_bar_days: Annotated[int, Field(ge=1, le=3650)] = setting(SettingTopic.TAPE, 365, "days of bars kept")
    keep_imported_days: Annotated[int, Field(ge=1, le=36_500)] | None = setting(
        SettingTopic.TAPE,
        None,
        "days that days with anything imported or uploaded are kept, if more; left out: for ever",
        example="730",
    )
    most_disk_gb: Annotated[float, Field(gt=0, le=1_000_000)] | None = setting(
        SettingTopic.TAPE,
        None,
        "GB (10^9 bytes) the tape may take; at that the oldest sealed live days go first",
        example="50",
    )
    commit_ms: Annotated[int, Field(ge=10, le=5000)] = setting(SettingTopic.TAPE, 100, "how often trades are committed")
    queue_rows: Annotated[int, Field(ge=1_000, le=20_000_000)] = setting(
        SettingTopic.TAPE, 400_000, "trades that may wait for the disk before they are refused and counted"
    )

    host: str = setting(SettingTopic.SERVER, "127.0.0.1", "address to listen on")
    port: Annotated[int, Field(ge=1, le=65535)] = setting(
        SettingTopic.SERVER, 8000, "port of the API and the dashboard"
    )
    frontend_port: Annotated[int, Field(ge=1, le=65535)] | None = setting(
        SettingTopic.SERVER,
        None,
        "a second port for the same, where another tool's dashboard used to be",
        example="8501",
    )
    base_url: str | None = setting(
        SettingTopic.SERVER,
        None,
        "address people reach it under, when that is another; its name counts as an allowed host",
        example="https://desk.example",
    )
    open: bool | None = setting(
        SettingTopic.SERVER,
        None,
        "open the page in a browser; by default when there are a terminal and a display",
        example="true",
    )
    allowed_hosts: tuple[str, ...] = setting(
        SettingTopic.SERVER, (), "names besides localhost under which the page may be asked for", example="desk.example"
    )

    exchange_ws_url: str = setting(
        SettingTopic.EXCHANGE, "wss://fstream.binance.com", "address of the exchange's streams"
    )
    exchange_rest_url: str = setting(
        SettingTopic.EXCHANGE, "https://fapi.binance.com", "address of the exchange's REST API"
    )
    archive_url: str = setting(
        SettingTopic.EXCHANGE, "https://data.binance.vision", "address of the exchange's daily files"
    )
    proxy: str | None = setting(
        SettingTopic.EXCHANGE,
        None,
        "proxy to the exchange, http:// or socks5://; none for none; else as HTTPS_PROXY says",
        example="socks5://127.0.0.1:1080",
        repr=False,
    )
    stale_s: Annotated[float, Field(gt=0, le=3600)] = setting(
        SettingTopic.EXCHANGE, 5.0, "seconds without any frame after which a connection is replaced"
    )
    flush_ms: Annotated[int, Field(ge=5, le=1000)] = setting(SettingTopic.EXCHANGE, 25, "how often frames are decoded")

    replay_file: tuple[Path, ...] = setting(
        SettingTopic.REPLAY, (), "recordings to replay, merged by receive time", example="day.txt.zst"
    )
    replay_speed: Annotated[float, Field(ge=0, le=10_000)] = setting(
        SettingTopic.REPLAY, 1.0, "N times real time; 0 is full speed"
    )
    replay_times: Literal["kept", "now"] = setting(
        SettingTopic.REPLAY, "kept", "keep recorded times or shift them to now"
    )
    simulator_seed: Annotated[int, Field(ge=0, le=2**32 - 1)] = setting(
        SettingTopic.REPLAY, 1, "seed of the simulated market"
    )

    alert_history: Annotated[int, Field(ge=1, le=1_000_000)] = setting(
        SettingTopic.ALERTS, 100, "transitions of alerts that an answer lists, unless it is asked for more or fewer"
    )
    alerts_from_simulator: bool = setting(
        SettingTopic.ALERTS,
        False,
        "let messages of rules leave the machine that are read on a simulated or replayed market",
    )
    alert_hosts_allowed: tuple[str, ...] = setting(
        SettingTopic.ALERTS,
        (),
        "hosts, addresses or blocks inside that messages of alerts may go to; others inside are refused",
        example="192.168.1.0/24",
    )
    alert_heartbeat_url: str | None = setting(
        SettingTopic.ALERTS,
        None,
        "address that is called every minute while all is well, so that somebody misses it when it is not",
        example="https://ping.example/abc",
        repr=False,
    )

    log_level: Literal["debug", "info", "warning", "error"] = setting(
        SettingTopic.LOG, "info", "least severe log line shown"
    )

    @field_validator(
        "symbols", "pairs", "intervals", "allowed_hosts", "alert_hosts_allowed", "replay_file", mode="before"
    )
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
        listed = kept.split(",") if isinstance(kept, str) else kept
        if not isinstance(listed, list | tuple):
            return values  # refused as what it is
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

    @field_validator("exchange_ws_url", "exchange_rest_url", "archive_url")
    @classmethod
    def _address(cls, value: str, info: ValidationInfo) -> str:
        schemes = ("ws", "wss") if info.field_name == "exchange_ws_url" else ("http", "https")
        try:
            parts = urlsplit(value.strip())
            usable = parts.scheme in schemes and bool(parts.hostname) and parts.port != 0
        except ValueError:  # a port that is no number, half an address in brackets
            usable = False
        if not usable:
            raise SettingsError(
                f"{info.field_name} cannot be '{value[:80]}'",
                cure=f"write it as {schemes[1]}://name, such as {cls.model_fields[str(info.field_name)].default}",
            )
        return value.strip()

    @field_validator("alert_hosts_allowed")
    @classmethod
    def _hosts_allowed(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for each in value:
            if not is_block(each) and _HOST.fullmatch(each) is None:
                raise SettingsError(
                    f"alert_hosts_allowed cannot be '{each[:80]}'",
                    cure="name a host, an address or a block, such as hooks.lan or 192.168.1.0/24, without https://",
                )
        return value

    @field_validator("alert_heartbeat_url")
    @classmethod
    def _heartbeat(cls, value: str | None) -> str | None:
        try:
            parts = urlsplit("https://ping.example" if value is None else value.strip())
            usable = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
        except ValueError:
            usable = False
        if not usable:  # its path is as good as a password: it is not told
            raise SettingsError("alert_heartbeat_url is no address", cure="write it as https://ping.example/abc")
        return value and value.strip()

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
        y, slash, x = (part.strip() for part in text.partition("/"))
        y, x = normal_symbol(y) if y else "", normal_symbol(x) if x else ""
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


def is_block(text: str) -> bool:
    """Whether a text is an address of the network, or a block of them.

    >>> is_block("192.168.1.0/24"), is_block("::1"), is_block("hooks.lan")
    (True, True, False)
    """
    try:
        ipaddress.ip_network(text, strict=False)
    except ValueError:
        return False
    return True


def live_folder(kind: TradeKind) -> str:
    """The folder of the real market's tape, below the data folder."""
    return f"live-{kind.value}"


def every_pair(symbols: Sequence[str], most: int) -> list[tuple[str, str]]:
    """Every two symbols as (y, x), the later one regressed on the earlier; of very many, those of the first symbols.

    >>> every_pair(["A", "B", "C"], 2)
    [('B', 'A'), ('C', 'A')]
    """
    return [(y, x) for x, y in itertools.islice(itertools.combinations(symbols, 2), most)]
