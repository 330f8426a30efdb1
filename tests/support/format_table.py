"""The tables of docs/formats.md, made by writing files and looking at them with other tools.

``python tests/imaging/format_table.py`` puts them into the document anew.
"""

import re
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as Xml

import numpy as np
import pi_heif
import tifffile
from PIL import Image, IptcImagePlugin

from invdn.errors import OutputError
from invdn.photo.color.icc import P3_PRIMARIES, make_profile
from invdn.photo.containers.tiff import add_metadata
from invdn.photo.photo import Metadata, Photo
from invdn.photo.read import output_suffix, read_photo
from invdn.photo.write import write_photo
from support import beside_table
from support.full_metadata import ICC, IPTC, XMP, exif, source
from support.photographs import pixels
from support.raw_files import write_dng

DOCUMENT = Path(__file__).parents[2] / "docs" / "formats.md"
SAMPLES = Path(__file__).parents[1] / "samples"
PROPERTIES = (
    "depth",
    "ICC",
    "EXIF",
    "GPS",
    "XMP",
    "IPTC",
    "orientation",
    "resolution",
    "alpha",
)
P3 = make_profile("Display P3", P3_PRIMARIES)
TITLE = {
    "jpeg": "JPEG",
    "png": "PNG",
    "tiff": "TIFF",
    "webp": "WebP",
    "avif": "AVIF",
    "heic": "HEIC",
    "raw": "raw, DNG",
}
pi_heif.register_heif_opener()  # so that Pillow opens HEIC


@dataclass(frozen=True)
class Seen:
    """What another library finds in a file.

    ``depth`` is the type of a sample, ``turned`` whether the picture stands upright without a tag;
    the others are whether what was put in is there: True, False, or in which other form.
    """

    depth: str
    values: Mapping[str, bool | str]


def looked_at(path: Path) -> Seen:
    """The file through Pillow, tifffile and the standard library."""
    image = Image.open(path)
    found = image.getexif()
    shot, place = found.get_ifd(0x8769), found.get_ifd(0x8825)
    xmp = _xmp(path, image)
    orientation = found.get(274, 1)
    portrait = np.asarray(image).shape[0] > np.asarray(image).shape[1]
    if image.format == "TIFF":  # Pillow turns what it loads and its tag
        with tifffile.TiffFile(path) as file:
            tag = file.pages[0].tags.get(274)
            orientation = int(tag.value) if tag else 1
            portrait = file.pages[0].shape[0] > file.pages[0].shape[1]
    profile = image.info.get("icc_profile")
    values: dict[str, bool | str] = {
        "ICC": profile in (ICC, P3),
        "EXIF": found.get(271) == "Canon" and str(shot.get(36867)).startswith("2020:01:02"),
        "GPS": [float(value) for value in place.get(4, ())] == [19.0, 3.0, 1.5],
        "XMP": b"xmp:Rating='4'" in xmp,
        "IPTC": _iptc(image) or ("into XMP" if b"kitty" in xmp else False),
        "orientation": orientation == 8 or ("turned upright" if portrait else False),
        "resolution": _resolution(path, image, found),
        "alpha": image.mode in ("RGBA", "LA"),
    }
    return Seen(_depth(path), values)


def _xmp(path: Path, image: Image.Image) -> bytes:
    if image.format == "TIFF":
        with tifffile.TiffFile(path) as file:
            tag = file.pages[0].tags.get(700)
            return bytes(tag.value) if tag else b""
    found = image.info.get("xmp") or image.info.get("XML:com.adobe.xmp") or b""
    packet = found.encode() if isinstance(found, str) else found
    if packet:
        Xml.fromstring(packet.replace(b"\xef\xbb\xbf", b""))  # noqa: S314  a whole document
    return packet


def _iptc(image: Image.Image) -> bool:
    if image.format == "PNG":
        text = image.info.get("Raw profile type iptc", "")
        return IPTC in bytes.fromhex("".join(text.split()[2:]))
    found = IptcImagePlugin.getiptcinfo(image) if image.format in ("JPEG", "TIFF") else None
    return found == {(2, 25): b"kitty", (2, 120): b"cap"}


