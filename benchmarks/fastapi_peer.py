"""What a FastAPI service looks like when nothing special is done: models declared, the framework serialises.

Serves the very bars of pairscope's answer, from memory: as a list of models, and as one model of columns.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import uvicorn
from fastapi import FastAPI
from pydantic import BaseModel


class Bar(BaseModel):
    open_time_ms: int
    open: float
    high: float
    low: float
    close: float
    volume: float
    quote_volume: float
    buy_volume: float
    vwap: float | None
    trades: int
    missing: float
    status: str
    source: str


class Ohlc(BaseModel):
    symbol: str
    interval: str
    bars: list[Bar]


class BarColumns(BaseModel):
    open_time_ms: list[int]
    open: list[float]
    high: list[float]
    low: list[float]
    close: list[float]
    volume: list[float]
    quote_volume: list[float]
    buy_volume: list[float]
    vwap: list[float | None]
    trades: list[int]
    missing: list[float]
    status: list[str]
    source: list[str]


class OhlcColumns(BaseModel):
    symbol: str
    interval: str
    bars: BarColumns


def create_app(answer: dict[str, Any]) -> FastAPI:
    app = FastAPI()
    names, columns = list(answer["bars"]), answer["bars"].values()
    rows = [dict(zip(names, row, strict=True)) for row in zip(*columns, strict=True)]

    @app.get("/ohlc")
    async def ohlc(symbol: str, interval: str, limit: int = 1000) -> Ohlc:
        return Ohlc(symbol=symbol, interval=interval, bars=[Bar(**row) for row in rows[-limit:]])

    @app.get("/columns")
    async def in_columns(symbol: str, interval: str, limit: int = 1000) -> OhlcColumns:
        bars = {name: values[-limit:] for name, values in answer["bars"].items()}
        return OhlcColumns(symbol=symbol, interval=interval, bars=BarColumns(**bars))

    return app


def main() -> None:
    app = create_app(json.loads(Path(sys.argv[1]).read_text(encoding="utf-8")))
    uvicorn.run(app, port=int(sys.argv[2]), log_level="warning", access_log=False, loop="asyncio")


if __name__ == "__main__":
    main()
