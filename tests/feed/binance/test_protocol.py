import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pairscope.base.instrument import ContractKind
from pairscope.base.model import Origin, SymbolTable, TradeKind
from pairscope.feed.binance.protocol import (
    Acknowledged,
    Decoded,
    Decoder,
    FrameFault,
    Refused,
    Rejected,
    ServerShutdown,
    decode_agg_trades,
    decode_instruments,
    note,
    stream_name,
    stream_url,
    subscriptions,
)
from pairscope.feed.judge import Judge, Refusal

SENT_MS = 1_791_382_992_488


def agg(**changes: Any) -> dict[str, Any]:
    event = {
        "e": "aggTrade",
        "E": SENT_MS,
        "a": 7,
        "s": "BTCUSDT",
        "p": "60000.10",
        "q": "0.002",
        "T": SENT_MS - 10,
        "m": False,
    }
    return {**event, **changes}


def raw(**changes: Any) -> dict[str, Any]:
    event = {
        "e": "trade",
        "E": SENT_MS,
        "T": SENT_MS - 1,
        "s": "BTCUSDT",
        "t": 7,
        "p": "60000.10",
        "q": "0.002",
        "m": True,
    }
    return {**event, "X": "MARKET", **changes}


def wrapped(event: dict[str, Any]) -> bytes:
    return json.dumps({"stream": f"{event.get('s', '!')}@{event['e']}".lower(), "data": event}).encode()


def decode(frames: list[bytes], kind: TradeKind = TradeKind.AGG) -> Decoded:
    decoder = Decoder(kind, SymbolTable(["BTCUSDT", "ETHUSDT"]))
    return decoder.decode(frames, np.arange(len(frames), dtype=np.int64))


def kept(decoded: Decoded) -> list[bool]:
    """What the judge keeps of the rows, as if it were right after the newest."""
    kept: list[bool] = Judge(SymbolTable(), lambda: SENT_MS).judge(decoded.rows).keep.tolist()
    return kept


def test_a_combined_aggtrade_becomes_a_row_of_columns() -> None:
    decoded = decode([wrapped(agg())])
    trades = decoded.rows.trades
    assert (trades.id[0], trades.time_ms[0], trades.price[0], trades.size[0]) == (7, SENT_MS - 10, 60000.1, 0.002)
    assert not trades.buyer_is_maker[0]
    assert decoded.event_ms == SENT_MS
    assert kept(decoded) == [True]
    assert decoded.notes == []


def test_a_raw_frame_is_the_same_as_a_combined_one() -> None:
    decoded = decode([json.dumps(agg()).encode(), wrapped(agg(a=8))])
    assert decoded.rows.trades.id.tolist() == [7, 8]


def test_receive_times_stay_with_their_trades_when_other_frames_lie_between() -> None:
    decoded = decode([wrapped(agg()), b'{"result":null,"id":1}', b"junk", wrapped(agg(a=8))])
    assert decoded.rows.trades.received_ns.tolist() == [0, 3]
    assert decoded.notes == [Acknowledged(1, None), Rejected(FrameFault.UNDECODABLE, b"junk")]
    assert decoded.frames == 4


@pytest.mark.parametrize("changes", [{"X": "NA", "p": "0", "q": "0"}, {"X": "INSURANCE_FUND"}, {"X": "ADL"}])
def test_what_is_no_market_trade_keeps_its_id_and_is_not_kept(changes: dict[str, str]) -> None:
    decoded = decode([wrapped(raw(**changes)), wrapped(raw(t=8))], TradeKind.RAW)
    assert decoded.rows.trades.id.tolist() == [7, 8]
    assert kept(decoded) == [False, True]


@pytest.mark.parametrize("bad", [{"p": "0"}, {"q": "0.0"}, {"p": "-1"}, {"q": "-0.5"}, {"p": "NaN"}, {"q": "Infinity"}])
def test_non_positive_and_non_finite_numbers_are_never_kept(bad: dict[str, str]) -> None:
    decoded = decode([wrapped(agg(**bad)), wrapped(agg(a=8))])
    assert kept(decoded) == [False, True]
    assert decoded.notes == []


def test_symbols_nobody_asked_for_are_counted_and_left_out() -> None:
    decoded = decode([wrapped(agg(s="DOGEUSDT")), wrapped(agg(a=8))])
    assert decoded.rows.trades.id.tolist() == [8]
    assert decoded.rejected == {FrameFault.UNKNOWN_SYMBOL: 1}


def test_trades_of_the_other_stream_are_noted_not_kept() -> None:
    decoded = decode([wrapped(raw())], TradeKind.AGG)
    assert len(decoded.rows.trades) == 0
    assert [item.reason for item in decoded.notes if isinstance(item, Rejected)] == [FrameFault.OTHER_EVENT]


