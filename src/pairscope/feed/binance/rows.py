"""Rows of the exchange's CSV files to columns: one kernel over the bytes, no text in between.

A row is numbers and ``true``/``false`` (any case), separated by commas. Numbers may be trimmed or in scientific
notation. Every float is the one nearest to the written decimal, as Python's own `float` gives it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pairscope.base.jit import kernel
from pairscope.base.model import BoolArray, FloatArray, IntArray

Text = NDArray[np.uint8]

SKIP, WHOLE, NUMBER, FLAG = 0, 1, 2, 3  # what a field is read as
_SHORTEST_ROW = 12  # bytes of a row with six fields
_COMMA, _NEWLINE, _RETURN, _POINT, _PLUS, _MINUS = 44, 10, 13, 46, 43, 45
_ZERO, _NINE = 48, 57
_EXACT = 2**53
_LARGEST_MANTISSA = (2**63 - 10) // 10
_LARGEST_POWER = 22
_POWERS = np.array([float(f"1e{k}") for k in range(_LARGEST_POWER + 1)])
_WHOLE_POWERS = 10 ** np.arange(19, dtype=np.int64)


@dataclass(frozen=True, slots=True)
class Table:
    """Fields of one kind in the rows of a matrix, in the order in which they stand in a line."""

    whole: IntArray  # (fields, rows)
    number: FloatArray
    flag: BoolArray
    bad: tuple[tuple[int, bytes], ...]  # lines of another form: how many rows come before each, and its text

    @property
    def rows(self) -> int:
        return len(self.whole[0])


def read_rows(text: Text, fields: tuple[int, ...]) -> Table:
    """Read whole lines; ``fields`` says what each of their fields is. A line of another form is handed back as text.

    >>> table = read_rows(np.frombuffer(b"7,0.1,true\\n8,1e-3,False\\nnonsense\\n", np.uint8), (WHOLE, NUMBER, FLAG))
    >>> table.whole.tolist(), table.number.tolist(), table.flag.tolist(), table.bad
    ([[7, 8]], [[0.1, 0.001]], [[True, False]], ((2, b'nonsense'),))
    """
    kinds = np.array(fields, np.int64)
    most = len(text) // min(_SHORTEST_ROW, 2 * len(fields)) + 1
    whole = np.empty((int((kinds == WHOLE).sum()), most), np.int64)
    number = np.empty((int((kinds == NUMBER).sum()), most))
    flag = np.empty((int((kinds == FLAG).sum()), most), np.bool_)
    hard = np.empty((most * max(1, len(number)), 4), np.int64)  # untouched pages cost nothing
    bad = np.empty((len(text) // 2 + 2, 3), np.int64)  # the shortest line is one byte and its end
    rows, bads, hards = _read(text, kinds, whole, number, flag, hard, bad)
    for place, row, start, stop in hard[:hards].tolist():
        number[place, row] = float(text[start:stop].tobytes())
    lines = tuple((row, text[start:stop].tobytes()) for row, start, stop in bad[:bads].tolist())
    return Table(whole[:, :rows], number[:, :rows], flag[:, :rows], lines)


def warm_up() -> None:
    """Compile the reading of rows, or load it from the cache."""
    read_rows(np.frombuffer(b"7,0.1,true\n", np.uint8), (WHOLE, NUMBER, FLAG))


@kernel
def _read(
    text: Text,
    kinds: IntArray,
    whole: IntArray,
    number: FloatArray,
    flag: BoolArray,
    hard: IntArray,
    bad: IntArray,
) -> tuple[int, int, int]:
    """Fill the columns; the number of rows, of bad lines, and of floats left to Python."""
    rows = 0
    bads = 0
    hards = 0
    at = 0
    while at < len(text):
        if text[at] == _NEWLINE or text[at] == _RETURN:  # an empty line
            at += 1
            continue
        start = at
        good, at, hards_of_row = _read_row(text, at, kinds, whole, number, flag, rows, hard, hards)
        if good:
            rows += 1
            hards += hards_of_row
        else:
            while at < len(text) and text[at] != _NEWLINE:
                at += 1
            bad[bads] = (rows, start, at)
            bads += 1
            at += 1
    return rows, bads, hards


@kernel
def _read_row(
    text: Text,
    at: int,
    kinds: IntArray,
    whole: IntArray,
    number: FloatArray,
    flag: BoolArray,
    row: int,
    hard: IntArray,
    hards: int,
) -> tuple[bool, int, int]:
    """One line from its first byte on: whether it is good, where it was left, and how many floats were hard."""
    wholes = numbers = flags = hards_of_row = 0
    for field in range(len(kinds)):
        kind = kinds[field]
        start = at
        if kind in (WHOLE, NUMBER):
            mantissa, power, digits, at = _read_number(text, at)
            if digits == 0:
                return False, at, 0
            if kind == WHOLE:
                value = _as_whole(mantissa, power)
                if value < 0:
                    return False, at, 0
                whole[wholes, row] = value
                wholes += 1
            else:
                if mantissa >= 0 and mantissa <= _EXACT and -_LARGEST_POWER <= power <= _LARGEST_POWER:
                    number[numbers, row] = mantissa / _POWERS[-power] if power < 0 else mantissa * _POWERS[power]
                else:
                    hard[hards + hards_of_row] = (numbers, row, start, at)
                    hards_of_row += 1
                numbers += 1
        elif kind == FLAG:
            value = _read_flag(text, at)
            if value < 0:
                return False, at, 0
            flag[flags, row] = value == 1
            flags += 1
            at += 4 if value == 1 else 5
        else:
            while at < len(text) and text[at] != _COMMA and text[at] != _NEWLINE and text[at] != _RETURN:
                at += 1
        last = field == len(kinds) - 1
        if not last:
            if at >= len(text) or text[at] != _COMMA:
                return False, at, 0
            at += 1
    if at < len(text) and text[at] == _RETURN:
        at += 1
    if at < len(text) and text[at] != _NEWLINE:
        return False, at, 0
    return True, at + 1, hards_of_row


@kernel
def _read_number(text: Text, at: int) -> tuple[int, int, int, int]:
    """A decimal as ``mantissa * 10**power``, how many digits it had, and where it ends; mantissa -1 when too long."""
    mantissa = 0
    power = 0
    digits = 0
    after_point = False
    while at < len(text):
        byte = text[at]
        if _ZERO <= byte <= _NINE:
            digits += 1
            if mantissa > _LARGEST_MANTISSA:
                mantissa = -1
            if mantissa >= 0:
                mantissa = mantissa * 10 + (byte - _ZERO)
                power -= after_point
        elif byte == _POINT and not after_point:
            after_point = True
        else:
            break
        at += 1
    if digits > 0 and at < len(text) and (text[at] == 69 or text[at] == 101):  # E e
        exponent, exponent_digits, at = _read_exponent(text, at + 1)
        power += exponent
        if exponent_digits == 0 or exponent_digits > 4:
            digits = 0
    return mantissa, power, digits, at


@kernel
def _read_exponent(text: Text, at: int) -> tuple[int, int, int]:
    sign = 1
    if at < len(text) and (text[at] == _MINUS or text[at] == _PLUS):
        sign = -1 if text[at] == _MINUS else 1
        at += 1
    value = 0
    digits = 0
    while at < len(text) and _ZERO <= text[at] <= _NINE:
        if digits < 5:
            value = value * 10 + (text[at] - _ZERO)
        digits += 1
        at += 1
    return sign * value, digits, at


@kernel
def _as_whole(mantissa: int, power: int) -> int:
    """The integer a decimal is, -1 when it is none or too large."""
    if mantissa < 0:
        return -1
    while power < 0 and mantissa % 10 == 0 and mantissa > 0:
        mantissa //= 10
        power += 1
    if mantissa == 0:
        return 0
    if power < 0 or power > 18 or mantissa > (2**62) // _WHOLE_POWERS[power]:
        return -1
    return int(mantissa * _WHOLE_POWERS[power])


@kernel
def _read_flag(text: Text, at: int) -> int:
    """1 for true, 0 for false in any case, -1 for anything else."""
    if at + 4 <= len(text) and text[at] | 32 == 116 and text[at + 1] | 32 == 114:
        return 1 if text[at + 2] | 32 == 117 and text[at + 3] | 32 == 101 else -1
    if at + 5 <= len(text) and text[at] | 32 == 102 and text[at + 1] | 32 == 97 and text[at + 2] | 32 == 108:
        return 0 if text[at + 3] | 32 == 115 and text[at + 4] | 32 == 101 else -1
    return -1
