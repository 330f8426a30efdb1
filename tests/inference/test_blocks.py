"""Denoising in place: every window is the noisy one, whatever has been overwritten."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from invdn.engines.torch_engine import TorchEngine
from invdn.inference import DenoiseOptions, Pipeline, denoise_pixels
from invdn.inference.blocks import iter_windows_in_place, read_window, tiles


@settings(max_examples=150)
@given(
    height=st.integers(1, 70),
    width=st.integers(1, 70),
    tile=st.integers(0, 60).filter(lambda tile: tile == 0 or tile >= 24),
    overlap=st.integers(0, 50),
    border=st.sampled_from([0, 4, 8]),
)
def test_windows_are_those_of_the_untouched_picture(
    height: int, width: int, tile: int, overlap: int, border: int
) -> None:
    """Also where the overlap is wider than the tiles, so that several are kept aside."""
    picture = np.random.default_rng(0).integers(1, 256, (height, width, 3), np.uint8)
    worked = picture.copy()
    pieces = tiles(height, width, tile, overlap, 4, border=border)
    seen = 0
    for piece, window in iter_windows_in_place(worked, pieces):
        assert np.array_equal(window, read_window(picture, piece))
        worked[piece.core] = 0
        seen += 1
    assert seen == len(pieces)
    assert not worked.any()


@pytest.mark.parametrize("channels", [None, 1, 2, 3, 4])
def test_in_place_is_the_same_result(engine: TorchEngine, channels: int | None) -> None:
    shape = (150, 203) if channels is None else (150, 203, channels)
    pixels = np.random.default_rng(0).integers(0, 65536, shape, np.uint16)
    options = DenoiseOptions(tile_size=64, strength="auto", detail=0.5)
    expected = denoise_pixels(engine, pixels, options)
    untouched = pixels.copy()
    Pipeline(engine, options).denoise_in_place(pixels)
    assert np.array_equal(pixels, expected)
    assert not np.array_equal(pixels, untouched)


def test_only_margins_are_kept_aside() -> None:
    """The windows of a large picture are small arrays, and none of them is the picture."""
    picture: NDArray[np.uint8] = np.zeros((4000, 3000, 3), np.uint8)
    import tracemalloc

    tracemalloc.start()
    for piece, _ in iter_windows_in_place(picture, tiles(4000, 3000, 256, 32, 4)):
        picture[piece.core] = 1
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < picture.nbytes / 6
