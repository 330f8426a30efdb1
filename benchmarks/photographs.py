"""Kinds of files that people hand over: what comes out, and how much of their metadata.

    python benchmarks/photographs.py > benchmarks/results/photographs.json
    python benchmarks/photographs.py --document     # its table, into docs/formats.md
    python benchmarks/photographs.py --raw 24       # time and memory of raw to DNG

Each file is denoised into its own format, or the one that stands in for it. ExifTool lists the tags
of source and result: those that come back with the same value, and the bytes of these values; what
describes files and not photographs is left out. "Before" is what the review of commit 7cf31f2
found, where it tried the kind. The files are drawn here, as the tests draw them.
"""

import argparse
import io
import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from multiprocessing import get_context
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import tifffile

HERE = Path(__file__).parents[1]
sys.path.insert(0, str(HERE / "tests"))
from invdn import Denoiser  # noqa: E402
from invdn.errors import InvDNError  # noqa: E402
from invdn.evaluation.machine import describe_machine  # noqa: E402
from invdn.photo.photo import Photo  # noqa: E402
from invdn.photo.read import output_suffix, read_photo  # noqa: E402
from invdn.photo.write import write_photo  # noqa: E402
from support import attachments, beside_table, format_table, raw_files  # noqa: E402

DOCUMENT, RESULT = HERE / "docs/formats.md", HERE / "benchmarks/results/photographs.json"
WORKS, REFUSED, SILENT = "works", "refused", "dropped without a word"
Row = dict[str, Any]
#: Tags that describe the file, and not its photograph: layout, compression, depth, structure.
_OF_FILES = re.compile(
    r"(System|ExifTool|File|SourceFile|Composite|GIF|Jpeg2000|BMP|RIFF|JFIF)\b"
    r"|QuickTime:(?!.*(Profile|Pixel|Light|Mastering))"
    r"|.*:(Compression|RowsPer|Strip|Tile|Bits?Per|BitDepth|Image(Width|Height|Length)|SamplesPer"
    r"|Photometric|Planar|Predictor|SampleFormat|FillOrder|JPEGTables|YCbCr|ReferenceBlack|Palette"
    r"|ColorType|Filter|Interlace|SubfileType|NewSubfile|ProfileName|Transparency|ColorMap"
    r"|BackgroundColor|CFA|BlackLevel|WhiteLevel|MPImage|NumberOfImages|TotalFrames|DNG)"
)
_PIXELS = np.asarray(attachments.noisy())
_DEEP = (_PIXELS.astype(np.float32) / 255 * 65535).astype(np.uint16)


def pillow(name: str, mode: str = "RGB", **how: Any) -> bytes:
    """Return a noisy picture as Pillow writes it."""
    buffer = io.BytesIO()
    attachments.noisy().convert(mode).save(buffer, name, **how)
    return buffer.getvalue()


def tiff(pixels: Any = _PIXELS, **how: Any) -> bytes:
    """Return a TIFF of tifffile."""
    buffer = io.BytesIO()
    how.setdefault("photometric", "rgb")
    tifffile.imwrite(buffer, pixels, metadata=None, **how)
    return buffer.getvalue()


def everything(name: str) -> bytes:
    """Return a photograph of a format with all the metadata that it can hold."""
    with TemporaryDirectory() as folder:
        return format_table.everything(Path(folder), name).read_bytes()


def dng(**how: Any) -> bytes:
    """Return a small raw file."""
    with TemporaryDirectory() as folder:
        path = Path(folder) / "a.dng"
        shape = (512, 544, 3) if "pattern" in how else (96, 128, 3)  # X-Trans needs 512
        raw_files.write_dng(path, np.full(shape, 0.3), noise=0.02, **how)
        return path.read_bytes()


def jxl(pixels: Any = _PIXELS) -> bytes:
    """Return a JPEG XL."""
    import imagecodecs

    return bytes(imagecodecs.jpegxl_encode(pixels, lossless=True))


def avif(bits: int) -> bytes:
    """Return an AVIF of so many bits."""
    import imagecodecs

    shifted = (_DEEP >> (16 - bits)) if bits > 8 else _PIXELS
    return bytes(imagecodecs.avif_encode(shifted, bitspersample=bits, level=95))


def ppm() -> bytes:
    """Return a PPM of 16 bits."""
    return b"P6\n96 64\n65535\n" + _DEEP.astype(">u2").tobytes()


