"""A batch: jobs shared by several workers, outcomes in the order of the plan.

A result is claimed while it is made, so that two runs at once do not make the same one. A claim is
an empty file beside the result that its run holds locked. The system ends the lock with the
process, however that ends; so a claim that can be locked is nobody's any more.
"""

import errno
import hashlib
import os
import re
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

from ..atomic import (
    ensure_folder,
    lock_descriptor,
    output_error,
    remove_stale_temporary_files,
)
from ..errors import ImageError, InvDNError, OutputError
from .megapixels import megapixels_of
from .plan import (
    Identity,
    InputIndex,
    Job,
    Listing,
    Stamp,
    identity,
    is_regular,
    modified,
    stamp_of,
)

_HOPELESS = {errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOSPC, errno.EDQUOT}
_PATIENCE = 100
_NO_FOLLOW = getattr(os, "O_NOFOLLOW", 0)  # Windows has no such flag
_NAME = re.compile(r"\.invdn-[0-9a-f]{16}\.claim")


@contextmanager
def lock_output(target: Path) -> Iterator[bool]:
    """Claim a result while the block runs.

    Where the place knows no locks (some network drives), it counts as ours: the worst is then that
    work is done twice, since no result is overwritten unasked. Where no file can be made, there
    can be no result either, and that is known before the work is done.

    Args:
        target: the file to be made; its folder exists.

    Yields:
        Whether the claim is ours; False: a living run has it.

    Raises:
        OutputError: the folder is read-only, or the disk is full.

    Example:
        >>> import tempfile
        >>> target = Path(tempfile.mkdtemp()) / "a.jpg"
        >>> with lock_output(target) as ours, lock_output(target) as theirs:
        ...     ours, theirs
        (True, False)
        >>> list(target.parent.iterdir())
        []
    """
    digest = hashlib.sha256(os.fsencode(target.name)).hexdigest()[:16]
    claim = target.with_name(f".invdn-{digest}.claim")
    try:
        descriptor = _hold(claim, os.O_CREAT)
    except BlockingIOError:
        yield False
        return
    except OSError as error:
        if error.errno in _HOPELESS and os.name == "posix":  # Windows refuses what is being removed
            raise output_error(target, error) from error
        descriptor = None
    try:
        yield True
    finally:
        if descriptor is not None:
            _release(claim, descriptor)


def remove_old_claims(folder: Path) -> None:
    """Remove the claims in a folder that no living run holds.

    Example:
        >>> import tempfile
        >>> folder = Path(tempfile.mkdtemp())
        >>> (folder / ".invdn-0123456789abcdef.claim").touch()  # of a run that was killed
        >>> remove_old_claims(folder)
        >>> list(folder.iterdir())
        []
    """
    with suppress(OSError), os.scandir(folder) as entries:
        for entry in entries:
            if not _NAME.fullmatch(entry.name):
                continue
            with suppress(OSError):
                descriptor = _hold(Path(entry.path))
                if descriptor is not None:
                    _release(Path(entry.path), descriptor)


def _release(claim: Path, descriptor: int) -> None:
    """Remove a claim while it is held; on Windows, where nothing that is open can be, after it."""
    with suppress(OSError):
        claim.unlink()
    os.close(descriptor)
    if os.name != "posix":
        with suppress(OSError):
            claim.unlink()


def _hold(claim: Path, creation: int = 0) -> int | None:
    """Open and lock a claim; None where its owner is not known.

    Raises:
        BlockingIOError: a living process holds it.
        OSError: it cannot be opened or locked.
    """
    for _ in range(_PATIENCE):
        try:
            descriptor = os.open(claim, os.O_RDWR | _NO_FOLLOW | creation, 0o666)
        except PermissionError:
            if not os.path.lexists(claim):
                raise
            descriptor = os.open(claim, os.O_RDONLY | _NO_FOLLOW)  # of another user
        try:
            lock_descriptor(descriptor)
            held = os.fstat(descriptor)
            with suppress(FileNotFoundError):  # its holder removed it before we had the lock
                if os.path.samestat(held, claim.stat()):
                    return descriptor
        except OSError:
            os.close(descriptor)
            raise
        os.close(descriptor)
    return None  # the drive gives a file a new number whenever it is asked


