"""Bursts are decoded to the same by the kernel and without it, whatever lies beside the usual frames."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pairscope.base.model import IntArray, SymbolTable, TradeKind
from pairscope.feed.binance.decoding import BurstDecoder
from pairscope.feed.binance.protocol import Decoded, Decoder, FrameFault, Rejected
from tests.decoded import assert_same
from tests.faults.fuzz import hostile
from tests.feed.binance.test_usual import AGG, RAW

USUAL = {TradeKind.AGG: AGG, TradeKind.RAW: RAW}
SYMBOLS = ("BTCUSDT", "ETHUSDT")


def frame(kind: TradeKind, number: int) -> bytes:
    """The usual one, with an id and a clock of its own."""
    old_id = b"3477868433" if kind is TradeKind.AGG else b"7947325360"
    clock = b'"E":1791382992488' if kind is TradeKind.AGG else b'"E":1785685177439'
    assert old_id in USUAL[kind]
    return USUAL[kind].replace(old_id, b"%d" % number).replace(clock, b'"E":%d' % (1_700_000_000_000 + number))


def odd(kind: TradeKind, number: int) -> list[bytes]:
    """Frames that are read, noted, counted or refused without the kernel."""
    usual = frame(kind, number)
    return [
        usual.replace(b'"m":', b'"m": '),
        json.dumps(json.loads(usual)["data"]).encode(),
        usual.replace(b'"p":"', b'"p":"-'),
        usual.replace(b'"p":"', b'"p":"much'),
        usual.replace(b'"m":', b'"m":"maybe","was":'),
        usual.replace(b'"s":"', b'"s":"X'),
        usual.replace(b'"X":"MARKET"', b'"X":"NA"'),
        usual.replace(b'"E":', b'"E":"soon","was":'),
        usual[:-20],
        frame(TradeKind.RAW if kind is TradeKind.AGG else TradeKind.AGG, number),
        b'{"result":null,"id":%d}' % number,
        b'{"e":"serverShutdown","E":1}',
        b'{"code":2,"msg":"Invalid request"}',
        b"\xff",
        b"",
    ]


def decode(kind: TradeKind, frames: list[bytes]) -> Decoded:
    """By the kernel and without it: the same."""
    received_ns = np.arange(len(frames), dtype=np.int64) * 3 + 5
    decoded = BurstDecoder(kind, SymbolTable(SYMBOLS)).decode(frames, received_ns)
    assert_same(decoded, Decoder(kind, SymbolTable(SYMBOLS)).decode(frames, received_ns))
    return decoded


@settings(deadline=None, max_examples=300)  # the first call compiles
@given(st.sampled_from(list(TradeKind)), st.lists(st.integers(-8, 14), max_size=30))
def test_a_burst_is_decoded_to_the_same_whatever_lies_beside_the_usual_frames(kind: TradeKind, told: list[int]) -> None:
    frames = [frame(kind, place) if which < 0 else odd(kind, place)[which] for place, which in enumerate(told, start=1)]
    decode(kind, frames)


@pytest.mark.parametrize("kind", list(TradeKind))
def test_hostile_bursts_are_decoded_to_the_same(kind: TradeKind) -> None:
    frames = list(hostile([frame(kind, number) for number in range(1, 400)], 4_000, seed=5))
    for start in range(0, len(frames), 97):
        decode(kind, frames[start : start + 97])


@pytest.mark.parametrize("kind", list(TradeKind))
def test_rows_keep_the_order_and_the_receive_times_of_their_frames(kind: TradeKind) -> None:
    spaced = [frame(kind, number).replace(b'"m":', b'"m": ') for number in (2, 4)]
    decoded = decode(kind, [frame(kind, 1), spaced[0], b"junk", frame(kind, 3), spaced[1], frame(kind, 5)])
    assert decoded.rows.trades.id.tolist() == [1, 2, 3, 4, 5]
    assert decoded.rows.trades.received_ns.tolist() == [5, 8, 14, 17, 20]
    assert decoded.notes == [Rejected(FrameFault.UNDECODABLE, b"junk")]
    assert decoded.event_ms == 1_700_000_000_005


@pytest.mark.parametrize("kind", list(TradeKind))
def test_the_clock_is_that_of_the_last_row_however_it_was_read(kind: TradeKind) -> None:
    spaced = frame(kind, 2).replace(b'"m":', b'"m": ')
    assert decode(kind, [frame(kind, 1), spaced, b"junk"]).event_ms == 1_700_000_000_002
    assert decode(kind, [spaced, frame(kind, 1), b"junk"]).event_ms == 1_700_000_000_001


def test_until_the_kernel_is_there_frames_are_decoded_without_it(monkeypatch: pytest.MonkeyPatch) -> None:
    compiled = False
    decoder = BurstDecoder(TradeKind.AGG, SymbolTable(SYMBOLS), lambda: compiled)
    read_without: list[int] = []
    every = decoder._every.decode

    def told(frames: Sequence[bytes], received_ns: IntArray) -> Decoded:
        read_without.append(len(frames))
        return every(frames, received_ns)

    monkeypatch.setattr(decoder._every, "decode", told)
    frames, times = [frame(TradeKind.AGG, 1), frame(TradeKind.AGG, 2)], np.zeros(2, np.int64)
    before = decoder.decode(frames, times)
    assert (read_without, decoder._usual) == ([2], None)  # made, it would compile
    compiled = True
    after = decoder.decode(frames, times)
    assert read_without == [2]
    assert_same(before, after)
    decoder.decode([*frames, b"junk"], np.zeros(3, np.int64))
    assert read_without == [2, 1]  # the rest alone


def test_a_burst_far_too_long_for_trades_is_decoded_as_it_would_be() -> None:
    decode(TradeKind.AGG, [frame(TradeKind.AGG, 1), b"[" * 100_000, frame(TradeKind.AGG, 2)])


@pytest.mark.data
def test_golden_vectors_are_decoded_to_the_same(data_dir: Path) -> None:
    lines = [json.loads(line) for line in (data_dir / "binance_golden_vectors.jsonl").read_text().splitlines()]
    frames = [line["raw"].encode() for line in lines]
    assert [len(decode(kind, frames).rows) for kind in TradeKind] == [11, 12]
