"""Photographs into files: same depth and metadata, whole or not at all."""

import io
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from ..atomic import atomic_output, ensure_output
from ..errors import OutputError
from ..image.dtype import Pixels, from_float, reduce_bit_depth, to_float, white
from . import libjxl
from .color.cicp import chunks_of_light
from .color.conversion import in_srgb
from .color.icc import HDR
from .containers import heif, heif_items, jpeg, png, tiff, webp
from .containers.jpeg_attachments import located
from .formats import format_of_name
from .gain_maps import with_map
from .keeping import fitted, with_new_copies
from .linear_raw import write_dng
from .other_formats import encode_jxl
from .photo import Photo, WriteOptions
from .vips import as_image, pyvips, run_interruptibly

_LARGEST_SIDE = {"jpeg": 65535, "webp": 16383, "avif": 65535}


def write_photo(
    photo: Photo,
    path: str | os.PathLike[str],
    *,
    overwrite: bool = False,
    choices: WriteOptions = WriteOptions(),
    mode: int = 0o666,
) -> tuple[str, ...]:
    """Write a photograph in the format that the name's ending asks for.

    Depth is kept where the format has it, else reduced: TIFF holds all; PNG 16 bits at most; AVIF
    12, JPEG and WebP 8. Profile, EXIF, XMP, IPTC and resolution are kept as docs/formats.md says
    for each format, and small copies of the picture (thumbnails, previews) are made anew from its
    pixels. The file appears at once when it is complete; nothing is left behind otherwise.

    Args:
        photo: what to write.
        path: the file; ``.jpg``, ``.png``, ``.tif``, ``.webp`` or ``.avif``.
        overwrite: whether an existing file may be replaced.
        choices: quality, chroma, and what to leave out.
        mode: permissions that the file may have at most, as of :func:`~invdn.atomic.atomic_output`.

    Returns:
        What of the photograph the file does not hold, for people.

    Raises:
        OutputError: the file exists, its folder cannot be written, the disk is full, or the format
            cannot hold the photograph.

    Example:
        >>> import tempfile
        >>> import numpy as np
        >>> path = Path(tempfile.mkdtemp()) / "black.jpg"
        >>> _ = write_photo(Photo(np.zeros((8, 8, 3), np.uint8)), path)
        >>> write_photo(Photo(np.zeros((8, 8, 3), np.uint8)), path)
        Traceback (most recent call last):
            ...
        invdn.errors.OutputError: cannot write '...black.jpg': it exists already; choose another \
name or allow overwriting
    """
    path = Path(path)
    check_writable(photo, path, overwrite=overwrite, choices=choices)
    with atomic_output(path, overwrite, mode) as temporary, temporary.open("w+b") as file:
        return _encoded(photo, path, file, choices)


def encode_photo(
    photo: Photo, name: str | os.PathLike[str], choices: WriteOptions = WriteOptions()
) -> tuple[bytes, tuple[str, ...]]:
    """Return what :func:`write_photo` would write, for a place that is no disk.

    Args:
        photo: what to write.
        name: of the file; its ending decides the format.
        choices: quality, chroma, and what to leave out.

    Returns:
        The bytes of the file; what of the photograph they do not hold, for people.

    Raises:
        OutputError: the format cannot hold the photograph.

    Example:
        >>> import numpy as np
        >>> content, notes = encode_photo(Photo(np.zeros((8, 8, 3), np.uint8)), "black.png")
        >>> content[:4]
        b'\\x89PNG'
    """
    path = Path(name)
    check_fits(photo, path, choices)
    file = io.BytesIO()
    notes = _encoded(photo, path, file, choices)
    return file.getvalue(), notes


def _encoded(photo: Photo, path: Path, file: BinaryIO, choices: WriteOptions) -> tuple[str, ...]:
    name = format_of_name(path)
    photo, notes = fitted(photo, name, choices)
    try:
        encode(with_new_copies(photo, name), file, name, choices)
    except pyvips.Error as error:
        raise OutputError(f"cannot write {str(path)!r}: {error.detail.strip()}") from error
    except libjxl.JxlError as error:
        raise _unfit(path, "JPEG XL cannot be given its colour profile") from error
    return notes


