"""Pixels out of an open file through libvips: everything or an error, strip by strip."""

import io
import re
import threading
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, BinaryIO

import numpy as np

from ..errors import ImageError
from ..image.dtype import Pixels, expand_bit_depth, is_finite
from .color.cicp import hdr_codes, light_of_chunks, profile_of_codes, profile_of_gamma
from .containers import heif, jpeg, png, tiff, webp
from .containers.gain_map import GainMap
from .containers.heif import GAIN_MAP
from .containers.ifd import DirectoryError, upright
from .containers.jpeg_attachments import END, Attachment, lacks_end, read_attachments
from .gain_maps import gain_map_of
from .photo import Compression, Metadata, Photo
from .vips import pyvips
from .xmp import directory

DAMAGED = "the file is damaged or cut short; fetch it again from where it came from"


@dataclass(frozen=True)
class Header:
    """What is kept of a file besides its pixels, profile and XMP.

    Attributes:
        exif: the block, as in :class:`~invdn.photo.photo.Metadata`.
        iptc: IPTC records.
        native: blocks that only this format knows.
        compression: how the pixels are compressed.
        icc: a profile made from what the format says about its colours in its own way.
        aspect: a density without a unit, which libvips takes for pixels per millimetre.
        page: which of the pictures in the file is meant: a TIFF's directory, from 0; or as the
            user counts, where only the decoder knows how many there are.
        grey: the decoder makes three equal channels of one.
        attachments: what follows the picture of a JPEG.
        mpf: the index of a JPEG's pictures.
        picture: the file of the picture itself, where it lies within another.
        resolution: pixels per millimetre, where the decoder is not asked.
        transparency: a further channel is one, and not of unknown meaning.
        codes: numbers of the colours, of a picture for HDR screens.
        light: how bright such a picture is.
        gain_map: of an AVIF or HEIC.
        auxiliary: depth maps, mattes and the like of an AVIF or HEIC.
        detour: why libvips cannot decode a TIFF's pixels, as TiffHeader has it.
        remarks: what its owner should know, for people.
    """

    exif: bytes | None = None
    iptc: bytes | None = None
    native: bytes = b""
    compression: Compression = field(default_factory=Compression)
    icc: bytes | None = None
    aspect: tuple[int, int] | None = None
    page: int | None = None
    grey: bool = False
    attachments: tuple[Attachment, ...] = ()
    mpf: bytes | None = None
    picture: bytes | None = None
    resolution: tuple[float, float] | None = None
    transparency: bool = True
    codes: tuple[int, int] | None = None
    light: tuple[bytes, ...] = ()
    gain_map: GainMap | None = None
    auxiliary: tuple[heif.Auxiliary, ...] = ()
    detour: str = ""
    remarks: tuple[str, ...] = ()


def read_header(file: BinaryIO, name: str, page: int | None) -> Header:
    """Walk the blocks of a file.

    Args:
        file: open for reading.
        name: its format, one that libvips or libheif decodes.
        page: which of several pictures, from 1; ``None``: there is one only.

    Raises:
        ImageError: an animation, or of a kind that is not supported, or without that page.
    """
    if page is not None and name in ("png", "webp", "gif"):
        choose_page(1, page)
    match name:
        case "jpeg":
            return _jpeg(file, page)
        case "png":
            p = png.read_header(file)
            _refuse_animation(p.animated)
            return _png(p)
        case "webp":
            file.seek(0)
            w = webp.read_header(file.read())
            _refuse_animation(w.animated)
            compression = Compression(w.quality, lossless=w.lossless)
            return Header(w.exif, compression=compression, remarks=left_out(w.dropped))
        case "tiff":
            return _tiff(file, page)
        case "gif":
            return Header()
        case _:
            h = heif.read_header(file)
            how = Compression(h.quality, h.subsampling, bits=h.bits)
            # decoders turn the picture themselves and the standard tells them to ignore EXIF here
            exif = upright(h.exif) if h.exif else None
            items = None if page else h.items
            gain_map = gain_map_of(items, h.exif) if items else None
            auxiliary = heif.auxiliaries_of(items) if items else ()
            kept = {a.label for a in auxiliary}
            if gain_map:  # Apple's is an auxiliary picture as well
                kept.add(GAIN_MAP)
                auxiliary = tuple(a for a in auxiliary if a.label != GAIN_MAP)
            return Header(
                exif,
                compression=how,
                icc=profile_of_codes(h.primaries, h.transfer),
                codes=hdr_codes(h.primaries, h.transfer),
                light=h.light,
                gain_map=gain_map,
                auxiliary=auxiliary,
                page=page,
                grey=h.grey,
                remarks=left_out(name for name in h.further if name not in kept),
            )


