"""What a user may choose about the file of a result."""

from dataclasses import dataclass

from ..errors import InputError


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
