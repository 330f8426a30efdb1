"""Files that appear whole or not at all: written beside the target, then moved into place."""

import errno
import hashlib
import json
import os
import re
import secrets
import socket
import stat
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path
from typing import Any

from .errors import OutputError

#: Nothing writes into a temporary file for so long, in seconds, and lives.
_STALE_SECONDS = 24 * 3600
_URL = re.compile(r"[a-z][a-z0-9+.-]+://")
_URL_IN_PATH = re.compile(r"([a-z][a-z0-9+.-]+):/+")  # a path has one slash
_NAME = re.compile(r"\.invdn-([0-9a-f]{8})-([0-9]+)-[0-9a-f]{8}\.part")


def temporary_name() -> str:
    """Return a new name for a temporary file of this process.

    Example:
        >>> temporary_name()
        '.invdn-...-...-....part'
    """
    return f".invdn-{_machine()}-{os.getpid()}-{secrets.token_hex(4)}.part"


def remove_stale_temporary_files(folder: Path) -> tuple[Path, ...]:
    """Remove the temporary files in a folder that no living process writes.

    A file goes if its name and owner are ours, and its process has ended (it ran on this machine)
    or has not written into it for a day (it may run elsewhere). What cannot be read or removed
    stays.

    Returns:
        The files that were removed.

    Example:
        >>> import tempfile
        >>> folder = Path(tempfile.mkdtemp())
        >>> (folder / temporary_name()).touch()  # of this process, which lives
        >>> remove_stale_temporary_files(folder)
        ()
    """
    removed = []
    with suppress(OSError), os.scandir(folder) as entries:
        for entry in entries:
            match = _NAME.fullmatch(entry.name)
            if match and _is_abandoned(entry, *match.groups()):
                with suppress(OSError):
                    path = Path(entry.path)
                    path.unlink()
                    removed.append(path)
    return tuple(removed)


def _is_abandoned(entry: os.DirEntry[str], machine: str, process: str) -> bool:
    try:
        found = entry.stat(follow_symlinks=False)
    except OSError:
        return False
    if not stat.S_ISREG(found.st_mode) or (os.name == "posix" and found.st_uid != os.geteuid()):
        return False
    if time.time() - found.st_mtime > _STALE_SECONDS:
        return True
    return machine == _machine() and not _is_alive(int(process))


def _is_alive(process: int) -> bool:
    """Return whether a process of this number still runs; where that cannot be asked, it may."""
    if os.name != "posix":  # there, signal 0 is Ctrl-C
        return True
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except (OSError, OverflowError):  # another user's
        return True
    return not _is_zombie(process)


def _is_zombie(process: int) -> bool:
    """Return whether a process has ended, and only its parent has not asked for it."""
    with suppress(OSError):  # there is no such file but on Linux
        return Path(f"/proc/{process}/stat").read_bytes().rpartition(b")")[2].split()[0] == b"Z"
    return False


@cache
def _machine() -> str:
    """Return eight digits for the machine or the container whose process numbers count."""
    namespace = ""
    with suppress(OSError):
        namespace = os.readlink("/proc/self/ns/pid")  # noqa: PTH115  no file, but a text
    return hashlib.sha256(f"{socket.gethostname()} {namespace}".encode()).hexdigest()[:8]


_NO_HARD_LINKS = {errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK}
_REMEDY = {
    errno.ENOSPC: "the disk is full; free some space or choose another folder",
    errno.EDQUOT: "the disk quota is used up; free some space or choose another folder",
    errno.EFBIG: "the file is too large for this place; choose another folder",
    errno.EROFS: "the file system is read-only; choose another folder",
    errno.EACCES: "permission is denied; choose another folder or change its permissions",
    errno.EPERM: "permission is denied; choose another folder or change its permissions",
    errno.ENAMETOOLONG: "the name is too long; choose a shorter one",
    errno.ELOOP: "its symbolic links lead in a circle; choose another name",
    errno.ENOENT: "its folder does not exist; create the folder first",
    errno.ENOTDIR: "its folder is not a folder; choose another one",
}


def same_file(one: Path, other: Path) -> bool:
    """Return whether two names are of one file, which need not exist.

    Example:
        >>> same_file(Path("a.png"), Path("./b/../a.png")), same_file(Path("a"), Path("b"))
        (True, False)
    """
    try:
        return one.samefile(other)
    except (OSError, ValueError):  # one of them does not exist
        return os.path.realpath(one) == os.path.realpath(other)


