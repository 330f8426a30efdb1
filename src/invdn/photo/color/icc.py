"""ICC profiles (ICC.1:2022): what of them describes colours, and making small ones."""

import struct
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ...image.curves import SRGB, Curve, ParametricCurve, Table

# from: ITU-T H.273, transfer characteristics of pictures for HDR screens
PQ, HLG = 16, 18
#: Names by transfer characteristics.
HDR = {PQ: "PQ", HLG: "HLG"}

Matrix = NDArray[np.float64]

_HEADER = 128
_LETTERS = (b"r", b"g", b"b")
_PARAMETERS = {0: "g", 1: "gab", 2: "gabc", 3: "gabcd", 4: "gabcdef"}
# from: Lindbloom's table of adaptations, Bradford
_BRADFORD = np.array(
    [[0.8951, 0.2664, -0.1614], [-0.7502, 1.7135, 0.0367], [0.0389, -0.0685, 1.0296]]
)
D50 = np.array([0.9642, 1.0, 0.8249])  # from: ICC.1:2022, 7.2.16
D65 = (0.3127, 0.329)


class ProfileError(ValueError):
    """The bytes are no profile that can be understood."""


@dataclass(frozen=True)
class Profile:
    """What a profile says about its colours.

    Attributes:
        space: ``"RGB"``, ``"GRAY"``, ``"CMYK"`` or another of ICC's names.
        curves: one for grey, three for RGB, none where there are only tables.
        matrix: linear RGB to XYZ under D50; ``None`` where there is none.
        tables: whether there are look-up tables instead of, or besides, curves and matrix.
        transfer: number of the transfer characteristics by ITU-T H.273 (ICC.1:2022, 9.2.17), of
            pictures for HDR screens.
    """

    space: str
    curves: tuple[Curve, ...] = ()
    matrix: Matrix | None = None
    tables: bool = False
    transfer: int | None = None


def read_profile(icc: bytes) -> Profile:
    """Take a profile apart.

    Raises:
        ProfileError: it is damaged.

    Example:
        >>> read_profile(make_profile("sRGB", SRGB_PRIMARIES)).space
        'RGB'
    """
    try:
        return _read(icc)
    except (struct.error, IndexError, ValueError, OverflowError) as error:
        raise ProfileError("the profile is damaged") from error


Point = tuple[float, float]
#: x and y of red, green, blue and white.
Primaries = tuple[Point, Point, Point, Point]
SRGB_PRIMARIES: Primaries = ((0.64, 0.33), (0.3, 0.6), (0.15, 0.06), D65)
P3_PRIMARIES: Primaries = ((0.68, 0.32), (0.265, 0.69), (0.15, 0.06), D65)
REC2020_PRIMARIES: Primaries = ((0.708, 0.292), (0.17, 0.797), (0.131, 0.046), D65)
ADOBE_PRIMARIES: Primaries = ((0.64, 0.33), (0.21, 0.71), (0.15, 0.06), D65)
ADOBE_GAMMA = ParametricCurve(563 / 256)  # from: Adobe RGB (1998) Color Image Encoding, 4.3.4.2


def make_profile(name: str, primaries: Primaries, curve: ParametricCurve = SRGB) -> bytes:
    """Return a display profile of three primaries, a white and one curve (version 4, no date).

    Example:
        >>> profile = read_profile(make_profile("Display P3", P3_PRIMARIES))
        >>> profile.matrix.sum(axis=1).round(3).tolist()
        [0.964, 1.0, 0.825]
    """
    return _profile(name, to_pcs(primaries), curve, _adaptation(primaries[3]))


def make_matrix_profile(name: str, matrix: Matrix, curve: ParametricCurve) -> bytes:
    """Return a profile of a camera's or scanner's colours.

    Args:
        name: of the profile.
        matrix: linear colours to XYZ under D50; its white need not be that of D50.
        curve: tone curve of all three.

    Example:
        >>> profile = make_matrix_profile("Camera", to_pcs(P3_PRIMARIES), SRGB)
        >>> profile[128:] == make_profile("Camera", P3_PRIMARIES)[128:]
        False
        >>> bool(np.allclose(read_profile(profile).matrix, to_pcs(P3_PRIMARIES), atol=1e-4))
        True
    """
    return _profile(name, matrix, curve, np.eye(3))


def _profile(name: str, matrix: Matrix, curve: ParametricCurve, adaptation: Matrix) -> bytes:
    columns = matrix.T
    parameters = (curve.gamma, curve.a, curve.b, curve.c, curve.d, curve.e, curve.f)
    tone = b"para" + struct.pack(">4xH2x", 4) + _fixed(*parameters)
    tags = {
        b"desc": _text(name),
        b"cprt": _text("No copyright, use freely"),
        b"wtpt": b"XYZ " + bytes(4) + _fixed(*D50),
        b"chad": b"sf32" + bytes(4) + _fixed(*adaptation.ravel()),
        **{
            letter + b"XYZ": b"XYZ " + bytes(4) + _fixed(*column)
            for letter, column in zip((b"r", b"g", b"b"), columns, strict=True)
        },
        **{letter + b"TRC": tone for letter in (b"r", b"g", b"b")},
    }
    place = _HEADER + 4 + 12 * len(tags)
    table, body, places = struct.pack(">I", len(tags)), b"", {}
    for tag, data in tags.items():
        if data not in places:  # the three curves are one
            places[data] = place + len(body)
            body += data + bytes(-len(data) % 4)
        table += tag + struct.pack(">2I", places[data], len(data))
    head = struct.pack(">I4xI", place + len(body), 0x04400000) + b"mntrRGB XYZ "
    head += struct.pack(">6H", 2000, 1, 1, 0, 0, 0) + b"acsp" + bytes(28) + _fixed(*D50)
    return head + bytes(_HEADER - len(head)) + table + body


