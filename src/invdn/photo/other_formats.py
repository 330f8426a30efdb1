"""JPEG XL, JPEG 2000, BMP and rare TIFF codecs through an extra's packages, and PPM.

libvips' wheel lacks them. ``imagecodecs`` gives and takes pixels only, so colours and metadata are
read from the files' own headers here. Pillow reads the bitmaps that ``imagecodecs`` does not.

Sources: ISO/IEC 18181-1 and -2 (JPEG XL), ISO/IEC 15444-1 (JPEG 2000), Netpbm's ppm(5).
"""

import io
import logging
import struct
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from ..errors import ImageError, MissingDependencyError
from ..image.curves import SRGB
from ..image.dtype import Pixels, expand_bit_depth, from_float, is_finite, to_float
from . import libjxl
from .color.cicp import hdr_codes, profile_of_codes
from .color.conversion import in_srgb
from .color.icc import HDR
from .containers.boxes import box, boxes
from .containers.ifd import upright
from .decode import DAMAGED, Header, check_size
from .photo import Compression, Metadata, Photo

_LARGEST = 1 << 31  # bytes of a file
_XMP = bytes.fromhex("be7acfcb97a942e89c71999491e3afac")
_IPTC = bytes.fromhex("33c7a4d2b81d4723a0baf1a3e097ad38")
_EXIF = b"JpgTiffExif->JP2"
_HEAD = 512  # bytes of a JPEG XL that hold all that is read of its head
_LINEAR, _GAMMA, _SRGB = 8, 4, 13  # transfer characteristics
_NAMED = {1, _GAMMA, _LINEAR, _SRGB, 16, 18}
_GREY, _D65, _CUSTOM = 1, 1, 2  # JPEG XL's colour spaces, whites, and others than named ones
_ALPHA, _BLACK = 0, 4  # kinds of JPEG XL's channels beside the colours


def decode_other(file: BinaryIO, name: str, max_pixels: int) -> Photo:
    """Return the photograph of an open file of one of these formats.

    Args:
        file: open for reading.
        name: ``"jxl"``, ``"jp2"``, ``"bmp"`` or ``"ppm"``.
        max_pixels: refuse larger pictures before they are decoded.

    Raises:
        ImageError: damaged, too large, or of a kind that is not supported.
        MissingDependencyError: ``imagecodecs`` is not installed.
    """
    file.seek(0)
    data = file.read(_LARGEST)
    reader = {"jxl": _jxl, "jp2": _jp2, "bmp": _bmp, "ppm": _ppm}[name]
    try:
        return reader(data, max_pixels)
    except (struct.error, IndexError, ValueError, OverflowError, RuntimeError) as error:
        raise ImageError(DAMAGED) from error


def decode_tiff(file: BinaryIO, header: Header, max_pixels: int) -> Photo:
    """Return a page of a TIFF file whose codec or layout libvips lacks.

    Raises:
        ImageError: damaged, or too large.
        MissingDependencyError: the packages for it are not installed; says what they are for.
    """
    tifffile = import_tifffile(f"its pixels are {header.detour}", "formats")
    size = file.seek(0, 2)
    file.seek(0)
    try:
        with tifffile.TiffFile(file) as pages:
            page: Any = pages.pages[header.page or 0]
            check_size(page.imagewidth, page.imagelength, max_pixels)
            places = zip(page.dataoffsets, page.databytecounts, strict=True)
            if not all(count and offset + count <= size for offset, count in places):
                raise ImageError(DAMAGED)  # some codecs make up what is missing
            stored = page.asarray()
            icc = page.tags.get(34675)
            xmp = page.tags.get(700)
            bits = int(page.bitspersample)
            inverted = page.photometric == 0
            if page.planarconfig == 2 and stored.ndim == 3:
                stored = np.moveaxis(stored, 0, 2)
    except ImageError:
        raise
    except Exception as error:  # codecs raise errors of their own, without a common base
        raise ImageError(DAMAGED) from error
    if stored.dtype == np.float16:
        stored = stored.astype(np.float32)
    if inverted:
        stored = (np.iinfo(stored.dtype).max - stored).astype(stored.dtype)
    metadata = Metadata(
        icc=bytes(icc.value) if icc else None,
        exif=header.exif,
        xmp=bytes(xmp.value) if xmp else None,
        iptc=header.iptc,
        resolution=header.resolution,
        native=header.native,
    )
    remarks = header.remarks
    if header.detour.startswith("compressed"):
        remarks = (*remarks, f"it was {header.detour}; the result is with deflate")
    pixels, alpha = _parts(stored, bits)
    return Photo(pixels, alpha, metadata, "tiff", Compression(), remarks, header.transparency)


