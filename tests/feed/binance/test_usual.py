"""Frames in the usual spelling: what the kernel takes, every reader of frames takes to the same bits."""

from __future__ import annotations

import itertools
import json
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pairscope.base.model import SymbolTable, TradeKind
from pairscope.feed.binance import usual
from pairscope.feed.binance.protocol import Decoder
from pairscope.feed.binance.usual import Usual, UsualReader
from pairscope.feed.recording import read_frames
from tests.faults.fuzz import TOKENS

SYMBOLS = SymbolTable(["BTCUSDT", "ETHUSDT", "1000PEPEUSDT", "BTCUSDT_261225"])
READERS = {kind: UsualReader(kind, SYMBOLS) for kind in TradeKind}
ALL_READERS = {kind: Decoder(kind, SYMBOLS) for kind in TradeKind}
COLUMNS = ("symbol_id", "id", "time_ms", "price", "size", "buyer_is_maker")
AGG = (
    b'{"stream":"btcusdt@aggTrade","data":{"e":"aggTrade","E":1791382992488,"a":3477868433,"s":"BTCUSDT",'
    b'"p":"83091.70","q":"0.022","nq":"0.022","f":8153634393,"l":8153634394,"T":1791382992338,"m":false,"st":1}}'
)
RAW = (
    b'{"stream":"ethusdt@trade","data":{"e":"trade","E":1785685177439,"T":1785685177438,"s":"ETHUSDT",'
    b'"t":7947325360,"p":"1889.80","q":"0.128","X":"MARKET","m":true,"st":1}}'
)
SHAPES = {
    TradeKind.AGG: (
        AGG,
        AGG.replace(b',"st":1', b""),
        AGG.replace(b',"nq":"0.022"', b"").replace(b',"st":1', b""),
        AGG.replace(b',"nq":"0.022"', b""),
        AGG.replace(b"BTCUSDT", b"1000PEPEUSDT").replace(b"83091.70", b"0.0109760").replace(b"0.022", b"1"),
    ),
    TradeKind.RAW: (RAW, RAW.replace(b',"st":1', b""), RAW.replace(b"ETHUSDT", b"BTCUSDT_261225")),
}
KINDS = st.sampled_from(list(TradeKind))


def read(kind: TradeKind, frames: list[bytes]) -> Usual:
    found = READERS[kind].read(frames)
    assert found is not None
    return found


def assert_taken_as_by_all(kind: TradeKind, frames: list[bytes]) -> Usual:
    """Each frame that is taken has the values that the reader of all frames gives it."""
    found = read(kind, frames)
    assert found.count == found.taken.sum()
    clock_ms = 0
    for place in np.flatnonzero(found.taken).tolist():
        decoded = ALL_READERS[kind].decode([frames[place]], np.zeros(1, np.int64))
        trades = decoded.rows.trades
        assert (len(trades), decoded.notes, decoded.rejected) == (1, [], {}), frames[place]
        for mask in (decoded.rows.side_unreadable, decoded.rows.not_market):
            assert mask is None or not mask.any(), frames[place]
        for name in COLUMNS:
            ours, theirs = getattr(found, name)[[place]], getattr(trades, name)
            assert (ours.dtype, ours.tobytes()) == (theirs.dtype, theirs.tobytes()), (name, frames[place])
        clock_ms = decoded.event_ms
    assert found.event_ms == clock_ms
    return found


@pytest.mark.parametrize("kind", list(TradeKind))
def test_every_shape_the_exchange_has_sent_is_taken(kind: TradeKind) -> None:
    assert assert_taken_as_by_all(kind, list(SHAPES[kind])).count == len(SHAPES[kind])


AROUND_KEYS = st.sampled_from((*b'",:{}.-+eE0 ', 0, 9, 10, 92, 127, 255))
CHANGES = st.lists(
    st.tuples(
        st.sampled_from(("flip", "put", "cut", "insert", "repeat", "token", "end")),
        st.integers(0, 250),
        st.one_of(AROUND_KEYS, st.integers(0, 255)),
        st.sampled_from((1, 1, 1, 2, 5, 30)),
        st.sampled_from(TOKENS),
    ),
    max_size=3,
)