def pages() -> bytes:
    """Return a TIFF of two pages."""
    buffer = io.BytesIO()
    with tifffile.TiffWriter(buffer) as file:
        for _ in range(2):
            file.write(_PIXELS, photometric="rgb", metadata=None)
    return buffer.getvalue()


def animated(name: str) -> bytes:
    """Return an animation of three frames."""
    frames = [attachments.noisy(seed=n) for n in range(3)]
    buffer = io.BytesIO()
    frames[0].save(buffer, name, save_all=True, append_images=frames[1:])
    return buffer.getvalue()


def kinds() -> Iterator[tuple[str, str, str | None, Callable[[], bytes]]]:
    """Yield name, ending, what the review found, and the file."""
    for name, suffix in (("jpeg", "jpg"), ("png", "png"), ("tiff", "tif"), ("webp", "webp"),
                         ("avif", "avif"), ("heic", "heic"), ("raw", "dng")):  # fmt: skip
        title = f"{format_table.TITLE[name]} with all metadata"
        yield title, suffix, WORKS, lambda name=name: everything(name)
    jpeg = attachments.jpeg
    yield "JPEG, progressive", "jpg", WORKS, lambda: jpeg(progressive=True)
    yield "JPEG, 4:2:2", "jpg", WORKS, lambda: jpeg(subsampling=1)
    yield "JPEG, 4:1:1 of 4:2:0", "jpg", WORKS, lambda: jpeg(subsampling=2)
    yield "JPEG, grey", "jpg", WORKS, lambda: pillow("JPEG", "L", quality=90)
    yield "JPEG, CMYK without profile", "jpg", REFUSED, lambda: pillow("JPEG", "CMYK")
    yield "JPEG called .png", "png", WORKS, jpeg
    yield "JPEG without an ending", "", WORKS, jpeg
    yield "JPEG with bytes behind it", "jpg", WORKS, lambda: jpeg() + bytes(300)
    yield "JPEG without its last two bytes", "jpg", REFUSED, lambda: jpeg()[:-2]
    yield "JPEG cut at 60 %", "jpg", REFUSED, lambda: jpeg()[: int(len(jpeg()) * 0.6)]
    yield "Ultra HDR JPEG", "jpg", SILENT, attachments.ultra_hdr
    yield "Ultra HDR JPEG, wrong lengths", "jpg", None, lambda: attachments.ultra_hdr(length=7)
    yield "Motion Photo", "jpg", SILENT, attachments.motion_photo
    both = lambda: attachments.motion_photo(map_=True)  # noqa: E731
    yield "Motion Photo with a gain map", "jpg", None, both
    before = {"stereo pair, panorama (MPO)": SILENT, "content credentials (C2PA)": SILENT,
              "thumbnail (EXIF)": "the old, noisy one", "PNG's time of change": SILENT,
              "makers' blocks (APP3 to APP15)": SILENT, "comment": WORKS, "PNG's text": WORKS,
              "channel of unknown meaning (TIFF)": "became transparency"}  # fmt: skip
    for thing in beside_table.THINGS:
        if thing.name.startswith(("gain map", "its promise", "Motion")):
            continue
        name = f"{thing.suffix[1:].upper()}: {thing.name}"
        yield name, thing.suffix[1:], before.get(thing.name), thing.data
    yield "PNG, 16 bits", "png", WORKS, lambda: written(".png")
    yield "PNG, palette", "png", WORKS, lambda: pillow("PNG", "P")
    yield "PNG, 1 bit", "png", WORKS, lambda: pillow("PNG", "1")
    yield "PNG, grey and alpha", "png", WORKS, lambda: pillow("PNG", "LA")
    yield "PNG, animated", "png", REFUSED, lambda: animated("PNG")
    yield "TIFF, 16 bits", "tif", WORKS, lambda: tiff(_DEEP)
    yield "TIFF, 32-bit float", "tif", WORKS, lambda: tiff(_PIXELS.astype("f4") / 255)
    yield (
        "TIFF, 16-bit float",
        "tif",
        "became 32-bit float",
        lambda: tiff((_PIXELS / 255).astype("f2")),
    )
    yield "TIFF, 64-bit float", "tif", REFUSED, lambda: tiff(_PIXELS / 255)
    yield "TIFF, 32-bit whole numbers", "tif", REFUSED, lambda: tiff(_PIXELS.astype("u4"))
    yield "TIFF with NaN", "tif", REFUSED, lambda: tiff(np.full((9, 9, 3), np.nan, "f4"))
    yield "TIFF, LZW and predictor", "tif", WORKS, lambda: tiff(compression="lzw", predictor=True)
    yield "TIFF, JPEG within", "tif", WORKS, lambda: tiff(compression="jpeg")
    yield "TIFF, Zstandard", "tif", '"damaged, fetch it again"', lambda: tiff(compression="zstd")
    yield (
        "TIFF, separate planes",
        "tif",
        WORKS,
        lambda: tiff(np.moveaxis(_PIXELS, 2, 0), planarconfig="separate"),
    )
    yield (
        "TIFF, white is zero",
        "tif",
        WORKS,
        lambda: tiff(_PIXELS[..., 0], photometric="miniswhite"),
    )
    yield "TIFF, Lab", "tif", REFUSED, lambda: tiff(photometric="cielab")
    yield "TIFF, CMYK without profile", "tif", REFUSED, lambda: pillow("TIFF", "CMYK")
    yield "TIFF of two pages", "tif", REFUSED, pages
    yield "BigTIFF, big-endian", "tif", WORKS, lambda: tiff(_DEEP, bigtiff=True, byteorder=">")
    yield "WebP, lossy", "webp", "grew by two thirds", lambda: pillow("WEBP", quality=70)
    yield "WebP, animated", "webp", REFUSED, lambda: animated("WEBP")
    yield "AVIF, 8 bits, lossy", "avif", "grew by 40 %", lambda: pillow("AVIF", quality=60)
    yield "AVIF, 10 bits", "avif", WORKS, lambda: avif(10)
    yield "AVIF, 12 bits", "avif", WORKS, lambda: avif(12)
    yield "HEIC, 10 bits", "heic", WORKS, lambda: sample("ten.heic")
    yield "HEIC with alpha", "heic", None, lambda: sample("alpha.heic")
    yield "HEIC of two pictures", "heic", REFUSED, lambda: sample("two.heic")
    yield "JPEG XL, 8 bits", "jxl", REFUSED, jxl
    yield "JPEG XL, 16 bits", "jxl", REFUSED, lambda: written(".jxl")
    yield "JPEG XL, 16 bits of linear light", "jxl", REFUSED, lambda: jxl(_DEEP)
    yield "JPEG 2000", "jp2", REFUSED, lambda: pillow("JPEG2000")
    yield "BMP", "bmp", "passed over", lambda: pillow("BMP")
    yield "PPM, 16 bits", "ppm", "passed over", ppm
    yield "GIF", "gif", "passed over", lambda: pillow("GIF")
    yield "GIF, animated", "gif", REFUSED, lambda: animated("GIF")
    yield "TGA", "tga", "passed over", lambda: pillow("TGA")
    yield "raw, X-Trans", "dng", None, lambda: dng(pattern=X_TRANS)
    yield "raw, cut at 60 %", "dng", None, lambda: dng()[: int(len(dng()) * 0.6)]


