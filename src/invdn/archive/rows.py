"""The work on one photograph of an archive, and on many: bytes from a store to bytes in a store."""

import io
import mimetypes
import threading
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from ..batch import Status, StopEvent
from ..errors import (
    AccessError,
    BusyStoreError,
    ChangedObjectError,
    FullStoreError,
    ImageError,
    InputError,
    InvDNError,
    MissingDependencyError,
    MissingObjectError,
    ObjectExistsError,
    OutputError,
    StoreError,
)
from ..inference import ContentResult, Engine, FileResult, denoise_content
from ..stores import Entry, Store, join
from .naming import Naming, digest_of
from .row import Row
from .settings import WorkSettings

#: Photographs that are fetched while another is in the network.
_AHEAD = 2
#: The work ends when the store was busy or refused access for this many photographs in a row.
_PATIENCE = 3
#: What a result notes of its making, in the metadata of its object.
_KEY, _SOURCE = "invdnkey", "invdnsource"
_SETTINGS, _MODEL, _VERSION = "invdnsettings", "invdnmodel", "invdnversion"
_ENGINE = "invdnengine"  # for people: of dtype auto, which precision the machine took
_KINDS: tuple[tuple[type[Exception], str], ...] = (
    (ImageError, "unreadable"),
    (MissingObjectError, "missing"),
    (ChangedObjectError, "changed"),
    (AccessError, "access"),
    (MissingDependencyError, "dependency"),
    (ObjectExistsError, "conflict"),
    (OutputError, "output"),
    (InputError, "input"),
    (StoreError, "store"),
    (MemoryError, "memory"),
)


@dataclass(frozen=True)
class RowFacts:
    """What is known of a denoised photograph; as in :class:`~invdn.inference.FileResult`.

    Attributes:
        width: pixels of the result.
        height: pixels.
        depth: type of a sample.
        seconds: from reading to the encoded result, without the store.
        noise_level: as found.
        warning: what lies outside the training, if anything does.
        remarks: what the owner should know.
        strength_found: by automatic strength.
        noise_removed: by automatic strength.
    """

    width: int
    height: int
    depth: str
    seconds: float
    noise_level: float | None = None
    warning: str | None = None
    remarks: tuple[str, ...] = ()
    strength_found: float | None = None
    noise_removed: float | None = None

    @classmethod
    def of(cls, result: FileResult) -> "RowFacts":
        """Take them from a result."""
        return cls(**{name: getattr(result, name) for name in cls.__dataclass_fields__})


@dataclass(frozen=True)
class RowOutcome:
    """What became of one photograph.

    Attributes:
        row: the photograph.
        number: its place among the rows.
        target: the key of its result, as far as it is known.
        status: done, skipped, failed, or left.
        kind: of failure, in one word: ``unreadable``, ``missing``, ``changed`` ...; ``busy`` of
            what was left since a store did not serve.
        reason: in words.
        facts: of a result that was made.
        etag: of the result.
    """

    row: Row
    number: int
    target: str
    status: Status
    kind: str = ""
    reason: str = ""
    facts: RowFacts | None = None
    etag: str | None = None


class _Stopped(Exception):  # noqa: N818  not an error
    """Ends the work on a photograph from within its progress."""