def import_tifffile(reason: str, extra: str) -> Any:
    """Return the module tifffile, which says nothing of damage in its own words.

    Args:
        reason: why it is needed.
        extra: which one installs it.

    Raises:
        MissingDependencyError: it or its codecs are not installed.
    """
    try:
        import imagecodecs  # noqa: F401  late: an extra
        import tifffile
    except ImportError as error:
        raise MissingDependencyError(
            f"{reason}; reading them needs two more packages: pip install 'invdn[{extra}]'"
        ) from error
    logging.getLogger("tifffile").addHandler(logging.NullHandler())
    return tifffile


def encode_jxl(photo: Photo, quality: int | None) -> bytes:
    """Return a JPEG XL file.

    Args:
        photo: in sRGB, or in its profile.
        quality: 1 to 100, 100 without loss; ``None``: without loss.

    Raises:
        MissingDependencyError: ``imagecodecs`` is not installed.
    """
    codecs = _imagecodecs("writing JPEG XL")
    stored: Any = photo.pixels
    if photo.alpha is not None:
        colours = stored if stored.ndim == 3 else stored[..., None]
        stored = np.concatenate((colours, photo.alpha[..., None]), axis=2)
    distance = None if quality is None or quality == 100 else _distance(quality)
    if photo.metadata.icc and not in_srgb(photo):
        parts = list(_payloads(libjxl.encode(stored, photo.metadata.icc, distance)))
    else:
        parts = list(_payloads(_jxl_of_srgb(codecs, stored, photo.alpha is not None, distance)))
    first = next(n for n, (kind, _) in enumerate(parts) if kind in (b"jxlc", b"jxlp"))
    metadata = []
    if photo.metadata.exif:
        metadata.append((b"Exif", bytes(4) + photo.metadata.exif))
    if photo.metadata.xmp:
        metadata.append((b"xml ", photo.metadata.xmp))
    parts[first:first] = metadata
    return b"".join(box(kind, body) for kind, body in parts)


def _jxl_of_srgb(codecs: Any, stored: NDArray[Any], alpha: bool, distance: float | None) -> bytes:
    """Return a file without metadata, whose values are called sRGB's."""
    if distance is not None and stored.dtype != np.uint8:  # taken for linear, and called so
        stored = _linear(stored, alpha)
    how = {"lossless": True} if distance is None else {"distance": distance}
    made = codecs.jpegxl_encode(np.ascontiguousarray(stored), usecontainer=True, **how)
    parts = list(_payloads(bytes(made)))
    first = next(n for n, (kind, _) in enumerate(parts) if kind in (b"jxlc", b"jxlp"))
    kind, body = parts[first]
    skipped = 4 if kind == b"jxlp" else 0  # the number of the part
    parts[first] = kind, body[:skipped] + _called_srgb(body[skipped:])
    return b"".join(box(kind, body) for kind, body in parts)


def _linear(stored: NDArray[Any], alpha: bool) -> NDArray[Any]:
    """Return samples in sRGB as linear light in the same type; alpha stays."""
    colours = stored[..., :-1] if alpha else stored
    light = from_float(SRGB.light(to_float(colours)), stored.dtype)
    return np.concatenate((light, stored[..., -1:]), axis=2) if alpha else light


def _distance(quality: int) -> float:
    """Return JPEG XL's distance for a quality (from: libjxl, JxlEncoderDistanceFromQuality)."""
    if quality >= 30:
        return 0.1 + (100 - quality) * 0.09
    return 53 / 3000 * quality * quality - 23 / 20 * quality + 25