def check_writable(
    photo: Photo,
    path: str | os.PathLike[str],
    *,
    overwrite: bool = False,
    choices: WriteOptions = WriteOptions(),
) -> None:
    """Raise before any work is done what :func:`write_photo` would raise after it.

    Raises:
        OutputError: the target exists, or its format cannot hold the photograph.

    Example:
        >>> import numpy as np
        >>> check_writable(Photo(np.zeros((8, 8, 3), np.uint8)), "photo.doc")
        Traceback (most recent call last):
            ...
        invdn.errors.OutputError: cannot write 'photo.doc': the ending '.doc' names no known \
format; use one of .jpg, ...
    """
    path = Path(path)
    format_of_name(path)
    ensure_output(path, overwrite)
    check_fits(photo, path, choices)


def check_fits(
    photo: Photo, path: str | os.PathLike[str], choices: WriteOptions = WriteOptions()
) -> None:
    """Raise if the format of a name cannot hold a photograph.

    Raises:
        OutputError: it cannot; says what to do.

    Example:
        >>> import numpy as np
        >>> check_fits(Photo(np.zeros((8, 8, 3), np.uint8)), "photo.jpg")
    """
    path = Path(path)
    name = format_of_name(path)
    largest = _LARGEST_SIDE.get(name)
    if largest and max(photo.height, photo.width) > largest:
        raise _unfit(path, f"it holds at most {largest} pixels a side")
    if name == "dng" and photo.metadata.camera is None:
        raise _unfit(path, "a DNG is made of a camera's raw file only")
    if name == "jpeg":
        kept = fitted(photo, name, choices)[0]
        if kept.alpha is not None and (kept.alpha != white(kept.alpha.dtype)).any():
            raise _unfit(path, "it holds no transparency")
        try:
            jpeg.segments_of(kept.metadata, b"")
        except OutputError as error:
            raise OutputError(f"cannot write {str(path)!r}: {error}") from error
    codes = photo.metadata.codes
    if codes and name not in ("png", "avif"):
        raise OutputError(
            f"cannot write {str(path)!r}: the photograph's brightness is coded for HDR screens "
            f"({HDR[codes[1]]}), which only PNG and AVIF store here; use the ending .png "
            "or .avif instead"
        )
    icc = photo.metadata.icc
    if name == "jxl" and not in_srgb(photo) and not (icc and libjxl.is_available()):
        raise _unfit(path, "JPEG XL cannot be given its colour profile on this system")
    if name in ("webp", "avif") and photo.pixels.ndim == 2 and icc and icc[16:20] == b"GRAY":
        raise _unfit(path, "it holds no greyscale profile")


def _unfit(path: Path, reason: str) -> OutputError:
    return OutputError(f"cannot write {str(path)!r}: {reason}; use the ending .png or .tif instead")


DEFAULT_QUALITY = 95
_AVIF_EFFORT = 3  # of 9; 4 takes libaom six times as long for the same bytes and quality (measured)
_DEFAULT_RESOLUTION = 72 / 25.4  # pixels per millimetre, for formats that need a number
_CLASSIC_TIFF = 3_900_000_000  # bytes; offsets of the classic layout end at 4 GiB
_MPF_HEAD = 8  # bytes of marker, length and name before an index of pictures
_ROWS = 256  # converted in one go
_UINT8, _UINT16 = np.dtype(np.uint8), np.dtype(np.uint16)
_TYPES: dict[str, tuple[np.dtype[Any], ...]] = {
    "jpeg": (_UINT8,),
    "webp": (_UINT8,),
    "png": (_UINT8, _UINT16),
    "tiff": (_UINT8, _UINT16, np.dtype(np.float32)),
    "avif": (_UINT8, _UINT16),
    "jxl": (_UINT8, _UINT16, np.dtype(np.float32)),
}
#: Makes the head of a file, its first bytes, of the encoder's.
_Change = Callable[[bytes], bytes]


def encode(photo: Photo, file: BinaryIO, name: str, choices: WriteOptions) -> None:
    """Write the photograph into an empty file open for reading and writing.

    Args:
        photo: what to write; that it fits the format has been checked.
        file: where.
        name: ``"jpeg"``, ``"png"``, ``"tiff"``, ``"webp"`` or ``"avif"``.
        choices: what the user wants of the file.

    Raises:
        pyvips.Error: libvips cannot encode it.
        OSError: the file cannot be written.
    """
    if name == "dng":
        write_dng(file, photo)
        return
    _WRITERS[name](file, _image(photo, name), photo, choices)