def is_url(text: str) -> bool:
    """Return whether a text is the URL of a store, and not the path of a file.

    Example:
        >>> is_url("s3://photos/2024"), is_url("C:/photos"), is_url("photos/2024")
        (True, False, False)
    """
    return bool(_URL.match(text))


def url_in(path: str | os.PathLike[str]) -> str | None:
    """Return the URL that was taken for a path, which robs it of a slash; None: it is a path.

    Example:
        >>> url_in(Path("s3://sets/sidd") / "train"), url_in("C:/sets")
        ('s3://sets/sidd/train', None)
    """
    text = os.fspath(path).replace(os.sep, "/")
    found = _URL_IN_PATH.match(text)
    return f"{found[1]}://{text[found.end() :]}" if found else None


def refuse_url(path: Path) -> None:
    """Refuse the URL of a store, of which a path would make folders with strange names.

    Raises:
        OutputError: it is one.

    Example:
        >>> refuse_url(Path("s3://bucket/a"))
        Traceback (most recent call last):
            ...
        invdn.errors.OutputError: cannot write 's3:/bucket/a': only denoise, plan and train write \
into stores; name a place on this machine, and copy it from there
    """
    if url_in(path):
        raise OutputError(
            f"cannot write {str(path)!r}: only denoise, plan and train write into stores; name a "
            "place on this machine, and copy it from there"
        )


def ensure_output(
    path: str | os.PathLike[str], overwrite: bool, spare: Iterable[Path] = ()
) -> None:
    """Raise what can be known before any work is done about a file that cannot be written.

    Args:
        path: the file to be written.
        overwrite: whether a file of that name may be replaced.
        spare: files that are read, and never replaced.

    Raises:
        OutputError: the folder is missing, the target is a folder, it exists already, it is a
            file that is read, or the URL of a store.

    Example:
        >>> ensure_output("no such folder/photo.png", overwrite=False)
        Traceback (most recent call last):
            ...
        invdn.errors.OutputError: cannot write 'no such folder/photo.png': its folder does not \
exist; create the folder first
    """
    path = Path(path)
    refuse_url(path)
    try:
        target = path.resolve()
        if target.is_dir():
            raise OutputError(f"cannot write {str(path)!r}: it is a folder; name a file in it")
        for source in spare:
            if same_file(path, source):
                raise OutputError(
                    f"cannot write {str(path)!r}: it would take the place of {str(source)!r}, "
                    "which is read here; choose another name"
                )
        if not overwrite and os.path.lexists(path):
            raise _exists(path)
        if not stat.S_ISDIR(target.parent.stat().st_mode):
            raise NotADirectoryError(errno.ENOTDIR, "not a folder")
    except (OSError, RuntimeError, ValueError) as error:
        raise output_error(path, error) from error


def ensure_folder(path: str | os.PathLike[str]) -> None:
    """Make a folder for results, and those above it, unless it is there.

    Raises:
        OutputError: it cannot be made, or is the URL of a store.

    Example:
        >>> import tempfile
        >>> results = Path(tempfile.mkdtemp()) / "holiday" / "clean"
        >>> ensure_folder(results)
        >>> results.is_dir()
        True
    """
    path = Path(path)
    refuse_url(path)
    try:
        path.mkdir(parents=True, exist_ok=True)
    except FileExistsError as error:
        raise OutputError(
            f"cannot make the folder {str(path)!r}: a file of that name is there"
        ) from error
    except OSError as error:
        raise OutputError(
            f"cannot make the folder {str(path)!r}: {_REMEDY.get(error.errno or 0, str(error))}"
        ) from error