class StopEvent:
    """Is requested once, and then stays so.

    Attributes:
        reason: why, in words; empty as long as nobody asked.

    Example:
        >>> stop = StopEvent()
        >>> stop.request("the disk is full")
        >>> stop.requested, stop.reason
        (True, 'the disk is full')
    """

    def __init__(self) -> None:
        self._event = threading.Event()
        self.reason = ""

    @property
    def requested(self) -> bool:
        """Whether anybody asked."""
        return self._event.is_set()

    def request(self, reason: str) -> None:
        """Ask for the end; the first reason stays."""
        self.reason = self.reason or reason
        self._event.set()

    def wait(self, seconds: float) -> bool:
        """Wait for the request, but no longer than this; whether it came."""
        return self._event.wait(seconds)


#: What is done where a result exists: fail, leave it, replace it, replace it if it is older than
#: its photograph, make another beside it under a new name, or change the photograph itself.
Existing = Literal["refuse", "skip", "replace", "renew", "rename", "edit"]
#: What became of a photograph; ``left``: the batch was stopped before it was finished.
Status = Literal["done", "skipped", "failed", "left"]
#: Called with (done, all) of the work on one photograph.
Progress = Callable[[int, int], None]
#: Makes the result of a job. Arguments: the job, whether there is a file to be replaced, and what
#: is to be called now and then; an exception from there must end the work.
Work = Callable[[Job, bool, Progress], Any]
#: Shows the work on one job as long as the context lasts.
Watch = Callable[[Job], AbstractContextManager[Progress]]

IN_WORK = "another run is working on it"
_FULL = {errno.ENOSPC, errno.EDQUOT}


@dataclass(frozen=True)
class Outcome:
    """What became of one photograph.

    Attributes:
        source: the photograph; a path, or the URL of an object.
        target: its result, if it was to have one.
        status: done, skipped, failed, or left.
        reason: why it was skipped or failed.
        result: what the work gave back; None unless done.
    """

    source: Path | str
    target: Path | str | None
    status: Status
    reason: str = ""
    result: Any = None


class _Stopped(Exception):  # noqa: N818  not an error
    """Ends the work on a photograph from within its progress."""


