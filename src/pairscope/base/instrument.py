"""What is traded under a symbol, as its venue says."""

from __future__ import annotations

import enum
from dataclasses import dataclass


class ContractKind(enum.StrEnum):
    """What is traded under a symbol."""

    PERPETUAL = "perpetual"
    FUTURE = "future"  # ends on a day
    SPOT = "spot"
    OTHER = "other"  # a word of the venue that is not known here


@dataclass(frozen=True, slots=True)
class Instrument:
    """What the venue says of a symbol: its two assets, and the steps its prices and sizes move in."""

    symbol: str
    tick_size: float
    step_size: float
    status: str = "TRADING"
    listed_ms: int | None = None  # since when it trades
    base: str | None = None  # the asset that is bought; None where nobody told
    quote: str | None = None  # the asset that prices are in
    kind: ContractKind = ContractKind.PERPETUAL
    contract_size: float = 1.0  # of the base asset, in one unit of a trade's size
    spelling: str | None = None  # of the venue, where it differs from the symbol

    @property
    def native(self) -> str:
        """The symbol as the venue spells it."""
        return self.spelling or self.symbol
