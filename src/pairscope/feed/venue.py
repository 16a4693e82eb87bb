"""What a venue gives: a stream of trades, pages of history, daily files, instruments, and how much may be asked.

Everything outside a venue's own folder speaks to these interfaces. Trades are named by the venue's own ids; a venue
that serves its history by time and not by id is told the times of the trades around those that are wanted.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import ClassVar, Protocol, Self

from pairscope.base.errors import FeedUnavailable, Meanings, SettingsError
from pairscope.base.instrument import Instrument
from pairscope.base.model import Continuity, SymbolTable
from pairscope.base.symbol import DEFAULT_VENUE
from pairscope.feed.archive_files import ArchiveFiles, ArchiveKind
from pairscope.feed.health import FeedHealth
from pairscope.feed.hole_reason import HoleReasons
from pairscope.feed.judge import Judge, Judged
from pairscope.feed.limits import HostAccess
from pairscope.feed.recording import FrameWriter

HOUR_MS = 3_600_000


class TooOldError(FeedUnavailable):
    """The venue serves its newest trades only, and these are older."""

    code = "too_old"
    meanings: ClassVar[Meanings] = {
        "too_old": ("trades that the exchange no longer serves by id", "they come from its daily files by themselves")
    }


class RequestRefusedError(FeedUnavailable):
    """The venue is well and does not like this very request: a symbol it no longer has, say."""

    code = "request_refused"
    meanings: ClassVar[Meanings] = {"request_refused": ("a request the exchange does not like", "check the symbol")}


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What can be had of a venue, and what its numbering proves.

    `continuity` is the class of its trades: `PROVED` where ids have no holes and are asked for again by id, `SAMPLED`
    where a hole is seen by what lies between two answers, `UNPROVED` where nothing tells.
    """

    continuity: Continuity
    page_rows: int  # trades in one answer at most; 0: missing trades cannot be asked for
    reach_ms: int  # how far back such answers reach
    request_unit: str  # what its request budget is counted in

    @property
    def can_ask(self) -> bool:
        """Whether missing trades can be asked for."""
        return self.page_rows > 0


@dataclass(frozen=True, slots=True)
class Around:
    """Between which times ids lie that are asked for: of the trades around them, as far as these are known."""

    after_ms: int | None = None
    before_ms: int | None = None


ANYWHERE = Around()


class RequestBudget(Protocol):
    """How much may be asked, in the venue's own unit."""

    door: HostAccess  # until when the venue asked us to wait
    limit: int  # of everybody on this address, in a minute
    most_used: int
    banned_until_ms: int

    @property
    def own_limit(self) -> int: ...

    @property
    def used(self) -> int: ...


class Uncounted:
    """The budget of a venue that counts nothing."""

    limit, own_limit, used, most_used, banned_until_ms = 0, 0, 0, 0, 0

    def __init__(self, door: HostAccess) -> None:
        self.door = door


class Pages(Protocol):
    """Trades that are asked for again."""

    @property
    def page_rows(self) -> int:
        """Trades in one answer at most."""

    async def page(
        self, symbol: str, symbol_id: int, from_id: int, limit: int | None = None, around: Around = ANYWHERE
    ) -> Judged:
        """Rows from an id on in rising order, at most `limit`; empty when the newest id is older than that.

        Raises:
            TooOldError: when the venue no longer keeps that id.
            RequestRefusedError: when it does not like the request.
            FeedUnavailable: when it cannot be reached, refuses, or answers what cannot be read.
        """


class History(Pages, Protocol):
    """Pages, and where in time they are."""

    @property
    def reach_ms(self) -> int:
        """How far back answers reach."""

    async def first_id_from(self, symbol: str, time_ms: int) -> int | None:
        """The id of the first trade at or after a time that is in reach; None when none came within an hour.

        Raises:
            FeedUnavailable: as `page`.
        """


class Rest(History, Protocol):
    """All that is asked of a venue and needs an answer; every question raises FeedUnavailable as `page` does."""

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        """Let go of what is open."""
        return

    def within(self, patience_s: float) -> Self:
        """The same for one who does not wait longer than this when the venue asked for a pause; it may never do so."""
        return self

    async def instruments(self) -> dict[str, Instrument]:
        """All that is listed, by symbol."""

    async def server_time_ms(self) -> int:
        """The venue's clock."""

    async def newest_trade(self, symbol: str) -> tuple[int, int] | None:
        """Id and time of a symbol's newest trade; None when it has none, is not listed, or nobody tells."""
        return None


