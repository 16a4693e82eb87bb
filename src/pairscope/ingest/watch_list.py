"""Which symbols are watched, and the file beside the tape that keeps what was changed while running.

The settings say with which symbols a tape starts. What people then add and remove holds for every later start with the
same ones; settings that name others are newer than that, and start over.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import ClassVar

import msgspec
import structlog

from pairscope.base import files
from pairscope.base.errors import DataFolderError, Meanings, PairscopeError, RequestError, UnknownName
from pairscope.base.naming import nearest_symbol
from pairscope.base.settings import every_pair
from pairscope.base.symbol import normal_symbol

log = structlog.get_logger()

FORMAT = 1


class WatchRefused(RequestError):
    """A change that cannot be made as things are."""

    code = "watch_refused"
    meanings: ClassVar[Meanings] = {
        "watch_refused": ("a symbol that cannot be added or removed as things are", "the cure says why")
    }
    http_status = 409


@dataclass(frozen=True, slots=True)
class _Saved:
    """The file."""

    format: int
    settings: tuple[str, ...]  # what the settings said when the list was changed
    watched: tuple[str, ...]


class WatchList:
    """The watched symbols, in their order, and the pairs that are kept computed.

    Args:
        tape: the file lies beside it.
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
        self._path = tape.with_name(f"{tape.name}.symbols.json")
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
            DataFolderError: when the file cannot be read, or is none of ours.
        """
        try:
            content = self._path.read_bytes()
        except FileNotFoundError:
            return self
        except OSError as error:
            raise self._unusable(error.strerror or str(error)) from error
        try:
            saved = msgspec.json.decode(content, type=_Saved)
            self._check(saved)
        except (msgspec.DecodeError, UnicodeError) as error:
            raise self._unusable(str(error)) from error
        except PairscopeError as error:
            raise self._unusable(error.message) from error
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
        if saved.format != FORMAT:
            raise DataFolderError(f"format {saved.format} instead of {FORMAT}")
        if not saved.watched or len(set(saved.watched)) != len(saved.watched):
            raise DataFolderError("no symbol, or one twice")
        if any(normal_symbol(symbol) != symbol for symbol in saved.watched):
            raise DataFolderError("symbols are not in upper case")
        if len(saved.watched) > self.most:
            raise DataFolderError(f"{len(saved.watched)} symbols are more than the {self.most} of most_symbols")
        unwatched = {leg for pair in self._fixed_pairs for leg in pair} - set(saved.watched)
        if unwatched and saved.settings == self._asked:
            raise DataFolderError(f"a configured pair needs {', '.join(sorted(unwatched))}")

    def _unusable(self, why: str) -> DataFolderError:
        return DataFolderError(
            f"the list of watched symbols {self._path} cannot be used: {why}",
            cure="delete it to start with the symbols of the settings",
        )

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
        files.write_whole(self._path, msgspec.json.encode(asdict(_Saved(FORMAT, self._asked, symbols))))
        self._symbols = symbols