def test_unknown_keys_are_ignored_wherever_they_stand() -> None:
    event = {"new": [1, {"deep": True}], **agg(), "zz": None, "nq": "0.002", "st": 1, "ps": "BTCUSDT"}
    assert kept(decode([json.dumps({"id": 3, "data": event, "stream": "x", "more": {}}).encode()])) == [True]


@pytest.mark.parametrize(
    ("frame", "expected"),
    [
        (b'{"result":null,"id":1}', Acknowledged(1, None)),
        (b'{"result":["btcusdt@aggTrade"],"id":3}', Acknowledged(3, ["btcusdt@aggTrade"])),
        (b'{"error":{"code":4,"msg":"Too many subscriptions"}}', Refused(4, "Too many subscriptions", None)),
        (b'{"error":{"code":2,"msg":"Invalid"},"id":9}', Refused(2, "Invalid", 9)),
        (b'{"code":2,"msg":"Invalid request"}', Refused(2, "Invalid request", None)),
        (b'{"e":"serverShutdown","E":1770123456789}', ServerShutdown()),
        (b'{"stream":"!serverShutdown","data":{"e":"serverShutdown","E":1}}', ServerShutdown()),
    ],
)
def test_control_messages_are_told_apart(frame: bytes, expected: object) -> None:
    assert note(frame) == expected


@pytest.mark.parametrize(
    "frame",
    [
        b"",
        b"[]",
        b"null",
        b"{}",
        b"\xff\xfe",
        b'{"data":{"e":"aggTrade"}}',
        wrapped(agg(a=True)),
        wrapped(agg(a="seven")),
        wrapped(agg(a=7.5)),
        wrapped(agg(a=1e999)),
        b'{"data":{"x":' + b"[" * 100_000,
        b"[" * 100_000,
    ],
)
def test_hostile_frames_are_one_note_each_and_never_an_exception(frame: bytes) -> None:
    decoded = decode([wrapped(agg()), frame, wrapped(agg(a=8))])
    assert decoded.rows.trades.id.tolist() == [7, 8]
    assert [item.reason for item in decoded.notes if isinstance(item, Rejected)] == [FrameFault.UNDECODABLE]


@pytest.mark.parametrize(
    ("changes", "refusal"),
    [
        ({"a": -1}, Refusal.ID),
        ({"a": 2**63}, Refusal.ID),
        ({"a": 0}, Refusal.ID),
        ({"p": "1_0"}, Refusal.NOT_FINITE),
        ({"p": "１２"}, Refusal.NOT_FINITE),
        ({"q": None}, Refusal.NOT_FINITE),
        ({"T": "soon"}, Refusal.TIME),
        ({"T": 2**60}, Refusal.TIME),
        ({"m": "maybe"}, Refusal.SIDE),
        ({"m": None}, Refusal.SIDE),
    ],
)
def test_a_row_that_cannot_be_read_whole_is_a_row_as_long_as_its_id_can(
    changes: dict[str, Any], refusal: Refusal
) -> None:
    decoded = decode([wrapped(agg()), wrapped(agg(**{"a": 8, **changes})), wrapped(agg(a=9))])
    judged = Judge(SymbolTable(), lambda: SENT_MS).judge(decoded.rows)
    assert judged.verdict.tolist() == [0, refusal.code, 0]
    assert decoded.notes == []


@given(st.lists(st.one_of(st.binary(max_size=60), st.just(wrapped(agg())), st.just(wrapped(agg(p="0"))))))
def test_every_frame_is_accounted_for(frames: list[bytes]) -> None:
    decoded = decode(frames)
    unknown = decoded.rejected.get(FrameFault.UNKNOWN_SYMBOL, 0)
    assert len(decoded.rows.trades) + unknown + len(decoded.notes) == len(frames) == decoded.frames


def test_streams_are_lower_case_and_on_the_route_that_serves_them() -> None:
    assert stream_name("BTCUSDT_261225", TradeKind.RAW) == "btcusdt_261225@trade"
    assert stream_url("wss://host/", TradeKind.AGG) == "wss://host/market/stream"
    assert stream_url("wss://host", TradeKind.RAW) == "wss://host/public/stream"


def test_many_streams_are_asked_for_in_batches_with_their_own_ids() -> None:
    requests = [json.loads(r) for r in subscriptions([f"s{i}@trade" for i in range(250)], first_id=5, batch=100)]
    assert [len(r["params"]) for r in requests] == [100, 100, 50]
    assert [r["id"] for r in requests] == [5, 6, 7]


