"""One kind of news: who has it tells, who asked to be told is called."""

from __future__ import annotations

from collections.abc import Callable
from typing import Generic, ParamSpec

P = ParamSpec("P")


class Notifier(Generic[P]):
    """Called by who has the news, in its own thread; it calls the listeners in the order in which they came.

    It is made before either side, so that two parts can tell each other something without one being set into the other
    after both were made.

    >>> heard = []
    >>> changed: Notifier[[int]] = Notifier()
    >>> changed.listen(heard.append)
    >>> changed(7)
    >>> heard
    [7]
    """

    def __init__(self) -> None:
        self._listeners: list[Callable[P, object]] = []

    def listen(self, listener: Callable[P, object]) -> None:
        """Be called from now on."""
        self._listeners.append(listener)

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> None:
        for listener in list(self._listeners):
            listener(*args, **kwargs)
