"""Profiles made from what PNG, AVIF and HEIC may say about their colours without one."""

import struct
from collections.abc import Sequence

from ...image.curves import LINEAR, SRGB, ParametricCurve
from ..containers.boxes import box
from .icc import (
    HDR,
    P3_PRIMARIES,
    REC2020_PRIMARIES,
    SRGB_PRIMARIES,
    Primaries,
    make_profile,
)

# from: ITU-T H.273, tables 2 and 3
_PRIMARIES = {1: SRGB_PRIMARIES, 9: REC2020_PRIMARIES, 12: P3_PRIMARIES}
_CURVES = {4: ParametricCurve(2.2), 5: ParametricCurve(2.8), 8: LINEAR, 13: SRGB}
_VIDEO = {1, 6, 14, 15}  # a camera's curve; on screens it is shown as sRGB
_SRGB_GAMMA = (0.44, 0.47)  # PNG's way to say sRGB without the chunk for it


def profile_of_codes(primaries: int | None, transfer: int | None) -> bytes | None:
    """Find the profile for a pair of code points; ``None`` for sRGB, its like, HDR, the unknown.

    Example:
        >>> profile_of_codes(1, 13) is None, profile_of_codes(12, 13) is None
        (True, False)
    """
    if transfer in HDR:
        return None
    colours = _PRIMARIES.get(primaries or 0, SRGB_PRIMARIES)
    curve = SRGB if transfer in _VIDEO else _CURVES.get(transfer or 0, SRGB)
    if colours == SRGB_PRIMARIES and curve == SRGB:
        return None
    return make_profile(f"Colours by ITU-T H.273: {primaries}, {transfer}", colours, curve)


def hdr_codes(primaries: int | None, transfer: int | None) -> tuple[int, int] | None:
    """Return both numbers if they are those of a picture for HDR screens, else ``None``.

    Example:
        >>> hdr_codes(9, 16), hdr_codes(9, 1)
        ((9, 16), None)
    """
    return (primaries or 2, transfer) if transfer in HDR else None


def light_of_chunks(chunks: dict[bytes, bytes]) -> tuple[bytes, ...]:
    """Return what PNG's chunks say of brightness as the boxes of AVIF and HEIC.

    Args:
        chunks: payloads of ``cLLI`` and ``mDCV``, those that there are.
    """
    found = []
    if len(levels := chunks.get(b"cLLI", b"")) == 8:  # in 0.0001 cd/m2; the box in whole ones
        nits = (min(round(n / 10000), 65535) for n in struct.unpack(">2I", levels))
        found.append(box(b"clli", struct.pack(">2H", *nits)))
    if len(display := chunks.get(b"mDCV", b"")) == 24:
        red, green, blue = display[:4], display[4:8], display[8:12]
        found.append(box(b"mdcv", green + blue + red + display[12:]))
    return tuple(found)


def chunks_of_light(light: Sequence[bytes]) -> dict[bytes, bytes]:
    """Return the boxes of AVIF and HEIC as the chunks of PNG; the inverse of the above.

    Example:
        >>> light = light_of_chunks({b"mDCV": bytes(range(24))})
        >>> chunks_of_light(light) == {b"mDCV": bytes(range(24))}
        True
    """
    found = {}
    for part in light:
        kind, body = part[4:8], part[8:]
        if kind == b"clli" and len(body) == 4:
            found[b"cLLI"] = struct.pack(">2I", *(n * 10000 for n in struct.unpack(">2H", body)))
        elif kind == b"mdcv" and len(body) == 24:
            green, blue, red = body[:4], body[4:8], body[8:12]
            found[b"mDCV"] = red + green + blue + body[12:]
    return found


def profile_of_gamma(gamma: float | None, primaries: Primaries | None) -> bytes | None:
    """Give the profile for PNG's exponent and primaries; ``None`` where they mean sRGB or nothing.

    Args:
        gamma: exponent from light to stored values, 1 / 2.2 as a rule.
        primaries: where the file names them.

    Example:
        >>> profile_of_gamma(0.45455, None) is None, profile_of_gamma(1.0, None) is None
        (True, False)
    """
    usual = gamma is None or _SRGB_GAMMA[0] < gamma < _SRGB_GAMMA[1]
    colours = primaries or SRGB_PRIMARIES
    if usual and _alike(colours, SRGB_PRIMARIES):
        return None
    if gamma is not None and not 0.1 < gamma < 10:
        return None
    curve = SRGB if gamma is None else LINEAR if gamma == 1 else ParametricCurve(1 / gamma)
    return make_profile("Colours by gAMA and cHRM", colours, curve)


def _alike(first: Primaries, second: Primaries) -> bool:
    return all(
        abs(a - b) < 0.002
        for one, other in zip(first, second, strict=True)
        for a, b in zip(one, other, strict=True)
    )
