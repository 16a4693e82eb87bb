"""The site of the official daily files: what it has, and downloads in bounded memory."""

from __future__ import annotations

import asyncio
import hashlib
from datetime import date
from pathlib import Path

import httpx

from pairscope.base import files
from pairscope.base.errors import ArchiveError, FeedUnavailable
from pairscope.feed.binance.archive import ArchiveKind, archive_name, told_checksum

_CHUNK = 1 << 20


class ArchiveSite:
    """Use as ``async with ArchiveSite(url) as site``."""

    def __init__(self, base_url: str, *, timeout_s: float = 20.0) -> None:
        self._client = httpx.AsyncClient(base_url=base_url, timeout=timeout_s)

    async def __aenter__(self) -> ArchiveSite:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._client.aclose()

    async def checksum(self, symbol: str, kind: ArchiveKind, day: date) -> str | None:
        """The SHA-256 of a day's file; None while there is no such file.

        Raises:
            FeedUnavailable: when the site cannot be reached or refuses.
            ArchiveError: when its answer is no checksum of that file.
        """
        path = _path(symbol, kind, day)
        try:
            answer = await self._client.get(f"{path}.CHECKSUM")
        except httpx.HTTPError as error:
            raise self._unreachable(error) from error
        if answer.status_code == 404:
            return None
        self._check(answer)
        return told_checksum(answer.text, path.rpartition("/")[2])

    async def fetch(self, symbol: str, kind: ArchiveKind, day: date, sha256: str, folder: Path) -> Path:
        """Download a day's file into a folder; it is only there under its name when it is whole.

        Raises:
            FeedUnavailable: when the site cannot be reached or refuses.
            ArchiveError: when what came is not the file of that checksum.
            FileNotWritten: when the folder cannot be written.
        """
        path = _path(symbol, kind, day)
        target = folder / path.rpartition("/")[2]
        draft = target.with_suffix(".part")
        digest = hashlib.sha256()
        try:
            await asyncio.to_thread(folder.mkdir, parents=True, exist_ok=True)
            async with self._client.stream("GET", path) as answer:
                self._check(answer)
                with draft.open("wb") as file:
                    async for chunk in answer.aiter_bytes(_CHUNK):
                        digest.update(chunk)
                        file.write(chunk)
        except httpx.HTTPError as error:
            files.remove_quietly(draft)
            raise self._unreachable(error) from error
        except OSError as error:
            files.remove_quietly(draft)
            raise files.not_written(target, error) from error
        if digest.hexdigest() != sha256:
            files.remove_quietly(draft)
            raise ArchiveError(f"{target.name} came damaged: its SHA-256 is not the official one", cure="try again")
        return draft.replace(target)

    def _check(self, answer: httpx.Response) -> None:
        if answer.status_code != 200:
            raise FeedUnavailable(
                f"{self._client.base_url.host} refused with HTTP {answer.status_code}",
                cure="download the files elsewhere and give them to: pairscope import",
                code=f"http_{answer.status_code}",
            )

    def _unreachable(self, error: httpx.HTTPError) -> FeedUnavailable:
        return FeedUnavailable(
            f"{self._client.base_url.host} cannot be reached ({type(error).__name__})",
            cure="check the network and archive_url",
            code="unreachable",
        )


def _path(symbol: str, kind: ArchiveKind, day: date) -> str:
    """Where a daily file of USD-M futures lies.

    >>> _path("BTCUSDT", ArchiveKind.AGG, date(2024, 8, 8))
    '/data/futures/um/daily/aggTrades/BTCUSDT/BTCUSDT-aggTrades-2024-08-08.zip'
    """
    return f"/data/futures/um/daily/{kind}/{symbol}/{archive_name(symbol, kind, day)}.zip"
