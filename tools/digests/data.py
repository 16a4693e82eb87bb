"""What the digest is made of: a recorded day, an hour of the simulated market, and official files brought to a tape."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import zstandard

from tools.digests.inside import simulated_frames

ROOT = Path(__file__).resolve().parent.parent.parent
RECORDED = Path("usdm-trades-2024-08-08") / "usdm_trades_20240808.txt.zst"
MINUTE_MS = 60_000
HOUR_MS = 60 * MINUTE_MS


@dataclass(frozen=True, slots=True)
class World:
    """A set of data, and how it comes to a tape."""

    name: str
    symbols: tuple[str, ...]
    from_ms: int
    to_ms: int
    intervals: tuple[str, ...]  # that are kept; the first is that of the metrics
    merged: tuple[str, ...]  # that are made of them
    windows: tuple[int, ...]
    recording: Path | None = None  # played by the source replay
    files: tuple[Path, ...] = ()  # brought by the import
    trade_kind: str = "aggTrade"

    @property
    def pairs(self) -> tuple[tuple[str, str], ...]:
        """y and x: neighbours, and the last one on the first."""
        return (*zip(self.symbols[1:], self.symbols, strict=False), (self.symbols[-1], self.symbols[0]))

    def at_ms(self, share: float) -> int:
        """A moment in it, on a whole second."""
        return self.from_ms + int((self.to_ms - self.from_ms) * share) // 1_000 * 1_000


def recorded_day(folder: Path) -> World | None:
    """Six minutes of raw trades of 2024, where they are in a folder of recorded data."""
    if not (folder / RECORDED).is_file():
        return None
    return World(
        name="recorded day",
        symbols=("BTCUSDT", "ETHUSDT"),
        from_ms=1_723_161_240_000,
        to_ms=1_723_161_600_000,
        intervals=("1s", "5s", "1m", "5m"),
        merged=("10s", "2m"),
        windows=(60, 300),
        recording=folder / RECORDED,
        trade_kind="trade",
    )


SIMULATED = ("BTCUSDT", "ETHUSDT", "SOLUSDT", "XRPUSDT")
START_MS = 1_772_526_600_000  # 2026-03-03 08:30 UTC
RATE = 0.3  # of the trades of a usual day
ENDS_EARLY = ("XRPUSDT", 50 * MINUTE_MS)  # heard no longer, so that it is stale
SKIPPED = ("ETHUSDT", 20 * MINUTE_MS, 9)  # ids from this moment on that never come: a gap
ODD = 30 * MINUTE_MS  # from here on frames that are wrong in several ways


def simulated_hour(folder: Path) -> World:
    """An hour of the seeded market as a recording, with what goes wrong on the wire."""
    path = folder / "simulated.txt.zst"
    found = [line for symbol in SIMULATED for line in _frames(symbol)]
    lines = sorted(found, key=lambda line: line[0])  # of one moment in their order: what is odd after what is sound
    with path.open("wb") as file, zstandard.ZstdCompressor(level=3).stream_writer(file) as out:
        for sent_ms, frame in lines:
            out.write(b"%d %b\n" % (sent_ms * 1_000_000, frame))
    return World(
        name="simulated hour",
        symbols=SIMULATED,
        from_ms=START_MS,
        to_ms=START_MS + HOUR_MS,
        intervals=("1s", "5s", "1m", "5m"),
        merged=("15s", "2m"),
        windows=(60, 300, 900),
        recording=path,
    )


def _frames(symbol: str) -> Iterator[tuple[int, bytes]]:
    skipped = 0
    odd = iter(_ODD_ONES if symbol == "SOLUSDT" else ())
    for sent_ms, frame in simulated_frames(symbol, START_MS, START_MS + HOUR_MS, RATE):
        at_ms = sent_ms - START_MS
        if symbol == ENDS_EARLY[0] and at_ms >= ENDS_EARLY[1]:
            return
        if symbol == SKIPPED[0] and at_ms >= SKIPPED[1] and skipped < SKIPPED[2]:
            skipped += 1
            continue
        yield sent_ms, frame
        if at_ms >= ODD and (change := next(odd, None)) is not None:
            yield sent_ms, frame.replace(*change, 1)


# A frame that is sent once more, with one thing changed.
_ODD_ONES = (
    (b"", b""),  # the very same: a duplicate
    (b'"m":true', b'"m":false'),
    (b'"p":"1', b'"p":"2'),  # the same id at another price: it contradicts
    (b'"p":"', b'"p":"-'),
    (b'"q":"', b'"q":"x'),
    (b'"a":', b'"b":'),
    (b'"T":', b'"T":9'),
    (b'"e":"aggTrade"', b'"e":"other"'),
    (b"}}", b"}"),
)


def continued(seconds: int = 40) -> list[dict[str, object]]:
    """The trades after the hour, decoded, those of all symbols in the order in which they are sent."""
    start_ms = START_MS + HOUR_MS
    found = [
        (sent_ms, json.loads(frame)["data"])
        for symbol in SIMULATED
        for sent_ms, frame in simulated_frames(symbol, start_ms, start_ms + seconds * 1_000, RATE)
    ]
    return [trade for _, trade in sorted(found, key=lambda one: one[0])]


DAY = "2026-03-02"
DAY_MS = START_MS // (24 * HOUR_MS) * 24 * HOUR_MS - 24 * HOUR_MS
HEADER = (
    "open_time,open,high,low,close,volume,close_time,quote_volume,count,taker_buy_volume,taker_buy_quote_volume,ignore"
)


def official_files(folder: Path) -> World:
    """Hours of official minutes of two symbols, with holes, and minutes of trades of a third with a hole of ids."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = [_klines(folder, symbol, number) for number, symbol in enumerate(("BTCUSDT", "ETHUSDT"))]
    rows = [
        f"{i},{5 + (i * i) % 17 / 100:.2f},{1 + i % 5},{2 * i},{2 * i + 1},{DAY_MS + 700 * i},{str(i % 3 == 0).lower()}"
        for i in range(1, 4_000)
        if not 2_000 <= i < 2_040
    ]
    trades = folder / f"XRPUSDT-aggTrades-{DAY}.csv"
    trades.write_text("\n".join(rows) + "\n")
    return World(
        name="official files",
        symbols=("BTCUSDT", "ETHUSDT", "XRPUSDT"),
        from_ms=DAY_MS,
        to_ms=DAY_MS + 300 * MINUTE_MS,
        intervals=("1m", "5m", "1s"),
        merged=("15m", "1h"),
        windows=(60,),
        files=(*paths, trades),
    )


def _klines(folder: Path, symbol: str, number: int) -> Path:
    lines, close = [HEADER], 1_000
    for minute in range(300):
        open_ms, before = DAY_MS + minute * MINUTE_MS, close
        close += (minute * 7919 + minute * minute * 31) % 11 - 5 + number * ((minute * 104_729) % 3 - 1)
        if 150 <= minute < 153 and number:
            continue
        high, low, size = max(before, close) + 1, min(before, close) - 1, 10 + minute % 7
        lines.append(
            f"{open_ms},{before}.0,{high}.0,{low}.0,{close}.0,{size},{open_ms + 59_999},{close * size}.0,"
            f"{5 + minute % 4},{size / 2},{close * size / 2},0"
        )
    path = folder / f"{symbol}-1m-{DAY}.csv"
    path.write_text("\n".join(lines) + "\n")
    return path


def iso(ms: int) -> str:
    return dt.datetime.fromtimestamp(ms / 1_000, dt.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
