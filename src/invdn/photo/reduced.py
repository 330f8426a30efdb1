"""Small JPEG copies of a photograph: thumbnails and previews that its file holds beside it."""

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..image.dtype import Pixels, from_float, to_float
from .vips import as_image, run_interruptibly

#: Colours to colours, of the same shape.
Look = Callable[[NDArray[np.float32]], NDArray[np.float32]]
_BARS = 0.02  # of a side: more than that is filled with black bars, as cameras do


def reduced_jpeg(
    pixels: Pixels, size: tuple[int, int], quality: int = 85, look: Look | None = None
) -> bytes:
    """Return a JPEG of some size that shows the whole photograph.

    A picture of another shape gets black bars. Colours stay as they are stored.

    Args:
        pixels: ``(H, W)`` or ``(H, W, 3)`` uint8, uint16 or float32 in [0, 1].
        size: width and height; turned if the photograph stands and the size lies, or the reverse.
        quality: 1 to 100.
        look: changes the colours of the small picture, float32 with white at 1.

    Example:
        >>> reduced_jpeg(np.zeros((60, 90, 3), np.uint8), (16, 12))[:3].hex()
        'ffd8ff'
    """
    height, width = pixels.shape[:2]
    wide, high = size
    if (width - height) * (wide - high) < 0:
        wide, high = high, wide
    small = _shrunk(pixels, wide, high)
    values = to_float(small)
    eight: Any = from_float(np.clip(look(values) if look else values, 0, 1), np.uint8)
    canvas: NDArray[np.uint8] = np.zeros((high, wide, *pixels.shape[2:]), np.uint8)
    top, left = (high - eight.shape[0]) // 2, (wide - eight.shape[1]) // 2
    canvas[top : top + eight.shape[0], left : left + eight.shape[1]] = eight
    image = as_image(canvas, "b-w" if canvas.ndim == 2 else "srgb")
    result: bytes = run_interruptibly(lambda: image.jpegsave_buffer(Q=quality, keep="none"))
    return result


def _shrunk(pixels: Pixels, wide: int, high: int) -> Pixels:
    """Return the whole picture in no more than so many columns and rows."""
    height, width = pixels.shape[:2]
    scale = min(wide / width, high / height)
    if abs(wide / width / (high / height) - 1) < _BARS:
        columns, rows = wide, high
    else:
        columns, rows = max(1, round(width * scale)), max(1, round(height * scale))
    image = as_image(pixels)
    small = image.resize(columns / width, vscale=rows / height, kernel="linear")
    small = small.gravity("centre", columns, rows, extend="copy")
    found = run_interruptibly(small.write_to_memory)
    shrunk: Any = np.frombuffer(found, pixels.dtype).reshape(rows, columns, *pixels.shape[2:])
    result: Pixels = shrunk
    return result