def to_pcs(primaries: Primaries) -> Matrix:
    """Return the matrix from linear RGB to XYZ under D50, whose columns are the primaries.

    Reference:
        SMPTE RP 177-1993, and the Bradford adaptation.
    """
    columns = np.array([[x / y, 1, (1 - x - y) / y] for x, y in primaries[:3]]).T
    own: Matrix = columns * np.linalg.solve(columns, _xyz(primaries[3]))
    adapted: Matrix = _adaptation(primaries[3]) @ own
    return adapted


def _adaptation(white: tuple[float, float]) -> Matrix:
    gains = (_BRADFORD @ D50) / (_BRADFORD @ _xyz(white))
    adaptation: Matrix = np.linalg.inv(_BRADFORD) @ np.diag(gains) @ _BRADFORD
    return adaptation


def _xyz(white: tuple[float, float]) -> NDArray[np.float64]:
    x, y = white
    return np.array([x / y, 1, (1 - x - y) / y])


def _fixed(*numbers: float) -> bytes:
    """Return numbers of 16 bits before the point and 16 after."""
    return struct.pack(f">{len(numbers)}i", *(round(float(number) * 65536) for number in numbers))


def _text(text: str) -> bytes:
    encoded = text.encode("utf-16-be")
    return b"mluc" + struct.pack(">4x2I4s2I", 1, 12, b"enUS", len(encoded), 28) + encoded


def _read(icc: bytes) -> Profile:
    if icc[36:40] != b"acsp":
        raise ProfileError("no profile")
    space = icc[16:20].decode("ascii").strip()
    (count,) = struct.unpack_from(">I", icc, _HEADER)
    tags = {}
    for number in range(min(count, 200)):
        tag, start, size = struct.unpack_from(">4s2I", icc, _HEADER + 4 + 12 * number)
        tags[tag] = icc[start : start + size]
    tables = b"A2B0" in tags
    cicp = tags.get(b"cicp", b"")
    if space == "RGB" and len(cicp) >= 12 and cicp[9] in HDR:
        return Profile(space, tables=tables, transfer=cicp[9])
    if space == "GRAY" and b"kTRC" in tags:
        return Profile(space, (_curve(tags[b"kTRC"]),), tables=tables)
    if space == "RGB" and {b"rXYZ", b"gXYZ", b"bXYZ", b"rTRC", b"gTRC", b"bTRC"} <= tags.keys():
        columns = [struct.unpack_from(">3i", tags[letter + b"XYZ"], 8) for letter in _LETTERS]
        matrix: Matrix = np.array(columns).T / 65536
        if abs(np.linalg.det(matrix)) < 1e-4:
            raise ProfileError("its primaries lie on one line")
        return Profile(space, tuple(_curve(tags[c + b"TRC"]) for c in _LETTERS), matrix, tables)
    if not tables:
        raise ProfileError("it describes no colours")
    return Profile(space, tables=True)


def _curve(data: bytes) -> Curve:
    if data[:4] == b"para":
        (kind,) = struct.unpack_from(">H", data, 8)
        names = _PARAMETERS[kind]
        numbers = np.array(struct.unpack_from(f">{len(names)}i", data, 12)) / 65536
        return _formula(kind, dict(zip(names, numbers.tolist(), strict=True)))
    (count,) = struct.unpack_from(">I", data, 8)
    if count == 0:
        return ParametricCurve()
    if count == 1:
        return _checked(ParametricCurve(struct.unpack_from(">H", data, 12)[0] / 256))
    values = np.frombuffer(data, ">u2", count, 12) / 65535
    if (np.diff(values) < 0).any() or values[-1] - values[0] < 0.5:
        raise ProfileError("its curve does not grow")
    return Table(values)


def _formula(kind: int, p: dict[str, float]) -> ParametricCurve:
    a, b, c = p.get("a", 1.0), p.get("b", 0.0), p.get("c", 0.0)
    if kind == 0:
        return _checked(ParametricCurve(p["g"]))
    if kind in (1, 2):  # constant below the point where a x + b is zero
        return _checked(ParametricCurve(p["g"], a, b, 0.0, max(-b / a, 0.0), c, c))
    return _checked(ParametricCurve(p["g"], a, b, c, p["d"], p.get("e", 0.0), p.get("f", 0.0)))


def _checked(curve: ParametricCurve) -> ParametricCurve:
    if not (0.1 <= curve.gamma <= 10 and curve.a > 0):
        raise ProfileError("its curve is none")
    return curve