def choose_page(pages: int, page: int | None) -> int:
    """Return the number of the page from 0.

    Args:
        pages: how many there are.
        page: which is wanted, from 1, or ``None``.

    Raises:
        ImageError: there is no such page, or there are several and none was chosen.

    Example:
        >>> choose_page(3, 2)
        1
    """
    if page is None and pages > 1:
        raise ImageError(
            f"it has {pages} pages; choose one with the command's --page 1 to {pages} (page in "
            "Python), or save the one that you want as a file of its own"
        )
    if page is not None and not 1 <= page <= pages:
        raise ImageError(f"it has {pages} page{'s' * (pages > 1)} and none of number {page}")
    return (page or 1) - 1


def left_out(names: Iterable[str]) -> tuple[str, ...]:
    """Return the remark that tells what is left out of every result; none for nothing."""
    listed = ", ".join(dict.fromkeys(names))
    return (f"left out: {listed}",) if listed else ()


def _jpeg(file: BinaryIO, page: int | None) -> Header:
    if tidy := jpeg.without_rubbish(file):
        remark = "stray bytes between the blocks of its head were skipped"
        header = _jpeg(io.BytesIO(tidy), page)
        return replace(header, picture=header.picture or tidy, remarks=(remark, *header.remarks))
    j = jpeg.read_header(file)
    attachments, remarks = read_attachments(file, j.mpf, j.mpf_at, j.size)
    attachments = _labelled(attachments, j.xmp)
    views = [attachment for attachment in attachments if attachment.kind == "view"]
    number = choose_page(1 + len(views), page)
    remarks = (*left_out(j.dropped), *remarks)
    if views:
        others = f"{len(views)} other picture{'s' * (len(views) > 1)} of the file"
        remarks = (*remarks, f"left out: {others}")
        attachments = tuple(attachment for attachment in attachments if attachment.kind != "view")
    if number:
        inner = jpeg.read_header(io.BytesIO(views[number - 1].data))
        return Header(
            inner.exif or j.exif,
            inner.iptc,
            inner.native,
            inner.compression,
            aspect=inner.aspect,
            picture=views[number - 1].data,
            remarks=remarks,
        )
    for other in attachments:
        if other.kind == "picture" and (size := other.size):
            kept = f"a further picture in the file ({size[0]}x{size[1]}) is kept as it was"
            remarks = (*remarks, kept)
    return Header(
        j.exif,
        j.iptc,
        j.native,
        j.compression,
        aspect=j.aspect,
        attachments=attachments,
        mpf=j.mpf,
        remarks=remarks,
    )


def _labelled(attachments: Sequence[Attachment], xmp: bytes | None) -> tuple[Attachment, ...]:
    """Call pictures that do not tell what they are by the names that XMP has for them."""
    listed = [item for item in directory(xmp) if item[0] != "video"]
    unknown = [a for a in attachments if a.kind in ("picture", "view")]
    labels: dict[int, str] = {}
    for kind, length in listed:
        left = [a for a in unknown if id(a) not in labels]
        right = next((a for a in left if len(a.data) == length), left[0] if left else None)
        if right and kind:
            labels[id(right)] = kind
    return tuple(replace(a, kind=labels.get(id(a), a.kind)) for a in attachments)