def changed(frame: bytes, changes: list[tuple[str, int, int, int, bytes]]) -> bytes:
    data = bytearray(frame)
    for how, where, byte, length, token in changes:
        place = where % (len(data) + 1)
        match how:
            case "flip" if place < len(data):
                data[place] ^= 1 << byte % 8
            case "put" if place < len(data):
                data[place] = byte
            case "cut":
                del data[place : place + length]
            case "insert":
                data.insert(place, byte)
            case "repeat":
                data[place:place] = data[place : place + length]
            case "token":
                data[place : place + length] = token
            case "end":
                del data[place:]
    return bytes(data)


@settings(deadline=None, max_examples=1_000)  # the first call compiles
@given(KINDS, st.lists(st.tuples(st.integers(0, 4), CHANGES), min_size=1, max_size=8))
def test_of_changed_frames_only_those_are_taken_that_every_reader_takes(
    kind: TradeKind, told: list[tuple[int, list[tuple[str, int, int, int, bytes]]]]
) -> None:
    shapes = SHAPES[kind]
    frames = [changed(shapes[shape % len(shapes)], changes) for shape, changes in told]
    found = assert_taken_as_by_all(kind, frames)
    for place, (_, changes) in enumerate(told):
        assert changes or found.taken[place]


NUMBERS = st.one_of(
    st.from_regex(r"[0-9]{0,20}\.?[0-9]{0,20}", fullmatch=True),
    st.from_regex(r"[+-]?[0-9.]{1,8}([eE][+-]?[0-9]{1,3})?", fullmatch=True),
    st.decimals(0, 10**9, places=8).map(str),
    st.floats().map(repr),
    st.integers(2**53 - 3, 2**53 + 3).flatmap(
        lambda n: st.integers(1, 15).map(lambda k: f"{str(n)[:-k]}.{str(n)[-k:]}")
    ),
)


@settings(deadline=None, max_examples=1_000)
@given(KINDS, NUMBERS, NUMBERS)
def test_a_number_that_is_taken_is_the_float_python_makes_of_it(kind: TradeKind, price: str, size: str) -> None:
    found = assert_taken_as_by_all(kind, [number_frame(kind, price, size)])
    if found.count:
        assert (float(found.price[0]).hex(), float(found.size[0]).hex()) == (float(price).hex(), float(size).hex())


@settings(deadline=None)
@given(KINDS, st.decimals(0, 10**7, places=8), st.integers(0, 10**15))
def test_numbers_of_up_to_fifteen_digits_are_taken(kind: TradeKind, price: Any, size: int) -> None:
    assert assert_taken_as_by_all(kind, [number_frame(kind, f"{price:f}", str(size))]).count == 1


