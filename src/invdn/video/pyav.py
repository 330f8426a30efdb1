"""The door to FFmpeg's libraries: PyAV, an extra that photographs do not need."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from ..errors import MissingDependencyError

try:
    import av
    import av.error
except ImportError as error:
    raise MissingDependencyError("videos need PyAV: pip install 'invdn[video]'") from error

__all__ = ["av", "own_priority"]


@contextmanager
def own_priority() -> Iterator[None]:
    """Undo what the block does to the scheduling of this process, threads that it starts included.

    SVT-AV1, opened by an administrator, makes the whole process one of real time, and so
    does what the process starts afterwards: the rest of the machine stands still.

    Example:
        >>> with own_priority():
        ...     pass
    """
    if sys.platform != "linux":  # nowhere else does it do so
        yield
        return
    policy, parameters = os.sched_getscheduler(0), os.sched_getparam(0)
    try:
        yield
    finally:
        for thread in Path("/proc/self/task").iterdir():
            with suppress(ProcessLookupError):  # it has ended meanwhile
                if os.sched_getscheduler(int(thread.name)) != policy:
                    os.sched_setscheduler(int(thread.name), policy, parameters)
