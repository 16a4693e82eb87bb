"""The folder of sealed files: whether each can be trusted, and where those go that cannot.

A file is hashed in full before its first use, and again when its size or its time of change is another; the sweep
hashes the others in their turn. Nothing that fails is read again: it goes to ``quarantine/``.
"""

from __future__ import annotations

import errno
import threading
from collections.abc import Callable
from pathlib import Path

import structlog

from pairscope.base.errors import DataFolderError, StoreUnavailable
from pairscope.base.notifier import Notifier
from pairscope.store.disk import Disk
from pairscope.store.sealed_catalog import PATTERNS, Part, number_of

log = structlog.get_logger()

QUARANTINE = "quarantine"
DRAFT = ".draft"  # a file that is being written

_NO_LONGER_READABLE = {errno.EIO, errno.EISDIR}


def days_folder(path: Path) -> Path:
    """Where the sealed days of a tape lie: ``tape.days`` beside ``tape.duckdb``."""
    return path.with_suffix(".days")


class SealedFiles:
    """Knows every sealed file by its row in the list. Methods may be called from any thread."""

    def __init__(self, root: Path, disk: Disk, damaged: list[Part], *, keeps_unlisted: bool = False) -> None:
        """`keeps_unlisted`: after a damaged log, whose lost part may have listed them."""
        self.root = root
        self.disk = disk
        self._trusted: dict[int, tuple[int, int]] = {}  # by the number of the part: its stamp when it was hashed
        self._lock = threading.Lock()  # guards the next two
        self._damaged = {part.number for part in damaged}
        self._retired: list[tuple[int, Path]] = []  # with the last read that may still need it
        self.damaged: Notifier[[Part, str]] = Notifier()  # of each part that can no longer be read, by who notices
        self._keeps_unlisted = keeps_unlisted

    def path(self, part: Part) -> Path:
        return self.root / part.path

    def trusts(self, part: Part) -> bool:
        """Whether a part can be read; its file is hashed when that has not been done since it changed.

        Raises:
            StoreUnavailable: when the file cannot be looked at for now.
        """
        return self._judged(part, lambda stamp: self._trusted.get(part.number) != stamp)

    def trusts_after_hashing(self, part: Part) -> bool:
        """As `trusts`, hashed afresh."""
        return self._judged(part, lambda stamp: True)

    def is_there(self, part: Part) -> bool:
        """Whether the file of a part is there in its full length; cheap, for all of them at opening."""
        return self._judged(part, lambda stamp: False)

    def _judged(self, part: Part, to_be_hashed: Callable[[tuple[int, int]], bool]) -> bool:
        if part.number in self._damaged:
            return False
        damage = self._damage_of(part, to_be_hashed)
        if damage is None:
            return True
        with self._lock:
            news = part.number not in self._damaged
            self._damaged.add(part.number)
        if news:
            log.error("sealed_file_damaged", file=str(part), damage=damage, rows=part.row_count)
            self.damaged(part, damage)
        return False

    def _damage_of(self, part: Part, to_be_hashed: Callable[[tuple[int, int]], bool]) -> str | None:
        path = self.path(part)
        try:
            stamp = self.disk.stamp(path)
            if stamp[0] != part.byte_count:
                return f"{stamp[0]} bytes instead of {part.byte_count}"
            if to_be_hashed(stamp):
                if self.disk.sha256(path) != part.sha256:
                    return "its checksum is another"
                self._trusted[part.number] = stamp
        except (FileNotFoundError, NotADirectoryError):
            return "missing"
        except OSError as error:
            if error.errno in _NO_LONGER_READABLE:
                return f"unreadable: {error.strerror}"
            raise StoreUnavailable(f"the sealed file {path} cannot be read: {error.strerror}") from error
        return None

    def doubt(self, parts: list[Part]) -> None:
        """Forget that these were hashed: reading one of them failed."""
        for part in parts:
            self._trusted.pop(part.number, None)

    def quarantine(self, path: Path) -> None:
        """Move a file out of the way, if it is there, under a name that tells where it was."""
        if not path.exists():
            return
        target = self.root / QUARANTINE / "_".join(path.relative_to(self.root).parts)
        try:
            self.disk.make_folder(target.parent)
            self.disk.rename(path, target)
        except OSError as error:
            log.warning("quarantine_failed", file=str(path), cause=str(error))

    def quarantined_files(self) -> dict[Path, int]:
        """The files in quarantine, and their bytes."""
        folder = self.root / QUARANTINE
        try:
            return {file: self.disk.stamp(file)[0] for file in sorted(folder.iterdir())}
        except OSError:  # there is none, or one went while we looked
            return {}

    def retire(self, path: Path, last_read: int) -> None:
        """Have a file removed when the reads begun until now, which may need it, have ended."""
        with self._lock:
            self._retired.append((last_read, path))

    def remove_retired(self, reads_ended: int) -> None:
        """Remove the retired files that no read needs any more; those that cannot be are tried again."""
        with self._lock:
            due = [entry for entry in self._retired if entry[0] <= reads_ended]
            self._retired = [entry for entry in self._retired if entry[0] > reads_ended]
        for entry in due:
            if not self.remove(entry[1]):
                self.retire(entry[1], entry[0])

    def remove(self, path: Path) -> bool:
        """Remove a file nobody needs; False when that failed."""
        try:
            self.disk.remove(path)
        except OSError as error:
            log.warning("file_not_removed", file=str(path), cause=str(error))
            return not path.exists()
        return True

    def make_sure_of_root(self, files: int) -> None:
        """Refuse to open a tape whose sealed days are all gone.

        Raises:
            DataFolderError: when the folder is missing.
        """
        if not self.root.is_dir():
            raise DataFolderError(
                f"the folder of sealed days {self.root} is missing, and {files} files with it",
                cure="put it back (is its disk mounted?), or make an empty one to go on without those days",
            )

    def tidy(self, readable: list[Part], damaged: list[Part], highest_given: int) -> None:
        """Clear up what a crash left, before any file is made.

        An unlisted file whose number was given out is the rest of a crash: its rows are in the open table or in the
        file that took its place. One with another number belongs to a tape this one knows nothing of, and is only
        moved to the quarantine.
        """
        listed = {self.path(part) for part in readable}
        lost = {self.path(part) for part in damaged}
        for kind in ("trades", "bars"):
            found = {path for pattern in PATTERNS for path in (self.root / kind).glob(pattern) if not path.is_dir()}
            for path in sorted(found):
                number = number_of(path)
                if path.name.endswith(DRAFT):
                    self.remove(path)
                elif path in lost or (number is not None and number > highest_given):
                    self.quarantine(path)
                elif number is not None and path not in listed:
                    if self._keeps_unlisted:
                        self.quarantine(path)
                    else:
                        self.remove(path)