def _imagecodecs(purpose: str) -> Any:
    try:
        import imagecodecs  # late: an extra
    except ImportError as error:
        raise MissingDependencyError(
            f"{purpose} needs the package imagecodecs: pip install 'invdn[formats]'"
        ) from error
    return imagecodecs


def _jxl(data: bytes, max_pixels: int) -> Photo:
    codecs = _imagecodecs("reading JPEG XL")
    stream, exif, xmp = data, None, None
    if not data.startswith(b"\xff\x0a"):
        parts = []
        for kind, body in _payloads(data):
            if kind == b"brob":  # compressed by Brotli
                kind, body = body[:4], bytes(codecs.brotli_decode(body[4:]))
            if kind == b"jxlc":
                parts = [body]
            elif kind == b"jxlp":
                parts.append(body[4:])
            elif kind == b"Exif":
                exif = upright(body[4 + int.from_bytes(body[:4]) :])
            elif kind == b"xml ":
                xmp = body
        stream = b"".join(parts)
    header = _jxl_header(stream)
    check_size(header.width, header.height, max_pixels)
    if header.by_profile:
        return _jxl_by_profile(data, header, Metadata(exif=exif, xmp=xmp))
    stored = _decoded(codecs.jpegxl_decode, data)
    if stored.ndim == 4:
        raise ImageError("it is an animation; save the frame that you want as a still picture")
    pixels, alpha = _parts(stored, stored.dtype.itemsize * 8)
    metadata = Metadata(icc=header.icc, exif=exif, xmp=xmp, codes=header.codes)
    return Photo(pixels, alpha, metadata, "jxl", Compression(bits=header.bits))


def _jxl_by_profile(data: bytes, header: "_JxlHeader", metadata: Metadata) -> Photo:
    """Return a photograph whose colours only a profile describes."""
    if not libjxl.is_available():
        raise ImageError(
            "its colours need an ICC profile, which cannot be read from JPEG XL on this system; "
            "convert it to a 16-bit TIFF or PNG first"
        )
    kind = np.float32 if header.floating else np.uint8 if header.bits <= 8 else np.uint16
    channels = (1 if header.grey else 3) + header.alpha
    try:
        stored, icc = libjxl.decode(data, (header.height, header.width), channels, kind)
    except libjxl.JxlError as error:
        raise ImageError(DAMAGED) from error
    pixels, alpha = _parts(stored, stored.dtype.itemsize * 8)
    compression = Compression(bits=header.bits)
    return Photo(pixels, alpha, replace(metadata, icc=icc), "jxl", compression)


@dataclass(frozen=True)
class _JxlHeader:
    """Upright size, samples, and a profile or numbers made of what is said about the colours.

    ``linear_at`` is the bit behind the signature where it is said that they are linear;
    ``by_profile`` says that the file embeds a profile, or describes colours without a number.
    """

    width: int
    height: int
    bits: int
    icc: bytes | None = None
    codes: tuple[int, int] | None = None
    linear_at: int | None = None
    grey: bool = False
    floating: bool = False
    alpha: bool = False
    by_profile: bool = False


