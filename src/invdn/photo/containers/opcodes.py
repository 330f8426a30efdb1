"""Opcodes of a DNG: how its values become linear, and gains by place against lens shading.

A list of opcodes is a program that a reader runs over the picture. OpcodeList2 is run on the
mosaic; gains by place, which phones' files hold one for each place of the mosaic, mean the same on
the colours of a demosaiced picture.

Source: Digital Negative Specification 1.7.1 (Adobe 2023), chapter 7 and the opcodes MapTable,
MapPolynomial and GainMap.
"""

import struct
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...image.dtype import Pixels

_MAP_TABLE, _MAP_POLYNOMIAL, _GAIN_MAP, _OPTIONAL = 7, 8, 9, 1
_HEAD = struct.Struct(">10I4dI")
_AREA = struct.Struct(">8I")
_MOST_VALUES, _HIGHEST_DEGREE = 65536, 8
_MOST, _MOST_POINTS = 64, 1 << 20
_ROWS = 256  # of pixels, changed in one go


class OpcodeError(ValueError):
    """The list cannot be run.

    Attributes:
        optional: a reader may skip it.
    """

    def __init__(self, message: str, *, optional: bool) -> None:
        super().__init__(message)
        self.optional = optional


@dataclass(frozen=True)
class GainsByPlace:
    """Factors of one colour.

    Attributes:
        color: 0, 1, 2 for red, green, blue.
        gains: (v, h) at points evenly over the picture.
        spacing: of the points, in heights and widths of the picture.
        origin: where the first point lies, likewise.
    """

    color: int
    gains: NDArray[np.float32]
    spacing: tuple[float, float]
    origin: tuple[float, float]


@dataclass(frozen=True)
class ValueMap:
    """How values of some places and planes become linear.

    Attributes:
        area: top, left, bottom, right in pixels.
        planes: the first one, and the one behind the last.
        pitch: each how many rows and columns it is for.
        table: values at even steps from 0 to 1, or none.
        coefficients: of a polynomial, the constant first, or none.
    """

    area: tuple[int, int, int, int]
    planes: tuple[int, int]
    pitch: tuple[int, int]
    table: NDArray[np.float64]
    coefficients: NDArray[np.float64]

    def __call__(
        self, light: NDArray[np.float64], row: int, column: int, plane: int, size: tuple[int, int]
    ) -> NDArray[np.float64]:
        """Return values of a place of the mosaic after the map.

        Args:
            light: values, black at 0 and white at 1.
            row: of the place, below the least common multiple of all pitches.
            column: likewise.
            plane: number of the colour.
            size: height and width of the picture.

        Raises:
            OpcodeError: the map is for a part of the picture only.
        """
        top, left, bottom, right = self.area
        if top >= self.pitch[0] or left >= self.pitch[1] or bottom < size[0] or right < size[1]:
            raise OpcodeError("its values are mapped in a part of the picture only", optional=False)
        here = (row - top) % self.pitch[0] == 0 and (column - left) % self.pitch[1] == 0
        if not here or not self.planes[0] <= plane < self.planes[1]:
            return light
        light = np.clip(light, 0, 1)
        if len(self.table):
            steps = np.linspace(0, 1, len(self.table))
            return np.asarray(np.interp(light, steps, self.table))
        return np.asarray(np.polynomial.polynomial.polyval(light, self.coefficients))


def read_maps(data: bytes) -> tuple[ValueMap, ...]:
    """Return how values become linear by a list of opcodes; gains by place are passed over.

    Raises:
        OpcodeError: the list is damaged.

    Example:
        >>> read_maps(bytes(4))
        ()
    """
    with _damage_told():
        return tuple(
            _value_map(number, body, optional)
            for number, optional, body in _opcodes(data)
            if number in (_MAP_TABLE, _MAP_POLYNOMIAL)
        )


def _value_map(number: int, body: bytes, optional: bool) -> ValueMap:
    top, left, bottom, right, plane, planes, *pitch = _AREA.unpack_from(body)
    (count,) = struct.unpack_from(">I", body, _AREA.size)
    table = coefficients = np.zeros(0)
    start = _AREA.size + 4
    if number == _MAP_TABLE and 0 < count <= _MOST_VALUES:
        table = np.frombuffer(body, ">u2", count, start) / 65535
    elif number == _MAP_POLYNOMIAL and count <= _HIGHEST_DEGREE:
        coefficients = np.frombuffer(body, ">f8", count + 1, start).astype(np.float64)
    if not len(table) + len(coefficients) or 0 in pitch or not np.isfinite(coefficients).all():
        raise OpcodeError("how its values become linear is damaged", optional=optional)
    area, steps = (top, left, bottom, right), (pitch[0], pitch[1])
    return ValueMap(area, (plane, plane + planes), steps, table, coefficients)


def _opcodes(data: bytes) -> Iterator[tuple[int, bool, bytes]]:
    """Yield number, whether a reader may skip it, and parameters."""
    (count,) = struct.unpack_from(">I", data)
    place = 4
    for _ in range(min(count, _MOST)):
        number, _, flags, length = struct.unpack_from(">4I", data, place)
        yield number, bool(flags & _OPTIONAL), data[place + 16 : place + 16 + length]
        place += 16 + length


@contextmanager
def _damage_told() -> Iterator[None]:
    try:
        yield
    except OpcodeError:
        raise
    except (struct.error, ValueError, OverflowError) as error:
        raise OpcodeError("its OpcodeList2 is damaged", optional=True) from error


