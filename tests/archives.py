"""Writes files like the exchange's official ones."""

from __future__ import annotations

import hashlib
import zipfile
from collections.abc import Sequence
from pathlib import Path

DAY_MS = 86_400_000
START_MS = 1_723_075_200_000  # 2024-08-08
AGG_HEADER = "agg_trade_id,price,quantity,first_trade_id,last_trade_id,transact_time,is_buyer_maker"
RAW_HEADER = "id,price,qty,quote_qty,time,is_buyer_maker"

Row = tuple[int, str, str, int, bool]  # id, price, size, time, buyer is maker


def rows(first_id: int, count: int, start_ms: int = START_MS, step_ms: int = 1_000) -> list[Row]:
    """Trades with ids in a row, one each `step_ms`."""
    return [
        (i, f"{100 + i % 7}.{i % 10}", f"0.{1 + i % 3}", start_ms + step_ms * (i - first_id), i % 2 == 0)
        for i in range(first_id, first_id + count)
    ]


def agg_lines(trades: Sequence[Row]) -> list[str]:
    return [f"{i},{p},{q},{2 * i},{2 * i + 1},{t},{str(m).lower()}" for i, p, q, t, m in trades]


def raw_lines(trades: Sequence[Row]) -> list[str]:
    return [f"{i},{p},{q},1.0,{t},{str(m).lower()}" for i, p, q, t, m in trades]


def write_csv(path: Path, lines: Sequence[str], header: str | None = AGG_HEADER) -> Path:
    path.write_text("\n".join([*([header] if header else []), *lines]) + "\n", encoding="utf-8")
    return path


def write_zip(path: Path, lines: Sequence[str], header: str | None = AGG_HEADER, *, official: bool = True) -> Path:
    """A zip, the same bytes whenever it is written; beside it the checksum when it is `official`."""
    text = "\n".join([*([header] if header else []), *lines]) + "\n"
    member = zipfile.ZipInfo(f"{path.stem}.csv")  # its date is always 1980
    member.compress_type = zipfile.ZIP_DEFLATED
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(member, text)
    if official:
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
        path.with_name(f"{path.name}.CHECKSUM").write_text(f"{digest}  {path.name}\n", encoding="utf-8")
    return path
