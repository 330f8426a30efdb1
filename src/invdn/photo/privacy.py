"""What is left of a photograph's metadata where its owner wants none of it passed on."""

import struct

from .containers import png
from .containers.ifd import ORIENTATION, Directory, Entry, serialise
from .linear_raw import PRIVATE, without_tags
from .photo import Metadata, Photo


def stripped(photo: Photo, name: str) -> Metadata:
    """Keep only what decides the look: colour profile, orientation, a PNG's colour chunks.

    Args:
        photo: whose metadata.
        name: the format it will be written in.

    Example:
        >>> import numpy as np
        >>> grey = np.zeros((8, 8), np.uint8)
        >>> photo = Photo(grey, metadata=Metadata(icc=b"profile", xmp=b"who"))
        >>> stripped(photo, "jpeg") == Metadata(icc=b"profile")
        True
    """
    exif = None
    if photo.orientation != 1:
        exif = serialise(Directory({ORIENTATION: Entry(3, struct.pack("<H", photo.orientation))}))
    native = b""
    if photo.format == name == "png":
        native = png.colour_chunks(photo.metadata.native)
    camera = without_tags(photo.metadata.camera, PRIVATE)
    return Metadata(
        icc=photo.metadata.icc,
        exif=exif,
        native=native,
        codes=photo.metadata.codes,
        light=photo.metadata.light,
        camera=camera,
    )
