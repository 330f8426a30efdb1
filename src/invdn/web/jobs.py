"""A photograph that was sent, and the work on it: one row of a table each."""

from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import Literal

from ..inference import DenoiseOptions
from ..photo.formats import RAW_SUFFIXES, SUFFIXES, WRITTEN_AS, suffix_of_format
from .errors import ProblemError
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
    "jxl": "image/jxl",
}
_DISPLAYABLE = ("jpeg", "png", "webp")
_LONGEST_STEM = 150
_SAME_PACE = 1.25  # passes that take so much longer than those before are no slower pace yet
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
    """A photograph that was sent; what the table says of it.

    Attributes:
        id: unguessable name.
        client: who sent it.
        folder: where its file lies.
        file: the file's name.
        name: what its owner calls it.
        size: bytes.
        inspection: format, size in pixels, and depth.
        touched: when it was last used, in seconds of the clock.
        owned: it came with a job, and goes with its last one.
        removed: its owner does not want it any more; jobs that wait for it still use it.
    """

    id: str
    client: str
    folder: Path
    file: str
    name: str
    size: int
    inspection: Inspection
    touched: float
    owned: bool = False
    removed: bool = False

    @property
    def path(self) -> Path:
        """The file."""
        return self.folder / self.file

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
    """Return a file name without folders and oddities, with a suffix that fits the format.

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


@dataclass(frozen=True)
class Output:
    """How the result is written; by default as its photograph was.

    Attributes:
        output_format: one of :data:`MEDIA_TYPES` that can be written.
        jpeg_quality: 1 to 100, for JPEG, WebP and AVIF.
        strip_metadata: leave out EXIF, XMP and the like; colours and orientation stay.
    """

    output_format: str | None = None
    jpeg_quality: int | None = None
    strip_metadata: bool = False


AS_IT_WAS = Output()


@dataclass(frozen=True)
class Job:
    """The work on one photograph; what the table says of it.

    Attributes:
        number: order of coming.
        id: unguessable name.
        client: who asks.
        photo: which.
        options: how.
        output: how the result is written.
        draft: by the fast model, where the service has one.
        folder: where its attempts lie.
        once: nobody can ask for another look, and nobody for the result after the answer.
        state: how far it is.
        owner: the server that works on it, or did.
        attempts: how often the work was begun.
        done: passes of the network that are done.
        total: passes in all; 0 as long as nobody knows.
        outcome: of a job that is done.
        problem: of a job that failed, or was cancelled by the service.
        created: seconds of the clock.
        started: when the last attempt began.
        ends: when it probably ends, as of the last pass.
        finished: when it ended.
        touched: when somebody last asked for it.
        version: grows with every change.
    """

    number: int
    id: str
    client: str
    photo: StoredPhoto
    options: DenoiseOptions
    output: Output
    draft: bool
    folder: Path
    once: bool
    state: State
    owner: str
    attempts: int
    done: int
    total: int
    outcome: Denoised | None
    problem: ProblemError | None
    created: float
    started: float | None
    ends: float | None
    finished: float | None
    touched: float
    version: int

    @property
    def attempt_folder(self) -> Path:
        """Where the files of the last attempt lie, apart from those of one that died."""
        return self.folder / str(self.attempts)

    @property
    def result_name(self) -> str:
        """What the result is called."""
        if self.output.output_format is None:
            return self.photo.result_name
        suffix = suffix_of_format(self.output.output_format)
        return f"{PurePosixPath(self.photo.result_name).stem}{suffix}"

    @property
    def result_media_type(self) -> str:
        """Of the result."""
        kind = self.output.output_format
        return MEDIA_TYPES[kind] if kind else self.photo.result_media_type

    @property
    def result(self) -> Path:
        """The file of the result, once it is there."""
        return self.attempt_folder / f"result{PurePosixPath(self.result_name).suffix}"

    @property
    def prediction(self) -> Path:
        """The file of what the network predicted, if it is kept for another strength."""
        return self.attempt_folder / "prediction"

    @property
    def predicted_bytes(self) -> int:
        """Bytes of the prediction that another result can be blended from."""
        return self.outcome.predicted if self.outcome else 0

    @property
    def is_final(self) -> bool:
        """Whether nothing more will happen to it."""
        return self.state in FINAL

    @property
    def progress(self) -> float:
        """Part of the work that is done, 0 to 1."""
        if self.state == "done":
            return 1.0
        return self.done / self.total if self.total else 0.0

    def seconds_left(self, now: float) -> float | None:
        """Return the seconds that the rest will take, if one can tell.

        They only become fewer until the next pass is done; where that is overdue, they are those of
        the passes behind it.
        """
        if self.state != "running" or self.ends is None or self.started is None:
            return None
        each = (self.ends - self.started) / self.total
        return max(0.0, self.ends - now, (self.total - self.done - 1) * each)

    def after_pass(self, done: int, total: int, now: float) -> "Job":
        """Return it when some passes are done, with the end that their pace promises.

        What was promised before stands unless the pace is a different one.
        """
        left = max(0.0, now - (self.started or now)) * (total - done) / max(1, done)
        promised = self.seconds_left(now)
        if promised is not None and promised < left <= _SAME_PACE * promised:
            left = promised
        return replace(self, done=done, total=total, ends=now + left)