def _jxl_header(stream: bytes) -> _JxlHeader:
    bits = _Bits(stream[2:])
    width, height = bits.size()
    if bits(1):  # all as usual: 8 bits of sRGB
        return _JxlHeader(width, height, 8)
    if bits(1):  # extra fields
        if bits(3) > 3:  # a quarter turn, which the decoder makes
            width, height = height, width
        if bits(1):  # size for screens
            bits.size()
        if bits(1):
            bits.skip_preview()
        if bits(1):
            raise ImageError("it is an animation; save the frame that you want as a still picture")
    depth, floating = _jxl_depth(bits)
    bits(1)  # whether 16 bits suffice
    extra = range(bits.choice((0, 0), (0, 1), (4, 2), (12, 1)))
    alpha = _ALPHA in [_ALPHA if bits(1) else _skip_channel(bits) for _ in extra]
    bits(1)  # XYB
    if bits(1):  # sRGB
        return _JxlHeader(width, height, depth)
    by_profile = bool(bits(1))
    space = bits.enumeration()
    grey = space == _GREY
    header = partial(_JxlHeader, width, height, depth, grey=grey, floating=floating, alpha=alpha)
    if by_profile or space > _GREY:
        return header(by_profile=True)
    white = bits.enumeration()
    if white == _CUSTOM:
        bits.skip_points(1)
    primaries = 1 if grey else bits.enumeration()
    if primaries == _CUSTOM:
        bits.skip_points(3)
    place = None
    if bits(1):
        transfer = {10000000: _LINEAR, 4545450: _GAMMA}.get(bits(24), _CUSTOM)
    else:
        place = bits.place
        transfer = bits.enumeration()
    linear_at = place if transfer == _LINEAR else None
    named = {1: 1, 9: 9, 11: 12}.get(primaries)
    plain = white == _D65 and named and transfer in _NAMED and not (grey and transfer != _SRGB)
    if not plain and transfer in HDR:
        raise ImageError(
            "its brightness is coded for HDR screens, with unusual primaries or in grey; convert "
            "it to an HDR PNG or AVIF in Rec. 2100 first"
        )
    if not plain:
        return header(by_profile=True, linear_at=linear_at)
    icc, codes = profile_of_codes(named, transfer), hdr_codes(named, transfer)
    return header(icc=icc, codes=codes, linear_at=linear_at)


def _called_srgb(stream: bytes) -> bytes:
    """Return a codestream whose values are called sRGB's where they were called linear.

    The encoder calls all that has more than 8 bits so, and has no option for it.
    """
    place = _jxl_header(stream).linear_at
    if place is None:
        return stream
    head, rest = stream[:_HEAD], stream[_HEAD:]
    number = int.from_bytes(head, "little")
    number ^= (_LINEAR - 2 ^ _SRGB - 2) << (16 + place + 2)  # four bits behind those of a choice
    return number.to_bytes(len(head), "little") + rest


def _jxl_depth(bits: "_Bits") -> tuple[int, bool]:
    """Return bits of a sample, and whether it is a floating-point number."""
    if bits(1):
        depth = bits.choice((0, 32), (0, 16), (0, 24), (6, 1))
        bits(4)
        return depth, True
    return bits.choice((0, 8), (0, 10), (0, 12), (6, 1)), False


def _skip_channel(bits: "_Bits") -> int:
    """Return what a channel beside the colours holds."""
    kind = bits.enumeration()
    _jxl_depth(bits)
    bits.choice((0, 0), (0, 3), (0, 4), (3, 1))  # by how much it is reduced
    for _ in range(bits.choice((0, 0), (4, 0), (5, 16), (10, 48))):  # name
        bits(8)
    if kind == _BLACK:
        raise ImageError("its colours are CMYK; convert it to RGB first")
    if kind == _ALPHA and bits(1):
        raise ImageError(
            "its colours are premultiplied with alpha; save it with straight (unassociated) alpha"
        )
    if kind > 4:
        raise ValueError("a channel of an unusual kind")
    return kind


class _Bits:
    """Reads JPEG XL's numbers, least significant bit first."""

    def __init__(self, data: bytes) -> None:
        self._value = int.from_bytes(data[:_HEAD], "little")
        self._bits = 8 * min(len(data), _HEAD)
        self.place = 0

    def __call__(self, count: int) -> int:
        self.place += count
        if self.place > self._bits:
            raise ValueError("cut short")
        value = self._value & ((1 << count) - 1)
        self._value >>= count
        return value

    def choice(self, *options: tuple[int, int]) -> int:
        """Return one of four ranges: bits and offset."""
        count, offset = options[self(2)]
        return self(count) + offset

    def enumeration(self) -> int:
        """Return a value of an enumeration."""
        return self.choice((0, 0), (0, 1), (4, 2), (6, 18))

    def size(self) -> tuple[int, int]:
        """Return width and height of the picture."""
        ratios = {1: (1, 1), 2: (12, 10), 3: (4, 3), 4: (3, 2), 5: (16, 9), 6: (5, 4), 7: (2, 1)}
        small = self(1)

        def side() -> int:
            return (self(5) + 1) * 8 if small else self.choice((9, 1), (13, 1), (18, 1), (30, 1))

        height = side()
        ratio = self(3)
        width = height * ratios[ratio][0] // ratios[ratio][1] if ratio else side()
        return width, height

    def skip_preview(self) -> None:
        """Skip the size of a preview."""
        small = self(1)
        for first in (True, False):
            if small:
                self.choice((0, 16), (0, 32), (5, 1), (9, 33))
            else:
                self.choice((6, 1), (8, 65), (10, 321), (12, 1345))
            if first and self(3):
                return

    def skip_points(self, count: int) -> None:
        """Skip chromaticities."""
        for _ in range(2 * count):
            self.choice((19, 0), (19, 524288), (20, 1048576), (21, 2097152))


