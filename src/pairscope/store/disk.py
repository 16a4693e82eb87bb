"""What is done to files outside DuckDB: the few calls that can fail, in one place where tests let them fail."""

from __future__ import annotations

import hashlib
import shutil
from pathlib import Path

from pairscope.base import files

_HASHED_AT_ONCE = 1 << 20


class Disk:
    """The machine's files. Every method raises OSError when the machine does."""

    def make_folder(self, folder: Path) -> None:
        """Make a folder and those above it, so that they are there after a power cut."""
        missing = [above for above in (folder, *folder.parents) if not above.exists()]
        folder.mkdir(parents=True, exist_ok=True)
        for made in reversed(missing):
            self.sync(made.parent)

    def sync(self, path: Path) -> None:
        """Return when a file, or the names in a folder, are on the disk."""
        files.sync(path)

    def rename(self, old: Path, new: Path) -> None:
        """Give a file another name, which is there after a power cut."""
        files.rename(old, new)
        self.sync(new.parent)

    def remove(self, path: Path) -> None:
        """Remove a file, if it is there, and the folders above it that are empty now: of its symbol, venue and day."""
        path.unlink(missing_ok=True)
        for folder in list(path.parents)[:3]:
            if any(folder.iterdir()):
                return
            folder.rmdir()

    def stamp(self, path: Path) -> tuple[int, int]:
        """Size in bytes and time of the last change in ns."""
        found = path.stat()
        return found.st_size, found.st_mtime_ns

    def sha256(self, path: Path) -> str:
        """The checksum of a file's content."""
        digest = hashlib.sha256()
        with path.open("rb") as file:
            while piece := file.read(_HASHED_AT_ONCE):
                digest.update(piece)
        return digest.hexdigest()

    def free_bytes(self, folder: Path) -> int:
        """Space left on the volume of a folder that is there."""
        return shutil.disk_usage(folder).free
