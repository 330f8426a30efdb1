"""Pixels out of an open file through libvips: everything or an error, strip by strip."""

import io
import re
import threading
from dataclasses import replace
from typing import Any, BinaryIO

import numpy as np

from ..errors import ImageError
from ..image.dtype import Pixels, expand_bit_depth, is_finite
from .containers.jpeg_attachments import END, lacks_end
from .headers import DAMAGED, Header, choose_page
from .photo import Metadata, Photo
from .vips import pyvips

_ROWS = 256  # decoded in one go
_TYPES = {"uchar": np.uint8, "ushort": np.uint16, "float": np.float32}
_COLOURS = {"b-w", "grey16", "srgb", "rgb", "rgb16", "scrgb", "multiband"}
_TAG_COMPLAINT = re.compile(r'Bad value .* for ".*" tag')
_FINEST = 1e5  # pixels per millimetre; more is nonsense, and libvips cannot write it
# libvips has one buffer of messages for all threads, and some damage shows only there
_one_at_a_time = threading.Lock()


def decode(file: BinaryIO, name: str, header: Header, max_pixels: int) -> Photo:
    """Return the photograph of an open file whose blocks have been read.

    Raises:
        ImageError: damaged, too large, or of a kind that is not supported.
        pyvips.Error: damaged so that libvips cannot decode it.
    """
    # only warnings tell of a JPEG's missing rows; other formats warn of trifles
    strict, lenient = ("warning", "error") if name == "jpeg" else ("error", "truncated")
    if header.picture is not None:
        file = io.BytesIO(header.picture)
    with _one_at_a_time:
        try:
            return _attempt(file, name, header, max_pixels, strict)
        except (pyvips.Error, ImageError) as error:
            detail = error.detail if isinstance(error, pyvips.Error) else str(error)
            if name == "jpeg" and lacks_end(file):
                ended = io.BytesIO(_bytes_of(file) + END)
                remarks = (*header.remarks, "it lacks its end marker, and nothing else")
                header = replace(header, remarks=remarks)
                return _attempt(ended, name, header, max_pixels, strict)
            if isinstance(error, ImageError) or _is_damage(name, detail):
                raise
        return _attempt(file, name, header, max_pixels, lenient)


def examine(file: BinaryIO, name: str, header: Header, max_pixels: int) -> tuple[Any, int]:
    """Refuse what :func:`decode` refuses before it decodes any pixel.

    Returns:
        libvips' picture, of which only the head may be asked for, and its EXIF orientation.

    Raises:
        ImageError: too large, or of a kind that is not supported.
        pyvips.Error: the head is damaged.
    """
    if header.picture is not None:
        file = io.BytesIO(header.picture)
    with _one_at_a_time:
        image = _loaded(_source(file), name, header, "none" if name == "jpeg" else "error")
    check_size(image.width, image.height, max_pixels)
    if not (image.interpretation == "cmyk" and image.get_typeof("icc-profile-data")):
        _check_kind(image)
    return image, image.get("orientation") if image.get_typeof("orientation") else 1


def check_size(width: int, height: int, max_pixels: int) -> None:
    """Refuse a picture that is too large, before any pixel is decoded.

    Raises:
        ImageError: it has more pixels than the limit.
    """
    if width * height > max_pixels:
        raise ImageError(
            f"it has {width}x{height} pixels and the limit is {max_pixels / 1e6:g} "
            "million; raise it (max_pixels, or --max-megapixels of the command) if the file is "
            "trustworthy and the memory large enough"
        )


def _bytes_of(file: BinaryIO) -> bytes:
    file.seek(0)
    return file.read()


def _is_damage(name: str, messages: str) -> bool:
    """Tell whether pixels are at stake, and not only a formality such as the orientation."""
    match name:
        case "jpeg":
            return any(sign in messages for sign in ("Corrupt JPEG data", "premature end"))
        case "tiff":
            return any(not _TAG_COMPLAINT.search(line) for line in messages.split("\n") if line)
        case _:
            return True