def test_a_page_of_rest_trades_has_the_symbol_it_was_asked_for() -> None:
    body = b'[{"a":5,"p":"2.5","q":"4","nq":"4","f":1,"l":2,"T":1791382990569,"m":true}]'
    page = decode_agg_trades(body, symbol_id=3, received_ns=9).trades
    assert (page.symbol_id[0], page.id[0], page.price[0], page.origin[0]) == (3, 5, 2.5, Origin.REST)
    with pytest.raises(msgspec.DecodeError):
        decode_agg_trades(b'{"code":-1121,"msg":"Invalid symbol."}', 3, 9)


def test_assets_and_kind_of_an_instrument_are_told_and_unknown_where_they_are_not() -> None:
    filters = [
        {"filterType": "PRICE_FILTER", "tickSize": "0.10"},
        {"filterType": "LOT_SIZE", "stepSize": "0.001"},
    ]
    rows = [
        {"symbol": "ETHBTC", "contractType": "PERPETUAL", "baseAsset": "ETH", "quoteAsset": "BTC", "filters": filters},
        {"symbol": "BTCUSDT_250328", "contractType": "CURRENT_QUARTER", "baseAsset": "BTC", "filters": filters},
        {"symbol": "NEW", "contractType": "A_NEW_WORD", "baseAsset": "", "filters": filters},
    ]
    found = decode_instruments(json.dumps({"symbols": rows}).encode())
    told = [(each.base, each.quote, each.kind, each.contract_size, each.native) for each in found.values()]
    assert told == [
        ("ETH", "BTC", ContractKind.PERPETUAL, 1.0, "ETHBTC"),
        ("BTC", None, ContractKind.FUTURE, 1.0, "BTCUSDT_250328"),
        (None, None, ContractKind.OTHER, 1.0, "NEW"),
    ]


def test_steps_come_from_the_filters_not_from_the_precision() -> None:
    row = {
        "symbol": "BTCUSDT",
        "pricePrecision": 2,
        "status": "TRADING",
        "contractType": "PERPETUAL",
        "filters": [
            {"filterType": "PRICE_FILTER", "tickSize": "0.10"},
            {"filterType": "LOT_SIZE", "stepSize": "0.001"},
        ],
    }
    body = json.dumps({"symbols": [row, {"symbol": "BROKEN", "filters": []}]}).encode()
    instruments = decode_instruments(body)
    assert list(instruments) == ["BTCUSDT"]
    assert (instruments["BTCUSDT"].tick_size, instruments["BTCUSDT"].step_size) == (0.1, 0.001)


@pytest.mark.data
def test_every_golden_vector_decodes(data_dir: Path) -> None:
    lines = [json.loads(line) for line in (data_dir / "binance_golden_vectors.jsonl").read_text().splitlines()]
    assert len(lines) == 38
    for line in lines:
        check_vector(line["kind"], line["raw"].encode())


def check_vector(kind: str, frame: bytes) -> None:
    stream = kind.split("/")[0].split(" ")[0]
    if kind.startswith(("aggTrade", "trade")):
        decoder_kind = TradeKind.AGG if stream == "aggTrade" else TradeKind.RAW
        message = json.loads(frame)
        event = message.get("data", message)
        decoded = Decoder(decoder_kind, SymbolTable([event["s"]])).decode([frame], np.zeros(1, np.int64))
        assert decoded.rows.trades.id.tolist() == [event["a" if stream == "aggTrade" else "t"]]
        assert decoded.rows.trades.price.tolist() == [float(event["p"])]
        assert decoded.rows.trades.time_ms.tolist() == [event["T"]]
        assert kept(decoded) == [event.get("X", "MARKET") == "MARKET"]
    elif kind == "rest aggTrades":
        assert len(decode_agg_trades(frame, 0, 0)) == 3
    elif kind == "ws ack":
        assert note(frame) == Acknowledged(1, None)
    elif "shutdown" in kind.lower():
        assert note(frame) == ServerShutdown()
    elif "error" in kind:
        assert isinstance(note(frame), Refused)
    elif kind == "rest trades":
        assert isinstance(note(frame), Rejected)
    else:
        found = note(frame)
        assert isinstance(found, Rejected)
        assert found.reason is FrameFault.OTHER_EVENT


def test_the_protocol_needs_no_socket_and_no_clock() -> None:
    program = (  # whoever measures coverage has some of them already
        "import sys; before = set(sys.modules); import pairscope.feed.binance.protocol; "
        "sys.exit(bool({'asyncio', 'socket', 'picows', 'httpx'} & (set(sys.modules) - before)))"
    )
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0


def test_a_frame_whose_text_is_no_utf_8_is_a_rejected_frame_beside_good_ones() -> None:
    broken = wrapped(agg(a=8)).replace(b"BTCUSDT", b"BTC\xffSDT")
    decoded = decode([wrapped(agg()), broken, wrapped(agg(a=9))])
    assert decoded.rows.trades.id.tolist() == [7, 9]
    assert [note.reason for note in decoded.notes if isinstance(note, Rejected)] == [FrameFault.UNDECODABLE]