def _jp2(data: bytes, max_pixels: int) -> Photo:
    codecs = _imagecodecs("reading JPEG 2000")
    icc = exif = xmp = iptc = None
    stream = data
    if not data.startswith(b"\xff\x4f"):
        for kind, body in _payloads(data):
            if kind == b"jp2h":
                for name, inner in _payloads(body):
                    if name == b"colr" and inner[:1] in (b"\2", b"\3"):
                        icc = inner[3:]
                    elif name == b"colr" and inner[3:7] == struct.pack(">I", 12):
                        raise ImageError("its colours are CMYK; convert it to RGB first")
            elif kind == b"uuid":
                name, inner = body[:16], body[16:]
                xmp = inner if name == _XMP else xmp
                iptc = inner if name == _IPTC else iptc
                exif = inner.removeprefix(b"Exif\0\0") if name == _EXIF else exif
            elif kind == b"jp2c":
                stream = body
    if stream[:4] != b"\xff\x4f\xff\x51":
        raise ValueError("no codestream")
    x1, y1, x0, y0 = struct.unpack_from(">4I", stream, 8)
    check_size(x1 - x0, y1 - y0, max_pixels)
    bits = (stream[42] & 127) + 1
    stored = _decoded(codecs.jpeg2k_decode, data)
    pixels, alpha = _parts(stored, bits)
    metadata = Metadata(icc=icc, exif=exif, xmp=xmp, iptc=iptc)
    return Photo(pixels, alpha, metadata, "jp2", Compression())


