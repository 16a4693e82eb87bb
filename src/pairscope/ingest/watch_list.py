"""Which symbols are watched, and what of it was changed while running, as the state database keeps it.

The settings say with which symbols a tape starts. What people then add and remove holds for every later start with the
same ones; settings that name others are newer than that, and start over.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import msgspec
import structlog

from pairscope.base.errors import DataFolderError, Meanings, RequestError, UnknownName
from pairscope.base.naming import nearest_symbol
from pairscope.base.settings import every_pair
from pairscope.base.symbol import is_symbol
from pairscope.store import side_files
from pairscope.store.tape_notes import TapeNotes

log = structlog.get_logger()


# Other settings than those of the list start over.
_OTHERS = "name other symbols in the settings: the list starts over with those"


class WatchRefused(RequestError):
    """A change that cannot be made as things are."""

    code = "watch_refused"
    meanings: ClassVar[Meanings] = {
        "watch_refused": ("a symbol that cannot be added or removed as things are", "the cure says why")
    }
    http_status = 409


@dataclass(frozen=True, slots=True)
class _Saved:
    """What is kept."""

    settings: tuple[str, ...]  # what the settings said when the list was changed
    watched: tuple[str, ...]


class WatchList:
    """The watched symbols, in their order, and the pairs that are kept computed.

    Args:
        tape: the list is kept in its state.
        start: the symbols of the settings.
        pairs: those of the settings; none means every two symbols.
        asked: the symbols of the settings with those that are not listed, by which they are known again.
        most: as many symbols as may be watched.
        most_pairs: as many pairs as are kept computed.
    """

    def __init__(
        self,
        tape: Path,
        start: Sequence[str],
        pairs: Sequence[tuple[str, str]],
        most: int,
        asked: Sequence[str] = (),
        most_pairs: int = 2_000,
    ) -> None:
        self.most = most
        self._most_pairs = most_pairs
        self._tape, self._notes = tape, TapeNotes(tape)
        self._start = tuple(start)
        self._asked = tuple(asked) or self._start
        self.gone: tuple[str, ...] = ()  # kept, and no longer listed
        self._fixed_pairs = tuple(pairs)
        self._symbols = self._start

    @property
    def symbols(self) -> tuple[str, ...]:
        return self._symbols

    @property
    def pairs(self) -> tuple[tuple[str, str], ...]:
        return self._fixed_pairs or tuple(every_pair(self._symbols, self._most_pairs))

    @property
    def possible_pairs(self) -> int:
        """As many as would be kept computed without a limit."""
        return len(self._fixed_pairs) or len(self._symbols) * (len(self._symbols) - 1) // 2

    def read(self, listed: Collection[str] = ()) -> WatchList:
        """Take in what was kept, but for symbols that are no longer `listed`, where that is known.

        Raises:
            DataFolderError: when the state cannot be read, or its list is of no use with these settings.
        """
        side_files.check_symbols(self._tape)
        rows = self._notes.rows("select settings, symbols from watched where place = :place")
        if not rows:
            return self
        try:
            saved = _Saved(*(tuple(msgspec.json.decode(text, type=list[str])) for text in rows[0]))
        except msgspec.DecodeError as error:
            raise self._unusable(str(error), _OTHERS) from error
        self._check(saved)
        if saved.settings != self._asked:
            log.info("kept_symbols_unused", cause="the settings name others", kept=list(saved.watched))
            return self
        gone = [symbol for symbol in saved.watched if listed and symbol not in listed]
        if gone:
            log.warning("symbols_no_longer_listed", symbols=gone)
            self.gone = tuple(gone)
        self._symbols = tuple(symbol for symbol in saved.watched if symbol not in gone) or self._start
        return self

    def _check(self, saved: _Saved) -> None:
        watched = saved.watched
        if not watched or len(set(watched)) != len(watched) or not all(map(is_symbol, watched)):
            raise self._unusable("it holds no symbol, one twice, or what is none", _OTHERS)
        if saved.settings != self._asked:  # it is of no use, and does no harm
            return
        if len(watched) > self.most:
            raise self._unusable(
                f"{len(watched)} symbols are more than the {self.most} of most_symbols",
                f"raise most_symbols to {len(watched)}, or {_OTHERS}",
            )
        unwatched = {leg for pair in self._fixed_pairs for leg in pair} - set(watched)
        if unwatched:
            names = ", ".join(sorted(unwatched))
            raise self._unusable(f"a configured pair needs {names}", f"take it out of pairs, or {_OTHERS}")

    def _unusable(self, why: str, cure: str) -> DataFolderError:
        return DataFolderError(f"the list of watched symbols of {self._tape} cannot be used: {why}", cure=cure)

    def check_room(self, symbol: str) -> None:
        """Whether one more may be watched.

        Raises:
            WatchRefused: when that would be too many.
        """
        if len(self._symbols) >= self.most:
            raise WatchRefused(
                f"{symbol} would be one more than the {self.most} symbols that may be watched",
                cure="remove one first, or raise most_symbols",
            )

    def check_removable(self, symbol: str) -> None:
        """Whether a symbol is watched and need not be.

        Raises:
            UnknownName: when it is not watched.
            WatchRefused: when a configured pair needs it, or there is no other.
        """
        if symbol not in self._symbols:
            guess = nearest_symbol(symbol, self._symbols)
            cure = f"did you mean {guess}?" if guess else f"watched: {', '.join(self._symbols[:20])}"
            raise UnknownName(f"{symbol} is not watched", cure=cure, code="unknown_symbol")
        for y, x in self._fixed_pairs:
            if symbol in (y, x):
                raise WatchRefused(f"the configured pair {y}/{x} needs {symbol}", cure="take it out of pairs first")
        if len(self._symbols) == 1:
            raise WatchRefused(f"{symbol} is the only symbol that is watched", cure="add another one first")

    def add(self, symbol: str) -> None:
        """Watch one more, also after the next start.

        Raises:
            WatchRefused: as `check_room`.
            FileNotWritten: when the list cannot be written; nothing is changed then.
        """
        self.check_room(symbol)
        self._change((*self._symbols, symbol))

    def remove(self, symbol: str) -> None:
        """Watch one less, also after the next start.

        Raises:
            UnknownName, WatchRefused: as `check_removable`.
            FileNotWritten: when the list cannot be written; nothing is changed then.
        """
        self.check_removable(symbol)
        self._change(tuple(each for each in self._symbols if each != symbol))

    def _change(self, symbols: tuple[str, ...]) -> None:
        with self._notes.change() as change:
            values = (change.place, json.dumps(self._asked), json.dumps(symbols))
            change.execute("insert or replace into watched values (?, ?, ?)", values)
        self._symbols = symbols