def read_gains(
    data: bytes, pattern: NDArray[Any] | None, size: tuple[int, int]
) -> tuple[GainsByPlace, ...]:
    """Return what a list of opcodes says, if gains by place of the whole mosaic are all.

    Args:
        data: the list.
        pattern: number of the colour at each place of the mosaic; ``None``: there is no mosaic.
        size: height and width of the picture.

    Raises:
        OpcodeError: it is damaged, or asks for something else.

    Example:
        >>> read_gains(bytes(4), None, (10, 10))
        ()
    """
    found: list[GainsByPlace] = []
    with _damage_told():
        for number, optional, body in _opcodes(data):
            if number == _GAIN_MAP:
                found += _gains(body, pattern, size, optional)
            elif number not in (_MAP_TABLE, _MAP_POLYNOMIAL):  # these are run before demosaicing
                raise OpcodeError(
                    f"its mosaic is to be corrected by opcode {number}, which is not known here",
                    optional=optional,
                )
        return _merged(found)


def apply_gains(pixels: Pixels, shading: tuple[GainsByPlace, ...]) -> None:
    """Multiply linear colours by their gains, in place; what exceeds white becomes white.

    Args:
        pixels: ``(H, W, 3)`` uint16.
        shading: gains, at most one for each colour.

    Example:
        >>> pixels = np.full((4, 4, 3), 1000, np.uint16)
        >>> apply_gains(pixels, (GainsByPlace(0, np.full((1, 1), 2.0), (1, 1), (0, 0)),))
        >>> pixels[0, 0].tolist()
        [2000, 1000, 1000]
    """
    height, width = pixels.shape[:2]
    for shade in shading:
        down = _positions(height, shade.spacing[0], shade.origin[0], shade.gains.shape[0])
        along = _positions(width, shade.spacing[1], shade.origin[1], shade.gains.shape[1])
        left, right, share = along
        wide = shade.gains[:, left] * (1 - share) + shade.gains[:, right] * share
        for top in range(0, height, _ROWS):
            above, below, part = (values[top : top + _ROWS] for values in down)
            gains = wide[above] * (1 - part[:, None]) + wide[below] * part[:, None]
            channel = pixels[top : top + _ROWS, :, shade.color]
            channel[...] = np.rint(np.minimum(channel * gains, 65535)).astype(np.uint16)


def _positions(
    length: int, spacing: float, origin: float, points: int
) -> tuple[NDArray[np.intp], NDArray[np.intp], NDArray[np.float32]]:
    """For every row or column: the points before and behind it, and the share of the latter."""
    place = ((np.arange(length) + 0.5) / length - origin) / spacing
    place = np.clip(place, 0, points - 1)
    before = np.floor(place).astype(np.intp)
    return before, np.minimum(before + 1, points - 1), (place - before).astype(np.float32)


def _gains(
    body: bytes, pattern: NDArray[Any] | None, size: tuple[int, int], optional: bool
) -> list[GainsByPlace]:
    top, left, bottom, right, plane, planes, *rest = _HEAD.unpack_from(body)
    row_pitch, column_pitch, down, along, *floats, map_planes = rest
    spacing, origin = (floats[0], floats[1]), (floats[2], floats[3])
    if not 0 < down * along * map_planes <= _MOST_POINTS or min(spacing) <= 0:
        raise ValueError("no points")
    values = np.frombuffer(body, ">f4", down * along * map_planes, _HEAD.size)
    gains = values.reshape(down, along, map_planes).astype(np.float32)
    if not (np.isfinite(gains).all() and gains.min() >= 0):
        raise ValueError("gains that are none")
    covers = top < 4 and left < 4 and bottom >= size[0] - 4 and right >= size[1] - 4
    colors = _colors(pattern, (top, left), (row_pitch, column_pitch), (plane, planes))
    if not covers or colors is None:
        raise OpcodeError("its lens shading is of a part of the mosaic only", optional=optional)
    return [
        GainsByPlace(color, gains[..., min(number, map_planes - 1)], spacing, origin)
        for number, color in enumerate(colors)
    ]


def _colors(
    pattern: NDArray[Any] | None,
    start: tuple[int, int],
    pitch: tuple[int, int],
    planes: tuple[int, int],
) -> list[int] | None:
    """Which colours a map is for."""
    if pattern is None or 0 in pattern.shape:  # colours already
        fits = pitch == (1, 1) and planes[0] + planes[1] <= 3
        return list(range(planes[0], planes[0] + planes[1])) if fits else None
    if pitch == (1, 1):
        return [0, 1, 2]
    if pitch != pattern.shape:
        return None
    color = int(pattern[start[0] % pitch[0], start[1] % pitch[1]])
    return [1 if color == 3 else color]  # 3: the other green


def _merged(found: list[GainsByPlace]) -> tuple[GainsByPlace, ...]:
    """One map for each colour: both greens' mean; maps on other points cannot be merged."""
    merged = []
    for color in sorted({gains.color for gains in found}):
        same = [gains for gains in found if gains.color == color]
        first = same[0]
        if any(
            (g.gains.shape, g.spacing, g.origin) != (first.gains.shape, first.spacing, first.origin)
            for g in same
        ):
            raise ValueError("maps of one colour that differ in their points")
        mean = np.stack([g.gains for g in same]).mean(axis=0).astype(np.float32)
        merged.append(GainsByPlace(color, mean, first.spacing, first.origin))
    return tuple(merged)
