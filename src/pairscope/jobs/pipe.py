"""What a worker process and its parent say to each other: pickled records, each after its length."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from dataclasses import dataclass
from typing import IO, Any

LENGTH_BYTES = 8


@dataclass(frozen=True, slots=True)
class Task:
    """To the worker: what it is to do. `path` is where modules are found."""

    path: list[str]
    call: bytes  # the function and its arguments: to be unpickled when the path is known


@dataclass(frozen=True, slots=True)
class Told:
    """From the worker, while it works."""

    share: float
    words: str


@dataclass(frozen=True, slots=True)
class Done:
    """From the worker, at the end."""

    result: Any


@dataclass(frozen=True, slots=True)
class Failed:
    """From the worker, at the end."""

    error: BaseException
    trace: str


Message = Told | Done | Failed


def packed(message: Task | Message) -> bytes:
    """A record with its length before it."""
    body = pickle.dumps(message)
    return len(body).to_bytes(LENGTH_BYTES, "big") + body


def task(path: list[str], function: Callable[..., Any], arguments: tuple[Any, ...]) -> Task:
    """A task for a worker.

    Raises:
        TypeError, AttributeError, pickle.PicklingError: when the function is not of the top level of a module, or an
            argument is no plain data.
    """
    return Task(path, pickle.dumps((function, arguments)))


def read(stream: IO[bytes]) -> Any:
    """The next record of a stream.

    Raises:
        EOFError: when there is none.
    """
    head = stream.read(LENGTH_BYTES)
    if len(head) < LENGTH_BYTES:
        raise EOFError
    length = int.from_bytes(head, "big")
    body = stream.read(length)
    if len(body) < length:
        raise EOFError
    return pickle.loads(body)  # of our own child or parent