def _resolution(path: Path, image: Image.Image, found: Image.Exif) -> bool | str:
    wanted = [300, 150]
    if "dpi" in image.info and image.format not in ("WEBP", "AVIF"):
        return bool(np.allclose([float(v) for v in image.info["dpi"]], wanted, atol=0.1))
    if [float(found.get(tag, 0)) for tag in (282, 283)] == wanted:
        return "into EXIF"
    return False


def _depth(path: Path) -> str:
    data = path.read_bytes()
    if data[:4] in (b"II*\0", b"MM\0*"):
        with tifffile.TiffFile(path) as file:
            kind = file.pages[0].dtype
            return "32-bit float" if kind.kind == "f" else f"{kind.itemsize * 8} bits"
    if data[:4] == b"\x89PNG":
        return f"{data[24]} bits"
    place = data.find(b"pixi")
    return f"{data[place + 9]} bits" if place > 0 else "8 bits"


def everything(folder: Path, name: str) -> Path:
    """A photograph of the format with everything that it can hold."""
    if name == "heic":
        return SAMPLES / "eight.heic"
    if name == "raw":
        path = folder / "source.dng"
        write_dng(path, np.full((64, 96, 3), 0.4), orientation=8)
        block = exif().tobytes().removeprefix(b"Exif\0\0")
        with path.open("r+b") as file:
            add_metadata(file, Metadata(exif=block, xmp=XMP, iptc=IPTC))
        return path
    path = source(folder, {"webp": "WEBP", "avif": "AVIF"}.get(name, name.upper()))
    return path.rename(path.with_suffix({"jpeg": ".jpg", "tiff": ".tif"}.get(name, f".{name}")))


def same_format(folder: Path) -> list[list[str]]:
    """Rows of the first table: each format into itself, or what stands in for it."""
    rows = []
    for name in TITLE:
        path = everything(folder, name)
        # Pillow does not open a mosaic: what it was given is known
        has = _MOSAIC if name == "raw" else looked_at(path).values
        target = folder / f"copy{output_suffix(path)}"
        write_photo(read_photo(path), target, overwrite=True)
        after = looked_at(target)
        cells = [_same(has[key], after.values[key]) for key in PROPERTIES[1:-1]]
        if name == "raw" and after.values["ICC"]:
            cells[0] = "made: Display P3"
        rows.append([TITLE[name], _depths(folder, name), *cells, _alphas(folder, name)])
        target.unlink()
    return rows


_MOSAIC = dict.fromkeys(PROPERTIES, True) | {"ICC": False, "resolution": False}


def _same(before: bool | str, after: bool | str) -> str:
    if not before:
        return "–"
    if isinstance(after, str) and before != after:
        return f"converted: {after}"
    return "kept" if after else "LOST"


#: Depths that a source of each format can have, and a photograph of each.
_DEEP: dict[str, tuple[tuple[str, str], ...]] = {
    "jpeg": (("uint8", "8 bits"),),
    "png": (("uint8", "8 bits"), ("uint16", "16 bits")),
    "tiff": (("uint8", "8 bits"), ("uint16", "16 bits"), ("float32", "32-bit float")),
    "webp": (("uint8", "8 bits"),),
}


def _depths(folder: Path, name: str) -> str:
    if name == "raw":
        return "converted: 16 bits"
    results = set()
    if name in _DEEP:
        for kind, depth in _DEEP[name]:
            path = folder / f"deep.{name}"
            write_photo(Photo(pixels(kind)), path.with_suffix(_suffix(name)), overwrite=True)
            path = path.with_suffix(_suffix(name))
            again = path.with_stem("again")
            write_photo(read_photo(path), again, overwrite=True)
            results.add((_depth(path), _depth(again)) == (depth, depth))
    else:
        for bits in (8, 10, 12) if name == "avif" else (8, 10):
            path, again = folder / "deep.avif", folder / "again.avif"
            if name == "heic":
                path = SAMPLES / ("eight.heic" if bits == 8 else "ten.heic")
            else:
                photo = Photo(pixels("uint8" if bits == 8 else "uint16"), format="avif")
                how = replace(photo.compression, bits=bits)
                write_photo(replace(photo, compression=how), path, overwrite=True)
            write_photo(read_photo(path), again, overwrite=True)
            results.add(_depth(path) == _depth(again) == f"{bits} bits")
    return "kept" if results == {True} else "LOST"


