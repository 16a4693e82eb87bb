"""Long work on a running server: what may be asked for, what comes of it, and each way in which it is refused or fails.

The server follows a simulated exchange as it would the real one, so that files may be imported beside the feed. What is
kept is of files and symbols that the exchange sends nothing of: it is the same in every run.
"""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import psutil
from websockets.sync.client import connect

from tools.digests.asks import Asker, Seen
from tools.digests.commands import Commands
from tools.digests.data import World
from tools.digests.process import Failed, Server, Simulator
from tools.digests.shape import GONE, Texts, condensed
from tools.digests.topics import FORMS

Json = Any
OVER = ("done", "failed", "cancelled")
PATIENCE_S, POLL_S = 300.0, 0.02
WATCHED = "SOLUSDT"  # of which no file is imported
DAY = "2026-03-02"
ODD = f"ETHUSDT-aggTrades-{DAY}.csv"
TOO_LONG = 70_000  # characters


def refused(asker: Asker) -> None:
    """Jobs that a server of a tape or a recording cannot do."""
    asked: Mapping[str, Json] = {
        "download": {"kind": "import", "symbol": "BTCUSDT", "from": DAY},
        "files": {"kind": "import", "files": [ODD]},
        "verify NOSUCHUSDT": {"kind": "verify", "symbols": ["NOSUCHUSDT"]},
    }
    if "/jobs" in asker.openapi["paths"]:
        for name, body in asked.items():
            asker.ask("POST", f"/jobs#{name}", json=body)


def of_a_server(folder: Path, world: World, texts: Texts, seen: Seen) -> dict[str, Json]:
    """Everything about jobs; `world` has the files that are imported."""
    data = folder / "jobs data"
    imports = data / "imports"
    imports.mkdir(parents=True)
    for path in world.files:
        shutil.copy(path, imports)
    (imports / ODD).write_text("hello\n")
    with Simulator(folder) as exchange:
        seen.commands.add("simulator")
        with Server(folder, data, "--source", "live", "--symbols", WATCHED, *exchange.flags) as server:
            server.ready()
            asking = Asking(server, texts, seen)
            asking.refusals()
            asking.results([path.name for path in world.files])
            asking.a_full_queue()
            asking.a_worker_that_is_killed()
            asking.topic("at the end")
            commands = Commands(folder, texts, seen)
            commands.run(
                "alerts, nothing to send again", "alerts", "replay", "--messages", "none", "--data-dir", str(data)
            )
            with server.standing_still():
                place = ("--json", "--data-dir", str(data))
                commands.run("doctor, while the server does not answer", "doctor", *place, code="not_answered")
    return asking.found | {"commands": commands.found}


