"""A photograph that was sent, and the work on it, as the service remembers them."""

import asyncio
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import Literal

from ..inference import DenoiseOptions
from ..photo.formats import RAW_SUFFIXES, SUFFIXES, WRITTEN_AS, suffix_of_format
from .errors import ProblemError
from .queue import QueueSlot
from .storage import StoredFolder
from .tasks import Denoised, Inspection

State = Literal["queued", "running", "done", "failed", "cancelled"]
FINAL: tuple[State, ...] = ("done", "failed", "cancelled")

MEDIA_TYPES = {
    "jpeg": "image/jpeg",
    "png": "image/png",
    "tiff": "image/tiff",
    "webp": "image/webp",
    "avif": "image/avif",
    "heic": "image/heic",
}
_DISPLAYABLE = ("jpeg", "png", "webp")
_LONGEST_STEM = 150
#: Formats that a name may have: many raw files look like TIFF files from within.
_BY_NAME: dict[str, tuple[str, ...]] = {suffix: (name,) for suffix, name in SUFFIXES.items()}
_BY_NAME |= dict.fromkeys(RAW_SUFFIXES, ("raw", "tiff"))
_BY_NAME |= dict.fromkeys((".heic", ".heif", ".hif"), ("heic",))
_BY_NAME |= dict.fromkeys((".jp2", ".j2k", ".jpf", ".jpx"), ("jp2",))
_BY_NAME |= dict.fromkeys((".ppm", ".pgm", ".pbm", ".pnm"), ("ppm",))
#: Formats that are read and never written, with their usual endings.
_READ_ONLY = {name: f".{name}" for name in ("heic", "jp2", "bmp", "ppm", "gif")} | {"raw": ".dng"}
_BY_NAME |= {_READ_ONLY[name]: (name,) for name in ("bmp", "gif")}


@dataclass(frozen=True)
class StoredPhoto:
    """A photograph that was sent.

    Attributes:
        kept: the folder that it lies in.
        path: its file.
        name: what its owner calls it.
        size: bytes.
        inspection: format, size in pixels, and depth.
    """

    kept: StoredFolder
    path: Path
    name: str
    size: int
    inspection: Inspection

    @property
    def format(self) -> str:
        """By its content."""
        return self.inspection.format

    @property
    def media_type(self) -> str:
        """Of the file."""
        return MEDIA_TYPES.get(self.format, "application/octet-stream")

    @property
    def result_media_type(self) -> str:
        """Of the result: a format that can only be read has another one in its place."""
        return MEDIA_TYPES[WRITTEN_AS.get(self.format, self.format)]

    @property
    def displayable(self) -> bool:
        """Whether a browser can show the file as it is."""
        return self.format in _DISPLAYABLE and self.inspection.depth == "uint8"

    @property
    def result_name(self) -> str:
        """What the result is called."""
        path = PurePosixPath(self.name)
        suffix = path.suffix
        if written := WRITTEN_AS.get(self.format):
            suffix = suffix_of_format(written)
        return f"{path.stem}_denoised{suffix}"


def photo_name(given: str, name: str) -> str:
    """A file name without folders and oddities, with a suffix that fits the format.

    Args:
        given: by the client, or nothing.
        name: of the format.

    Example:
        >>> photo_name("C:\\\\pictures\\\\Tree.JPG", "jpeg"), photo_name("../x.exe", "png")
        ('Tree.JPG', 'x.png')
        >>> photo_name("moon.gif", "gif"), photo_name("moon", "jp2"), photo_name("moon.pgm", "ppm")
        ('moon.gif', 'moon.jp2', 'moon.pgm')
    """
    last = PureWindowsPath(given).name  # knows both kinds of slashes
    path = PurePosixPath("".join(c for c in last if c.isprintable()).strip(". ") or "photo")
    suffix = path.suffix
    if name not in _BY_NAME.get(suffix.lower(), ()):
        suffix = _READ_ONLY.get(name) or suffix_of_format(name)
    return f"{path.stem[:_LONGEST_STEM]}{suffix}"


class Job:
    """The work on one photograph.

    Attributes:
        photo: which.
        options: how.
        kept: where the result lies.
        result: its file, once it is there.
        once: nobody can ask for another look.
        prediction: the file of what the network predicted, if it is kept for another strength.
        state: how far it is.
        outcome: of a job that is done.
        problem: of a job that failed, or was cancelled by the service.
        collected: somebody has fetched the result, or knows that there is none.
    """

    def __init__(
        self,
        photo: StoredPhoto,
        options: DenoiseOptions,
        kept: StoredFolder,
        *,
        once: bool = False,
    ) -> None:
        self.photo = photo
        self.options = options
        self.kept = kept
        self.result = kept.folder / f"result{PurePosixPath(photo.result_name).suffix}"
        self.once = once
        self.prediction: Path | None = None
        self.state: State = "queued"
        self.outcome: Denoised | None = None
        self.problem: ProblemError | None = None
        self.collected = False
        self.created = now()
        self.started: datetime | None = None
        self.finished: datetime | None = None
        self.ticket: QueueSlot | None = None
        self.task: asyncio.Task[None] | None = None
        self._started_clock = 0.0
        self._done, self._total = 0, 0
        self._changed = asyncio.Event()

    @property
    def id(self) -> str:
        """Unguessable name."""
        return self.kept.id

    @property
    def is_final(self) -> bool:
        """Whether nothing more will happen to it."""
        return self.state in FINAL

    @property
    def progress(self) -> float:
        """Part of the work that is done, 0 to 1."""
        if self.state == "done":
            return 1.0
        return self._done / self._total if self._total else 0.0

    @property
    def seconds_left(self) -> float | None:
        """Seconds that the rest will take at the present pace."""
        if self.state != "running" or not self._done:
            return None
        elapsed = time.monotonic() - self._started_clock
        return elapsed * (self._total - self._done) / self._done

    @property
    def predicted_bytes(self) -> int:
        """Bytes of the prediction that another result can be blended from."""
        return self.outcome.predicted if self.outcome and self.prediction else 0

    def forget_prediction(self) -> None:
        """Remove what the network predicted."""
        if self.prediction:
            self.kept.count(-self.predicted_bytes)
            self.prediction.unlink(missing_ok=True)
            self.prediction = None

    def begin(self) -> None:
        """Its turn has come."""
        self.state = "running"
        self.started, self._started_clock = now(), time.monotonic()
        self._tell()

    def passed(self, done: int, total: int) -> None:
        """The network has made so many passes."""
        self._done, self._total = done, total
        self._tell()

    def end(
        self, state: State, outcome: Denoised | None = None, problem: ProblemError | None = None
    ) -> None:
        """Nothing more will happen."""
        self.state, self.outcome = state, outcome
        self.problem = problem or self.problem
        self.finished = now()
        self._tell()

    @property
    def changed(self) -> asyncio.Event:
        """Set at the next change; take it before you look at the job."""
        return self._changed

    def _tell(self) -> None:
        self._changed.set()
        self._changed = asyncio.Event()


def now() -> datetime:
    """The time, to the second, in UTC."""
    return datetime.now(UTC).replace(microsecond=0)
