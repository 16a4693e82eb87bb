import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pairscope.base.errors import SettingsError, UnknownName
from pairscope.base.gaps import GapReason
from pairscope.base.model import (
    BAR,
    Continuity,
    Gap,
    Present,
    SymbolTable,
    TradeBatch,
    join_bars,
    no_bars,
    take_bars,
)
from pairscope.base.symbol import normal_symbol


def batch(ids: list[int]) -> TradeBatch:
    n = len(ids)
    return TradeBatch(
        np.zeros(n, np.int32),
        np.array(ids, np.int64),
        np.arange(n, dtype=np.int64),
        np.ones(n),
        np.ones(n),
        np.zeros(n, np.bool_),
        np.zeros(n, np.int64),
    )


def test_symbols_are_upper_case_inside_and_any_case_outside() -> None:
    table = SymbolTable(["btcusdt", "BTCUSDT", "EthUsdt"])
    assert list(table) == ["BTCUSDT", "ETHUSDT"]
    assert table.index(" ethusdt ") == 1
    assert "btcusdt" in table


def test_an_unknown_symbol_is_answered_with_the_nearest_known_one() -> None:
    with pytest.raises(UnknownName) as caught:
        SymbolTable(["BTCUSDT", "ETHUSDT"]).index("BTCUSD")
    assert caught.value.cure == "did you mean BTCUSDT?"


@pytest.mark.parametrize("text", ["", "BTC/USDT", "BTC USDT", "<script>", "A" * 41, "BTC\nUSDT"])
def test_what_cannot_be_a_symbol_is_refused(text: str) -> None:
    with pytest.raises(SettingsError):
        normal_symbol(text)


def test_symbols_of_any_script_and_delivery_contracts_are_accepted() -> None:
    assert normal_symbol("币安人生usdt") == "币安人生USDT"
    assert normal_symbol("btcusdt_261225") == "BTCUSDT_261225"


def test_a_batch_can_be_taken_apart_and_joined_again() -> None:
    whole = batch([1, 2, 3, 4])
    parts = [whole.take(np.array([0, 1])), whole.take(np.array([False, False, True, True]))]
    joined = TradeBatch.concatenate(parts)
    assert joined.id.tolist() == [1, 2, 3, 4]
    assert joined.time_ms.tolist() == whole.time_ms.tolist()
    assert len(TradeBatch.concatenate([])) == 0


def test_a_gap_knows_how_many_ids_it_misses() -> None:
    assert Gap("BTCUSDT", 5, 9, 0, GapReason.DISCONNECTED).ids == 5


@given(st.lists(st.integers(0, 6), max_size=30))
def test_the_symbols_of_a_batch_are_found_as_by_sorting(symbol_ids: list[int]) -> None:
    column = np.array(symbol_ids, np.int32)
    present = Present.of(column)
    assert present.symbols.tolist() == sorted(set(symbol_ids))
    for i, symbol in enumerate(present.symbols.tolist()):
        places = [place for place, each in enumerate(symbol_ids) if each == symbol]
        assert (present.first[i], present.last[i], present.count[i]) == (places[0], places[-1], len(places))


def test_bars_are_joined_and_taken_whole_and_in_new_memory() -> None:
    bars = np.arange(3 * BAR.itemsize, dtype=np.uint8).view(BAR)
    joined = join_bars([bars[:1], no_bars(), bars[1:]])
    assert joined.dtype == BAR
    assert joined.tobytes() == bars.tobytes()
    for selection in (np.array([True, False, True]), np.array([0, 2]), [0, 2], slice(None, None, 2)):
        taken = take_bars(bars, selection)
        assert taken.dtype == BAR
        assert taken.tobytes() == bars[selection].tobytes()
        taken["symbol_id"] = -1
    joined["symbol_id"] = -1
    assert not (bars["symbol_id"] == -1).any()
    assert join_bars([]).dtype == BAR
    assert not len(join_bars([]))


def test_what_can_be_proved_of_a_symbol_comes_from_its_venue_and_never_grows_better() -> None:
    table = SymbolTable(["BTCUSDT", "NEW.AB"])
    assert table.best_of(np.array([0])) is not Continuity.PROVED  # of a venue that nobody knows nothing is proved
    table.know("TOY", Continuity.SAMPLED)
    table.add("TOY.CD")
    best = table.best_of(np.array([2, 0, 1, 0]))
    assert np.asarray(best).tolist() == [Continuity.SAMPLED, 0, Continuity.UNPROVED, 0]
    table.know("TOY", Continuity.PROVED)
    assert table.best(2) is Continuity.SAMPLED
    assert SymbolTable(["BTCUSDT"]).best_of(np.array([0, 0])) is Continuity.PROVED
    assert SymbolTable.stored(table.rows()).rows() == table.rows()


def test_the_default_venue_may_be_named_and_is_not_kept() -> None:
    table = SymbolTable(["binance.btcusdt"])
    assert list(table) == ["BTCUSDT"]
    assert "BINANCE.BTCUSDT" in table
    assert table.index(" Binance.btcusdt ") == 0