class Asking:
    """Asks for jobs, and keeps what is answered under what was asked for: numbers of jobs tell the time."""

    def __init__(self, server: Server, texts: Texts, seen: Seen) -> None:
        self.found: dict[str, Json] = {}
        self._server = server
        self._texts = texts
        self._seen = seen
        self._names: dict[int, str] = {}  # of jobs

    # --- one request ---

    def ask(self, name: str, method: str, path: str, job: int | None = None, **options: Any) -> Json:
        """One request, of one job or all."""
        answer = self._server.client.request(method, path if job is None else f"/jobs/{job}", **options)
        body = answer.json()
        self._seen.take_code(body)
        if answer.is_success:
            self._seen.endpoints.add(f"{method} {path}")
            self._seen.parameters |= {f"{method} {path} id"} if job is not None else set()
        if answer.is_success and method == "POST":
            self._names[body["id"]] = name
        kept: dict[str, Json] = {"status": answer.status_code}
        kept |= {header: answer.headers[header] for header in ("retry-after",) if header in answer.headers}
        self.found[name if job is None else f"{name}: {method} {path}"] = kept | {"body": self._kept(body)}
        return body

    def _kept(self, body: Json) -> Json:
        return condensed(self._texts.of(self._named(body)))

    def _named(self, value: Json) -> Json:
        """The same with jobs by their names, and without how far one that runs is just now."""
        if isinstance(value, dict):
            if value.get("state") in ("running", "cancelling", "failed", "cancelled"):
                value = value | {"share": GONE}
            if value.get("state") == "running":
                value = value | {"words": GONE}
            return {key: self._named(each) for key, each in value.items()}
        if isinstance(value, list):
            return [self._named(each) for each in value]
        if isinstance(value, int):
            return f"~{self._names[value]}" if value in self._names else value
        if isinstance(value, str):
            for number, name in self._names.items():
                value = value.replace(str(number), f"~{name}")
        return value

    def _submit(self, name: str, **order: Any) -> int:
        return int(self.ask(name, "POST", "/jobs", json=order)["id"])

    def _over(self, name: str, job: int) -> None:
        """Wait until a job is over, and keep what came of it."""
        self._until(lambda: self._job(job)["state"] in OVER)
        self.ask(name, "GET", "/jobs/{id}", job)

    def _job(self, job: int) -> Json:
        return self._server.client.get(f"/jobs/{job}").json()

    @staticmethod
    def _until(condition: Any) -> Any:
        deadline_s = time.monotonic() + PATIENCE_S
        while not (found := condition()):
            if time.monotonic() > deadline_s:
                raise Failed("a job did not get there")
            time.sleep(POLL_S)
        return found

    # --- what is refused at once ---

    def refusals(self) -> None:
        bodies = {
            "a body that is too long": json.dumps({"kind": "verify", "symbols": ["A" * TOO_LONG]}),
            "half a body": '{"kind": "verify"',
            "a kind that is none": '{"kind": "dance"}',
            "a field that is none": '{"kind": "verify", "symbol": "BTCUSDT"}',
            "a field given twice": '{"kind": "verify", "symbols": [], "symbols": []}',
        }
        for name, body in bodies.items():
            self.ask(name, "POST", "/jobs", content=body, headers={"content-type": "application/json"})
        self.ask("a body that is not called JSON", "POST", "/jobs", content='{"kind": "verify"}')
        orders: Mapping[str, Json] = {
            "an import of nothing": {"kind": "import"},
            "an import without a day": {"kind": "import", "symbol": "BTCUSDT"},
            "an import of a symbol and files": {"kind": "import", "symbol": "BTCUSDT", "files": [ODD]},
            "an import of days swapped": {"kind": "import", "symbol": "BTCUSDT", "from": DAY, "to": "2026-03-01"},
            "an import of no day": {"kind": "import", "symbol": "BTCUSDT", "from": "yesterday"},
            "an import of too many days": {"kind": "import", "symbol": "BTCUSDT", "from": "2023-01-01", "to": DAY},
            "an import of a file that is not there": {"kind": "import", "files": ["missing.zip"]},
            "an import of a file elsewhere": {"kind": "import", "files": ["../state.sqlite"]},
            "a verification of an unknown symbol": {"kind": "verify", "symbols": ["NOSUCHUSDT"]},
            "a verification of days swapped": {"kind": "verify", "from": DAY, "to": "2026-03-01"},
        }
        for name, order in orders.items():
            self.ask(name, "POST", "/jobs", json=order)

    # --- what comes of jobs ---

    def results(self, files: list[str]) -> None:
        self.ask("no job yet", "GET", "/jobs")
        orders: Mapping[str, Json] = {
            "an import of files": {"kind": "import", "files": files},
            "the same once more": {"kind": "import", "files": files},
            "an import of a damaged file": {"kind": "import", "files": [ODD]},
            "an import of all there is": {"kind": "import", "files": ["."]},
            "a download of an unknown symbol": {"kind": "import", "symbol": "NOSUCHUSDT", "from": DAY},
            "a verification": {"kind": "verify", "symbols": ["BTCUSDT", "ETHUSDT", "XRPUSDT"]},
            "a verification of a day without trades": {"kind": "verify", "symbols": ["XRPUSDT"], "to": "2026-03-01"},
        }
        for name, order in orders.items():
            self._over(name, self._submit(name, **order))

    def a_full_queue(self) -> None:
        """A job is held by its worker that stands still; as many wait behind it as may, and are cancelled."""
        held, worker = self._held("held")
        worker.suspend()
        most = int(self._server.client.get("/jobs").json()["waiting_limit"])
        waiting = [self._submit(f"waits {number}", kind="verify", symbols=["XRPUSDT"]) for number in range(most)]
        self.ask("one more than may wait", "POST", "/jobs", json={"kind": "verify"})
        if self._job(held)["state"] != "running":
            raise Failed("the job was over before its worker could be held")
        self.topic("while a job is held")
        for number, job in enumerate(waiting):
            self.ask(f"waits {number}", "DELETE", "/jobs/{id}", job)
        self.ask("waits 0, once more", "DELETE", "/jobs/{id}", waiting[0])
        self.ask("held", "DELETE", "/jobs/{id}", held)
        self._over("held", held)

    def a_worker_that_is_killed(self) -> None:
        job, worker = self._held("killed")
        worker.kill()
        self._over("killed", job)

    def _held(self, name: str) -> tuple[int, psutil.Process]:
        """A job, and the process that works on it."""
        job = self._submit(name, kind="verify", symbols=["XRPUSDT"])
        return job, self._until(self._server.worker)

    # --- the topic ---

    def topic(self, when: str) -> None:
        """What the topic tells, in both forms, which are the same of it."""
        for form in FORMS:
            address = f"{self._server.url.replace('http', 'ws')}/ws"
            with connect(address, max_size=None, compression=None, proxy=None) as socket:
                socket.send(json.dumps({"op": "sub", "topic": "jobs", "updates": form}))
                message = json.loads(socket.recv(timeout=PATIENCE_S))
                while message["type"] == "ping":
                    message = json.loads(socket.recv(timeout=PATIENCE_S))
            self._seen.messages.add(message["type"])
            self._seen.topics.add(f"{form} jobs")
            del message["seq"]  # begins with the time
            self.found[f"{form} jobs, {when}"] = self._kept(message)