def _image(photo: Photo, name: str) -> Any:
    """Return the photograph as libvips sees it, its pixels shared where the depth is kept."""
    image = as_image(_converted(photo.pixels, photo, name))
    if photo.alpha is not None and name != "jpeg":
        image = image.bandjoin(as_image(_converted(photo.alpha, photo, name)))
    grey = photo.pixels.ndim == 2
    interpretation = {
        "uchar": "b-w" if grey else "srgb",
        "ushort": "grey16" if grey else "rgb16",
        "float": "b-w" if grey else "scrgb",
    }[image.format]
    x, y = photo.metadata.resolution or (_DEFAULT_RESOLUTION, _DEFAULT_RESOLUTION)
    image = image.copy(interpretation=interpretation, xres=x, yres=y)
    for field, blob in (("icc-profile-data", photo.metadata.icc), ("xmp-data", photo.metadata.xmp)):
        if blob:
            image.set_type(pyvips.GValue.blob_type, field, blob)
    return image


def _converted(pixels: Pixels, photo: Photo, name: str) -> Pixels:
    """Return the pixels in a type that the format holds."""
    if name == "avif" and pixels.dtype != np.uint8:
        return _rounded_to(pixels, _avif_bits(photo))
    if pixels.dtype in _TYPES[name]:
        return pixels
    kind = _TYPES[name][-1]
    result = np.empty(pixels.shape, kind)
    for top in range(0, len(pixels), _ROWS):
        rows = slice(top, top + _ROWS)
        result[rows] = from_float(to_float(pixels[rows]), kind)
    return result


def _rounded_to(pixels: Pixels, bits: int) -> Pixels:
    """Return values that an encoder of so many bits keeps: it would cut off the lower ones."""
    result = np.empty(pixels.shape, np.uint16)
    for top in range(0, len(pixels), _ROWS):
        rows = slice(top, top + _ROWS)
        whole: Any = from_float(to_float(pixels[rows]), np.uint16)
        result[rows] = reduce_bit_depth(whole, bits)
    return result


def _quality(photo: Photo, name: str, choices: WriteOptions) -> int:
    """Choose what the user wants, else the source's, if that has the format's scale."""
    own = photo.compression.quality if photo.format == name else None
    return choices.quality or own or DEFAULT_QUALITY


def _write_jpeg(file: BinaryIO, image: Any, photo: Photo, choices: WriteOptions) -> None:
    metadata = photo.metadata
    segments = jpeg.segments_of(metadata, metadata.native)
    mpf_at = 2 + len(segments) + _MPF_HEAD
    if metadata.mpf:
        segments += jpeg.mpf_segment(metadata.mpf)
    quality = _quality(photo, "jpeg", choices)
    _stream(
        file,
        image.jpegsave_target,
        2,
        lambda head: head + segments,
        Q=quality,
        subsample_mode=_subsample_mode(photo, choices),
        keep="icc",
    )
    end = file.seek(0, io.SEEK_END)
    for attachment in metadata.attachments:
        file.write(attachment.data)
    if metadata.mpf:
        file.seek(mpf_at)
        file.write(located(metadata.mpf, mpf_at, end, metadata.attachments))


def _subsample_mode(photo: Photo, choices: WriteOptions) -> str:
    """Choose full chroma or half in both directions; what lies between becomes full."""
    wanted = choices.subsampling or photo.compression.subsampling
    return "on" if wanted in ("4:2:0", "4:1:1") else "off"


def _write_png(file: BinaryIO, image: Any, photo: Photo, _: WriteOptions) -> None:
    metadata = photo.metadata
    native = metadata.native
    if metadata.codes and b"cICP" not in png.chunks_in(native):
        native += png.hdr_chunks(metadata.codes, chunks_of_light(metadata.light))
    chunks = png.chunks_of(metadata, native)
    head_size = png.HEADER_SIZE + png.DENSITY_SIZE
    _stream(
        file,
        image.pngsave_target,
        head_size,
        lambda head: png.with_chunks(head, chunks),
        keep="none",
    )


def _write_tiff(file: BinaryIO, image: Any, photo: Photo, _: WriteOptions) -> None:
    _stream(
        file,
        image.tiffsave_target,
        0,
        None,
        compression="deflate",
        predictor="none" if image.format == "float" else "horizontal",  # none: read everywhere
        bigtiff=photo.pixels.nbytes > _CLASSIC_TIFF,
        keep="none",
    )
    native = photo.metadata.native
    tiff.add_metadata(file, photo.metadata, native, transparency=photo.transparency)


