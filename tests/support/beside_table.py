"""The table of docs/formats.md about what lies beside the picture; ExifTool looks at the files."""

import json
import struct
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import tifffile

from invdn.errors import ImageError
from invdn.photo.read import read_photo
from invdn.photo.write import write_photo
from support.attachments import (
    PREVIEW,
    VIEW,
    credentials,
    jpeg,
    motion_photo,
    noisy,
    segment,
    ultra_hdr,
    with_index,
    with_segments,
    with_thumbnail,
)
from support.photographs import encoded

Told = dict[str, Any]


@dataclass(frozen=True)
class Beside:
    """Something that lies beside the picture.

    Attributes:
        name: in the table.
        data: a file that holds it.
        suffix: of its format.
        other: the ending of another format that it is converted to.
        seen: whether ExifTool's answer about a file shows it; its value, where it may change.
        told: a part of the note that tells that it is left out.
    """

    name: str
    data: Callable[[], bytes]
    suffix: str
    other: str
    seen: Callable[[Told], Any]
    told: str


def _png(*chunks: tuple[bytes, bytes]) -> bytes:
    import zlib

    data = encoded(noisy(), "PNG")
    made = b"".join(
        len(body).to_bytes(4) + kind + body + zlib.crc32(kind + body).to_bytes(4)
        for kind, body in chunks
    )
    return data[:33] + made + data[33:]


def _tiff(**how: Any) -> bytes:
    import io

    file = io.BytesIO()
    pixels = how.pop("pixels", np.asarray(noisy()))
    tifffile.imwrite(file, pixels, photometric="rgb", metadata=None, **how)
    return file.getvalue()


def _tag(name: str) -> Callable[[Told], Any]:
    return lambda told: next(
        (value for tag, value in told.items() if tag.rpartition(":")[2] == name), None
    )


_TIME = b"tIME", struct.pack(">H5B", 2001, 2, 3, 4, 5, 6)
_COMMENT = segment(0xFE, b"a comment")
_RESOURCES = segment(0xED, b"Photoshop 3.0\0" + b"8BIM\x04\x0a\0\0\0\0\0\1\1\0")
_CAMERA = segment(0xEC, b"[picture info]\r\nVersion=1.03\r\nZoomPos=7\r\n")
THINGS = (
    Beside("gain map (Ultra HDR)", ultra_hdr, ".jpg", ".png", _tag("MPImage2"), "gain map"),
    Beside(
        "its promise in XMP", ultra_hdr, ".jpg", ".png", _tag("DirectoryItemSemantic"), "gain map"
    ),
    Beside("Motion Photo's video", motion_photo, ".jpg", ".tif", _tag("MotionPhoto"), "video"),
    Beside(
        "preview (MPF)",
        lambda: with_index(jpeg(), [(PREVIEW, jpeg((48, 32), 1))]),
        ".jpg",
        ".png",
        _tag("PreviewImage"),
        "preview",
    ),
    Beside(
        "stereo pair, panorama (MPO)",
        lambda: with_index(jpeg(), [(VIEW, jpeg(seed=1))]),
        ".jpg",
        ".png",
        _tag("MPImage2"),
        "other picture",
    ),
    Beside(
        "thumbnail (EXIF)",
        lambda: with_thumbnail(jpeg()),
        ".jpg",
        ".tif",
        _tag("ThumbnailImage"),
        "thumbnail",
    ),
    Beside(
        "comment",
        lambda: with_segments(jpeg(), _COMMENT),
        ".jpg",
        ".png",
        _tag("Comment"),
        "comment",
    ),
    Beside(
        "Photoshop's resources",
        lambda: with_segments(jpeg(), _RESOURCES),
        ".jpg",
        ".webp",
        _tag("CopyrightFlag"),
        "Photoshop's resources",
    ),
    Beside(
        "makers' blocks (APP3 to APP15)",
        lambda: with_segments(jpeg(), _CAMERA),
        ".jpg",
        ".png",
        _tag("ZoomPos"),
        "APP12",
    ),
    Beside(
        "content credentials (C2PA)",
        lambda: with_segments(jpeg(), credentials()),
        ".jpg",
        ".png",
        lambda told: [tag for tag in told if "JUMBF" in tag] or None,
        "C2PA",
    ),
    Beside(
        "PNG's text",
        lambda: _png((b"tEXt", b"Title\0Dawn")),
        ".png",
        ".jpg",
        _tag("Title"),
        "Title",
    ),
    Beside("PNG's time of change", lambda: _png(_TIME), ".png", ".png", _tag("ModifyDate"), "-"),
    Beside(
        "private TIFF tags",
        lambda: _tiff(extratags=[(33550, 12, 3, (1.0, 2.0, 0.0), True)]),
        ".tif",
        ".jpg",
        _tag("PixelScale"),
        "tag 33550",
    ),
    Beside(
        "channel of unknown meaning (TIFF)",
        lambda: _tiff(pixels=np.zeros((40, 50, 4), np.uint8), extrasamples=[0]),
        ".tif",
        ".png",
        _tag("ExtraSamples"),
        "fourth channel",
    ),
)


def exiftool(folder: Path) -> dict[str, Told]:
    """What ExifTool says of the files in a folder, pictures within by their contents."""
    command = ["exiftool", "-j", "-n", "-a", "-b", "-G1", "-U", str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return {Path(found["SourceFile"]).name: found for found in json.loads(done.stdout)}


def rows(folder: Path) -> list[list[str]]:
    """A row for each thing: in its own format, in another."""
    notes = {}
    for number, thing in enumerate(THINGS):
        source = folder / f"{number}{thing.suffix}"
        source.write_bytes(thing.data())
        for suffix in {thing.suffix, thing.other}:
            target = folder / f"{number}-result{suffix}"
            try:
                photo = read_photo(source)
                notes[target.name] = "\n".join((*photo.remarks, *write_photo(photo, target)))
            except ImageError as error:
                notes[target.name] = str(error)
    told = exiftool(folder)
    return [
        [
            thing.name,
            *(
                _outcome(
                    thing,
                    thing.seen(told[f"{number}{thing.suffix}"]),
                    told.get(f"{number}-result{suffix}"),
                    notes[f"{number}-result{suffix}"],
                )
                for suffix in (thing.suffix, thing.other)
            ),
        ]
        for number, thing in enumerate(THINGS)
    ]


def _outcome(thing: Beside, before: Any, result: Told | None, notes: str) -> str:
    if result is None:
        return "refused until `--page` chooses" if "choose one" in notes else "LOST"
    after = thing.seen(result)
    if before is None:
        return "LOST"
    if after is not None:
        return "kept" if after == before else "made anew"
    return "left out, with a note" if thing.told in notes else "LOST"


def table(folder: Path) -> str:
    """Markdown."""
    lines = [["beside the picture", "in its own format", "in another"], ["---"] * 3, *rows(folder)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