def _png(header: png.PngHeader) -> Header:
    codes, gamma, primaries = png.described_colours(header.native)
    return Header(
        header.exif,
        header.iptc,
        header.native,
        icc=profile_of_codes(*codes) if codes else profile_of_gamma(gamma, primaries),
        codes=hdr_codes(*codes) if codes else None,
        light=light_of_chunks(png.chunks_in(header.native)) if codes else (),
        resolution=header.resolution,
        remarks=left_out(header.dropped),
    )


def _tiff(file: BinaryIO, page: int | None) -> Header:
    try:
        header = tiff.read_header(file, None if page is None else page - 1)
    except DirectoryError as error:
        raise ImageError(DAMAGED) from error
    number = header.pages[choose_page(len(header.pages), page)]
    if header.obstacle:
        raise ImageError(header.obstacle)
    return Header(
        header.exif,
        header.iptc,
        header.native,
        page=number,
        resolution=header.resolution,
        transparency=header.transparency,
        detour=header.detour,
        remarks=left_out(header.dropped),
    )


def _refuse_animation(animated: bool) -> None:
    if animated:
        raise ImageError("it is an animation; save the frame that you want as a still picture")


_ROWS = 256  # decoded in one go
_TYPES = {"uchar": np.uint8, "ushort": np.uint16, "float": np.float32}
_COLOURS = {"b-w", "grey16", "srgb", "rgb", "rgb16", "scrgb", "multiband"}
_TAG_COMPLAINT = re.compile(r'Bad value .* for ".*" tag')
_FINEST = 1e5  # pixels per millimetre; more is nonsense, and libvips cannot write it
# libvips has one buffer of messages for all threads, and some damage shows only there
_one_at_a_time = threading.Lock()
#: Edge length of a JPEG's blocks.
EIGHTH = 8


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


def decode_eighth(file: BinaryIO, header: Header, max_pixels: int) -> Photo:
    """Return a JPEG as means of ``EIGHTH`` x ``EIGHTH`` pixels, in a fraction of the time.

    They are the means of its blocks, which are decoded alone. Sizes are rounded up; a square that
    the picture's edge cuts is that beside it.

    Raises:
        ImageError: damaged, too large, of a kind that is not supported, or turned and of such a
            size that the first square of the upright picture would be cut.
        pyvips.Error: damaged so that libvips cannot decode it.
    """
    image, orientation = examine(file, "jpeg", header, max_pixels)
    if orientation != 1 and (image.width % EIGHTH or image.height % EIGHTH):
        raise ImageError(f"its size is no multiple of {EIGHTH}")
    if header.picture is not None:
        file = io.BytesIO(header.picture)
    with _one_at_a_time:
        photo = _attempt(file, "jpeg", header, max_pixels, "warning", shrink=EIGHTH)
    missing = [(0, -(-image.height // EIGHTH) - photo.height)]
    missing += [(0, -(-image.width // EIGHTH) - photo.width)]
    if any(after for _, after in missing):  # libvips leaves out what is no whole square
        missing += [(0, 0)] * (photo.pixels.ndim - 2)
        pixels: Any = np.pad(photo.pixels, missing, mode="edge")
        photo = replace(photo, pixels=pixels)
    return photo


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


def _attempt(
    file: BinaryIO, name: str, header: Header, max_pixels: int, strictness: str, **how: int
) -> Photo:
    pyvips.Error("")  # creating one empties the buffer of messages
    source = _source(file)  # must live as long as the picture
    image = _loaded(source, name, header, strictness, **how)
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
        auxiliary=header.auxiliary,
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


def _loaded(source: Any, name: str, header: Header, strictness: str, **more: int) -> Any:
    """Return libvips' picture, whose pixels are still in the file."""
    how: dict[str, Any] = {"access": "sequential", "fail_on": strictness, **more}
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