def _write_webp(file: BinaryIO, image: Any, photo: Photo, choices: WriteOptions) -> None:
    lossless = choices.quality is None and photo.compression.lossless
    kept = pyvips.ForeignKeep.ICC | pyvips.ForeignKeep.XMP
    data = run_interruptibly(
        lambda: image.webpsave_buffer(
            Q=_quality(photo, "webp", choices), lossless=lossless, exact=True, keep=kept
        )
    )
    if photo.metadata.exif:
        alpha = photo.alpha is not None
        data = webp.with_exif(data, photo.metadata.exif, image.width, image.height, alpha)
    file.write(data)


def _avif_bits(photo: Photo) -> int:
    if photo.pixels.dtype == np.uint8:
        return 8
    return max(photo.compression.bits or 12, 10)


def _write_avif(file: BinaryIO, image: Any, photo: Photo, choices: WriteOptions) -> None:
    bits = _avif_bits(photo)
    data = run_interruptibly(
        lambda: image.heifsave_buffer(
            compression="av1",
            Q=_quality(photo, "avif", choices),
            bitdepth=bits,
            effort=_AVIF_EFFORT,
            subsample_mode=_subsample_mode(photo, choices),
            keep=pyvips.ForeignKeep.ICC | pyvips.ForeignKeep.XMP,
        )
    )
    metadata = photo.metadata
    if metadata.exif or metadata.codes or metadata.gain_map or metadata.auxiliary:
        items = heif_items.read_items(io.BytesIO(data))
        if metadata.exif:
            items = heif_items.with_exif(items, metadata.exif)
        if metadata.codes:
            items = heif.with_colors(items, metadata.codes, metadata.light)
        if metadata.gain_map:
            items = with_map(items, metadata.gain_map)
        for auxiliary in metadata.auxiliary:
            items = heif.with_auxiliary(items, auxiliary)
        data = heif_items.serialise(items)
    file.write(data)


def _write_jxl(file: BinaryIO, _: Any, photo: Photo, choices: WriteOptions) -> None:
    """Write without loss, unless a quality is wanted: nothing tells what the source had."""
    quality = choices.quality
    file.write(run_interruptibly(lambda: encode_jxl(photo, quality)))


_WRITERS: dict[str, Callable[[BinaryIO, Any, Photo, WriteOptions], None]] = {
    "jpeg": _write_jpeg,
    "png": _write_png,
    "tiff": _write_tiff,
    "webp": _write_webp,
    "avif": _write_avif,
    "jxl": _write_jxl,
}


class _Sink:
    """Takes what libvips writes, and changes the head of the file when it has passed.

    An ``OSError`` must not travel through C: it is kept for later, and libvips sees a failure.
    """

    def __init__(self, file: BinaryIO, head_size: int, change: _Change | None) -> None:
        self.file = file
        self.missing = head_size if change else 0
        self.change = change
        self.head = b""
        self.error: OSError | None = None
        self.stopped = False

    def stop(self) -> None:
        """Take nothing more."""
        self.stopped = True

    def write(self, data: Any) -> int:
        """Return libvips' ``write``: how many bytes were taken."""
        if self.stopped:
            return -1
        head, rest = bytes(data[: self.missing]), data[self.missing :]
        self.missing -= len(head)
        self.head += head
        try:
            if self.change and not self.missing:
                self.file.write(self.change(self.head))
                self.change = None
            self.file.write(rest)
        except OSError as error:
            self.error = error
            return -1
        return len(data)

    def seek(self, offset: int, origin: int) -> int:
        """Return libvips' ``seek``: the new position."""
        try:
            return self.file.seek(offset, origin)
        except OSError as error:  # what was buffered could not be written
            self.error = error
            return -1

    def read(self, size: int) -> bytes | None:
        """Return libvips' ``read``, as TIFF needs it: nothing at the end."""
        return self.file.read(size) or None


def _stream(
    file: BinaryIO,
    save: Callable[..., None],
    head_size: int,
    change: _Change | None,
    **options: Any,
) -> None:
    sink = _Sink(file, head_size, change)
    target = pyvips.TargetCustom()
    target.on_write(sink.write)
    target.on_read(sink.read)
    target.on_seek(sink.seek)
    try:
        run_interruptibly(lambda: save(target, **options), sink.stop)
    except pyvips.Error:
        if sink.error:
            raise sink.error from None
        raise
