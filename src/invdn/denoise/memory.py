"""How large a tile may be for the memory that there is."""

import math

from ..errors import InputError
from ..imaging.depth import Pixels
from .engine import Engine
from .options import SMALLEST_TILE, DenoiseOptions

# Bytes. Measured by benchmarks/memory.py, each rounded up: the process with an engine open, before
# any photograph (torch: the larger one), and what a pixel of a window needs at most in an engine
# that does not say it itself (its `bytes_per_pixel`). Rows: what libvips holds of a photograph
# while it decodes and encodes, at most.
_PROCESS = 300_000_000
_WINDOW_PIXEL = 1200
_CODEC_ROWS = 3000
_STEP = 16  # tiles grow in these steps


def fitting_tile(engine: Engine, pixels: Pixels, options: DenoiseOptions, *, copies: int) -> int:
    """The edge of a tile for one photograph: the options' own, or the largest within their memory.

    Args:
        engine: what will run; it may say what it needs as ``process_bytes`` and
            ``bytes_per_pixel`` (of a window).
        pixels: the photograph.
        options: ``tile``, ``overlap`` and ``max_memory``.
        copies: how often the photograph lies in memory: 1 if its result takes its place, else 2.

    Returns:
        0 for the whole photograph at once.

    Raises:
        InputError: not even the smallest tile fits; the message says what would.
    """
    if options.max_memory is None:
        return options.tile
    fixed = getattr(engine, "process_bytes", _PROCESS) + copies * pixels.nbytes
    height, width = pixels.shape[:2]
    rows = (_CODEC_ROWS + 2 * options.overlap) * pixels[0].nbytes

    def needed(tile: int) -> float:
        reach = tile + 2 * options.overlap if tile else max(height, width)
        window = min(height, reach) * min(width, reach)
        return fixed + rows + window * getattr(engine, "bytes_per_pixel", _WINDOW_PIXEL)

    if needed(options.tile) <= options.max_memory:
        return options.tile
    largest = options.tile or max(height, width)
    for tile in range(largest // _STEP * _STEP, SMALLEST_TILE - 1, -_STEP):
        if needed(tile) <= options.max_memory:
            return tile
    raise InputError(
        f"{options.max_memory / 1e6:.0f} MB are too little for {width}x{height} pixels: "
        f"allow {math.ceil(needed(SMALLEST_TILE) / 1e6)} MB or more"
    )
