"""Colours of a space <-> sRGB-encoded colours, without clipping.

Windows are float32 ``(h, w, 3)``, or ``(h, w, 1)`` for grey; white is 1, and values may lie outside
[0, 1]: a colour outside sRGB's gamut has a component below 0 or above 1.
"""

from dataclasses import dataclass
from functools import cache
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from ...image.curves import SRGB, Curve, Values
from ...image.dtype import from_float, to_float
from ..vips import as_image, pyvips
from .icc import D50, SRGB_PRIMARIES, Matrix, Profile, to_pcs

_WHITE = D50.astype(np.float32)
_SAME_WHITE = 0.02  # from 1: rounding of profiles
_SAMPLES = 17  # values along each axis where two spaces are compared
_ALIKE = 2 / 255  # sRGB profiles of different makers differ by less, other spaces by far more


class ColourSpace(Protocol):
    """Two functions that undo each other, but for what a look-up table loses."""

    def to_srgb(self, window: Values) -> Values:
        """Return stored colours as sRGB-encoded ones."""
        ...

    def from_srgb(self, window: Values) -> Values:
        """Return sRGB-encoded colours as stored ones."""
        ...


class Srgb:
    """sRGB itself: floating-point photographs beyond [0, 1] need it, others need nothing.

    Example:
        >>> Srgb().to_srgb(np.float32(1.5))
        np.float32(1.5)
    """

    def to_srgb(self, window: Values) -> Values:
        """See :class:`ColourSpace`."""
        return window

    def from_srgb(self, window: Values) -> Values:
        """See :class:`ColourSpace`."""
        return window


@dataclass(frozen=True)
class GreySpace:
    """Grey values under a tone curve."""

    curve: Curve

    def to_srgb(self, window: Values) -> Values:
        """See :class:`ColourSpace`."""
        return SRGB.stored(self.curve.light(window))

    def from_srgb(self, window: Values) -> Values:
        """See :class:`ColourSpace`."""
        return self.curve.stored(SRGB.light(window))


class MatrixSpace:
    """Three tone curves and three primaries, as cameras and screens have them.

    Args:
        curves: of red, green and blue.
        matrix: linear RGB to XYZ under D50.

    Example:
        >>> from .icc import P3_PRIMARIES
        >>> space = MatrixSpace((SRGB,) * 3, to_pcs(P3_PRIMARIES))
        >>> red = np.array([[[1, 0, 0]]], np.float32)
        >>> space.to_srgb(red).round(2).tolist()
        [[[1.090000033378601, -0.23000000417232513, -0.15000000596046448]]]
        >>> bool(np.abs(space.from_srgb(space.to_srgb(red)) - red).max() < 1e-5)
        True
    """

    def __init__(self, curves: tuple[Curve, ...], matrix: Matrix) -> None:
        self._curves = curves
        to_linear = _from_pcs() @ matrix
        self._to_linear = to_linear.T.astype(np.float32)
        self._from_linear = np.linalg.inv(to_linear).T.astype(np.float32)
        white = np.linalg.inv(to_linear).sum(axis=1)
        #: Light of white; not 1 in cameras' own colours, before their white balance.
        self.white = np.where(np.abs(white - 1) < _SAME_WHITE, 1, white).astype(np.float32)

    def to_srgb(self, window: Values) -> Values:
        """See :class:`ColourSpace`."""
        return SRGB.stored(self._light(window) @ self._to_linear)

    def from_srgb(self, window: Values) -> Values:
        """See :class:`ColourSpace`."""
        return self._stored(SRGB.light(window) @ self._from_linear)

    @property
    def own_primaries(self) -> "OwnPrimaries":
        """The same space with its colours not converted to sRGB's primaries."""
        return OwnPrimaries(self)

    def _light(self, window: Values) -> Values:
        light = np.empty_like(window)
        for channel, curve in enumerate(self._curves):
            light[..., channel] = curve.light(window[..., channel])
        return light

    def _stored(self, light: Values) -> Values:
        for channel, curve in enumerate(self._curves):
            light[..., channel] = curve.stored(light[..., channel])
        return light


@dataclass(frozen=True)
class OwnPrimaries:
    """Colours under sRGB's tone curve, but of their own primaries.

    What lies outside sRGB's gamut stays within [0, 1], so the network sees all of its noise.
    White is white, also where the stored colours are a camera's before its white balance.

    Attributes:
        space: the space of the stored colours.

    Example:
        >>> from .icc import P3_PRIMARIES
        >>> own = MatrixSpace((SRGB,) * 3, to_pcs(P3_PRIMARIES)).own_primaries
        >>> red = np.array([[[1, 0, 0]]], np.float32)
        >>> own.to_srgb(red).round(2).tolist(), own.from_srgb(red).round(2).tolist()
        ([[[1.0, 0.0, 0.0]]], [[[1.0, 0.0, 0.0]]])
    """

    space: MatrixSpace

    def to_srgb(self, window: Values) -> Values:
        """See :class:`ColourSpace`."""
        return SRGB.stored(self.space._light(window) / self.space.white)

    def from_srgb(self, window: Values) -> Values:
        """See :class:`ColourSpace`."""
        return self.space._stored(SRGB.light(window) * self.space.white)


