"""When this process began: a time limit counts from there, not from the first line of ours."""

import os
import time
from pathlib import Path

_STAT = Path("/proc/self/stat")
_START_FIELD = 22  # proc(5): start after boot, in clock ticks; fields count from 1


def process_started() -> float:
    """Return when this process began, in seconds of ``time.monotonic()``.

    Where the system does not tell (any but Linux) it is now: Python's start is left out.

    Example:
        >>> import time
        >>> process_started() <= time.monotonic()
        True
    """
    now = time.monotonic()
    try:
        # the name in parentheses may hold spaces; fields 3 and on follow it
        fields = _STAT.read_text(encoding="ascii", errors="replace").rpartition(")")[2].split()
        begun = int(fields[_START_FIELD - 3]) / os.sysconf("SC_CLK_TCK")
        age = time.clock_gettime(time.CLOCK_BOOTTIME) - begun
    except (OSError, AttributeError, ValueError, IndexError):
        return now
    return now - max(age, 0.0)
