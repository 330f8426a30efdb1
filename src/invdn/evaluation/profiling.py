"""Wall time and memory of a piece of work."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ..errors import MissingDependencyError

_PAUSE = 0.002  # seconds between two looks at the memory


class Meter:
    """What a measured piece of work took; filled when the ``with`` block ends.

    Attributes:
        seconds: wall time.
        memory: bytes by which the resident memory of this process grew at most.
    """

    def __init__(self) -> None:
        self.seconds = 0.0
        self.memory = 0


@contextmanager
def profile_block() -> Iterator[Meter]:
    """Measure the time and the growth of memory inside a ``with`` block.

    The memory is looked at every two milliseconds by a thread, so shorter peaks may be missed.

    Raises:
        MissingDependencyError: psutil is not installed.

    Example:
        >>> with profile_block() as meter:
        ...     block = bytearray(64_000_000)
        >>> meter.seconds > 0, meter.memory > 32_000_000
        (True, True)
    """
    process = _process()
    meter, done, before = Meter(), threading.Event(), process.memory_info().rss
    peak = before

    def watch() -> None:
        nonlocal peak
        while not done.wait(_PAUSE):
            peak = max(peak, process.memory_info().rss)

    watcher = threading.Thread(target=watch, daemon=True)
    watcher.start()
    start = time.perf_counter()
    try:
        yield meter
    finally:
        meter.seconds = time.perf_counter() - start
        peak = max(peak, process.memory_info().rss)
        done.set()
        watcher.join()
        meter.memory = peak - before


def peak_memory() -> int:
    """Return bytes that this process has held at most since its start.

    Raises:
        MissingDependencyError: this cannot be asked for here without psutil.

    Example:
        >>> peak_memory() > 1_000_000
        True
    """
    status = Path("/proc/self/status")
    if status.exists():
        high = next(line for line in status.read_text().splitlines() if line.startswith("VmHWM:"))
        return int(high.split()[1]) * 1024
    memory = _process().memory_info()
    return int(getattr(memory, "peak_wset", memory.rss))


def _process() -> Any:
    try:
        import psutil
    except ImportError as error:
        raise MissingDependencyError(
            "measuring memory needs psutil: pip install 'invdn[evaluate]'"
        ) from error
    return psutil.Process()
