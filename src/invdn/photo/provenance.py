"""A trace of the work in a photograph's metadata: who did it, for whoever finds the file later."""

from dataclasses import replace
from functools import cache
from importlib.metadata import PackageNotFoundError, version

from .containers.ifd import software, with_software
from .photo import Photo
from .xmp import agents, with_event

_NAME = "InvDN"
_MOST_EXIF, _MOST_XMP = 65527, 65502  # bytes in a segment of JPEG


def marked(photo: Photo, parameters: str) -> Photo:
    """Return the photograph with the work noted in XMP's history and EXIF's ``Software``.

    What ``Software`` said before stays in front. Blocks that are damaged, or would become too
    large for a JPEG, stay as they are.

    Args:
        photo: the result.
        parameters: how it was made, for people.

    Example:
        >>> import numpy as np
        >>> photo = marked(Photo(np.zeros((4, 4), np.uint8)), "strength 1")
        >>> is_marked(photo)
        True
    """
    metadata = photo.metadata
    xmp = with_event(metadata.xmp, "edited", agent(), parameters)
    if xmp and (not metadata.xmp or len(xmp) <= _MOST_XMP):
        metadata = replace(metadata, xmp=xmp)
    before = software(metadata.exif)
    if _NAME not in before:
        exif = with_software(metadata.exif, f"{before}; {agent()}" if before else agent())
        if len(exif) <= _MOST_EXIF:
            metadata = replace(metadata, exif=exif)
    return replace(photo, metadata=metadata)


def is_marked(photo: Photo) -> bool:
    """Return whether the photograph is a result already."""
    said = (software(photo.metadata.exif), *agents(photo.metadata.xmp))
    return any(_NAME in text for text in said)


@cache
def agent() -> str:
    """Return name and version of this program."""
    try:
        return f"{_NAME} {version('invdn')}"
    except PackageNotFoundError:  # run from a checkout
        return _NAME