def _attempt(file: BinaryIO, name: str, header: Header, max_pixels: int, strictness: str) -> Photo:
    pyvips.Error("")  # creating one empties the buffer of messages
    source = _source(file)  # must live as long as the picture
    image = _loaded(source, name, header, strictness)
    check_size(image.width, image.height, max_pixels)
    remarks = header.remarks
    if image.interpretation == "cmyk" and image.get_typeof("icc-profile-data"):
        image = _from_cmyk(image)
        remarks = (*remarks, "its CMYK is converted to sRGB by its profile")
    _check_kind(image)
    pixels, alpha = _arrays(image, header)
    messages = pyvips.Error("").detail
    told_late = name == "jpeg" or strictness == "truncated"  # in the last rows, or not as an error
    if told_late and messages and _is_damage(name, messages):
        raise ImageError(DAMAGED)
    resolution = (image.xres, image.yres)
    made_up = [(1.0, 1.0)]  # libvips' own numbers where the file has none
    if header.aspect:
        made_up += [header.aspect, (72 / 25.4, 72 / 25.4)]
    known = None if resolution in made_up or max(resolution) > _FINEST else resolution
    metadata = Metadata(
        icc=_blob(image, "icc-profile-data") or header.icc,
        exif=header.exif,
        xmp=_blob(image, "xmp-data"),
        iptc=header.iptc,
        resolution=header.resolution if name in ("png", "tiff") else known,
        native=header.native,
        attachments=header.attachments,
        mpf=header.mpf,
        codes=header.codes,
        light=header.light,
        gain_map=header.gain_map,
    )
    compression = header.compression
    if compression.bits and pixels.dtype == np.uint8:
        compression = replace(compression, bits=8)
    return Photo(pixels, alpha, metadata, name, compression, remarks, header.transparency)


def _source(file: BinaryIO) -> Any:
    """Return the file behind Python's own reading.

    libvips maps a file that it opens itself into memory, and the process dies if it shrinks then.
    """
    file.seek(0)
    source = pyvips.SourceCustom()
    source.on_read(file.read)
    source.on_seek(file.seek)
    return source


def _loaded(source: Any, name: str, header: Header, strictness: str) -> Any:
    """Return libvips' picture, whose pixels are still in the file."""
    how: dict[str, Any] = {"access": "sequential", "fail_on": strictness}
    if name == "avif":
        pages = pyvips.Image.heifload_source(source).get("n-pages")
        how["page"] = choose_page(pages, header.page)
        return pyvips.Image.heifload_source(source, **how)
    if name == "tiff":
        how["page"] = header.page
    if name == "gif":
        image = pyvips.Image.gifload_source(source, fail_on=strictness)
        if image.get_typeof("n-pages") and image.get("n-pages") > 1:
            raise ImageError("it is an animation; save the frame that you want as a still picture")
        return image
    return getattr(pyvips.Image, f"{name}load_source")(source, **how)


def _from_cmyk(image: Any) -> Any:
    """Return the picture in sRGB, by relative colorimetry, without its profile."""
    converted = image.icc_transform("srgb", embedded=True, intent="relative", depth=8)
    converted = converted.copy()
    converted.remove("icc-profile-data")
    return converted


def _check_kind(image: Any) -> None:
    """Refuse what cannot be represented before any pixel is decoded."""
    if image.interpretation not in _COLOURS:
        raise ImageError(
            f"its colours are {image.interpretation.upper()}; convert it to RGB or greyscale in a "
            "photo editor first"
        )
    if image.format not in _TYPES or image.bands > 4:
        raise ImageError(
            f"it has {image.bands} channels of type {image.format}; save it as greyscale or RGB "
            "with 8 or 16 bits, or as 32-bit floating point"
        )


def _arrays(image: Any, header: Header) -> tuple[Pixels, Pixels | None]:
    """Decode strip by strip into the arrays of colours and alpha."""
    height, width, bands, kind = image.height, image.width, image.bands, _TYPES[image.format]
    colours = bands > 2 and not header.grey
    pixels = np.empty((height, width, 3) if colours else (height, width), kind)
    alpha = np.empty((height, width), kind) if bands in (2, 4) else None
    bits = header.compression.bits or 16
    region = pyvips.Region.new(image)
    for top in range(0, height, _ROWS):
        rows = min(_ROWS, height - top)
        strip = np.frombuffer(region.fetch(0, top, width, rows), kind).reshape(rows, width, bands)
        if 8 < bits < 16 and kind is np.uint16:
            strip = expand_bit_depth(strip, bits)
        pixels[top : top + rows] = strip[..., :3] if colours else strip[..., 0]
        if alpha is not None:
            alpha[top : top + rows] = strip[..., -1]
    if not is_finite(pixels) or (alpha is not None and not is_finite(alpha)):
        raise ImageError("some of its pixels are NaN or infinite; replace them by numbers first")
    return pixels, alpha


def _blob(image: Any, name: str) -> bytes | None:
    return bytes(image.get(name)) if image.get_typeof(name) else None
