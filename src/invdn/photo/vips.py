"""The door to libvips: pyvips, made to bear messages that are not UTF-8.

libvips quotes files in its warnings, and a PNG may name its profile in Latin-1. pyvips (3.2) then
fails inside a callback from C, which prints a traceback past everybody. Import ``pyvips`` from
here.
"""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

import numpy as np
import pyvips
import pyvips.error
from numpy.typing import NDArray

T = TypeVar("T")
_TYPES = {"uint8": "uchar", "uint16": "ushort", "float32": "float"}


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


def as_image(pixels: NDArray[Any], interpretation: str = "") -> Any:
    """Return an image of libvips that holds the same values.

    Args:
        pixels: ``(H, W)`` or ``(H, W, C)``, uint8, uint16 or float32.
        interpretation: as libvips names them; empty: what it takes them for.
    """
    height, width = pixels.shape[:2]
    bands = 1 if pixels.ndim == 2 else pixels.shape[2]
    data = np.ascontiguousarray(pixels).data.cast("B")
    image = pyvips.Image.new_from_memory(data, width, height, bands, _TYPES[pixels.dtype.name])
    return image.copy(interpretation=interpretation) if interpretation else image


__all__ = ["as_image", "pyvips", "run_interruptibly"]


def _text(message: Any) -> str:
    """Return a string from libvips, whatever its bytes."""
    if message == pyvips.ffi.NULL:
        return "NULL"
    raw: bytes = pyvips.ffi.string(message)
    return raw.decode("utf-8", "replace")


pyvips._to_string = pyvips.error._to_string = _text