class Archive(Protocol):
    """The site of a venue's daily files."""

    door: HostAccess
    files: ArchiveFiles

    async def __aenter__(self) -> Self: ...

    async def __aexit__(self, *_: object) -> None: ...

    async def checksum(self, symbol: str, kind: ArchiveKind, day: date) -> str | None:
        """The SHA-256 of a day's file; None while there is no such file.

        Raises:
            FeedUnavailable: when the site cannot be reached or refuses.
            ArchiveError: when its answer is no checksum of that file.
        """

    async def fetch(self, symbol: str, kind: ArchiveKind, day: date, sha256: str, folder: Path) -> Path:
        """Download a day's file into a folder; it is only there under its name when it is whole.

        Raises:
            FeedUnavailable: when the site cannot be reached or refuses.
            ArchiveError: when what came is not the file of that checksum.
            FileNotWritten: when the folder cannot be written.
        """


class Stream(Protocol):
    """Trades of the watched symbols, for ever."""

    health: FeedHealth
    door: HostAccess

    @property
    def waiting(self) -> int:
        """Frames received and not yet decoded: none where each is decoded as it comes."""
        return 0

    @property
    def waiting_limit(self) -> int:
        """How many there may be."""
        return 1

    @property
    def subscribed_for_s(self) -> float | None:
        """How long ago the newest connection subscribed; None before the first."""

    async def run(self) -> None:
        """Stay connected until cancelled."""

    def finish(self) -> None:
        """Say that nothing more will come; after `run` was cancelled. Only a recording ends."""
        return

    async def watch(self, symbol: str) -> None:
        """Add a symbol while running; the others lose nothing."""

    async def unwatch(self, symbol: str) -> None:
        """Remove a symbol while running; the others lose nothing."""

    def unheard(self) -> list[int]:
        """The symbols whose connection is down."""

    def lag_ms(self, symbol: str) -> float | None:
        """Median receive time less the venue's trade time, over the newest trades of a symbol; None: not measured."""
        return None

    def silent(self) -> list[str]:
        """Symbols not heard for longer than they ever are, and those never heard at all; none: nobody looks."""
        return []

    def silent_streams(self) -> list[str]:
        """The same in the venue's words, for people."""
        return self.silent()

    def listening_for_s(self, symbol: str) -> float | None:
        """For how long a symbol could have been heard without a break; None while it cannot, or nobody knows."""
        return None

    async def listen_anew(self, symbol: str, cause: str) -> None:
        """The venue traded, and it was not heard: subscribe anew, where silence is looked at."""
        return


class Recorder(Protocol):
    """Raw frames to a recording, as they come from the socket."""

    frames: int

    @property
    def state(self) -> str: ...

    async def run(self) -> None:
        """Record until cancelled."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Listening:
    """What a stream is opened with.

    ``sink`` is called on the event loop with each judged burst, at the latest ``flush_s`` after it arrived, which says
    why ids would be missing in it; ``is_quiet`` is asked of symbols in silence whether the venue had nothing of them;
    ``is_compiled`` says whether the kernel that reads frames is there, and only saves time.
    """

    watch: Sequence[str]
    symbols: SymbolTable
    judge: Judge
    sink: Callable[[Judged], None]
    flush_s: float = 0.04
    stale_s: float = 5.0
    awake_s: Callable[[], float] | None = None
    is_quiet: Callable[[Sequence[str]], Awaitable[bool]] | None = None
    reasons: HoleReasons = field(default_factory=HoleReasons)
    is_compiled: Callable[[], bool] = lambda: True


class Venue(Protocol):
    """A venue that can be reached, or a stand-in that speaks its wire."""

    @property
    def name(self) -> str:
        """As it stands before the symbols of a venue that is not the default one."""

    @property
    def capabilities(self) -> Capabilities: ...

    @property
    def budget(self) -> RequestBudget:
        """Of requests, those before the start included."""

    @property
    def proxy(self) -> str | None:
        """The proxy it is reached through, as it may be shown."""
        return None

    def stream(self, listening: Listening) -> Stream: ...

    def rest(self, judge: Judge | None = None) -> Rest: ...

    def archive(self) -> Archive | None:
        """The site of its daily files, where there is one."""
        return None

    def recorder(self, watch: Sequence[str], writer: FrameWriter, stale_s: float) -> Recorder:
        """Of its raw frames.

        Raises:
            SettingsError: where they cannot be played again.
        """
        raise SettingsError(f"frames of {self.name} cannot be recorded", cure=f"record symbols of {DEFAULT_VENUE}")
