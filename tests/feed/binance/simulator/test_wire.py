"""Texts of the simulated exchange have the shape of the real ones."""

from __future__ import annotations

import itertools
import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from pairscope.feed.binance.simulator.market import SimulatedMarket
from pairscope.feed.binance.simulator.wire import (
    BadRequest,
    Frame,
    Route,
    agg_frames,
    agg_rows,
    error_reply,
    fill_frames,
    read_request,
    reply,
    route_of,
    text_frame,
)

START_MS = 1_790_000_000_000
MARKET = SimulatedMarket(seed=1)
BTC = MARKET.listing("BTCUSDT")
TRADES = MARKET.trades("BTCUSDT", START_MS, START_MS + 1_800_000)


def test_each_stream_has_one_route_and_names_are_lower_case() -> None:
    for stream in ("btcusdt@aggTrade", "btcusdt@kline_1m", "btcusdt@markPrice@1s", "!markPrice@arr@1s", "x@forceOrder"):
        assert route_of(stream) is Route.MARKET
    for stream in (
        "btcusdt@trade",
        "btcusdt@bookTicker",
        "btcusdt@depth@100ms",
        "btcusdt@depth5",
        "btcusdt_261225@depth",
    ):
        assert route_of(stream) is Route.PUBLIC
    for stream in ("BTCUSDT@aggTrade", "btcusdt@aggtrade", "btcusdt", "btcusdt@trades", ""):
        assert route_of(stream) is None


def test_aggregate_frames_and_rows_tell_the_same_trades() -> None:
    frames = [json.loads(frame.data) for _, frame in agg_frames(BTC, TRADES)]
    rows = [json.loads(row) for row in agg_rows(BTC, TRADES)]
    assert [{key: frame[key] for key in row} for frame, row in zip(frames, rows, strict=True)] == rows
    assert [float(row["p"]) for row in rows] == TRADES.price.tolist()
    assert [float(row["q"]) for row in rows] == TRADES.size.tolist()


def test_fills_use_every_id_once_and_add_up_to_their_trade() -> None:
    fills = [json.loads(frame.data) for _, frame in fill_frames(BTC, TRADES)]
    assert [fill["t"] for fill in fills] == list(range(int(TRADES.first_fill[0]), fills[-1]["t"] + 1))
    assert all(0 <= fill["E"] - fill["T"] <= 8 for fill in fills)
    assert all(a["E"] <= b["E"] for a, b in itertools.pairwise(fills))
    placeholders = [fill for fill in fills if fill["X"] == "NA"]
    assert len(placeholders) == (TRADES.burnt > 0).sum() > 0
    assert {(fill["p"], fill["q"]) for fill in placeholders} == {("0", "0")}
    by_id = {fill["t"]: Decimal(fill["q"]) for fill in fills}
    for first, last, size in zip(TRADES.first_fill, TRADES.last_fill, TRADES.size, strict=True):
        assert sum(by_id[fill] for fill in range(first, last + 1)) == Decimal(f"{size:.3f}")


def shape(value: Any) -> Any:
    """Keys in their order and types of values."""
    return [(key, type(each).__name__) for key, each in value.items()]


@pytest.mark.data
def test_frames_and_rows_have_the_shape_of_the_golden_ones(data_dir: Path) -> None:
    lines = (data_dir / "binance_golden_vectors.jsonl").read_text(encoding="utf-8").splitlines()
    vectors = [json.loads(line) for line in lines]
    golden = [shape(each) for each in objects_in(vectors)]
    agg, fill = agg_frames(BTC, TRADES)[0][1], fill_frames(BTC, TRADES)[0][1]
    for ours in (agg, fill):
        assert shape(json.loads(ours.data)) in golden
        assert shape(json.loads(ours.combined())) in golden
    assert shape(json.loads(agg_rows(BTC, TRADES)[0])) in golden


def objects_in(value: Any) -> list[dict[str, Any]]:
    """All objects within a decoded value, those within JSON texts too."""
    if isinstance(value, list):
        return [found for each in value for found in objects_in(each)]
    if isinstance(value, dict):
        return [value, *[found for each in value.values() for found in objects_in(each)]]
    if isinstance(value, str) and value.startswith(("{", "[")):
        return objects_in(json.loads(value))
    return []


def test_a_combined_frame_wraps_the_raw_one() -> None:
    assert Frame("a@trade", b'{"e":"trade"}').combined() == b'{"stream":"a@trade","data":{"e":"trade"}}'


@pytest.mark.parametrize(
    ("size", "head"), [(0, "8100"), (125, "817d"), (126, "817e007e"), (65_536, "817f0000000000010000")]
)
def test_the_length_of_a_text_frame_is_written_in_the_shortest_way(size: int, head: str) -> None:
    assert text_frame(b"x" * size) == bytes.fromhex(head) + b"x" * size


def test_replies_and_errors_come_nested_as_measured_or_flat_as_documented() -> None:
    assert reply(None, 1) == b'{"result":null,"id":1}'
    assert reply(["a@trade"], 3) == b'{"result":["a@trade"],"id":3}'
    assert json.loads(error_reply(4, "no", None, flat=False)) == {"error": {"code": 4, "msg": "no"}}
    assert json.loads(error_reply(2, "no", 7, flat=False)) == {"error": {"code": 2, "msg": "no"}, "id": 7}
    assert json.loads(error_reply(2, "no", 7, flat=True)) == {"code": 2, "msg": "no"}


@pytest.mark.parametrize(
    ("payload", "code"),
    [
        (b"{", 3),
        (b"\xff", 3),
        (b"[]", 2),
        (b'{"method":"SUBSCRIBE","params":["a"]}', 2),
        (b'{"method":"SUBSCRIBE","params":["a"],"id":"1"}', 2),
        (b'{"method":"SUBSCRIBE","params":["a"],"id":-1}', 2),
        (b'{"method":"subscribe","params":["a"],"id":1}', 2),
        (b'{"method":"SUBSCRIBE","params":"a","id":1}', 2),
    ],
)
def test_control_messages_that_cannot_be_understood_have_a_code(payload: bytes, code: int) -> None:
    with pytest.raises(BadRequest) as caught:
        read_request(payload)
    assert caught.value.code == code
