"""What a running server answers to a command."""

from __future__ import annotations

from typing import Any, TypeVar

import httpx
import msgspec

from pairscope.api import wire
from pairscope.base.errors import DataFolderError, PairscopeError

Answer = TypeVar("Answer")


def ask(client: httpx.Client, address: str, kind: type[Answer], **parameters: Any) -> Answer:
    """The answer of the server a client is for.

    Raises:
        DataFolderError: when it cannot be asked; its tape can then not be looked at either.
        PairscopeError: when it refuses, with the cure it gives.
    """
    try:
        answer = client.get(address, params={name: str(value) for name, value in parameters.items()})
        if answer.is_error:
            error = msgspec.json.decode(answer.content, type=wire.ErrorAnswer).error
            raise PairscopeError(f"{address}: {error.message}", cure=error.cure)
        return msgspec.json.decode(answer.content, type=kind)
    except (httpx.HTTPError, msgspec.DecodeError) as error:
        raise DataFolderError(
            f"the pairscope at {client.base_url} cannot be asked: {error}", cure="stop it, or look at its log"
        ) from error
