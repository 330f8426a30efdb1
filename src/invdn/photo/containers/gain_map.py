"""How a gain map is applied to its picture, as ISO 21496-1:2025 writes it (annex C.2)."""

import struct
from dataclasses import dataclass
from fractions import Fraction

_CHANNELS, _BASE_COLORS, _COMMON = 0x80, 0x40, 0x08  # flags
_FINEST = 1_000_000  # largest denominator that is written


@dataclass(frozen=True)
class Gains:
    """How a map is applied, by ISO 21496-1; logarithms to base 2, and one or three channels.

    Attributes:
        base_headroom: of the picture, 0 for normal screens.
        alternate_headroom: from which on the map is applied in full.
        least: what the value 0 of the map means.
        most: what its largest value means.
        gamma: exponent of its coding.
        base_offset: added to the picture's light before it is multiplied.
        alternate_offset: taken away after.
        base_colors: it is applied in the primaries of the picture.
    """

    base_headroom: float
    alternate_headroom: float
    least: tuple[float, ...]
    most: tuple[float, ...]
    gamma: tuple[float, ...] = (1.0,)
    base_offset: tuple[float, ...] = (0.0,)
    alternate_offset: tuple[float, ...] = (0.0,)
    base_colors: bool = True


@dataclass(frozen=True)
class GainMap:
    """A gain map.

    Attributes:
        picture: a file of its own: AVIF, HEIC or JPEG.
        metadata: how it is applied, as ISO 21496-1 writes it.
        codes: colour primaries and transfer characteristics, by ITU-T H.273, of what it makes.
        apple_headroom: the map is coded as Apple does it, for so many times the light of white.
    """

    picture: bytes
    metadata: bytes
    codes: tuple[int, int] = (2, 16)
    apple_headroom: float | None = None


def parsed(metadata: bytes) -> Gains:
    """Return what the bytes of ISO 21496-1 say.

    Raises:
        ValueError: damaged, or of a later kind.

    Example:
        >>> gains = Gains(0.0, 2.0, (0.0,), (2.0,))
        >>> parsed(packed(gains)) == gains
        True
    """
    least_version, _, flags = struct.unpack_from(">HHB", metadata)
    if least_version:
        raise ValueError("a later version")
    place = 5
    shared = 0
    if flags & _COMMON:
        (shared,) = struct.unpack_from(">I", metadata, place)
        place += 4

    def number(signed: bool = False) -> float:
        nonlocal place
        (over,) = struct.unpack_from(">i" if signed else ">I", metadata, place)
        under = shared
        place += 4
        if not flags & _COMMON:
            (under,) = struct.unpack_from(">I", metadata, place)
            place += 4
        if not under:
            raise ValueError("a fraction of nothing")
        return float(over / under)

    base, alternate = number(), number()
    signs = (True, True, False, True, True)
    rows = [tuple(number(signed) for signed in signs) for _ in range(3 if flags & _CHANNELS else 1)]
    least, most, gamma, base_offset, alternate_offset = zip(*rows, strict=True)
    if min(gamma) <= 0:
        raise ValueError("an exponent that is none")
    return Gains(
        base,
        alternate,
        least,
        most,
        gamma,
        base_offset,
        alternate_offset,
        bool(flags & _BASE_COLORS),
    )


def packed(gains: Gains) -> bytes:
    """Return the bytes of ISO 21496-1, C.2."""
    flags = _CHANNELS * (len(gains.least) == 3) | _BASE_COLORS * gains.base_colors

    def fraction(value: float, signed: bool = False) -> bytes:
        found = Fraction(value).limit_denominator(_FINEST)
        return struct.pack(">iI" if signed else ">II", found.numerator, found.denominator)

    made = struct.pack(">HHB", 0, 0, flags)
    made += fraction(gains.base_headroom) + fraction(gains.alternate_headroom)
    for row in zip(*channels_of(gains), strict=True):
        least, most, gamma, base, alternate = row
        made += fraction(least, True) + fraction(most, True) + fraction(gamma)
        made += fraction(base, True) + fraction(alternate, True)
    return made


def channels_of(gains: Gains) -> tuple[tuple[float, ...], ...]:
    """Return five rows of numbers, one for each channel; what is given once is the same in all."""
    count = len(gains.least)
    rows = (gains.least, gains.most, gains.gamma, gains.base_offset, gains.alternate_offset)
    return tuple(row if len(row) == count else row[:1] * count for row in rows)