class TableSpace:
    """Colours that a profile describes by look-up tables, through Little CMS in libvips.

    Tables know nothing outside [0, 1], have 16 bits, and the two directions differ a little.

    Args:
        icc: the profile.

    Raises:
        pyvips.Error: Little CMS cannot use it.
    """

    def __init__(self, icc: bytes) -> None:
        self._icc = icc
        self.from_srgb(self.to_srgb(np.zeros((1, 1, 3), np.float32)))

    def to_srgb(self, window: Values) -> Values:
        """See :class:`ColourSpace`."""
        stored = from_float(window, np.uint16)
        lab = self._with_profile(stored, "rgb16").icc_import(
            pcs="lab", intent="relative", embedded=True
        )
        light = _xyz_of_lab(_array(lab)) @ _from_pcs().T.astype(np.float32)
        return SRGB.stored(light)

    def from_srgb(self, window: Values) -> Values:
        """See :class:`ColourSpace`."""
        xyz = SRGB.light(window) @ np.linalg.inv(_from_pcs()).T.astype(np.float32)
        lab = self._with_profile(_lab_of_xyz(xyz), "lab")
        return to_float(_array(lab.icc_export(pcs="lab", intent="relative", depth=16)))

    def _with_profile(self, values: NDArray[Any], interpretation: str) -> Any:
        image = as_image(values, interpretation)
        image.set_type(pyvips.GValue.blob_type, "icc-profile-data", self._icc)
        return image


def space_of_profile(profile: Profile, icc: bytes, grey: bool) -> ColourSpace | None:
    """Return the space that a profile describes, if pictures of this kind can have it.

    Args:
        profile: the profile.
        icc: its bytes.
        grey: whether the picture has one channel.

    Returns:
        ``None`` where the profile belongs to another kind of picture.

    Raises:
        pyvips.Error: Little CMS cannot use its tables.
    """
    if grey:
        fits = profile.space in ("GRAY", "RGB") and profile.curves
        return GreySpace(profile.curves[len(profile.curves) // 2]) if fits else None
    if profile.space != "RGB":
        return None
    if profile.transfer is not None:
        return Srgb()  # the network sees it as it is coded
    if profile.matrix is not None:
        return MatrixSpace(profile.curves, profile.matrix)
    return TableSpace(icc)


def is_srgb(space: ColourSpace, channels: int) -> bool:
    """Return whether a space is sRGB up to what its makers disagree about.

    Example:
        >>> is_srgb(MatrixSpace((SRGB,) * 3, to_pcs(SRGB_PRIMARIES)), 3)
        True
    """
    axis = np.linspace(0, 1, _SAMPLES, dtype=np.float32)
    window = np.stack(np.meshgrid(*[axis] * channels), axis=-1).reshape(1, -1, channels)
    return bool(np.abs(space.to_srgb(window) - window).max() < _ALIKE)


@cache
def _from_pcs() -> Matrix:
    """Return the matrix from XYZ under D50 to linear sRGB."""
    return np.asarray(np.linalg.inv(to_pcs(SRGB_PRIMARIES)), np.float64)


def _array(image: Any) -> NDArray[Any]:
    kind = {"float": np.float32, "ushort": np.uint16}[image.format]
    found = np.frombuffer(image.write_to_memory(), kind)
    return found.reshape(image.height, image.width, image.bands)


def _xyz_of_lab(lab: Values) -> Values:
    # from: CIE 15:2018, 8.2.1
    middle = (lab[..., :1] + 16) / 116
    offsets = lab[..., 1:] * np.array([1 / 500, -1 / 200], np.float32)
    f = np.concatenate((middle + offsets[..., :1], middle, middle + offsets[..., 1:]), axis=-1)
    xyz = np.where(f > 6 / 29, f**3, (f - 4 / 29) * (3 * (6 / 29) ** 2)) * _WHITE
    return xyz.astype(np.float32, copy=False)


def _lab_of_xyz(xyz: Values) -> Values:
    ratio = xyz / _WHITE
    f = np.where(ratio > (6 / 29) ** 3, np.cbrt(ratio), ratio / (3 * (6 / 29) ** 2) + 4 / 29)
    lightness = 116 * f[..., 1:2] - 16
    lab = (lightness, 500 * (f[..., :1] - f[..., 1:2]), 200 * (f[..., 1:2] - f[..., 2:]))
    return np.concatenate(lab, axis=-1).astype(np.float32)