@contextmanager
def atomic_output(
    path: str | os.PathLike[str], overwrite: bool, mode: int = 0o666
) -> Iterator[Path]:
    """Give a temporary file to fill; when the block ends well, it becomes ``path`` at once.

    The temporary file lies in the target's folder, hidden and empty at first. Whatever goes wrong
    (an error, Ctrl-C, a full disk) removes it and leaves the target as it was. A new file has the
    permissions of ``mode`` that the umask leaves; a replaced one keeps its own, as far as ``mode``
    has them. A symbolic link stays one and the file it leads to is replaced.

    Args:
        path: the file to be written.
        overwrite: whether a file of that name may be replaced. Where not, a file that appears
            while the block runs is safe as well.
        mode: permissions that the file may have, also while it is written.

    Yields:
        The temporary file; the block must write nothing else, since any ``OSError`` inside it
        is reported as the failure to write ``path``.

    Raises:
        OutputError: the file cannot be written; says why and what to do.

    Example:
        >>> import tempfile
        >>> folder = Path(tempfile.mkdtemp())
        >>> with atomic_output(folder / "notes.txt", overwrite=False) as temporary:
        ...     _ = temporary.write_text("done")
        >>> [file.name for file in folder.iterdir()]
        ['notes.txt']
    """
    path = Path(path)
    ensure_output(path, overwrite)
    target = path.resolve() if overwrite else path
    temporary = target.with_name(temporary_name())
    created = False
    try:
        own = os.O_CREAT | os.O_EXCL | os.O_WRONLY
        os.close(os.open(temporary, own, mode | stat.S_IRUSR | stat.S_IWUSR))
        created = True
        yield temporary
        _flush(temporary, os.O_RDWR)
        with suppress(OSError):  # a file system without permissions
            kept = stat.S_IMODE(temporary.stat().st_mode) & mode
            if overwrite and target.exists():
                kept = stat.S_IMODE(target.stat().st_mode) & (mode | stat.S_IXUSR)
            temporary.chmod(kept)
        if overwrite:
            temporary.replace(target)
        else:
            _move_exclusively(temporary, target)
        created = False
        with suppress(OSError):  # some systems cannot flush a folder
            _flush(target.parent, os.O_RDONLY)
    except FileExistsError as error:
        raise _exists(path) from error
    except OSError as error:
        raise output_error(path, error) from error
    finally:
        if created:
            temporary.unlink(missing_ok=True)


def _flush(path: Path, flags: int) -> None:
    """Wait until the contents are on the disk."""
    descriptor = os.open(path, flags)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def lock_descriptor(descriptor: int) -> None:
    """Lock an open file until it is closed, by the system if the process dies.

    Raises:
        BlockingIOError: another process holds it.
        OSError: the drive knows no locks.
    """
    if sys.platform == "win32":
        import msvcrt  # late: Windows only

        try:
            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
        except PermissionError as error:
            raise BlockingIOError(error.errno, "another process holds it") from error
    else:
        import fcntl  # late: everywhere else

        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)


def _move_exclusively(temporary: Path, target: Path) -> None:
    """Rename, but raise ``FileExistsError`` where ``rename`` would replace."""
    try:
        os.link(temporary, target)
    except OSError as error:
        if isinstance(error, FileExistsError) and same_file(temporary, target):
            temporary.unlink()  # a network drive lost its answer, and tried again
            return
        if error.errno not in _NO_HARD_LINKS:
            raise
        # memory cards and some network drives: reserve the name, then replace our own empty file
        os.close(os.open(target, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o666))
        try:
            temporary.replace(target)
        except OSError:
            target.unlink()
            raise
    else:
        temporary.unlink()


def _exists(path: Path) -> OutputError:
    return OutputError(
        f"cannot write {str(path)!r}: it exists already; choose another name or allow overwriting"
    )


def output_error(path: Path, error: Exception) -> OutputError:
    """Make of the system's error the one that says why a file cannot be written.

    Example:
        >>> output_error(Path("a.jpg"), PermissionError(errno.EACCES, "Permission denied"))
        OutputError("cannot write 'a.jpg': permission is denied; choose another folder or change \
its permissions")
    """
    number = error.errno if isinstance(error, OSError) else None
    return OutputError(f"cannot write {str(path)!r}: {_REMEDY.get(number or 0, str(error))}")


def claim_folder(
    folder: Path,
    settings: Mapping[str, Any],
    record: str = "settings.json",
    check: Callable[[], None] = lambda: None,
) -> None:
    """Make a folder for long work, or find in it the same work begun earlier.

    Args:
        folder: of the work.
        settings: what the work depends on; kept in the folder.
        record: name of the file that keeps them.
        check: called before new work begins; what it raises is raised.

    Raises:
        OutputError: the folder holds work of other settings, or other things, or cannot be made.
    """
    file = folder / record
    wanted = json.dumps(settings, indent=2, sort_keys=True, default=str) + "\n"
    ensure_folder(folder)
    try:
        if file.exists():
            if json.loads(file.read_text(encoding="utf-8")) != json.loads(wanted):
                raise OutputError(
                    f"{folder} was begun with other settings (see {record} in it): choose another "
                    "folder, or remove this one"
                )
            return
        if any(folder.iterdir()):
            raise OutputError(f"{folder} holds other files: choose a new or an empty folder")
        check()
        with atomic_output(file, overwrite=False) as temporary:
            temporary.write_text(wanted, encoding="utf-8")
    except OSError as error:
        raise OutputError(f"{folder} cannot be used: {error.strerror or error}") from error
    except ValueError as error:  # no JSON
        raise OutputError(f"{file} is damaged: choose another folder") from error
