"""Choose the size of tiles by the memory that is allowed."""

import math

from ..errors import InputError
from ..image.dtype import Pixels
from ..options import SMALLEST_TILE, DenoiseOptions
from .engine import Engine
from .streaming import WHOLE, StreamingEngine

# Bytes. Measured by benchmarks/memory.py, each rounded up: the process with an engine open, before
# any photograph (torch: the larger one), and what a pixel of a window needs at most in an engine
# that does not say it itself (its `bytes_per_pixel`). Rows: what libvips holds of a photograph
# while it decodes and encodes, at most.
_PROCESS = 300_000_000
_WINDOW_PIXEL = 1200
_CODEC_ROWS = 3000
# What rows in flight may take where no limit is set: 13,000 columns and one draw, which is any
# photograph up to 100 megapixels.
_FLIGHT = 1_410_000_000
_STEP = 16  # tiles grow in these steps
_TILE = 512  # of an engine that does not say what suits it; docs/speed.md


def choose_tile_size(
    engine: Engine, pixels: Pixels, options: DenoiseOptions, *, resident: int
) -> int:
    """Return the edge of a tile: the options' own, or the largest within their memory.

    Args:
        engine: what will run; it may say what it needs as ``process_bytes`` and
            ``bytes_per_pixel`` (of a window), and which edge suits it as ``tile``.
        pixels: the photograph.
        options: ``tile``, ``overlap`` and ``max_memory``.
        resident: bytes of the photograph, of its result where that is another array, and of what
            is kept beside them.

    Returns:
        0 for the whole photograph at once.

    Raises:
        InputError: not even the smallest tile fits; the message says what would.
    """
    wanted: int = getattr(engine, "tile", _TILE) if options.tile_size is None else options.tile_size
    if options.max_memory is None:
        return wanted
    fixed = _fixed(engine, pixels, options, resident)
    each: int = getattr(engine, "bytes_per_pixel", _WINDOW_PIXEL)
    height, width = pixels.shape[:2]

    def needed(tile: int) -> int:
        reach = tile + 2 * options.tile_overlap if tile else max(height, width)
        window: int = min(height, reach) * min(width, reach)
        return fixed + window * each

    if needed(wanted) <= options.max_memory:
        return wanted
    largest = wanted or max(height, width)
    for tile in range(largest // _STEP * _STEP, SMALLEST_TILE - 1, -_STEP):
        if needed(tile) <= options.max_memory:
            return tile
    raise InputError(
        f"{options.max_memory / 1e6:.0f} MB are too little for {width}x{height} pixels: "
        f"allow {math.ceil(needed(SMALLEST_TILE) / 1e6)} MB or more"
    )


def can_stream(
    engine: StreamingEngine, pixels: Pixels, options: DenoiseOptions, *, resident: int
) -> bool:
    """Return whether the rows in flight, when a photograph is streamed, fit into the memory."""
    height, width = pixels.shape[:2]
    # However low a photograph is: what goes in rows keeps some of every layer.
    in_one_piece = height * width <= WHOLE
    each = height * engine.bytes_per_pixel if in_one_piece else engine.bytes_per_column
    flight: int = width * each * (1 + options.num_samples) // 2
    if options.max_memory is None:
        return flight <= _FLIGHT
    return _fixed(engine, pixels, options, resident) + flight <= options.max_memory


def _fixed(engine: Engine, pixels: Pixels, options: DenoiseOptions, resident: int) -> int:
    """Return the bytes that do not depend on how the photograph is cut."""
    process: int = getattr(engine, "process_bytes", _PROCESS)
    rows: int = (_CODEC_ROWS + 2 * options.tile_overlap) * pixels[0].nbytes
    return process + resident + rows
