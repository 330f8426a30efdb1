"""Claims on results, so that two runs at once do not make the same one.

A claim is an empty file beside the result that its run holds locked. The system ends the lock
with the process, however that ends; so a claim that can be locked is nobody's any more.
"""

import errno
import hashlib
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from ..atomic import output_error

try:
    import fcntl
except ImportError:  # Windows: no claims; results are not overwritten there either
    fcntl = None  # type: ignore[assignment]

_HOPELESS = {errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOSPC, errno.EDQUOT}
_PATIENCE = 100
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
        if error.errno in _HOPELESS:
            raise output_error(target, error) from error
        descriptor = None
    try:
        yield True
    finally:
        if descriptor is not None:
            with suppress(OSError):
                claim.unlink()
            os.close(descriptor)


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
                    Path(entry.path).unlink()
                    os.close(descriptor)


def _hold(claim: Path, creation: int = 0) -> int | None:
    """Open and lock a claim; None where there are no locks.

    Raises:
        BlockingIOError: a living process holds it.
        OSError: it cannot be opened or locked.
    """
    if fcntl is None:
        return None
    for _ in range(_PATIENCE):
        try:
            descriptor = os.open(claim, os.O_RDWR | os.O_NOFOLLOW | creation, 0o666)
        except PermissionError:
            if not os.path.lexists(claim):
                raise
            descriptor = os.open(claim, os.O_RDONLY | os.O_NOFOLLOW)  # of another user
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            held = os.fstat(descriptor)
            with suppress(FileNotFoundError):  # its holder removed it before we had the lock
                if os.path.samestat(held, claim.stat()):
                    return descriptor
        except OSError:
            os.close(descriptor)
            raise
        os.close(descriptor)
    return None  # the drive gives a file a new number whenever it is asked
