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
    compression: int | None = None,
    interleaved: bool = False,
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
        compression: of tiles, by number, in place of lossless JPEG.
        interleaved: the places of the mosaic are stored as pictures of their own (DNG 1.7).
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
    if interleaved:
        mosaic = np.concatenate([mosaic[::2], mosaic[1::2]])
        mosaic = np.concatenate([mosaic[:, ::2], mosaic[:, 1::2]], axis=1)
        further = (*further, (50975, 3, 1, 2, True), (52547, 3, 1, 2, True))
    how = {7: {"lossless": True, "bitspersample": 16}, 52546: {"lossless": True}}
    kind = compression or (7 if tiled else None)
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
        tile=(64, 64) if kind else None,
        compression=kind,
        compressionargs=how.get(kind) if kind else None,
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


def write_cr2(path: Path, mosaic: NDArray[np.uint16], model: str = "Canon EOS 700D") -> None:
    """A CR2 of Canon's, which tells nothing of its colours but the name of the camera.

    Args:
        path: the file.
        mosaic: ``(H, W)`` of 14 bits, RGGB, black at 0.
        model: a camera that raw converters know.
    """
    import imagecodecs

    height, width = mosaic.shape
    pairs = np.ascontiguousarray(mosaic.reshape(height, width // 2, 2))
    data = bytes(imagecodecs.jpeg_encode(pairs, lossless=True, bitspersample=14))
    name = model.encode() + b"\0"

    def directories(names_at: int, data_at: int) -> bytes:
        first = [(271, 2, 6, names_at), (272, 2, len(name), names_at + 6), (274, 3, 1, 1)]
        raw = [(259, 3, 1, 6), (273, 4, 1, data_at), (279, 4, 1, len(data))]
        raw.append((50752, 3, 3, names_at + 6 + len(name)))  # one slice
        made = b""
        for number, entries in enumerate((first, raw)):
            made += struct.pack("<H", len(entries))
            made += b"".join(struct.pack("<HHII", *entry) for entry in entries)
            made += struct.pack("<I", 0 if number else 16 + len(made) + 4)
        return made

    names_at = 16 + len(directories(0, 0))
    further = b"Canon\0" + name + struct.pack("<3H", 0, width, width)
    made = directories(names_at, names_at + len(further))
    path.write_bytes(
        b"II*\0" + struct.pack("<I", 16) + b"CR\2\0" + bytes(4) + made + further + data
    )