class RowWorker:
    """Denoises the photographs of a store into another.

    While one is in the network, the next are fetched and the last is written; decoded pixels are
    held of as many as are in the network only.

    Args:
        source: where photographs are read.
        target: where results are written.
        naming: names of results.
        settings: how to denoise.
        engine: the network, ready to run.
        stop: ends the work soon and cleanly, from any thread.
        jobs: photographs in the network at a time.

    Attributes:
        hopeless: the kind of failure that ended the work, since it would meet all that is left:
            ``busy``, ``full``, ``access``, ``dependency``; empty: none.
    """

    def __init__(
        self,
        source: Store,
        target: Store,
        naming: Naming,
        settings: WorkSettings,
        engine: Engine,
        stop: StopEvent,
        jobs: int = 1,
    ) -> None:
        self._source = source
        self._target = target
        self._naming = naming
        self._settings = settings
        self._engine = engine
        self._stop = stop
        self._jobs = jobs
        self.hopeless = ""
        self._in_a_row = 0
        self._network = threading.BoundedSemaphore(jobs)
        self._notes = {
            _SETTINGS: settings.digest,
            _MODEL: settings.model_digest(),
            _VERSION: settings.edition,
        }

    def outcomes(self, rows: Iterable[Row]) -> Iterator[RowOutcome]:
        """Do all rows, and tell what became of them, in their order.

        Rows are taken as they are needed, and nothing is kept of those that are reported. After a
        stop the remaining ones are left, and not reported.
        """
        threads = self._jobs + _AHEAD
        waiting: deque[Future[RowOutcome]] = deque()
        with ThreadPoolExecutor(threads, thread_name_prefix="invdn") as pool:
            try:
                for number, row in enumerate(rows):
                    if self._stop.requested:
                        break
                    waiting.append(pool.submit(self, row, number))
                    if len(waiting) > threads:
                        yield self._judged(waiting.popleft().result())
                while waiting:
                    yield self._judged(waiting.popleft().result())
            except BusyStoreError as error:  # of the rows
                self.hopeless = "busy"
                self._stop.request(str(error))
                raise
            except BaseException:  # nobody asks any more: do not wait for what is in work
                self._stop.request("it was abandoned")
                raise

    def _judged(self, outcome: RowOutcome) -> RowOutcome:
        """End the work where an outcome tells that there is no hope."""
        self._in_a_row = self._in_a_row + 1 if outcome.kind in ("busy", "access") else 0
        if self._in_a_row == _PATIENCE or outcome.kind in ("full", "dependency"):
            self.hopeless = self.hopeless or outcome.kind
            self._stop.request(outcome.reason)
        return outcome

    def __call__(self, row: Row, number: int = 0) -> RowOutcome:
        """Do one photograph; whatever goes wrong is in what is returned."""
        target = ""
        try:
            if self._stop.requested:
                return RowOutcome(row, number, target, "left")
            target = self._naming.target(row.key)
            return self._do(row, number, target)
        except _Stopped:
            return RowOutcome(row, number, target, "left")
        except BusyStoreError as error:
            return RowOutcome(row, number, target, "left", "busy", str(error))
        except FullStoreError as error:
            self._stop.request("there is no room for results")
            return RowOutcome(row, number, target, "left", "full", str(error))
        except InvDNError as error:
            return RowOutcome(row, number, target, "failed", _kind(error), str(error))
        except Exception as error:  # noqa: BLE001  one photograph must not end an archive
            reason = f"cannot denoise {row.key!r}: {type(error).__name__}: {error}".rstrip(": ")
            return RowOutcome(row, number, target, "failed", _kind(error), reason)

    def _do(self, row: Row, number: int, target: str) -> RowOutcome:
        etag = row.etag
        if etag is None:
            found = self._source.head(row.key)
            if found is None:
                raise MissingObjectError(f"there is no {join(self._source.url, row.key)}")
            etag = found.etag
        notes = {**self._notes, _KEY: digest_of(row.key), _SOURCE: _ascii(etag or "")}
        existing = self._target.head(target)
        if reason := self._reason_to_skip(existing, notes, target):
            return RowOutcome(row, number, target, "skipped", "", reason)
        content, entry = self._source.fetch(row.key, etag)
        named = self._naming.target(row.key, content)
        if named != target:  # the ending of the photograph does not tell the truth
            target = named
            existing = self._target.head(target)
            if reason := self._reason_to_skip(existing, notes, target):
                return RowOutcome(row, number, target, "skipped", "", reason)
        with self._network:
            result = self._denoised(row, target, content)
        del content
        self._copy_sidecars(row, target, result)
        return self._written(row, number, target, result, notes, existing, entry)

    def _denoised(self, row: Row, target: str, content: bytes) -> ContentResult:
        def progress(done: int, total: int) -> None:
            if self._stop.requested:
                raise _Stopped

        progress(0, 1)
        settings = self._settings
        return denoise_content(
            self._engine,
            io.BytesIO(content),
            Path(PurePosixPath(row.key)),
            Path(PurePosixPath(target)),
            settings.options,
            settings.files,
            progress,
            row.beside,
        )

    def _written(
        self,
        row: Row,
        number: int,
        target: str,
        result: ContentResult,
        notes: dict[str, str],
        existing: Entry | None,
        source: Entry,
    ) -> RowOutcome:
        how: dict[str, Any] = {
            "metadata": {**notes, _ENGINE: _ascii(self._engine.description)},
            "content_type": mimetypes.guess_type(target)[0],
            "mode": source.mode,
        }
        facts = RowFacts.of(result.facts)
        try:
            if existing is None:
                entry = self._target.create(target, result.content, **how)
            else:
                how["etag"] = existing.etag
                entry = self._target.replace(target, result.content, **how)
        except (ObjectExistsError, ChangedObjectError):
            # another worker was first
            found = self._target.head(target)
            if found is None:
                raise BusyStoreError(f"{join(self._target.url, target)} came and went") from None
            if reason := self._reason_to_skip(found, notes, target):
                reason = f"{reason}; it was made meanwhile"
                return RowOutcome(row, number, target, "skipped", "", reason)
            raise
        return RowOutcome(row, number, target, "done", "", "", facts, entry.etag)

    def _copy_sidecars(self, row: Row, target: str, result: ContentResult) -> None:
        """Copy what belongs to the photograph; before the result, whose being there ends it."""
        before, behind = (key.rpartition("/")[0] for key in (row.key, target))
        for name, copy in result.sidecars:
            content, entry = self._source.fetch(f"{before}/{name}".lstrip("/"))
            try:
                self._target.create(f"{behind}/{copy}".lstrip("/"), content, mode=entry.mode)
            except ObjectExistsError:
                continue

    def _reason_to_skip(self, existing: Entry | None, notes: dict[str, str], target: str) -> str:
        """Why an object stays as it is; empty: the result is to be written.

        Raises:
            ObjectExistsError: it is something else, and stays.
        """
        if existing is None:
            return ""
        found = existing.metadata
        if found is None:  # the store has no place for notes: the name must do
            return "its result exists"
        if all(found.get(name) == value for name, value in notes.items()):
            return "its result exists"
        what = join(self._target.url, target)
        if found.get(_KEY) not in (None, notes[_KEY]):
            raise ObjectExistsError(
                f"{what} is the result of another photograph: tell them apart with --name"
            )
        difference = _difference(found, notes)
        match self._settings.existing:
            case "skip":
                return f"its result exists, but {difference}"
            case "replace":
                return ""
            case _:
                raise ObjectExistsError(
                    f"{what} exists, but {difference}: choose another target, or --on-conflict "
                    "overwrite (make it anew) or skip (leave it)"
                )


def _difference(found: Any, notes: dict[str, str]) -> str:
    if _KEY not in found:
        return "was not made by invdn"
    if found.get(_SOURCE) != notes[_SOURCE]:
        return "is of an earlier state of its photograph"
    if found.get(_MODEL) != notes[_MODEL]:
        return "was made with another model"
    if found.get(_VERSION) != notes[_VERSION]:
        return f"was made by version {found.get(_VERSION, 'before 0.2')}"
    return "was made with other settings"


def _kind(error: Exception) -> str:
    return next((kind for known, kind in _KINDS if isinstance(error, known)), "internal")


def _ascii(etag: str) -> str:
    """An etag as metadata may hold it: without quotes, and nothing but ASCII."""
    return etag.strip('"').encode("ascii", "backslashreplace").decode()
