"""Ctrl-C while C code runs that calls back into Python."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

T = TypeVar("T")


def run_interruptibly(work: Callable[[], T], stop: Callable[[], None] | None = None) -> T:
    """Do the work in a thread of its own and wait for it.

    Python raises ``KeyboardInterrupt`` in the main thread only, wherever it happens to be; inside a
    callback from C it would be printed and forgotten. Waiting here, the main thread gets it safely.

    Args:
        work: what to do; its result or exception is passed on.
        stop: called on Ctrl-C to make the work end soon; it is waited for in any case.

    Example:
        >>> run_interruptibly(lambda: 6 * 7)
        42
    """
    with ThreadPoolExecutor(1) as pool:
        future = pool.submit(work)
        try:
            return future.result()
        except KeyboardInterrupt:
            if stop:
                stop()
            raise
        finally:
            del future  # it holds the exception, which holds this frame: a circle of open files
