"""Bursts of frames to columns: the usual ones by a kernel, once it is compiled, and all others one by one."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from pairscope.base.model import IntArray, Rows, SymbolTable, TradeBatch, TradeKind
from pairscope.feed.binance.protocol import Decoded, Decoder
from pairscope.feed.binance.usual import Usual, UsualReader

_COLUMNS = ("symbol_id", "id", "time_ms", "price", "size", "buyer_is_maker")  # that a frame tells


class BurstDecoder:
    """Says of each burst what `Decoder` says of it, at less than half of the cost where frames are spelled as usual.

    Args:
        is_compiled: whether the kernel is there; until then everything is decoded without it.
    """

    def __init__(self, kind: TradeKind, symbols: SymbolTable, is_compiled: Callable[[], bool] = lambda: True) -> None:
        self._every = Decoder(kind, symbols)
        self._usual: UsualReader | None = None
        self._kind = kind
        self._symbols = symbols
        self._is_compiled = is_compiled

    def decode(self, frames: Sequence[bytes], received_ns: IntArray) -> Decoded:
        """Decode frames in the order they arrived; `received_ns` has one entry for each."""
        usual = self._read(frames)
        if usual is None or not usual.count:
            return self._every.decode(frames, received_ns)
        if usual.count == len(frames):
            return _all_usual(usual, received_ns, self._kind)
        left = np.flatnonzero(~usual.taken)
        # The place of a frame goes along as its time, so that each row that comes back has that of its own.
        return _joined(usual, self._every.decode([frames[place] for place in left.tolist()], left), received_ns)

    def _read(self, frames: Sequence[bytes]) -> Usual | None:
        if not self._is_compiled():
            return None
        if self._usual is None:
            self._usual = UsualReader(self._kind, self._symbols)
        return self._usual.read(frames)


def _all_usual(usual: Usual, received_ns: IntArray, kind: TradeKind) -> Decoded:
    not_market = np.zeros(len(received_ns), np.bool_) if kind is TradeKind.RAW else None
    return Decoded(Rows(_batch(usual, received_ns), None, not_market), {}, [], len(received_ns), usual.event_ms)


def _joined(usual: Usual, others: Decoded, received_ns: IntArray) -> Decoded:
    """What was taken and what was left, in the order of their frames."""
    rows, places = others.rows, others.rows.trades.received_ns
    for name in _COLUMNS:
        getattr(usual, name)[places] = getattr(rows.trades, name)
    present = usual.taken.copy()
    present[places] = True
    masks = []
    for mask in (rows.side_unreadable, rows.not_market):
        whole = np.zeros(len(present), np.bool_)
        if mask is not None:
            whole[places] = mask
        masks.append(None if mask is None else whole[present])
    last_is_usual = not len(places) or np.flatnonzero(usual.taken)[-1] > places[-1]
    return Decoded(
        Rows(_batch(usual, received_ns).take(present), *masks),
        others.rejected,
        others.notes,
        len(received_ns),
        usual.event_ms if last_is_usual else others.event_ms,
    )


def _batch(usual: Usual, received_ns: IntArray) -> TradeBatch:
    return TradeBatch(**{name: getattr(usual, name) for name in _COLUMNS}, received_ns=received_ns)
