"""HEIC pictures, as phones store them, through libheif in the package ``pi-heif`` (an extra).

Only decoding: free encoders for HEVC come under the GPL, and ours does not.
"""

from typing import Any, BinaryIO

import numpy as np

from ..errors import ImageError, MissingDependencyError
from ..image.dtype import Pixels, expand_bit_depth
from .decode import DAMAGED, Header, check_size, choose_page
from .photo import Metadata, Photo


def decode_heic(file: BinaryIO, header: Header, max_pixels: int) -> Photo:
    """Return the photograph of an open file whose blocks have been read.

    Raises:
        ImageError: damaged, too large, or several pictures and none chosen.
        MissingDependencyError: ``pi-heif`` is not installed.
    """
    try:
        import pi_heif  # late: an extra
    except ImportError as error:
        raise MissingDependencyError(
            "reading HEIC needs the package pi-heif: pip install 'invdn[heic]'"
        ) from error
    file.seek(0)
    try:
        container = pi_heif.open_heif(file, convert_hdr_to_8bit=False)
        picture = container[choose_page(len(container), header.page)]
        width, height = picture.size
        check_size(width, height, max_pixels)
        stored = np.asarray(picture)
    except (ValueError, RuntimeError, EOFError, SyntaxError) as error:
        raise ImageError(DAMAGED) from error
    pixels, alpha = _parts(stored, header)
    info: dict[str, Any] = picture.info
    metadata = Metadata(
        icc=info.get("icc_profile") or header.icc,
        exif=header.exif,
        xmp=info.get("xmp") or None,
        native=header.native,
        codes=header.codes,
        light=header.light,
        gain_map=header.gain_map,
        auxiliary=header.auxiliary,
    )
    return Photo(pixels, alpha, metadata, "heic", header.compression, header.remarks)


def _parts(stored: Any, header: Header) -> tuple[Pixels, Pixels | None]:
    """Return colours and alpha, as arrays that may be written to."""
    bits = header.compression.bits or 8
    if stored.dtype == np.uint16:
        stored = expand_bit_depth(stored, max(bits, 9))
    if stored.ndim == 2:
        return stored.copy(), None
    alpha = stored[..., 3].copy() if stored.shape[2] == 4 else None
    return stored[..., 0].copy() if header.grey else stored[..., :3].copy(), alpha
