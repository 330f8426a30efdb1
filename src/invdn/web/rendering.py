"""Pictures that a browser can show, of photographs that it cannot: upright, 8 bits, sRGB."""

from pathlib import Path
from typing import Any

import numpy as np

from ..image.dtype import Pixels, from_float, to_float
from ..image.orientation import apply_exif_orientation
from ..inference import Region
from ..photo.photo import Photo
from ..photo.vips import as_image, pyvips
from .errors import ProblemError

_ROWS = 256  # converted in one go


def check_region(region: Region, width: int, height: int) -> None:
    """Refuse a rectangle that leaves an upright picture of this size.

    Raises:
        ProblemError: it does.
    """
    if region.x + region.width > width or region.y + region.height > height:
        raise ProblemError(
            "invalid",
            f"the region of {region.width}x{region.height} at ({region.x}, {region.y}) leaves the "
            f"picture of {width}x{height} pixels",
        )


def write_rendering(
    photo: Photo,
    target: Path,
    region: Region | None = None,
    max_side: int | None = None,
    shrink: int = 1,
) -> None:
    """Write a photograph, or a part of it, as a browser shows it.

    Args:
        photo: what to show.
        target: a file ending in ``.png`` or ``.jpg``; or in ``.rgb`` for its bytes R, G, B, row by
            row, without alpha.
        region: the part; all of it if none.
        max_side: shrink until neither side is longer.
        shrink: show means of squares of this edge length, the last of a row or column as it is.

    Raises:
        ProblemError: the region leaves the picture.
    """
    pixels = apply_exif_orientation(photo.pixels, photo.orientation)
    alpha = None if photo.alpha is None else apply_exif_orientation(photo.alpha, photo.orientation)
    if region:
        check_region(region, pixels.shape[1], pixels.shape[0])
        pixels = pixels[region.within(*pixels.shape[:2])]
        alpha = None if alpha is None else alpha[region.within(*pixels.shape[:2])]
    image = _in_srgb(pixels, photo.metadata.icc)
    if alpha is not None:
        image = image.bandjoin(_wrapped(_in_8_bits(alpha)))
    _write(image.shrink(shrink, shrink, ceil=True) if shrink > 1 else image, target, max_side)


def _write(image: Any, target: Path, max_side: int | None) -> None:
    if max_side and max(image.width, image.height) > max_side:
        image = image.thumbnail_image(max_side, height=max_side, size="down", no_rotate=True)
    if target.suffix == ".rgb":
        target.write_bytes(image.colourspace("srgb").extract_band(0, n=3).write_to_memory())
    elif target.suffix == ".jpg":
        if image.hasalpha():
            image = image.flatten(background=255)
        image.jpegsave(str(target), Q=92, subsample_mode="off", keep="none")
    else:
        image.pngsave(str(target), compression=1, keep="none")


def _in_srgb(pixels: Pixels, icc: bytes | None) -> Any:
    """Give the colours as libvips holds them, 8 bits, changed only where a profile asks for it."""
    if icc:
        image = _wrapped(pixels if pixels.dtype != np.float32 else _in_16_bits(pixels))
        image.set_type(pyvips.GValue.blob_type, "icc-profile-data", icc)
        try:
            return image.icc_transform(
                "srgb", embedded=True, intent="relative", black_point_compensation=True, depth=8
            ).copy_memory()
        except pyvips.Error:  # a profile that is damaged or of other colours, as browsers do it
            pass
    return _wrapped(_in_8_bits(pixels))


def _wrapped(pixels: Pixels) -> Any:
    grey, deep = pixels.ndim == 2, pixels.dtype == np.uint16
    return as_image(
        pixels, ("grey16" if deep else "b-w") if grey else ("rgb16" if deep else "srgb")
    )


def _in_8_bits(pixels: Pixels) -> Pixels:
    return _converted(pixels, np.dtype(np.uint8))


def _in_16_bits(pixels: Pixels) -> Pixels:
    return _converted(pixels, np.dtype(np.uint16))


def _converted(pixels: Pixels, kind: np.dtype[Any]) -> Pixels:
    """Return stored values of another type, rounded; what is beyond white becomes white."""
    if pixels.dtype == kind:
        return pixels
    result = np.empty(pixels.shape, kind)
    for top in range(0, len(pixels), _ROWS):
        rows = slice(top, top + _ROWS)
        result[rows] = from_float(to_float(pixels[rows]), kind)
    return result