X_TRANS = tuple(int(c) for c in "121101101121010212101121121101212010")


def written(suffix: str) -> bytes:
    """Return a photograph of 16 bits as this project writes it."""
    with TemporaryDirectory() as folder:
        path = Path(folder) / f"a{suffix}"
        write_photo(Photo(_DEEP), path)
        return path.read_bytes()


def sample(name: str) -> bytes:
    """Return a file of the tests."""
    return (HERE / "tests/samples" / name).read_bytes()


def tags(path: Path) -> dict[str, Any]:
    """Return what ExifTool finds in a file that describes the photograph."""
    line = ["exiftool", "-json", "-a", "-G1", "-b", "-n", str(path)]
    done = subprocess.run(line, capture_output=True, text=True, check=False).stdout
    found: dict[str, Any] = json.loads(done or "[{}]")[0]
    return {key: value for key, value in found.items() if not _OF_FILES.match(key)}


def measure(folder: Path, denoiser: Denoiser) -> list[Row]:
    """Denoise every kind."""
    rows = []
    for number, (name, suffix, before, make) in enumerate(kinds()):
        source = folder / (f"{number}.{suffix}" if suffix else str(number))
        source.write_bytes(make())
        row: Row = {"kind": name, "before": before}
        rows.append(row)
        try:
            target = folder / f"{number}-result{output_suffix(source)}"
            result = denoiser.denoise_file(source, target, overwrite=True)
            stored = read_photo(target)
        except InvDNError as error:
            row["refused"] = str(error).partition(": ")[2]
            continue
        had, has = tags(source), tags(target)
        same = [key for key, value in had.items() if has.get(key) == value]
        row |= {
            "result": f"{stored.format}, {stored.pixels.dtype}",
            "remarks": list(result.remarks),
            "bytes": [source.stat().st_size, target.stat().st_size],
            "tags": len(had),
            "tags_same": len(same),
            "metadata_bytes": sum(len(str(value)) for value in had.values()),
            "metadata_bytes_same": sum(len(str(had[key])) for key in same),
            "changed": sorted(set(had) - set(same)),
        }
        print(json.dumps(row), file=sys.stderr)
    return rows


