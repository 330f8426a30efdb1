"""Pictures for HDR screens (PQ, HLG): how small copies of them look on normal screens.

The network sees such a picture as it is coded: both codes are even steps to the eye, as sRGB's are.
"""

from collections.abc import Callable

import numpy as np

from ...image.curves import SRGB, Values
from .icc import P3_PRIMARIES, PQ, REC2020_PRIMARIES, SRGB_PRIMARIES, Primaries, to_pcs

# from: SMPTE ST 2084, 5
_M1, _M2, _C1, _C2, _C3 = 2610 / 16384, 2523 / 32, 3424 / 4096, 2413 / 128, 2392 / 128
_PEAK = 10_000.0  # cd/m2 of PQ's largest value
_WHITE = 203.0  # cd/m2 of paper white; from: ITU-R BT.2408, 2.2
_KNEE = 0.75  # share of white from which highlights are compressed
_PRIMARIES: dict[int, Primaries] = {1: SRGB_PRIMARIES, 9: REC2020_PRIMARIES, 12: P3_PRIMARIES}


def light_of_pq(stored: Values) -> Values:
    """Return cd/m2 of PQ's coded values in [0, 1].

    Example:
        >>> float(light_of_pq(np.float32(0.5806)).round())
        203.0
    """
    root = np.clip(stored, 0, 1) ** np.float32(1 / _M2)
    ratio = np.maximum(root - _C1, 0) / (_C2 - _C3 * root)
    light: Values = (ratio ** np.float32(1 / _M1) * _PEAK).astype(np.float32)
    return light


def as_normal(codes: tuple[int, int]) -> Callable[[Values], Values]:
    """Return a function that makes coded values sRGB's, with highlights compressed.

    Args:
        codes: colour primaries and transfer characteristics by ITU-T H.273.

    Example:
        >>> white = np.full((1, 1, 3), 0.5806, np.float32)
        >>> 0.9 < float(as_normal((9, PQ))(white).mean()) < 1
        True
    """
    primaries = _PRIMARIES.get(codes[0], REC2020_PRIMARIES)
    matrix = (np.linalg.inv(to_pcs(SRGB_PRIMARIES)) @ to_pcs(primaries)).T.astype(np.float32)

    def look(stored: Values) -> Values:
        # HLG is made to look right on normal screens
        light = light_of_pq(stored) / _WHITE if codes[1] == PQ else SRGB.light(stored)
        if light.ndim == 3:
            light = light @ matrix
        if codes[1] == PQ:
            above = np.maximum(light - _KNEE, 0) / (1 - _KNEE)
            light = np.minimum(light, _KNEE) + (1 - _KNEE) * (1 - np.exp(-above))
        return SRGB.stored(np.clip(light, 0, 1).astype(np.float32))

    return look
