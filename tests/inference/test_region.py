"""A part of a photograph: named as a viewer shows it, equal to that part of the whole."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from invdn.engines import open_engine
from invdn.engines.torch_engine import TorchEngine
from invdn.errors import InputError
from invdn.image.dtype import to_float
from invdn.inference import (
    DenoiseOptions,
    FileOptions,
    Pipeline,
    Region,
    denoise_file,
    denoise_pixels,
)
from invdn.photo.photo import Photo
from invdn.photo.read import read_photo
from invdn.photo.vips import pyvips
from invdn.photo.write import write_photo


@pytest.mark.parametrize("orientation", range(1, 9))
def test_the_part_that_a_viewer_shows(orientation: int) -> None:
    """Against libvips, which turns the picture as viewers do."""
    stored = np.arange(5 * 7, dtype=np.uint8).reshape(5, 7)
    image = pyvips.Image.new_from_array(stored).copy()
    image.set_type(pyvips.GValue.gint_type, "orientation", orientation)
    shown = image.autorot().numpy()
    height, width = shown.shape
    for x, y, w, h in ((0, 0, 2, 1), (1, 2, 3, 3), (width - 1, height - 2, 1, 2)):
        part = Region(x, y, w, h).stored(5, 7, orientation).within(5, 7)
        expected = np.sort(shown[y : y + h, x : x + w], axis=None)
        assert np.array_equal(np.sort(stored[part], axis=None), expected)


@settings(max_examples=25)
@given(
    x=st.integers(0, 100),
    y=st.integers(0, 60),
    width=st.integers(1, 120),
    height=st.integers(1, 120),
)
def test_a_part_of_the_whole(
    engine: TorchEngine, picture: NDArray[np.uint8], x: int, y: int, width: int, height: int
) -> None:
    """Exactly so where the overlap covers the receptive field, 72 pixels for this network."""
    pixels = to_float(picture[:70, :110])
    if x >= 110 or y >= 70:
        return
    options = DenoiseOptions(tile_size=64, tile_overlap=72, seed=3, strength="auto", detail=0.3)
    whole = denoise_pixels(engine, pixels, replace(options, tile_size=0))
    part = Pipeline(engine, options).denoise_region(pixels, Region(x, y, width, height))
    assert part.shape == (min(height, 70 - y), min(width, 110 - x), 3)
    assert np.abs(part - whole[y : y + height, x : x + width]).max() < 1e-5


def test_alpha_goes_along(engine: TorchEngine) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (50, 60, 4), np.uint8)
    part = Pipeline(engine).denoise_region(pixels, Region(10, 20, 30, 25))
    assert np.array_equal(part[..., 3], pixels[20:45, 10:40, 3])


def test_a_preview_of_a_turned_photograph(engine: TorchEngine, tmp_path: Path) -> None:
    """Saved by another program with its orientation, and named as that is shown."""
    from PIL import Image, ImageOps

    pixels = np.random.default_rng(0).integers(60, 120, (48, 80, 3), np.uint8)
    image = Image.fromarray(pixels)
    exif = image.getexif()
    exif[0x0112] = 6
    image.save(tmp_path / "turned.png", exif=exif)
    options = DenoiseOptions(tile_overlap=72, strength=1)
    denoise_file(engine, tmp_path / "turned.png", tmp_path / "whole.png", options)
    found = denoise_file(
        engine,
        tmp_path / "turned.png",
        tmp_path / "part.png",
        options,
        FileOptions(region=Region(x=5, y=30, width=20, height=16)),
    )
    shown = [
        np.asarray(ImageOps.exif_transpose(Image.open(tmp_path / name)), np.int16)
        for name in ("whole.png", "part.png")
    ]
    assert (found.width, found.height) == (16, 20), "as stored, on its side"
    assert np.abs(shown[0][30:46, 5:25] - shown[1]).max() <= 1


@pytest.mark.slow
def test_a_preview_with_the_shipped_weights_is_the_crop(shared_data: Path) -> None:
    engine = open_engine(device="cpu")
    pixels = read_photo(shared_data / "real-noisy" / "dnd_01.png").pixels[:160, :200]
    options = DenoiseOptions(tile_size=96, strength="auto")
    whole = denoise_pixels(engine, pixels, options).astype(int)
    part = Pipeline(engine, options).denoise_region(pixels, Region(71, 53, 70, 50))
    assert np.abs(part - whole[53:103, 71:141]).max() <= 1


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("1,2,3", "x,y,width,height"),
        ("1,2,3,4,5", "x,y,width,height"),
        ("a,b,c,d", "x,y,width,height"),
        ("", "x,y,width,height"),
        ("1.5,0,3,4", "x,y,width,height"),
        ("0,0,0,4", "needs x, y"),
        ("-1,0,3,4", "needs x, y"),
    ],
)
def test_what_is_no_part(text: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        Region.parse(text)


def test_a_part_outside_the_photograph(
    engine: TorchEngine, picture: NDArray[np.uint8], tmp_path: Path
) -> None:
    with pytest.raises(InputError, match="begins at 203,0 and the photograph has 203x150"):
        Pipeline(engine).denoise_region(picture, Region(203, 0, 1, 1))
    write_photo(Photo(picture), tmp_path / "noisy.png")
    with pytest.raises(InputError, match="begins at"):
        denoise_file(
            engine,
            tmp_path / "noisy.png",
            tmp_path / "part.png",
            files=FileOptions(region=Region(0, 150, 1, 1)),
        )
    assert not (tmp_path / "part.png").exists()
