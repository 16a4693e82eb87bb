"""The site of the official daily files: what it has, and downloads in bounded memory."""

from __future__ import annotations

import asyncio
import hashlib
from datetime import date
from pathlib import Path

import httpx

from pairscope.base import files
from pairscope.base.clock import Clock, now_ms
from pairscope.base.errors import ArchiveError, FeedUnavailable
from pairscope.feed.access import Access, http_client, unreachable
from pairscope.feed.archive_files import ArchiveFiles, ArchiveKind
from pairscope.feed.binance.archive import archive_name, told_checksum
from pairscope.feed.binance.archive_reading import FILES
from pairscope.feed.retry_after import retry_after_s, until_text

_CHUNK = 1 << 20
PAUSE_429_S = 60.0  # when it does not say how long
CURE_451 = "use a --proxy in a place it serves, or give downloaded files to: pairscope import"


class ArchiveSite:
    """Use as ``async with ArchiveSite(url) as site``."""

    files: ArchiveFiles = FILES

    def __init__(self, base_url: str, clock: Clock, *, access: Access | None = None, timeout_s: float = 20.0) -> None:
        self._clock = clock
        self._access = access or Access.direct(self._clock)
        self._url = base_url
        self.door = self._access.limits.door(base_url)
        self._client = http_client(base_url, self._access, timeout_s=timeout_s)

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
        self._ask_not_too_soon()
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
        self._ask_not_too_soon()
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
        return files.rename(draft, target)

    def _ask_not_too_soon(self) -> None:
        if self.door.wait_s > 0:
            raise FeedUnavailable(
                f"{self._client.base_url.host} asked us to wait ({self.door.why}): "
                f"it is asked again at {until_text(self.door.next_allowed_ms)}",
                cure="try again then",
                code="asked_to_wait",
                retry_after_s=self.door.wait_s,
            )

    def _check(self, answer: httpx.Response) -> None:
        status = answer.status_code
        if status == 200:
            return
        wait_s = retry_after_s(answer.headers, now_ms(self._clock))
        if wait_s is None and status == 429:
            wait_s = PAUSE_429_S
        if wait_s is not None:
            self.door.forbid(wait_s, f"HTTP {status}")
        raise FeedUnavailable(
            f"{self._client.base_url.host} refused with HTTP {status}",
            cure=CURE_451 if status == 451 else "download the files elsewhere and give them to: pairscope import",
            code=f"http_{status}",
            retry_after_s=wait_s,
        )

    def _unreachable(self, error: httpx.HTTPError) -> FeedUnavailable:
        return unreachable(self._url, self._access, error, cure="check the network and archive_url")


def _path(symbol: str, kind: ArchiveKind, day: date) -> str:
    """Where a daily file of USD-M futures lies.

    >>> _path("BTCUSDT", ArchiveKind.AGG, date(2024, 8, 8))
    '/data/futures/um/daily/aggTrades/BTCUSDT/BTCUSDT-aggTrades-2024-08-08.zip'
    """
    return f"/data/futures/um/daily/{kind}/{symbol}/{archive_name(symbol, kind, day)}.zip"
