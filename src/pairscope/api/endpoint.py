"""An endpoint is one record: from it come the route, the reading of its parameters and its documentation."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal, Protocol

import msgspec
from starlette.exceptions import HTTPException
from starlette.types import Receive, Scope, Send

from pairscope.alerts.alerts import Alerts
from pairscope.alerts.desk import RuleDesk
from pairscope.api import wire
from pairscope.api.alert_topic import AlertFeed
from pairscope.api.bar_cache import EncodedBars
from pairscope.api.body import read_body
from pairscope.api.caller import asked_by, receive_of_request, who_asks
from pairscope.api.errors import ClientGone
from pairscope.api.gates import Gates
from pairscope.api.query import Parameter, Query
from pairscope.base.clock import Clock
from pairscope.base.errors import Meanings, RequestError
from pairscope.base.settings import Settings
from pairscope.jobs.job import Job
from pairscope.jobs.queue import Jobs
from pairscope.live.analysis import Analyses
from pairscope.live.market import Market
from pairscope.store.tape import Tape

_encode = msgspec.json.Encoder().encode


class Board(Protocol):
    """What the running system says of itself."""

    def status(self) -> wire.Status: ...

    def health(self) -> wire.Health: ...

    def config(self) -> wire.Config: ...

    def tape(self) -> wire.TapeStatus:
        """Reads the disk: for a thread."""


class Watched(Protocol):
    """Where symbols are added and removed."""

    async def add(self, symbol: str) -> None: ...

    async def remove(self, symbol: str) -> None: ...


class TapeJobs(Protocol):
    """Where long work is asked for."""

    jobs: Jobs

    def download(self, symbol: str, first: str, last: str) -> Job:
        """Have the official files of some days of a symbol imported."""

    def bring(self, files: Sequence[str]) -> Job:
        """Have files below the folder of imports imported."""

    def verify(self, symbols: Sequence[str], first: str | None, last: str | None) -> Job:
        """Have the tape compared with itself."""


@dataclass(frozen=True, slots=True)
class Rooms:
    """What there is to answer from."""

    market: Market
    tape: Tape
    watched: Watched
    board: Board
    tape_jobs: TapeJobs
    alerts: Alerts
    clock: Clock


@dataclass(frozen=True, slots=True)
class Context:
    """What the endpoints answer from."""

    settings: Settings
    rooms: Rooms
    studies: Analyses
    desk: RuleDesk
    alert_feed: AlertFeed
    status: Callable[[], wire.Status]  # the board's, with what only the application knows
    gates: Gates = field(default_factory=Gates)
    encoded_bars: EncodedBars = field(default_factory=EncodedBars)

    @property
    def live(self) -> Market:
        return self.rooms.market

    @property
    def store(self) -> Tape:
        return self.rooms.tape


class LookedAt(RequestError):
    """A change of the state of a data folder of which a tape is only looked at."""

    code = "looked_at"
    http_status = 409
    meanings: ClassVar[Meanings] = {
        "looked_at": (
            "rules or channels of alerts were to be changed where a tape is only looked at",
            "start pairscope without `--source tape` on that data folder, and change them there",
        )
    }


_NOT_LOOKED_AT = "start pairscope without --source tape to change rules and channels"


def always_ok(_: Any) -> int:
    return 200


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One address of the API; `answer` is the type of what `handler` gives."""

    path: str
    group: str
    summary: str
    description: str
    answer: Any
    handler: Callable[[Context, Query], Awaitable[Any]]
    example: str
    body: Any = None  # the type of what is sent with a request; None: nothing is
    body_read_as: Any = None  # another type, of one that says itself what is wrong with it
    example_body: Any = None
    parameters: tuple[Parameter, ...] = ()
    writes_disk: bool = False  # which may be full: HTTP 507
    writes_state: bool = False  # of the data folder: not of a tape that is only looked at
    may_be_refused: bool = False  # as things are: HTTP 409
    method: str = "GET"
    is_read: bool = False  # of a method other than GET: it is asked with a body, and changes nothing
    status: Callable[[Any], int] = always_ok
    other_statuses: tuple[tuple[int, str], ...] = ()  # with the answer itself as body

    @property
    def operation(self) -> str:
        return self.handler.__name__

    @property
    def scope(self) -> Literal["read", "write"]:
        """Whether it changes something.

        One that does must be out of reach of pages of other sites. The guard refuses them by what their browser tells
        of them; a browser that tells nothing still asks first before it sends any method but GET and POST, and any body
        that is called JSON. So a POST that changes something has a body, be it an empty one.
        """
        return "read" if self.method == "GET" or self.is_read else "write"

    def names(self) -> dict[str, Parameter]:
        """The parameters by every accepted name of theirs."""
        return {
            alias: parameter
            for parameter in self.parameters
            for alias in (parameter.name, *(parameter.aliases if parameter.where == "query" else ()))
        }


class ByMethod:
    """All endpoints of one address, which also says which methods it has.

    Were that left to the router, a method that one address lacks would be looked for at another that matches it too:
    DELETE of /alerts/rules at /alerts/{id}.
    """

    def __init__(self, served: Mapping[str, Served]) -> None:
        self.__name__ = "_".join(one.__name__ for one in served.values())
        self._served = dict(served)
        if "GET" in served:
            self._served["HEAD"] = served["GET"]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        served = self._served.get(scope["method"])
        if served is None:
            raise HTTPException(405, headers={"Allow": ", ".join(self._served)})
        await served(scope, receive, send)


class Served:
    """An endpoint as an ASGI application; plain, because it is on the path of every chart."""

    def __init__(self, endpoint: Endpoint, context: Context) -> None:
        self.__name__ = endpoint.operation
        self._endpoint = endpoint
        self._context = context
        self._names = endpoint.names()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        endpoint = self._endpoint
        query = Query(self._names, scope["query_string"], scope["path_params"])
        receive_of_request.set(receive)
        asked_by.set(who_asks(scope))
        try:
            if endpoint.writes_state and not self._context.rooms.alerts.is_on:
                raise LookedAt("a tape is looked at: nothing of its data folder is changed", cure=_NOT_LOOKED_AT)
            if endpoint.body is not None:
                kind = endpoint.body_read_as or endpoint.body
                query.body = await read_body(scope, receive, kind, endpoint.example_body)
            answer = await endpoint.handler(self._context, query)
        except ClientGone:
            return
        body = _encode(answer)
        headers = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(body))]
        await send({"type": "http.response.start", "status": endpoint.status(answer), "headers": headers})
        await send({"type": "http.response.body", "body": body})
