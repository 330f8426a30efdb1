"""How many photographs are in work at a time where the user leaves it open."""

from collections.abc import Sequence
from pathlib import Path

from .megapixels import megapixels_of

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