@dataclass
class JobRunner:
    """Does jobs one by one, from any thread.

    Attributes:
        work: makes a result.
        existing: what to do where a result exists.
        stop: ends the work.
        watch: shows it.
        present: targets that existed when the batch began, with their stamps.
        originals: all photographs of the batch, never written over.
    """

    work: Work
    existing: Existing
    stop: StopEvent
    watch: Watch
    present: Mapping[Path, Stamp]
    originals: InputIndex
    _listing: Listing = field(default_factory=Listing)
    _written: dict[Identity, Path] = field(default_factory=dict)

    def __call__(self, job: Job) -> Outcome | None:
        """Return what became of the job; None: another run is working on it."""
        try:
            if self.stop.requested:
                return _outcome(job, "left")
            if job.makes_folder:
                ensure_folder(job.target.parent)
            if self.existing == "rename":
                job = replace(job, target=free_name(job.target))
            if finished := self._finished(job):
                return finished
            with lock_output(job.target) as ours:
                if not ours:
                    return None
                return self._finished(job) or self._do(job)
        except _Stopped:
            return _outcome(job, "left")
        except InvDNError as error:
            if _errno(error) in _FULL:
                self.stop.request("the disk is full")
            return _outcome(job, "failed", str(error))
        except Exception as error:  # noqa: BLE001  one photograph must not end a batch
            reason = f"{type(error).__name__}: {error}".rstrip(": ")
            return _outcome(job, "failed", f"cannot denoise {str(job.source)!r}: {reason}")

    def _finished(self, job: Job) -> Outcome | None:
        """Give the outcome of a job whose result is there and stays; None: there is work to do."""
        if self.existing == "edit" or not os.path.lexists(job.target):
            return None
        self._refuse_what_is_no_result(job)
        if reason := self._reason_to_skip(job):
            return _outcome(job, "skipped", reason)
        if job.target.is_symlink():
            raise _unfit(job, "it is a link, and results are not written through links")
        return None

    def _do(self, job: Job) -> Outcome:
        overwrite = os.path.lexists(job.target)
        with self.watch(job) as progress:
            result = self.work(job, overwrite, self._guarded(job, progress))
        if found := identity(job.target):
            self._written[found] = job.source
        return _outcome(job, "done", result=result)

    def _refuse_what_is_no_result(self, job: Job) -> None:
        """Raise if the target is something else than the result of this photograph."""
        if original := self.originals.behind(job.target):
            raise _unfit(job, f"it is the photograph {str(original)!r}")
        if spelling := self._listing.other_spelling(job.target):
            raise _unfit(job, f"the drive takes it for {spelling!r}")
        found = identity(job.target)
        other = self._written.get(found) if found else None
        if other not in (None, job.source):
            raise _unfit(job, f"{str(other)!r} became it in this run")
        if not is_regular(job.target):
            raise _unfit(job, "something that is no file has that name")

    def _reason_to_skip(self, job: Job) -> str:
        """Return why an existing result stays as it is; empty: it is to be replaced.

        A file appears under the name of a result when it is complete; an empty one is a name that
        a killed run reserved on a drive without links, and holds nothing.

        Raises:
            OutputError: the result exists, and that is refused.
        """
        if stamp_of(job.target) != self.present.get(job.target):
            return "another run made it meanwhile"
        place = job.target.lstat()
        older = place.st_mtime_ns < modified(job.source)
        if self.existing == "refuse":
            raise OutputError(
                f"cannot write {str(job.target)!r}: it exists already; --on-conflict skip leaves "
                "it, overwrite replaces it, rename makes another"
            )
        if self.existing == "replace" or not place.st_size:
            return ""
        if not older:
            return "its result exists"
        renewed = self.existing == "renew"
        return (
            "" if renewed else "its result exists, but is older; --on-conflict overwrite renews it"
        )

    def _guarded(self, job: Job, progress: Progress) -> Progress:
        """Return progress that ends the work when it is to stop, or its photograph has changed.

        It is called between reading and writing; so of a photograph that grew or was replaced
        while it was read nothing is written.
        """
        before = stamp_of(job.source)

        def guarded(done: int, total: int) -> None:
            if self.stop.requested:
                raise _Stopped
            after = stamp_of(job.source)
            if after and after != before:
                raise ImageError(
                    f"cannot read {str(job.source)!r}: it changed meanwhile; denoise it again"
                )
            progress(done, total)

        return guarded


def free_name(target: Path) -> Path:
    """Return the target, or the first of ``a-2.jpg``, ``a-3.jpg`` ... that is not there.

    Example:
        >>> import tempfile
        >>> folder = Path(tempfile.mkdtemp())
        >>> (folder / "a.jpg").touch()
        >>> free_name(folder / "a.jpg").name
        'a-2.jpg'
    """
    name, number = target, 2
    while os.path.lexists(name):
        name = target.with_name(f"{target.stem}-{number}{target.suffix}")
        number += 1
    return name


def _unfit(job: Job, reason: str) -> OutputError:
    return OutputError(f"cannot write {str(job.target)!r}: {reason}; choose another name")


def _outcome(job: Job, status: Status, reason: str = "", result: Any = None) -> Outcome:
    return Outcome(job.source, job.target, status, reason, result)


def _errno(error: BaseException | None) -> int | None:
    """Return the number of the system's error that an error comes from."""
    while error is not None:
        if isinstance(error, OSError):
            return error.errno
        error = error.__cause__
    return None


def _unwatched(_: Job) -> AbstractContextManager[Progress]:
    return nullcontext(lambda done, total: None)


