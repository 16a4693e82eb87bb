"""What is asked over HTTP: every endpoint of the OpenAPI document, with every parameter, and every metric in depth."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode

import httpx

from tools.digests.compare import Renames
from tools.digests.data import World, iso
from tools.digests.shape import Texts, condensed

Json = Any
METHODS = ("get", "put", "post", "delete", "patch")
PAST = (0.35, 0.7)  # shares of a world at which it is asked as of a past moment

# Values of each parameter that has no choices of its own in the document, by its name of today.
VALUES: Mapping[str, Callable[[World], list[str]]] = {
    "symbol": lambda w: [w.symbols[0], w.symbols[-1].lower()],
    "y": lambda w: [w.symbols[1]],
    "x": lambda w: [w.symbols[0]],
    "interval": lambda w: [w.intervals[0], w.intervals[1], w.merged[0]],
    "window": lambda w: ["60", "120m" if w.intervals[0] == "1m" else "5m"],
    "from": lambda w: [str(w.at_ms(0.3)), iso(w.at_ms(0.5))],
    "to": lambda w: [str(w.at_ms(0.6)), iso(w.at_ms(0.8))],
    "limit": lambda w: ["1", "50"],
    "metrics": lambda w: ["bar", "all"],
    "symbols": lambda w: [f"{w.symbols[1]},{w.symbols[0]}"],
    "cut": lambda w: ["0.5", "1.3"],
    "id": lambda w: ["1"],
}
DEFAULT_ROWS = 500
ALERTS = "alerts"  # first part of addresses, and a parameter
TERMS = ("method", "prices", "intercept")  # of a pair


@dataclass(slots=True)
class Seen:
    """What was asked for and what came, to be held against what there is."""

    endpoints: set[str] = field(default_factory=set)  # that answered
    parameters: set[str] = field(default_factory=set)
    unknown_parameters: set[str] = field(default_factory=set)
    metrics: set[str] = field(default_factory=set)  # scope and name, with a value
    silent_metrics: set[str] = field(default_factory=set)
    arguments: set[str] = field(default_factory=set)  # of metrics
    codes: set[str] = field(default_factory=set)
    messages: set[str] = field(default_factory=set)
    topics: set[str] = field(default_factory=set)
    told: set[str] = field(default_factory=set)  # fields of the client's messages
    settings: set[str] = field(default_factory=set)
    commands: set[str] = field(default_factory=set)

    def take_code(self, answer: Json) -> None:
        if isinstance(answer, dict) and isinstance(answer.get("error"), dict):
            self.codes.add(str(answer["error"].get("code")))


class Asker:
    """Asks one server, and keeps what it answers."""

    def __init__(self, client: httpx.Client, world: World, texts: Texts, seen: Seen, renames: Renames) -> None:
        self._client = client
        self._world = world
        self._texts = texts
        self._seen = seen
        self._renames = renames
        self._old = renames.old_parameter
        self.openapi: Json = client.get("/openapi.json").json()
        self.catalogue: Json = client.get("/metrics/catalogue").json()
        self.found: dict[str, Json] = {}

    def ask(self, method: str, target: str, **options: Any) -> Json:
        """One request, once."""
        key = f"{method} {target}"
        if key not in self.found:
            answer = self._client.request(method, target, **options)
            kept: dict[str, Json] = {"status": answer.status_code}
            kept |= {name: answer.headers[name] for name in ("allow", "retry-after") if name in answer.headers}
            body = answer.json()
            self._seen.take_code(body)
            kept["body"] = condensed(self._texts.of(body))
            self.found[key] = kept
            return body
        return None

    # --- every endpoint ---

    def everything(self, *, writes: bool) -> None:
        """Each endpoint, with each parameter at each of its values, one at a time; but for those of alerts.

        What rules do tells of the moment at which they were made.
        """
        for path, methods in self.openapi["paths"].items():
            if path.split("/")[1] == ALERTS:
                continue
            for method in METHODS:
                if method in methods and (method == "get") != writes and "x-websocket" not in methods[method]:
                    self._endpoint(method.upper(), path, methods[method])

    def _endpoint(self, method: str, path: str, operation: Json) -> None:
        parameters = operation["parameters"]
        needed = {one["name"]: self._values(one)[0] for one in parameters if one["required"]}
        for given in self._variants(method, path, parameters, needed):
            target = path
            query = dict(given)
            for one in parameters:
                if one["in"] == "path":
                    target = target.replace(f"{{{one['name']}}}", query.pop(one["name"]))
            body = self.ask(method, f"{target}?{urlencode(query)}" if query else target)
            if body is not None and not _is_refusal(body):
                self._seen.endpoints.add(f"{method} {path}")
                self._seen.parameters |= {f"{method} {path} {name}" for name in given}

    def _variants(self, method: str, path: str, parameters: Json, needed: dict[str, str]) -> Iterator[dict[str, str]]:
        yield needed
        for one in parameters:
            name, values = one["name"], self._values(one)
            if name == ALERTS:
                continue
            if not values:
                self._seen.unknown_parameters.add(f"{method} {path} {name}")
                continue
            for value in values:
                yield needed | {name: value}
            without = {key: value for key, value in needed.items() if key != name}
            for alias in one.get("x-aliases", ()):
                if alias == self._old(name):  # as it was asked before, in the words of then
                    yield from (without | {alias: self._renames.old_word(value)} for value in values)
                else:
                    yield without | {alias: values[0]}

    def _values(self, parameter: Json) -> list[str]:
        schema = parameter["schema"]
        if "enum" in schema:
            return [str(each) for each in schema["enum"]]
        if schema.get("type") == "boolean":
            return ["true", "false"]
        values = VALUES.get(self._old(parameter["name"]))
        return values(self._world) if values else []

    def what_of(self) -> Json:
        """The parameter that tells what correlations are of: the only one with choices, whatever its name."""
        (found,) = (
            one for one in self.openapi["paths"]["/correlations"]["get"]["parameters"] if "enum" in one["schema"]
        )
        return found

    # --- every metric, in depth ---

    def metrics(self) -> None:
        """Each metric of symbols and pairs: at several times, windows, intervals, terms; now, and as series."""
        self._of_symbols()
        self._of_pairs()
        self._matrices()
        self._with_arguments()

    def _of_symbols(self) -> None:
        world = self._world
        for symbol, interval, window in itertools.product(world.symbols, world.intervals[:2], world.windows):
            about = {"interval": interval, "window": window, "metrics": "all"}
            self._note("symbol", self._get(f"/analytics/{symbol}", about))
        for symbol in world.symbols:
            for interval, window in itertools.product((world.intervals[0], world.merged[0]), world.windows[:1]):
                about = {"interval": interval, "window": window, "metrics": "all", "limit": 40}
                for share in PAST:
                    self._get(f"/analytics/{symbol}/series", about | {"to": world.at_ms(share)})
            about = {"interval": world.intervals[0], "window": world.windows[-1], "limit": 1_000}
            self._get(f"/analytics/{symbol}/series", about)

    def _of_pairs(self) -> None:
        world = self._world
        terms = self._terms()
        for (y, x), window in itertools.product(world.pairs, world.windows):
            about = {"y": y, "x": x, "interval": world.intervals[0], "window": window}
            self._note("pair", self._get("/analytics/pair", about | {"tests": "true", "limit": 1_000}))
            for share in PAST:
                past = about | {"metrics": "all", "to": world.at_ms(share), "limit": 200}
                self._note("pair", self._get("/analytics/pair", past))
        y, x = world.pairs[0]
        for each, window, interval in itertools.product(
            terms, world.windows[-2:], (world.intervals[0], world.merged[0])
        ):
            about = {"y": y, "x": x, "interval": interval, "window": window, "limit": 300} | each
            self._note("pair", self._get("/analytics/pair", about | {"metrics": "all"}))
        for each in terms:
            about = {"y": y, "x": x, "interval": world.intervals[1], "window": world.windows[0]} | each
            self._note("pair", self._get("/analytics/pair", about | {"tests": "true", "to": world.at_ms(PAST[1])}))

    def _terms(self) -> list[dict[str, str]]:
        """All ways to measure a pair that the document names."""
        known = {one["name"]: one for one in self.openapi["paths"]["/analytics/pair"]["get"]["parameters"]}
        names = [name for name in known if self._old(name) in TERMS]
        assert len(names) == len(TERMS), f"expected the parameters {', '.join(TERMS)}, was {', '.join(known)}"
        return [
            dict(zip(names, each, strict=True))
            for each in itertools.product(*(self._values(known[name]) for name in names))
        ]

    def _matrices(self) -> None:
        world = self._world
        of = self.what_of()
        for path in ("/correlations", "/clustering"):
            for kind, window, interval in itertools.product(
                self._values(of), world.windows, (world.intervals[0], world.merged[0])
            ):
                about = {of["name"]: kind, "window": window, "interval": interval}
                self._get(path, about)
                self._get(path, about | {"to": world.at_ms(PAST[0])})

    def _with_arguments(self) -> None:
        """Each argument of each metric by itself, at values that its entry allows: a new one changes no question."""
        world = self._world
        window = {"interval": world.intervals[0], "window": world.windows[-1]}
        y, x = world.pairs[0]
        targets = {"symbol": f"/analytics/{world.symbols[0]}", "pair": "/analytics/pair"}
        about = {"symbol": window, "pair": {"y": y, "x": x} | window | {"limit": 1}}
        for metric in self.catalogue:
            name, scope = metric["name"], metric["scope"]
            for one in metric["parameters"]:
                asked = ",".join(f"{name}:{one['name']}={value}" for value in _argument_values(one))
                self._get(targets[scope], about[scope] | {"metrics": asked})
                self._seen.arguments.add(f"{scope} {name}:{one['name']}")

    # --- every bar and trade ---

    def bars(self) -> None:
        """All bars, of memory and of the disk, and the newest trades."""
        world = self._world
        known = {one["name"]: one for one in self.openapi["paths"]["/ohlc"]["get"]["parameters"]}
        most = int(known["limit"]["schema"]["maximum"])
        for symbol, interval in itertools.product(world.symbols, (*world.intervals, *world.merged)):
            about = {"symbol": symbol, "interval": interval, "from": world.from_ms, "to": world.to_ms, "limit": most}
            self._get("/ohlc", about)
            if interval in world.intervals:
                self._get("/ohlc", about | {"stored": "true"})
        for symbol in world.symbols:
            self._get("/ticks/latest", {"symbol": symbol, "limit": most})

    def _get(self, path: str, query: Mapping[str, object]) -> Json:
        return self.ask("GET", f"{path}?{urlencode(query)}")

    def _note(self, scope: str, answer: Json) -> None:
        """Which metrics had a value."""
        for name, told in ((answer or {}).get("metrics") or {}).items():
            key = f"{scope} {name.partition(':')[0]}"
            (self._seen.silent_metrics if told.get("value") is None else self._seen.metrics).add(key)


def _is_refusal(body: Json) -> bool:
    """A job has an error too, which is null while it has not failed."""
    return isinstance(body, dict) and body.get("error") is not None


def _argument_values(parameter: Json) -> list[str]:
    if parameter["choices"]:
        return [str(each) for each in parameter["choices"]]
    default = parameter["default"]
    beside = [default, default * 2, parameter["low"]]
    kept = [each for each in beside if each is not None and (parameter["high"] is None or each <= parameter["high"])]
    whole = parameter["kind"] == "int"
    return list(dict.fromkeys(str(int(each)) if whole else repr(float(each)) for each in kept))
