"""How many processors there are for the work."""

import os


def available_processors() -> int:
    """Processors that this process may use; in a container fewer than the machine has.

    Example:
        >>> available_processors() >= 1
        True
    """
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