def run_batch(
    jobs: Sequence[Job],
    work: Work,
    *,
    existing: Existing = "refuse",
    workers: int = 1,
    stop: StopEvent | None = None,
    watch: Watch = _unwatched,
) -> Iterator[Outcome]:
    """Do all jobs; a photograph that fails does not stop the others.

    Workers are threads that share what the work uses: while one waits for the network, another
    decodes or encodes. Every one holds a photograph in memory. A second batch on the same
    photographs, in this process or another, takes those that are not yet taken.

    Args:
        jobs: what to do; no two with the same target.
        work: makes a result; called from several threads at once if there are several workers.
        existing: what is done where a result exists.
        workers: photographs at a time, 1 or more.
        stop: ends the batch soon and cleanly, from any thread. A full disk requests it too.
        watch: shows the work on a photograph; called in the worker's thread.

    Yields:
        An outcome for every job in the order of the jobs, except that those that another run
        works on come last.

    Example:
        >>> import tempfile
        >>> from pathlib import Path
        >>> folder = Path(tempfile.mkdtemp())
        >>> job = Job(folder / "a.jpg", folder / "b.jpg")
        >>> [outcome.status for outcome in run_batch([job], lambda job, overwrite, progress: 1)]
        ['done']
    """
    stop = stop or StopEvent()
    for folder in {job.target.parent for job in jobs}:
        remove_stale_temporary_files(folder)
        remove_old_claims(folder)
    attempt = JobRunner(
        work,
        existing,
        stop,
        watch,
        present={job.target: stamp for job in jobs if (stamp := stamp_of(job.target))},
        originals=InputIndex(job.source for job in jobs),
    )
    busy = []
    with ThreadPoolExecutor(workers, thread_name_prefix="invdn") as pool:
        try:
            for job, outcome in zip(jobs, pool.map(attempt, jobs), strict=True):
                if outcome is None:
                    busy.append(job)
                else:
                    yield outcome
        except BaseException:  # nobody asks for outcomes any more: do not wait for all of them
            stop.request("it was abandoned")
            raise
    for job in busy:
        yield attempt(job) or Outcome(job.source, job.target, "skipped", IN_WORK)


#: Photographs below which a second worker is not worth its start, and the least mean size, in
#: megapixels: the network takes all of the time of smaller ones.
_FEW, _SMALL = 4, 0.25
# Bytes that a photograph in work takes: with all that does not depend on its size, and for each
# megapixel; from docs/native.md, with some to spare.
_FIXED, _MEGAPIXEL = 150_000_000, 60_000_000
_LOOKED_AT = 1000  # photographs whose size is looked up
_GROUP = Path("/sys/fs/cgroup")


def choose_workers(sources: Sequence[Path], processors: int, available: int | None = None) -> int:
    """Return 2 where a second photograph in work saves time and fits into memory, else 1.

    While one photograph is in the network, which uses all processors, another is read, looked at
    for defects and noise, and written. More than two have nothing left to gain.

    Args:
        sources: the photographs.
        processors: that the process may use.
        available: bytes of memory; None: what the system has left.

    Example:
        >>> choose_workers([Path("no such file")] * 10, processors=8)
        1
    """
    if len(sources) < _FEW or processors < 2:
        return 1
    sizes = []
    for source in sources[:_LOOKED_AT]:
        size = megapixels_of(source)
        if size is None:  # a raw file, say: it may be large
            return 1
        sizes.append(size)
    memory = available_memory() if available is None else available
    needed = 2 * (_FIXED + _MEGAPIXEL * max(sizes))
    fits = memory is not None and needed <= memory / 2
    return 2 if fits and sum(sizes) >= _SMALL * len(sizes) else 1


def available_memory() -> int | None:
    """Return bytes that the system has left for this process; None where it does not say.

    Reference:
        Linux kernel documentation: proc(5), "/proc/meminfo"; Control Group v2, "Memory".
    """
    try:
        lines = Path("/proc/meminfo").read_text().splitlines()
        found = [int(line.split()[1]) * 1024 for line in lines if line.startswith("MemAvailable:")]
    except (OSError, ValueError, IndexError):
        return None
    try:
        limit = int((_GROUP / "memory.max").read_text())
        found.append(limit - int((_GROUP / "memory.current").read_text()))
    except (OSError, ValueError):  # no limit, or another kind of group
        pass
    return min(found, default=None)
