"""Small raw files as a camera would write them, of which it is known what they show."""

import struct
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import tifffile
from numpy.typing import NDArray

BLACK, WHITE = 512, 16383
NEUTRAL = (0.5, 1.0, 0.625)  # what the camera sees of a white paper; exact fractions
# the sensor: XYZ (D65) to camera colours, near that of a real one
COLOUR_MATRIX = np.array([[0.80, -0.30, -0.06], [-0.42, 1.22, 0.22], [-0.05, 0.15, 0.62]])
# from: IEC 61966-2-1, linear sRGB to XYZ under D65
SRGB_TO_XYZ = np.array(
    [[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]]
)


def write_dng(
    path: Path,
    light: NDArray[np.floating],
    orientation: int = 1,
    *,
    pattern: tuple[int, ...] = (0, 1, 1, 2),
    noise: float = 0.0,
    further: tuple[tuple[object, ...], ...] = (),
    tiled: bool = False,
) -> None:
    """A DNG of linear sRGB light ``(H, W, 3)`` in [0, 1] under daylight.

    Args:
        path: the file.
        light: what the sensor sees.
        orientation: EXIF's number.
        pattern: colours of the mosaic's four places, RGGB unless told, or of 36, as X-Trans has.
        noise: standard deviation where the sensor saturates, as of shot noise; share of white.
        further: more tags, as tifffile takes them.
        tiled: tiles of lossless JPEG, as most cameras write them, in place of a plain strip.
    """
    to_camera = COLOUR_MATRIX @ SRGB_TO_XYZ
    to_camera /= to_camera.sum(axis=1, keepdims=True)  # white is 1 in every channel, then:
    camera = (light @ to_camera.T) * NEUTRAL
    generator = np.random.default_rng(0)
    camera = camera + generator.normal(0, 1, camera.shape) * noise * np.sqrt(np.clip(camera, 0, 1))
    stored = np.clip(BLACK + camera * (WHITE - BLACK), 0, WHITE)
    mosaic = stored[..., 1].copy()
    side = 2 if len(pattern) == 4 else 6
    for place, colour in enumerate(pattern):
        at = slice(place // side, None, side), slice(place % side, None, side)
        mosaic[at] = stored[(*at, colour)]
    tags = [
        (271, 2, 0, "Canon", True),
        (272, 2, 0, "EOS", True),
        (274, 3, 1, orientation, True),
        (306, 2, 0, "2020:01:02 03:04:05", True),
        (33421, 3, 2, (side, side), True),
        (33422, 1, len(pattern), bytes(pattern), True),
        (50706, 1, 4, bytes((1, 4, 0, 0)), True),
        (50708, 2, 0, "Canon EOS", True),
        (50714, 3, 1, BLACK, True),
        (50717, 3, 1, WHITE, True),
        (50721, 10, 9, _fractions(COLOUR_MATRIX.ravel()), True),
        (50728, 5, 3, _fractions(NEUTRAL), True),
        (50778, 3, 1, 21, True),  # daylight, D65
        *further,
    ]
    tifffile.imwrite(
        path,
        np.rint(mosaic).astype(np.uint16),
        photometric=32803,
        extratags=tags,
        metadata=None,
        software=False,
        tile=(64, 64) if tiled else None,
        compression=7 if tiled else None,
        compressionargs={"lossless": True, "bitspersample": 16} if tiled else None,
    )


def _fractions(numbers: Iterable[float]) -> tuple[int, ...]:
    return tuple(part for number in numbers for part in (round(number * 10000), 10000))


def panasonic(width: int = 280, height: int = 200) -> bytes:
    """Return a black RW2 file, of which LibRaw does not notice where it is cut."""
    values: dict[int, int | bytes] = {
        2: width,
        3: height,
        45: 4,  # how it is packed
        271: b"Panasonic\0",
        272: b"DMC-GH1\0",
        280: 512,  # where the picture begins
    }
    table, texts = struct.pack("<HHI", 1, 7, 4) + b"0310", b""
    texts_at = 8 + 2 + 12 * (len(values) + 1) + 4
    for tag, value in values.items():
        if isinstance(value, bytes):
            table += struct.pack("<HHII", tag, 2, len(value), texts_at + len(texts))
            texts += value
        else:
            table += struct.pack("<HHII", tag, 4 if tag == 280 else 3, 1, value)
    head = b"IIU\0" + struct.pack("<IH", 8, len(values) + 1) + table + bytes(4) + texts
    packed = -(-width * height * 8 // 7)
    return head.ljust(512, b"\0") + bytes(packed)
