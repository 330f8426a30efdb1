"""Letters and digits as small rasters, for text in drawn training pictures."""

import numpy as np
from numpy.typing import NDArray

GLYPH_ROWS, GLYPH_COLUMNS = 7, 5

# Own rasters of 5x7 pixels: seven rows, top first, of five bits each, left pixel highest.
_ROWS = {
    "A": "0e11111f111111",
    "B": "1e11111e11111e",
    "C": "0e11101010110e",
    "D": "1c12111111121c",
    "E": "1f10101e10101f",
    "F": "1f10101e101010",
    "G": "0e11101711110f",
    "H": "1111111f111111",
    "I": "0e04040404040e",
    "J": "0702020202120c",
    "K": "11121418141211",
    "L": "1010101010101f",
    "M": "111b1515111111",
    "N": "11111915131111",
    "O": "0e11111111110e",
    "P": "1e11111e101010",
    "Q": "0e11111115120d",
    "R": "1e11111e141211",
    "S": "0f10100e01011e",
    "T": "1f040404040404",
    "U": "1111111111110e",
    "V": "11111111110a04",
    "W": "1111111515150a",
    "X": "11110a040a1111",
    "Y": "1111110a040404",
    "Z": "1f01020408101f",
    "0": "0e11131519110e",
    "1": "040c040404040e",
    "2": "0e11010204081f",
    "3": "1f02040201110e",
    "4": "02060a121f0202",
    "5": "1f101e0101110e",
    "6": "0608101e11110e",
    "7": "1f010204080808",
    "8": "0e11110e11110e",
    "9": "0e11110f01020c",
}
GLYPHS: NDArray[np.uint8] = np.stack(
    [
        np.unpackbits(np.frombuffer(bytes.fromhex(rows), np.uint8)[:, None], axis=1)[:, 3:]
        for rows in _ROWS.values()
    ]
)
"""All of them: (36, 7, 5), 1 where there is ink."""


def draw_lines(lines: int, length: int, random: np.random.Generator) -> NDArray[np.float32]:
    """Draw lines of random letters as one raster, with a column and a row between neighbours.

    Returns:
        (8 * lines + 1, 6 * length + 1), 1 where there is ink, 0 along the border.
    """
    chosen = GLYPHS[random.integers(len(GLYPHS), size=(lines, length))]
    chosen = chosen * (random.random((lines, length)) > 0.15)[..., None, None]  # the rest: spaces
    spaced = np.pad(chosen, ((0, 0), (0, 0), (1, 0), (1, 0)))
    raster = spaced.transpose(0, 2, 1, 3).reshape(lines * (GLYPH_ROWS + 1), -1)
    return np.pad(raster, ((0, 1), (0, 1))).astype(np.float32)
