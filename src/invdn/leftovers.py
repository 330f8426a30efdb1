"""Temporary files of runs that were killed: told apart from those in use, and removed.

The name of a temporary file says which process writes it: a mark of the machine, the number of
the process, something random. Nothing is locked, since some network drives refuse to write what is.
"""

import hashlib
import os
import re
import secrets
import socket
import stat
import time
from contextlib import suppress
from functools import cache
from pathlib import Path

#: Nothing writes into a temporary file for so long, in seconds, and lives.
_STALE_SECONDS = 24 * 3600
_NAME = re.compile(r"\.invdn-([0-9a-f]{8})-([0-9]+)-[0-9a-f]{8}\.part")


def temporary_name() -> str:
    """A new name for a temporary file of this process.

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
    """Whether a process of this number still runs; where that cannot be asked, it may."""
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
    """Whether a process has ended, and only its parent has not asked for it, as in a container."""
    with suppress(OSError):  # there is no such file but on Linux
        return Path(f"/proc/{process}/stat").read_bytes().rpartition(b")")[2].split()[0] == b"Z"
    return False


@cache
def _machine() -> str:
    """Eight digits that stand for the machine, or the container, whose process numbers count."""
    namespace = ""
    with suppress(OSError):
        namespace = os.readlink("/proc/self/ns/pid")  # noqa: PTH115  no file, but a text
    return hashlib.sha256(f"{socket.gethostname()} {namespace}".encode()).hexdigest()[:8]
