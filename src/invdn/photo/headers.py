"""What the blocks around the pixels say, before any pixel is decoded."""

from dataclasses import dataclass, field
from typing import BinaryIO

from ..errors import ImageError
from .color.cicp import profile_of_codes, profile_of_gamma
from .containers import heif, jpeg, png, tiff, webp
from .containers.ifd import DirectoryError, upright
from .photo import Compression

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
    """

    exif: bytes | None = None
    iptc: bytes | None = None
    native: bytes = b""
    compression: Compression = field(default_factory=Compression)
    icc: bytes | None = None
    aspect: tuple[int, int] | None = None
    page: int | None = None
    grey: bool = False


def read_header(file: BinaryIO, name: str, page: int | None) -> Header:
    """Walk the blocks of a file.

    Args:
        file: open for reading.
        name: its format, one that libvips or libheif decodes.
        page: which of several pictures, from 1; ``None``: there is one only.

    Raises:
        ImageError: an animation, or of a kind that is not supported, or without that page.
    """
    if page is not None and name in ("jpeg", "png", "webp"):
        choose_page(1, page)
    match name:
        case "jpeg":
            j = jpeg.read_header(file)
            return Header(j.exif, j.iptc, j.native, j.compression, aspect=j.aspect)
        case "png":
            p = png.read_header(file)
            _refuse_animation(p.animated)
            return Header(p.exif, p.iptc, p.native, icc=_png_profile(p.native))
        case "webp":
            file.seek(0)
            w = webp.read_header(file.read())
            _refuse_animation(w.animated)
            return Header(w.exif, compression=Compression(lossless=w.lossless))
        case "tiff":
            return _tiff(file, page)
        case _:
            h = heif.read_header(file)
            how = Compression(subsampling=h.subsampling, bits=h.bits)
            # decoders turn the picture themselves and the standard tells them to ignore EXIF here
            exif = upright(h.exif) if h.exif else None
            icc = profile_of_codes(h.primaries, h.transfer)
            return Header(exif, compression=how, icc=icc, page=page, grey=h.grey)


def choose_page(pages: int, page: int | None) -> int:
    """The number of the page from 0.

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
        raise ImageError(f"it has {pages} pages; choose one (page, or --page 1 to {pages})")
    if page is not None and not 1 <= page <= pages:
        raise ImageError(f"it has {pages} page{'s' * (pages > 1)} and none of number {page}")
    return (page or 1) - 1


def _png_profile(native: bytes) -> bytes | None:
    """What a PNG says about its colours without a profile."""
    codes, gamma, primaries = png.described_colours(native)
    return profile_of_codes(*codes) if codes else profile_of_gamma(gamma, primaries)


def _tiff(file: BinaryIO, page: int | None) -> Header:
    try:
        header = tiff.read_header(file, None if page is None else page - 1)
    except DirectoryError as error:
        raise ImageError(DAMAGED) from error
    number = header.pages[choose_page(len(header.pages), page)]
    if header.obstacle:
        raise ImageError(header.obstacle)
    return Header(header.exif, header.iptc, page=number)


def _refuse_animation(animated: bool) -> None:
    if animated:
        raise ImageError("it is an animation; save the frame that you want as a still picture")
