"""A photograph as its file stored it."""

from dataclasses import dataclass, field

import numpy as np

from ..errors import InputError
from ..image.dtype import Pixels
from .containers.gain_map import GainMap
from .containers.heif import Auxiliary
from .containers.ifd import orientation
from .containers.jpeg_attachments import Attachment


@dataclass(frozen=True)
class WriteOptions:
    """How a photograph is written; by default as its source was.

    Attributes:
        quality: 1 to 100 for JPEG, WebP and AVIF. ``None`` keeps that of a source of the
            same format (estimated from its quantiser) and a lossless WebP lossless, and means 95
            for everything else.
        subsampling: ``"4:4:4"`` or ``"4:2:0"``: the chroma of a JPEG or AVIF. ``None`` keeps the
            source's, and makes full what lies between the two.
        strip_metadata: leave out EXIF, XMP, IPTC, comments, text and resolution; the colour
            profile and the orientation stay, since the picture would look wrong without them.

    Raises:
        InputError: a value is outside its range.

    Example:
        >>> WriteOptions(quality=101)
        Traceback (most recent call last):
            ...
        invdn.errors.InputError: quality 101 does not exist; give a number from 1 to 100
    """

    quality: int | None = None
    subsampling: str | None = None
    strip_metadata: bool = False

    def __post_init__(self) -> None:
        if self.quality is not None and not 1 <= self.quality <= 100:
            raise InputError(f"quality {self.quality} does not exist; give a number from 1 to 100")
        if self.subsampling not in (None, "4:4:4", "4:2:0"):
            raise InputError(
                f"chroma subsampling {self.subsampling!r} cannot be written; use '4:4:4' or '4:2:0'"
            )


_STORED = (np.dtype(np.uint8), np.dtype(np.uint16), np.dtype(np.float32))


@dataclass(frozen=True)
class Metadata:
    """What a file says about its picture, as bytes that are never reinterpreted.

    Attributes:
        icc: colour profile.
        exif: EXIF as a TIFF stream (``II*`` or ``MM*`` first); holds the orientation, GPS and
            an embedded thumbnail too. For TIFF files it is gathered from their directories.
        xmp: XMP packet.
        iptc: IPTC-IIM records.
        resolution: horizontal and vertical pixels per millimetre.
        codes: colour primaries and transfer characteristics by ITU-T H.273, of pictures for HDR
            screens (PQ or HLG); other pictures have a profile instead.
        light: how bright such a picture and its screen are: the boxes of AVIF and HEIC.
        gain_map: makes the picture for HDR screens of this one; of AVIF and HEIC. A JPEG's is an
            attachment.
        auxiliary: depth maps, mattes and the like of AVIF and HEIC.
        camera: tags of a DNG that describe the camera, as a TIFF stream; of raw files in linear
            camera colours only.
        attachments: what follows the picture in a JPEG file: gain map, smaller copies, video.
        mpf: a JPEG's index of its pictures.
        native: further blocks that only the source's own format knows (comments, PNG's gamma and
            text chunks); copied to a file of the same format and left out of others.
    """

    icc: bytes | None = None
    exif: bytes | None = None
    xmp: bytes | None = None
    iptc: bytes | None = None
    resolution: tuple[float, float] | None = None
    native: bytes = b""
    codes: tuple[int, int] | None = None
    light: tuple[bytes, ...] = ()
    gain_map: GainMap | None = None
    auxiliary: tuple[Auxiliary, ...] = ()
    camera: bytes | None = None
    attachments: tuple[Attachment, ...] = ()
    mpf: bytes | None = None


@dataclass(frozen=True)
class Compression:
    """How the source was compressed, so that a copy need not be worse.

    Attributes:
        quality: estimated quality of a JPEG, WebP or AVIF, 1 to 100 on the scale of the encoder
            that is used for its format; ``None`` for other formats and where it is not known.
        subsampling: chroma of a JPEG, AVIF or HEIC as in ``"4:2:0"``; full in other formats.
        lossless: whether a WebP keeps every pixel exactly.
        bits: of a sample of an AVIF or HEIC, 8 to 12; ``None`` for other formats.
    """

    quality: int | None = None
    subsampling: str = "4:4:4"
    lossless: bool = False
    bits: int | None = None


@dataclass(frozen=True)
class Photo:
    """Pixels exactly as stored, and everything needed to write them back.

    They are not rotated, but for AVIF, HEIC and raw files, which come upright.

    Attributes:
        pixels: ``(H, W)`` grey or ``(H, W, 3)`` RGB, C-contiguous; uint8, uint16, or float32 with
            white at 1.
        alpha: ``(H, W)`` of the same type, or ``None``.
        metadata: profile, EXIF, XMP, IPTC, resolution.
        format: ``"jpeg"``, ``"png"``, ``"tiff"``, ``"webp"``, ``"avif"``, ``"heic"`` or ``"raw"``.
        compression: how the source was compressed.
        remarks: what its owner should know about the file, for people.
        transparency: whether ``alpha`` is one; else it is a channel of unknown meaning, as TIFF
            may hold.

    Raises:
        InputError: shapes or types do not fit the description.

    Example:
        >>> photo = Photo(np.zeros((5, 7, 3), np.uint8), format="png")
        >>> photo.height, photo.width, photo.alpha is None
        (5, 7, True)
    """

    pixels: Pixels
    alpha: Pixels | None = None
    metadata: Metadata = field(default_factory=Metadata)
    format: str = "png"
    compression: Compression = field(default_factory=Compression)
    remarks: tuple[str, ...] = ()
    transparency: bool = True

    def __post_init__(self) -> None:
        shape, kind = self.pixels.shape, self.pixels.dtype
        grey_or_rgb = len(shape) == 2 or (len(shape) == 3 and shape[2] == 3)
        if not grey_or_rgb or 0 in shape or kind not in _STORED:
            raise InputError(
                f"pixels of shape {shape} and type {kind} are no photograph; "
                "give (H, W) or (H, W, 3) as uint8, uint16 or float32"
            )
        if self.alpha is not None and (self.alpha.shape, self.alpha.dtype) != (shape[:2], kind):
            raise InputError(
                f"alpha of shape {self.alpha.shape} and type {self.alpha.dtype} does not fit "
                f"pixels of shape {shape} and type {kind}"
            )

    @property
    def height(self) -> int:
        """Rows."""
        return int(self.pixels.shape[0])

    @property
    def width(self) -> int:
        """Columns."""
        return int(self.pixels.shape[1])

    @property
    def orientation(self) -> int:
        """How a viewer should turn the picture: EXIF's number, 1 (upright) to 8."""
        return orientation(self.metadata.exif)