def _bmp(data: bytes, max_pixels: int) -> Photo:
    head = int.from_bytes(data[14:18], "little")  # 12 and 16 bytes are OS/2's
    width, height, _, bits = struct.unpack_from("<4H" if head == 12 else "<2i2H", data, 18)
    check_size(abs(width), abs(height), max_pixels)
    compression = int.from_bytes(data[30:34], "little") if head > 16 else 0
    masks = struct.unpack_from("<3I", data, 54) if compression == 3 and bits == 32 else ()
    kind = f"{bits} bits, compression {compression}" + "".join(f", {mask:08x}" for mask in masks)
    rare = f"it is damaged, or a rare kind of BMP ({kind}); open it in a viewer and save it as PNG"
    if any(not mask or mask // (mask & -mask) != 255 for mask in masks):  # taken for bytes
        raise ImageError(rare)
    codecs = _imagecodecs("reading BMP")
    try:
        stored = _decoded(codecs.bmp_decode, data, asrgb=True)
    except ImageError:
        stored = _bmp_of_pillow(data, rare)
    pixels, alpha = _parts(stored, 8)
    return Photo(pixels, alpha, Metadata(), "bmp", Compression())


def _bmp_of_pillow(data: bytes, rare: str) -> NDArray[np.uint8]:
    """Decode what imagecodecs does not: run lengths, OS/2's heads, palettes that are too long."""
    try:
        from PIL import BmpImagePlugin  # late: an extra
    except ImportError as error:
        raise MissingDependencyError(
            "reading this kind of BMP needs the package pillow: pip install 'invdn[formats]'"
        ) from error
    try:  # not by Image.open, whose limit of pixels is the whole program's
        image = BmpImagePlugin.BmpImageFile(io.BytesIO(data))
        return np.asarray(image.convert("L" if image.mode in ("1", "L") else "RGB"))
    except Exception as error:  # OSError, ValueError, SyntaxError and others
        raise ImageError(rare) from error


def _ppm(data: bytes, max_pixels: int) -> Photo:
    """Return Netpbm's formats P1 to P6, the first picture of a file."""
    kind = data[1:2]
    count = 2 if kind in b"14" else 3
    numbers: list[int] = []
    place = 2
    while len(numbers) < count:
        word, place = _word(data, place)
        numbers.append(int(word))
    width, height = numbers[:2]
    top = 1 if kind in b"14" else numbers[2]
    check_size(width, height, max_pixels)
    if not 0 < top < 65536 or not width or not height:
        raise ValueError("no such size or range")
    bands = 3 if kind in b"36" else 1
    total = width * height * bands
    stored: Any
    if kind in b"456":
        body = memoryview(data)[place + 1 :]
        if kind == b"4":
            row = (width + 7) // 8
            packed = np.frombuffer(body, np.uint8, row * height).reshape(height, row)
            stored = 1 - np.unpackbits(packed, axis=1)[:, :width]
        else:
            stored = np.frombuffer(body, np.uint8 if top < 256 else ">u2", total)
    elif kind == b"1":
        digits = data[place:].translate(None, b" \t\r\n")
        stored = 1 - (np.frombuffer(digits, np.uint8, total) - ord("0"))
    else:
        stored = np.array(data[place:].split()[:total], np.int64)
    if stored.size != total or stored.max() > top:
        raise ValueError("cut short")
    depth: Any = np.uint8 if top < 256 else np.uint16
    scale = np.iinfo(depth).max / top
    values = stored.reshape(height, width, bands)
    whole = np.rint(values * scale).astype(depth) if scale != 1 else values.astype(depth)
    pixels: Any = np.ascontiguousarray(whole if bands == 3 else whole[..., 0])
    return Photo(pixels, None, Metadata(), "ppm", Compression())


def _word(data: bytes, place: int) -> tuple[bytes, int]:
    """Return the next word of a head and where it ends; comments are skipped."""
    while True:
        while data[place : place + 1].isspace():
            place += 1
        if data[place : place + 1] != b"#":
            break
        place = data.index(b"\n", place)
    end = place
    while end < len(data) and not data[end : end + 1].isspace():
        end += 1
    return data[place:end], end


def _decoded(codec: Any, data: bytes, **how: Any) -> NDArray[Any]:
    try:
        found: NDArray[Any] = codec(data, **how)
    except Exception as error:  # codecs raise errors of their own, without a common base
        raise ImageError(DAMAGED) from error
    return found


def _parts(stored: NDArray[Any], bits: int) -> tuple[Pixels, Pixels | None]:
    """Return colours and alpha, in one of the types of photographs."""
    if stored.ndim == 3 and stored.shape[2] == 1:
        stored = stored[..., 0]
    bands = 1 if stored.ndim == 2 else stored.shape[2]
    if stored.ndim not in (2, 3) or bands > 4 or stored.dtype not in (np.uint8, np.uint16, "f4"):
        raise ImageError(
            f"it has {bands} channels of type {stored.dtype}; save it as greyscale or RGB with 8 "
            "or 16 bits, or as 32-bit floating point"
        )
    if stored.dtype == np.uint16 and 8 < bits < 16:
        stored = expand_bit_depth(stored << np.uint16(16 - bits), bits)
    elif stored.dtype == np.uint8 and bits < 8:
        stored = np.rint(stored * (255 / ((1 << bits) - 1))).astype(np.uint8)
    if not is_finite(stored):
        raise ImageError("some of its pixels are NaN or infinite; replace them by numbers first")
    if bands in (1, 3):
        return np.array(stored, order="C"), None
    colours: Any = stored[..., 0] if bands == 2 else stored[..., :3]
    return np.array(colours, order="C"), np.array(stored[..., -1], order="C")


def _payloads(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    return ((kind, data[start:stop]) for kind, start, stop in boxes(data))