def _alphas(folder: Path, name: str) -> str:
    if name in ("jpeg", "raw"):
        return "–"
    path = SAMPLES / "alpha.heic"
    if name != "heic":
        path = folder / f"alpha{_suffix(name)}"
        write_photo(_transparent("uint8"), path, overwrite=True)
    again = folder / f"alpha_again{'.avif' if name == 'heic' else _suffix(name)}"
    write_photo(read_photo(path), again, overwrite=True)
    before, after = (_alpha_of(file) for file in (path, again))
    return (
        "kept" if np.abs(before - after).max() <= (3 if name in ("avif", "heic") else 0) else "LOST"
    )


def _transparent(kind: str) -> Photo:
    ramp = np.linspace(0, 1, 37 * 53).reshape(37, 53)
    top = 255 if kind == "uint8" else 65535
    return Photo(pixels(kind), np.rint(ramp * top).astype(kind))


def _alpha_of(path: Path) -> Any:
    return np.asarray(Image.open(path).convert("RGBA"))[..., 3].astype(int)


def _suffix(name: str) -> str:
    return {"jpeg": ".jpg", "tiff": ".tif"}.get(name, f".{name}")


def other_formats(folder: Path) -> list[list[str]]:
    """Rows of the second table: a TIFF of 16 bits with everything into each format."""
    path = everything(folder, "tiff")
    photo = read_photo(path)
    deep = photo.pixels.astype(np.uint16) * np.uint16(257)
    rows = []
    for name in ("jpeg", "png", "tiff", "webp", "avif"):
        target = folder / f"other{_suffix(name)}"
        write_photo(replace(photo, pixels=deep), target, overwrite=True)
        after = looked_at(target)
        depth = "kept" if after.depth == "16 bits" else f"converted: {after.depth}"
        cells = [_same(True, after.values[key]) for key in PROPERTIES[1:-1]]
        try:
            clear = _transparent("uint16")
            write_photo(clear, target, overwrite=True)
            seen = _alpha_of(target)
            wanted = np.rint(clear.alpha / 257).astype(int)
            alpha = "kept" if np.abs(seen - wanted).max() <= 3 else "LOST"
        except OutputError:
            alpha = "refused"
        rows.append([TITLE[name], depth, *cells, alpha])
    return rows


def table(first: str, rows: list[list[str]]) -> str:
    """Markdown."""
    lines = [[first, *PROPERTIES], ["---"] * (len(PROPERTIES) + 1), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


TABLES: dict[str, Callable[[Path], str]] = {
    "same format": lambda folder: table("photograph", same_format(folder)),
    "beside the picture": beside_table.table,
    "other formats": lambda folder: table("16-bit TIFF into", other_formats(folder)),
}


def in_document(name: str) -> str:
    """The table as the document has it."""
    found = re.search(
        f"<!-- {name} -->\n(.*?)\n<!-- end -->", DOCUMENT.read_text("utf-8"), re.DOTALL
    )
    return found[1] if found else ""


def main() -> None:
    """Put every table into the document."""
    text = DOCUMENT.read_text("utf-8")
    for name, make in TABLES.items():
        with tempfile.TemporaryDirectory() as folder:
            start, _, rest = text.partition(f"<!-- {name} -->\n")
            _, _, end = rest.partition("<!-- end -->")
            text = f"{start}<!-- {name} -->\n{make(Path(folder))}\n<!-- end -->{end}"
    DOCUMENT.write_text(text, "utf-8")


if __name__ == "__main__":
    main()