def draw_raw(path: Path, height: int, width: int) -> None:
    """Draw a raw file of smooth light."""
    down, along = np.mgrid[0:height, 0:width].astype(np.float32) / width
    light = np.stack([0.05 + 0.5 * along, 0.5 - 0.3 * down, 0.1 + 0.4 * along * down], axis=2)
    raw_files.write_dng(path, light, noise=0.02, tiled=True)


def raw_to_dng(megapixels: float, model: str) -> Row:
    """Denoise a drawn raw file of 3 to 2 into a DNG, in a process of its own.

    It is drawn in another one, since a process begins with the peak of the one that starts it.
    """
    height, width = (round((megapixels * 1e6 * share) ** 0.5 / 16) * 16 for share in (2 / 3, 1.5))
    with TemporaryDirectory() as folder:
        source, target = Path(folder) / "a.dng", Path(folder) / "b.dng"
        drawer = get_context("spawn").Process(target=draw_raw, args=(source, height, width))
        drawer.start()
        drawer.join()
        line = [sys.executable, "-m", "invdn", "denoise", "-m", model, source, "-o", target]
        start = time.perf_counter()
        _, status, used = os.wait4(subprocess.Popen(line).pid, 0)
        if status:
            raise SystemExit("the command failed")
        return {
            "megapixels": height * width / 1e6,
            "model": model,
            "cpu_seconds": used.ru_utime + used.ru_stime,
            "wall_seconds": time.perf_counter() - start,
            "peak_mb": used.ru_maxrss / 1024,
            "bytes": [source.stat().st_size, target.stat().st_size],
        }


def table(rows: list[Row]) -> str:
    """Return the rows in Markdown."""
    head = ["kind", "before", "after", "tags the same", "their bytes", "what differs"]
    lines = [head, ["---"] * len(head)]
    for row in rows:
        cells = [row["kind"], row["before"] or "not tried"]
        if "refused" in row:
            said = re.sub(r"; .*|: install.*", "", row["refused"])
            cells += [f"refused: {said.replace('|', '/')}", "", "", ""]
        else:
            cells.append(row["result"])
            counted = [f"{row[f'{of}_same']} of {row[of]}" for of in ("tags", "metadata_bytes")]
            cells += counted if row["tags"] else ["none", ""]
            changed = dict.fromkeys(key.rpartition(":")[2] for key in row["changed"])
            cells.append(", ".join(changed))
        lines.append(cells)
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def main() -> None:
    """Measure all, or put the table into the document."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--document", action="store_true", help="write the table, measure nothing")
    parser.add_argument("--raw", metavar="MP", type=float, help="only raw to DNG, of this size")
    chosen = parser.parse_args()
    if chosen.raw:
        rows = [raw_to_dng(chosen.raw, model) for model in ("fast", "default")]
        print(json.dumps({"machine": describe_machine(), "rows": rows}, indent=2))
        return
    if chosen.document:
        text = DOCUMENT.read_text("utf-8")
        start, mark, rest = text.partition("<!-- kinds -->\n")
        made = table(json.loads(RESULT.read_text("utf-8"))["rows"])
        end = rest.partition("<!-- end -->")[2]
        DOCUMENT.write_text(f"{start}{mark}{made}\n<!-- end -->{end}", "utf-8")
        return
    with TemporaryDirectory() as name:
        rows = measure(Path(name), Denoiser.from_pretrained("default"))
    print(json.dumps({"machine": describe_machine(), "rows": rows}, indent=1))


if __name__ == "__main__":
    main()
