"""What the blocks around the pixels say, before any pixel is decoded."""

import io
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import BinaryIO

from ..errors import ImageError
from .color.cicp import hdr_codes, light_of_chunks, profile_of_codes, profile_of_gamma
from .containers import heif, jpeg, png, tiff, webp
from .containers.gain_map import GainMap
from .containers.heif import GAIN_MAP
from .containers.ifd import DirectoryError, upright
from .containers.jpeg_attachments import Attachment, read_attachments
from .gain_maps import gain_map_of
from .photo import Compression
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
        codec: what compresses a TIFF's pixels, where libvips cannot decode it.
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
    codec: str = ""
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
            gain_map = gain_map_of(h.items, h.exif) if h.items and not page else None
            return Header(
                exif,
                compression=how,
                icc=profile_of_codes(h.primaries, h.transfer),
                codes=hdr_codes(h.primaries, h.transfer),
                light=h.light,
                gain_map=gain_map,
                page=page,
                grey=h.grey,
                remarks=left_out(n for n in h.further if not (gain_map and n == GAIN_MAP)),
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
        raise ImageError(f"it has {pages} pages; choose one (page, or --page 1 to {pages})")
    if page is not None and not 1 <= page <= pages:
        raise ImageError(f"it has {pages} page{'s' * (pages > 1)} and none of number {page}")
    return (page or 1) - 1


def left_out(names: Iterable[str]) -> tuple[str, ...]:
    """Return the remark that tells what is left out of every result; none for nothing."""
    listed = ", ".join(dict.fromkeys(names))
    return (f"left out: {listed}",) if listed else ()


def _jpeg(file: BinaryIO, page: int | None) -> Header:
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
        codec=header.codec,
        remarks=left_out(header.dropped),
    )


def _refuse_animation(animated: bool) -> None:
    if animated:
        raise ImageError("it is an animation; save the frame that you want as a still picture")