def number_frame(kind: TradeKind, price: str, size: str) -> bytes:
    frame = SHAPES[kind][0]
    event = json.loads(frame)["data"]
    old = f'"p":"{event["p"]}","q":"{event["q"]}"'.encode()
    assert old in frame
    return frame.replace(old, f'"p":"{price}","q":"{size}"'.encode())


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b'"p":"83091.70","q":"0.022"', b'"q":"0.022","p":"83091.70"'),
        (b'"data":', b'"data": '),
        (b'"data":', b'"more":1,"data":'),
        (b'"m":false', b'"m":False'),
        (b'"m":false', b'"m":"false"'),
        (b'"m":false', b'"m":0'),
        (b'"m":false', b'"m":null'),
        (b'"s":"BTCUSDT"', b'"s":"btcusdt"'),
        (b'"s":"BTCUSDT"', b'"s":"DOGEUSDT"'),
        (b'"s":"BTCUSDT"', b'"s":"BTCUSD"'),
        (b'"s":"BTCUSDT"', b'"s":"BTCUSDT_"'),
        (b'"s":"BTCUSDT"', b'"s":""'),
        (b'"s":"BTCUSDT"', b'"s":"BTC\\u0055SDT"'),
        (b"btcusdt@", b"btc\\u0075sdt@"),
        (b"btcusdt@", "btcüsdt@".encode()),
        (b"btcusdt@", b"btc\xffusdt@"),
        (b"btcusdt@", b"btc\nusdt@"),
        (b'"83091.70"', b"83091.70"),
        (b'"83091.70"', b'"8.30917e4"'),
        (b'"83091.70"', b'"+83091.70"'),
        (b'"83091.70"', b'"-83091.70"'),
        (b'"83091.70"', b'"083091.70"'),
        (b'"83091.70"', b'"00"'),
        (b'"83091.70"', b'".70"'),
        (b'"83091.70"', b'"83091."'),
        (b'"83091.70"', b'"83091.70 "'),
        (b'"83091.70"', b'""'),
        (b'"83091.70"', b'"9007199254740.993"'),  # 2**53 + 1 of its last digit
        (b'"83091.70"', b'"0.000000000000000001"'),
        (b'"83091.70"', b'"1000000000000000000"'),
        (b'"a":3477868433', b'"a":03477868433'),
        (b'"a":3477868433', b'"a":-3477868433'),
        (b'"a":3477868433', b'"a":3477868433.0'),
        (b'"a":3477868433', b'"a":"3477868433"'),
        (b'"a":3477868433', b'"a":'),
        (b'"a":3477868433', b'"a":1000000000000000000'),
        (b'"T":1791382992338', b'"T":1000000000000000'),
        (b'"f":8153634393', b'"f":00'),
        (b'"f":8153634393', b'"f":1e3'),
        (b'"nq":"0.022"', b'"nq":0.022'),
        (b'"nq":"0.022"', b'"nq":"0.0\t22"'),
        (b',"st":1', b',"st":"1"'),
        (b',"st":1', b',"st":1,"zz":2'),
        (b',"st":1', b',"st":1,"p":"1"'),
        (b"}}", b"}"),
        (b"}}", b"}}\n"),
        (b"}}", b"} }"),
        (b"}}", b"}}" + b"\0"),
        (b'{"stream"', b' {"stream"'),
        (b'{"stream"', b'\xef\xbb\xbf{"stream"'),
        (b'"e":"aggTrade"', b'"e":"trade"'),
    ],
)
def test_a_frame_that_deviates_in_anything_is_left_and_its_neighbours_are_not(old: bytes, new: bytes) -> None:
    assert old in AGG
    found = assert_taken_as_by_all(TradeKind.AGG, [AGG, AGG.replace(old, new, 1), AGG])
    assert found.taken.tolist() == [True, False, True]


@pytest.mark.parametrize("execution", [b"NA", b"INSURANCE_FUND", b"market", b"MARKETS", b""])
def test_what_is_no_market_trade_is_left(execution: bytes) -> None:
    assert read(TradeKind.RAW, [RAW.replace(b"MARKET", execution)]).count == 0


def test_frames_without_an_envelope_and_of_the_other_stream_are_left() -> None:
    event = AGG[AGG.index(b'{"e"') : -1]
    assert read(TradeKind.AGG, [event, RAW, b"", b'{"result":null,"id":1}']).count == 0
    assert read(TradeKind.RAW, [AGG]).count == 0


def test_the_largest_numbers_are_as_exact_as_the_smallest() -> None:
    frames = [
        AGG.replace(b"3477868433", b"999999999999999999").replace(b"1791382992338", b"999999999999999"),
        AGG.replace(b"3477868433", b"0").replace(b"1791382992338", b"0"),
        AGG.replace(b"83091.70", b"9007199254740992").replace(b"0.022", b"0.9007199254740992"),
        AGG.replace(b"83091.70", b"0").replace(b"0.022", b"0.0000000000000001"),
    ]
    found = assert_taken_as_by_all(TradeKind.AGG, frames)
    assert found.count == 4
    assert found.id.tolist()[:2] == [999_999_999_999_999_999, 0]
    assert found.price.tolist()[2:] == [2.0**53, 0.0]


