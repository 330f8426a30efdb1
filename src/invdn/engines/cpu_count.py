"""How many processors there are for the work."""

import math
import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path, PurePosixPath

_GROUPS = Path("/sys/fs/cgroup")


def available_processors() -> int:
    """Return processors that this process may use; in a container fewer than the machine has.

    Counted are those it is bound to, and no more than its control groups grant time of (``docker
    run --cpus``, Kubernetes' limits), rounded up: more threads than that would wait for each other.

    Example:
        >>> available_processors() >= 1
        True
    """
    if hasattr(os, "sched_getaffinity"):
        bound = len(os.sched_getaffinity(0))
    else:
        bound = os.cpu_count() or 1
    return max(1, math.ceil(min([bound, *_quotas()])))


def _quotas() -> Iterator[float]:
    """Yield how many processors' time each limited control group around this process may use.

    Reference:
        Linux kernel documentation: Control Group v2, "CPU Interface Files"; CFS Bandwidth Control,
        "Management" (version 1).
    """
    with suppress(OSError, ValueError):  # no Linux, or groups that may not be read
        for line in Path("/proc/self/cgroup").read_text().splitlines():
            _, controllers, path = line.split(":", 2)
            if not controllers:
                root, names = _GROUPS, ["cpu.max"]
            elif "cpu" in controllers.split(","):
                root, names = _GROUPS / "cpu", ["cpu.cfs_quota_us", "cpu.cfs_period_us"]
            else:
                continue
            # in a container the path may be the host's: then only the root is there
            inner = PurePosixPath(path).relative_to("/")
            for group in (inner, *inner.parents):
                yield from _quota([root / group / name for name in names])


def _quota(files: list[Path]) -> Iterator[float]:
    with suppress(OSError):  # a root has no limits
        quota, period = " ".join(file.read_text() for file in files).split()
        if quota not in ("max", "-1"):
            yield int(quota) / int(period)
