"""Profiles made from what PNG, AVIF and HEIC may say about their colours without one."""

from ...errors import ImageError
from .curves import LINEAR, SRGB, ParametricCurve
from .icc import (
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
_HDR = {16: "PQ", 18: "HLG"}
_SRGB_GAMMA = (0.44, 0.47)  # PNG's way to say sRGB without the chunk for it


def profile_of_codes(primaries: int | None, transfer: int | None) -> bytes | None:
    """The profile for a pair of code points; ``None`` for sRGB, its like, and what is unknown.

    Raises:
        ImageError: brightness is coded for HDR screens.

    Example:
        >>> profile_of_codes(1, 13) is None, profile_of_codes(12, 13) is None
        (True, False)
    """
    if transfer in _HDR:
        raise ImageError(
            f"its brightness is coded for HDR screens ({_HDR[transfer]}); save it for normal "
            "screens, or as a TIFF of floating-point numbers"
        )
    colours = _PRIMARIES.get(primaries or 0, SRGB_PRIMARIES)
    curve = SRGB if transfer in _VIDEO else _CURVES.get(transfer or 0, SRGB)
    if colours == SRGB_PRIMARIES and curve == SRGB:
        return None
    return make_profile(f"Colours by ITU-T H.273: {primaries}, {transfer}", colours, curve)


def profile_of_gamma(gamma: float | None, primaries: Primaries | None) -> bytes | None:
    """The profile for PNG's exponent and primaries; ``None`` where they mean sRGB or nothing.

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
