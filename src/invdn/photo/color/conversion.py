"""The way of a window's colours to the network and back.

::

    window ── space.to_srgb ── srgb ─┬─ clipped to [0, 1] ── network ── clean
                                     │        │                          │
                                     │        └────── change = clean - clipped
                                     └── srgb + change ── space.from_srgb ── result

The network sees what fits into sRGB; what it changes is added to the colours as they were. So a
highlight above white stays where it was but for its noise, and a window that the network leaves
alone comes back as it went. Of a photograph with colours outside sRGB's gamut the network sees
the photograph's own primaries instead, under sRGB's tone curve: what is clipped would keep its
noise, and channels of which one is clipped would gain some.
"""

import math
from dataclasses import dataclass

import numpy as np

from ...errors import ImageError
from ...image.curves import Values
from ...image.dtype import Pixels, to_float
from ..containers.ifd import interoperability
from ..photo import Photo
from ..vips import pyvips
from .icc import ADOBE_GAMMA, ADOBE_PRIMARIES, ProfileError, read_profile, to_pcs
from .spaces import ColourSpace, MatrixSpace, Srgb, is_srgb, space_of_profile

_MOST_ABOVE_WHITE = 0.5  # share of a photograph's samples
# Share of a photograph's pixels outside sRGB from which its own primaries are used, by how far they
# lie outside, and pixels that are looked at, at most.
_OUTSIDE, _FAR, _LOOKED_AT = 1e-3, 0.01, 1 << 18


@dataclass(frozen=True)
class SrgbBridge:
    """Colours of one photograph, for windows of float32 ``(h, w, 1 or 3)`` with white at 1.

    Attributes:
        space: the photograph's colour space.

    Example:
        >>> colours = SrgbBridge(Srgb())
        >>> window = np.array([[[0.5, 1.5, -0.5]]], np.float32)
        >>> seen = colours.to_srgb(window)
        >>> seen.tolist()
        [[[0.5, 1.0, 0.0]]]
        >>> colours.from_srgb(seen - np.float32(0.25), window).tolist()
        [[[0.25, 1.25, -0.75]]]
    """

    space: ColourSpace

    def to_srgb(self, window: Values) -> Values:
        """Return what the network sees of a window: sRGB-encoded, in [0, 1]."""
        return np.clip(self.space.to_srgb(window), 0, 1)

    def from_srgb(self, clean: Values, window: Values) -> Values:
        """Return the denoised window in the photograph's own colours.

        Args:
            clean: what the network made of :meth:`to_srgb`.
            window: the window as it was.
        """
        srgb = self.space.to_srgb(window)
        changed = self.space.from_srgb(srgb + (clean - np.clip(srgb, 0, 1)))
        return window + (changed - self.space.from_srgb(srgb))


def srgb_bridge_of(photo: Photo) -> tuple[SrgbBridge | None, tuple[str, ...]]:
    """Return how the colours of a photograph go to the network, and what to tell its owner.

    The embedded profile decides; without one, EXIF's mark of Adobe RGB; without that it is sRGB.

    Returns:
        ``None`` for the colours where 8 or 16 bits of sRGB need no conversion, and remarks.

    Raises:
        ImageError: a floating-point photograph lies mostly above its white.

    Example:
        >>> srgb_bridge_of(Photo(np.zeros((8, 8, 3), np.uint8)))
        (None, ())
    """
    space, remarks = _space_of(photo)
    if photo.pixels.dtype != np.float32:
        needless = isinstance(space, Srgb) or is_srgb(space, 1 if photo.pixels.ndim == 2 else 3)
        return (None if needless else SrgbBridge(space)), remarks
    if _share_above_white(photo.pixels) > _MOST_ABOVE_WHITE:
        raise ImageError(
            "most of its floating-point values lie above 1, which is white; divide them by their "
            "white level (255, 65535, or the brightest thing that should show detail)"
        )
    return SrgbBridge(space), remarks


def in_srgb(photo: Photo) -> bool:
    """Return whether the colours of a photograph are sRGB's, whatever says so.

    Example:
        >>> in_srgb(Photo(np.zeros((8, 8, 3), np.uint8)))
        True
    """
    return is_srgb(_space_of(photo)[0], 1 if photo.pixels.ndim == 2 else 3)


def network_bridge_of(photo: Photo) -> tuple[SrgbBridge | None, tuple[str, ...]]:
    """Do :func:`srgb_bridge_of`, but in own primaries where colours lie beyond sRGB.

    Raises:
        ImageError: a floating-point photograph lies mostly above its white.

    Example:
        >>> network_bridge_of(Photo(np.zeros((8, 8, 3), np.uint8)))
        (None, ())
    """
    colors, remarks = srgb_bridge_of(photo)
    space = colors.space if colors else None
    if not isinstance(space, MatrixSpace) or not _leaves_srgb(space, photo.pixels):
        return colors, remarks
    own = space.own_primaries
    needless = photo.pixels.dtype != np.float32 and is_srgb(own, 3)
    return (None if needless else SrgbBridge(own)), remarks


def _space_of(photo: Photo) -> tuple[ColourSpace, tuple[str, ...]]:
    icc, grey = photo.metadata.icc, photo.pixels.ndim == 2
    if not icc:
        if not grey and interoperability(photo.metadata.exif) == "R03":
            return MatrixSpace((ADOBE_GAMMA,) * 3, to_pcs(ADOBE_PRIMARIES)), ()
        return Srgb(), ()
    try:
        space = space_of_profile(read_profile(icc), icc, grey)
    except (ProfileError, pyvips.Error):
        return Srgb(), ("its colour profile is damaged: taken for sRGB and kept as it is",)
    if space is None:
        return Srgb(), ("its colour profile is of another kind: taken for sRGB and kept as it is",)
    return space, ()


def _share_above_white(pixels: Pixels) -> float:
    """Return share of the samples above 1, row by row so that nothing is copied."""
    above = sum(int(np.count_nonzero(row > 1)) for row in pixels)
    return above / pixels.size


def _leaves_srgb(space: MatrixSpace, pixels: Pixels) -> bool:
    """Return whether some of a photograph's colours lie outside sRGB's gamut."""
    step = max(1, math.isqrt(pixels[..., 0].size // _LOOKED_AT))
    looked_at = to_float(pixels[step // 2 :: step, step // 2 :: step])
    outside = np.abs(space.to_srgb(looked_at.clip(0, 1)) - 0.5) > 0.5 + _FAR
    return bool(outside.any(axis=2).mean() > _OUTSIDE)
