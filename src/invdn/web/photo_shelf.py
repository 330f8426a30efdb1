"""The photographs that were sent: taken in, found, listed, removed."""

import asyncio
import os
import shutil
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from .database import Database
from .errors import ProblemError
from .jobs import StoredPhoto, photo_name
from .quota import Leases, Quota, Scratch
from .state import StateFolder
from .tasks import Inspection
from .upload import Upload

_STRAY_SECONDS = 60.0  # between the making of a folder and its entry lie milliseconds


class PhotoShelf:
    """Photographs in the state folder.

    Args:
        state: where their files lie.
        table: where they are listed.
        quota: counts their bytes.
        leases: who is in use.
        clock: the time in seconds.
    """

    def __init__(
        self,
        state: StateFolder,
        table: Database,
        quota: Quota,
        leases: Leases,
        clock: Callable[[], float],
    ) -> None:
        self._state = state
        self._table = table
        self._quota = quota
        self._leases = leases
        self._clock = clock

    async def keep(
        self, scratch: Scratch, path: Path, upload: Upload, inspection: Inspection, *, owned: bool
    ) -> StoredPhoto:
        """Keep a photograph that has come.

        Args:
            scratch: the folder that it came into.
            path: its file there.
            upload: what came.
            inspection: what was found in its head.
            owned: it goes with its last job.
        """
        photo = StoredPhoto(
            scratch.id,
            scratch.client,
            self._state.photo_folder(scratch.id),
            path.name,
            photo_name(upload.name, upload.format),
            upload.size,
            inspection,
            self._clock(),
            owned,
        )
        if self._state.durable:
            await asyncio.to_thread(_flush, path)
        photo.folder.mkdir(mode=0o700)
        path.rename(photo.path)
        self._table.add_photo(photo)
        self._quota.refresh()
        scratch.remove()
        return photo

    def find(self, identifier: str) -> StoredPhoto:
        """Return a photograph; asking keeps it from being removed.

        Raises:
            ProblemError: there is none.
        """
        photo = self._table.photo(identifier)
        if photo is None:
            raise ProblemError(
                "not-found",
                "there is no such photograph; those that nobody uses are removed, so send it again",
            )
        return photo

    def list(self, before: str | None, limit: int) -> list[StoredPhoto]:
        """Return the newest photographs that are older than one."""
        return self._table.photos(before, limit)

    def remove(self, photo: StoredPhoto) -> None:
        """Remove a photograph; work on it is not disturbed."""
        self._table.remove_photo(photo.id)
        self.sweep(float("-inf"))

    def discard(self, photo: StoredPhoto) -> None:
        """Remove a photograph that came with a job, if none of its jobs is left."""
        if photo.owned and not self._table.jobs_of(photo.id):
            self.remove(photo)

    def sweep(self, expired: float) -> None:
        """Remove what nobody has wanted since a time, and what no job needs any more."""
        for photo in self._table.superfluous_photos(expired):
            if photo.id not in self._leases:
                shutil.rmtree(photo.folder, ignore_errors=True)
                self._table.forget_photo(photo.id)
                self._quota.refresh()

    def remove_strays(self) -> None:
        """Remove folders that a crash left without an entry."""
        for kind in ("photos", "jobs"):
            known = self._table.known(kind)
            for folder in (self._state.root / kind).iterdir():
                with suppress(OSError):
                    old = time.time() - folder.stat().st_mtime > _STRAY_SECONDS
                    if old and folder.name not in known:
                        shutil.rmtree(folder, ignore_errors=True)


def _flush(path: Path) -> None:
    """Return when a file is on the disk itself."""
    with path.open("rb") as file:
        os.fsync(file.fileno())
