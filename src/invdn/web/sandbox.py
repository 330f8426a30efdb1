"""Take a process's rights away: what a hostile photograph takes over can do nothing.

On Linux: no new privileges (setuid programs), no way to other files than those named (Landlock),
no network, no other programs and no look into other processes (seccomp), and limits on files. The
kernel keeps what it knows of these; what it does not know is left out, and :func:`confine` says so.
Elsewhere nothing is done.
"""

import ctypes
import os
import platform
import signal
import struct
import sys
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path

_PR_SET_PDEATHSIG = 1
_PR_SET_NAME = 15
_PR_SET_NO_NEW_PRIVS = 38
_SECCOMP_SET_MODE_FILTER = 1
_SECCOMP_FILTER_FLAG_TSYNC = 1
_LANDLOCK_CREATE, _LANDLOCK_ADD, _LANDLOCK_RESTRICT = 444, 445, 446  # on every architecture
_LANDLOCK_VERSION = 1
_PATH_BENEATH = 1
_MOST_FILES = 512

# Rights of Landlock (linux/landlock.h).
_EXECUTE, _WRITE_FILE, _READ_FILE, _READ_DIR = 1 << 0, 1 << 1, 1 << 2, 1 << 3
_TRUNCATE, _IOCTL = 1 << 14, 1 << 15
_OF_FILES = _EXECUTE | _WRITE_FILE | _READ_FILE | _TRUNCATE | _IOCTL
_READ = _EXECUTE | _READ_FILE | _READ_DIR
_RIGHTS_OF_VERSION = {1: 13, 2: 14, 3: 15, 4: 15, 5: 16}  # so many bits are known
_NETWORK_FROM, _SCOPES_FROM = 4, 6

# Architecture -> its number in seccomp, seccomp's own number, and the calls that are refused:
# sockets, other programs, other processes, mounts, namespaces, keys, kernel modules, tracing.
_ARCHITECTURES = {
    "x86_64": (
        0xC000003E,
        317,
        (
            *(41, 42, 43, 49, 50, 288),  # socket, connect, accept, bind, listen, accept4
            *(59, 322),  # execve, execveat
            *(101, 310, 311, 312, 434, 438),  # ptrace, process_vm_*, kcmp, pidfd_open, pidfd_getfd
            *(155, 161, 165, 166, 272, 308),  # pivot_root, chroot, mount, umount2, unshare, setns
            *(428, 429, 430, 431, 432, 442),  # open_tree, move_mount, fs*, mount_setattr
            *(175, 176, 313, 246, 320),  # modules and kexec
            *(248, 249, 250, 298, 304, 321, 323),  # keys, perf, open_by_handle, bpf, userfaultfd
            *(425, 426, 427),  # io_uring
        ),
    ),
    "aarch64": (  # the same calls
        0xC00000B7,
        277,
        (
            *(198, 203, 202, 200, 201, 242),
            *(221, 281),
            *(117, 270, 271, 272, 434, 438),
            *(41, 51, 40, 39, 97, 268),
            *(428, 429, 430, 431, 432, 442),
            *(105, 106, 273, 104, 294),
            *(217, 218, 219, 241, 265, 280, 282),
            *(425, 426, 427),
        ),
    ),
}
_X32 = 0x40000000
_LOAD, _EQUAL, _AT_LEAST, _RETURN = 0x20, 0x15, 0x35, 0x06
_ALLOW, _REFUSE, _KILL = 0x7FFF0000, 0x00050000 | 1, 0x80000000


def die_with_parent() -> None:
    """Have the system end this process when the one that started it ends, however it ends."""
    if sys.platform == "linux":
        _libc().prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)


def call_process(name: str) -> None:
    """Name this process for ``ps`` and ``top``; 15 letters count."""
    if sys.platform == "linux":
        _libc().prctl(_PR_SET_NAME, name.encode(), 0, 0, 0)