@pytest.mark.parametrize("kind", list(TradeKind))
def test_a_frame_cut_in_two_is_never_taken_although_the_halves_lie_beside_each_other(kind: TradeKind) -> None:
    frame = SHAPES[kind][0]
    for place in range(len(frame) + 1):
        found = read(kind, [frame, frame[:place], frame[place:], frame])
        whole = [place == len(frame), place == 0]
        assert found.taken.tolist() == [True, *whole, True], place


@settings(deadline=None)
@given(st.lists(st.binary(max_size=80), max_size=20))
def test_no_bytes_whatsoever_are_taken_or_break_the_reader(frames: list[bytes]) -> None:
    for kind in TradeKind:
        assert read(kind, frames).count == 0


def test_symbols_are_found_among_a_thousand_that_came_one_after_the_other() -> None:
    table = SymbolTable()
    reader = UsualReader(TradeKind.AGG, table)
    assert reader.read([AGG]) is not None  # before there is a symbol at all
    names = ["".join(letters) for letters in itertools.product("ABCDEFGHIJ", repeat=3)]
    frames = [AGG.replace(b"BTCUSDT", name.encode()) for name in names]
    for number, name in enumerate(names):
        table.add(name)
        if number % 250 == 7:
            found = reader.read(frames)
            assert found is not None
            assert found.taken.tolist() == [place <= number for place in range(len(names))]
            assert found.symbol_id[: number + 1].tolist() == list(range(number + 1))


def test_a_symbol_of_another_script_is_left_to_others() -> None:
    table = SymbolTable(["币安", "BTCUSDT"])
    found = UsualReader(TradeKind.AGG, table).read([AGG.replace(b"BTCUSDT", "币安".encode()), AGG])
    assert found is not None
    assert (found.taken.tolist(), found.symbol_id[1]) == ([False, True], 1)


def test_a_burst_far_too_long_for_trades_is_not_copied() -> None:
    assert READERS[TradeKind.AGG].read([AGG, b"[" * 100_000]) is None


def test_warming_up_makes_all_the_code_that_bursts_need() -> None:
    usual.warm_up()
    for kind, shapes in SHAPES.items():
        read(kind, list(shapes) * 50)
        read(kind, [])
    for kernel in (usual._read, usual._enter, usual._read_frame, usual._is_there, usual._byte):
        assert len(cast(Any, kernel).signatures) <= 1, kernel


@pytest.mark.data
@pytest.mark.parametrize(
    ("file", "kind", "symbols", "trades"),
    [
        ("usdm-trades-2024-08-08/usdm_btcusdt_20240808.gz", TradeKind.RAW, ["BTCUSDT"], 21_313),
        ("usdm-trades-2024-08-08/usdm_ethusdt_20240808.gz", TradeKind.RAW, ["ETHUSDT"], 14_076),
        (
            "usdm-frames-2021-07-22/BINANCE_FUTURES.ws.1.0.gz",
            TradeKind.AGG,
            ["SUSHIUSDT", "AKROUSDT", "KEEPUSDT", "CTKUSDT"],
            91,
        ),
    ],
)
def test_every_recorded_trade_is_taken_and_nothing_else(
    data_dir: Path, file: str, kind: TradeKind, symbols: list[str], trades: int
) -> None:
    frames = [frame.payload for frame in read_frames((data_dir / file,))]
    table = SymbolTable(symbols)
    reader, every = UsualReader(kind, table), Decoder(kind, table)
    taken = 0
    for start in range(0, len(frames), 5_000):
        burst = frames[start : start + 5_000]
        found = reader.read([frame if len(frame) < 600 else frame[:600] for frame in burst])  # order books are long
        assert found is not None
        told = every.decode(burst, np.arange(len(burst)))
        assert np.flatnonzero(found.taken).tolist() == told.rows.trades.received_ns.tolist()
        for name in COLUMNS:
            assert getattr(found, name)[found.taken].tobytes() == getattr(told.rows.trades, name).tobytes()
        taken += found.count
    assert taken == trades
