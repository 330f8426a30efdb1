"""Small files that unpack to many pixels, put together from what is stored once."""

import io
import struct
from dataclasses import replace
from pathlib import Path

import imagecodecs
import numpy as np
import tifffile

from invdn.photo.containers.boxes import box
from invdn.photo.containers.heif_items import Item, read_items, serialise

_SAMPLE = Path(__file__).parent.parent / "samples" / "black.heic"  # of 1024 x 1024 pixels
_TILE = 256  # edge of a DNG's tiles


def heic_of_one_tile(columns: int, rows: int, size: tuple[int, int] | None = None) -> bytes:
    """A black HEIC, put together from tiles of a megapixel that are all alike.

    Args:
        columns: of the grid.
        rows: of the grid.
        size: what it says of its own width and height; None: the truth.
    """
    file = read_items(io.BytesIO(_SAMPLE.read_bytes()))
    tile = file.picture
    (extent,) = [data for data, _ in tile.properties if data[4:8] == b"ispe"]
    width, height = struct.unpack(">II", extent[12:20])
    full = size or (columns * width, rows * height)
    said = box(b"ispe", bytes(4) + struct.pack(">II", *full))
    others = [(data, needed) for data, needed in tile.properties if data[4:8] in (b"colr", b"pixi")]
    numbers = range(2, 2 + columns * rows)
    grid = Item(
        b"grid",
        struct.pack(">BBBBII", 0, 1, rows - 1, columns - 1, *full),
        properties=((said, False), *others),
        references=((b"dimg", tuple(numbers)),),
    )
    hidden = replace(tile, hidden=True, references=())
    items = {1: grid, **dict.fromkeys(numbers, hidden)}
    return serialise(replace(file, primary=1, items=items, groups=()))


def dng_of_one_tile(width: int, height: int, visible: tuple[int, int] | None = None) -> bytes:
    """A black DNG in lossless JPEG whose tiles all lie at one place.

    Args:
        width: of the sensor.
        height: of the sensor.
        visible: width and height of the part that is the picture; None: all.
    """
    pairs = np.full((_TILE, _TILE // 2, 2), 512, np.uint16)
    tile = bytes(imagecodecs.jpeg_encode(pairs, lossless=True, bitspersample=16))
    count = -(-width // _TILE) * -(-height // _TILE)
    matrix = [v for n in (0.8, -0.3, -0.06, -0.42, 1.22, 0.22, -0.05, 0.15, 0.62)
              for v in (round(n * 10_000), 10_000)]  # fmt: skip
    entries = {
        254: ("I", (0,)), 256: ("I", (width,)), 257: ("I", (height,)), 258: ("H", (16,)),
        259: ("H", (7,)), 262: ("H", (32803,)), 271: ("s", b"Canon\0"), 272: ("s", b"EOS\0"),
        274: ("H", (1,)), 277: ("H", (1,)), 322: ("I", (_TILE,)), 323: ("I", (_TILE,)),
        324: ("I", (0,) * count), 325: ("I", (len(tile),) * count),
        33421: ("H", (2, 2)), 33422: ("B", (0, 1, 1, 2)), 50706: ("B", (1, 4, 0, 0)),
        50708: ("s", b"Canon EOS\0"), 50714: ("H", (512,)), 50717: ("H", (16383,)),
        50721: ("2i", matrix), 50728: ("2I", (1, 2, 1, 1, 5, 8)), 50778: ("H", (21,)),
    }  # fmt: skip
    if visible:
        entries[50829] = ("I", (0, 0, visible[1], visible[0]))
    kinds = {"B": (1, 1), "s": (2, 1), "H": (3, 2), "I": (4, 4), "2I": (5, 8), "2i": (10, 8)}
    at = 8 + 2 + 12 * len(entries) + 4
    directory, further = struct.pack("<H", len(entries)), b""
    for tag, (letter, values) in sorted(entries.items()):
        kind, size = kinds[letter]
        data = (
            bytes(values) if letter == "s" else struct.pack(f"<{len(values)}{letter[-1]}", *values)
        )
        directory += struct.pack("<HHI", tag, kind, len(data) // size)
        if len(data) <= 4:
            directory += data.ljust(4, b"\0")
            continue
        directory += struct.pack("<I", at + len(further))
        if tag == 324:
            places = len(further)
        further += data
    end = at + len(further)
    further = further[:places] + struct.pack("<I", end) * count + further[places + 4 * count :]
    return b"II*\0" + struct.pack("<I", 8) + directory + bytes(4) + further + tile


def dng_deflated(side: int) -> bytes:
    """A black DNG in deflate, which LibRaw does not know."""
    target = io.BytesIO()
    tags = [
        (33421, 3, 2, (2, 2), True),
        (33422, 1, 4, bytes((0, 1, 1, 2)), True),
        (50706, 1, 4, bytes((1, 4, 0, 0)), True),
        (50708, 2, 0, "Canon EOS", True),
    ]
    tifffile.imwrite(
        target,
        np.zeros((side, side), np.uint16),
        photometric=32803,
        extratags=tags,
        metadata=None,
        compression="deflate",
        tile=(1024, 1024),
    )
    return target.getvalue()