def confine(readable: Iterable[Path], writable: Iterable[Path]) -> tuple[str, ...]:
    """Give up every right but reading and writing below some folders; there is no way back.

    Args:
        readable: files and folders, beside the program's own and the system's libraries.
        writable: folders to read and write in.

    Returns:
        What is in force: ``"no new privileges"``, ``"landlock"`` (``"landlock, main thread"`` where
        others run already, which the kernel leaves as they are), ``"seccomp"``.
    """
    if sys.platform != "linux":
        return ()
    libc = _libc()
    if libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0):
        return ()
    done = ["no new privileges"]
    with suppress(OSError, ValueError):
        import resource  # late: not on Windows

        _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        most = _MOST_FILES if hard == resource.RLIM_INFINITY else min(_MOST_FILES, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    alone = _is_alone()
    with suppress(OSError):
        _landlock(libc, [*_program(), *readable], [*writable, Path("/dev")])
        done.append("landlock" if alone else "landlock, main thread")
    with suppress(OSError):
        _seccomp(libc)
        done.append("seccomp")
    return tuple(done)


def _is_alone() -> bool:
    """Return whether this process has one thread."""
    try:
        return len(list(Path("/proc/self/task").iterdir())) == 1
    except OSError:
        return False


def _libc() -> ctypes.CDLL:
    return ctypes.CDLL(None, use_errno=True)


def _program() -> Iterator[Path]:
    """Yield what the interpreter, its packages and the system's libraries are read from."""
    names = ("/usr", "/lib", "/lib64", "/etc", "/sys", "/proc/self", "/proc/cpuinfo")
    more = ("/proc/meminfo", "/proc/stat", "/proc/sys", "/opt", "/nix/store")
    for name in (*names, *more, sys.prefix, sys.base_prefix, *sys.path):
        if name not in ("", "/", str(Path.cwd())):  # the user's own files are none of it
            yield Path(name)
    yield Path(__file__).resolve().parents[1]


def _landlock(libc: ctypes.CDLL, readable: Iterable[Path], writable: Iterable[Path]) -> None:
    version = libc.syscall(_LANDLOCK_CREATE, None, ctypes.c_size_t(0), _LANDLOCK_VERSION)
    if version < 1:
        raise OSError(ctypes.get_errno(), "the kernel has no Landlock")
    known = (1 << _RIGHTS_OF_VERSION.get(version, 16)) - 1
    words = [known]
    if version >= _NETWORK_FROM:
        words.append(3)  # neither listen nor connect by TCP
    if version >= _SCOPES_FROM:
        words.append(3)  # no abstract sockets and no signals to processes outside
    attributes = struct.pack(f"={len(words)}Q", *words)
    rules = libc.syscall(_LANDLOCK_CREATE, attributes, ctypes.c_size_t(len(attributes)), 0)
    if rules < 0:
        raise OSError(ctypes.get_errno(), "Landlock refuses")
    try:
        for path in readable:
            _allow(libc, rules, path, _READ & known)
        for path in writable:
            _allow(libc, rules, path, known & ~_EXECUTE)
        if libc.syscall(_LANDLOCK_RESTRICT, rules, 0):
            raise OSError(ctypes.get_errno(), "Landlock refuses")
    finally:
        os.close(rules)


def _allow(libc: ctypes.CDLL, rules: int, path: Path, rights: int) -> None:
    """Allow something in a folder or on a file; one that does not exist needs no right."""
    try:
        place = os.open(path, os.O_PATH | os.O_CLOEXEC)
    except OSError:
        return
    try:
        allowed = rights if path.is_dir() else rights & _OF_FILES
        rule = struct.pack("=Qi", allowed, place)
        libc.syscall(_LANDLOCK_ADD, rules, _PATH_BENEATH, rule, 0)
    finally:
        os.close(place)


def _seccomp(libc: ctypes.CDLL) -> None:
    if platform.machine() not in _ARCHITECTURES:
        raise OSError(f"no list of calls for {platform.machine()}")
    number, call, refused = _ARCHITECTURES[platform.machine()]
    end = 5 + len(refused)  # where calls are allowed; they are refused right behind
    steps = [
        (_LOAD, 0, 0, 4),  # the architecture
        (_EQUAL, 1, 0, number),
        (_RETURN, 0, 0, _KILL),
        (_LOAD, 0, 0, 0),  # the number of the call
        (_AT_LEAST, end - 4, 0, _X32),
        *((_EQUAL, end - 5 - place, 0, name) for place, name in enumerate(refused)),
        (_RETURN, 0, 0, _ALLOW),
        (_RETURN, 0, 0, _REFUSE),
    ]
    program = b"".join(struct.pack("=HBBI", *step) for step in steps)
    buffer = ctypes.create_string_buffer(program, len(program))
    filters = struct.pack("@HP", len(steps), ctypes.addressof(buffer))
    if libc.syscall(call, _SECCOMP_SET_MODE_FILTER, _SECCOMP_FILTER_FLAG_TSYNC, filters):
        raise OSError(ctypes.get_errno(), "seccomp refuses")
