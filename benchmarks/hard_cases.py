"""The hard cases of ``reviews/photographs.md`` before and after.

    python benchmarks/hard_cases.py [--cases ../shared/data/hard-cases] [--sheet sheet.png]

"Before" is what the review of commit 7cf31f2 found; "after" is measured now on the same files, or
on files made here where the review's are not kept. Results are looked at by Pillow, tifffile,
ExifTool and the command itself. ``--sheet`` draws source and results side by side, for the eye.
"""

import argparse
import io
import json
import os
import re
import shutil
import struct
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import tifffile
from PIL import Image, ImageCms

from invdn import Denoiser
from invdn.evaluation.machine import describe_machine

HERE = Path(__file__).parents[1]
Row = dict[str, Any]
TEXT = {"PSNR": "dB", "spread": "standard deviation, of 255"}
_STRENGTHS: tuple[tuple[str, Any], ...] = (("auto", "auto"), ("full", 1.0))


class Cases:
    """The files, their results, and the rows of the table."""

    def __init__(self, files: Path, folder: Path) -> None:
        self.files, self.folder = files, folder
        self.rows: list[Row] = []
        self.denoiser = Denoiser.from_pretrained("default")
        self.sheet: list[tuple[str, list[Path]]] = []

    def add(self, finding: str, case: str, before: str, ok: bool, **after: Any) -> None:
        """Add a row; figures are rounded."""
        rounded = {k: round(float(v), 2) if isinstance(v, float) else v for k, v in after.items()}
        row = {"finding": finding, "case": case, "before": before, "ok": bool(ok), "after": rounded}
        self.rows.append(row)
        print(json.dumps(row), file=sys.stderr)

    def denoised(
        self, name: str, strength: Any = "auto", suffix: str | None = None, **how: Any
    ) -> Path:
        """Return the result of a file."""
        source = self.files / name
        suffix = suffix or source.suffix
        target = self.folder / f"{source.stem}-{strength}{suffix}"
        how |= {"strength": strength, "overwrite": True}
        self.result = self.denoiser.denoise_file(source, target, **how)
        return target

    def compared(
        self, finding: str, name: str, before: str, least: float, at: str = "auto"
    ) -> None:
        """Measure a file that has a clean twin."""
        clean = pixels(self.files / f"{Path(name).stem}_clean.png")
        paths = {label: self.denoised(name, strength) for label, strength in _STRENGTHS}
        found = {label: psnr(pixels(path), clean) for label, path in paths.items()}
        noisy = psnr(pixels(self.files / name), clean)
        self.sheet.append((name, [self.files / name, *paths.values()]))
        self.add(finding, name, before, found[at] >= least, noisy_psnr=noisy, **found)

    def command(self, *arguments: str | Path, data: bytes | None = None) -> Any:
        """Run the command itself."""
        line = [sys.executable, "-m", "invdn", *map(str, arguments)]
        return subprocess.run(line, input=data, capture_output=True, check=False, cwd=self.folder)


def main() -> None:
    """Measure all and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cases", type=Path, default=HERE.parent / "shared/data/hard-cases")
    parser.add_argument("--sheet", type=Path, help="picture of sources and results")
    choices = parser.parse_args()
    with TemporaryDirectory() as name:
        cases = Cases(choices.cases.resolve(), Path(name))
        for measure in (pictures, spots, wide_gamut, beside, containers, files):
            measure(cases)
        if choices.sheet:
            draw(cases.sheet, choices.sheet)
    right = sum(row["ok"] for row in cases.rows)
    report = {"right": right, "of": len(cases.rows), "units": TEXT, "rows": cases.rows}
    print(json.dumps({"machine": describe_machine(), **report}, indent=2))


def pixels(path: Path) -> np.ndarray:
    """Return a picture as (H, W, 3) float64 of 255."""
    with Image.open(path) as image:
        return np.asarray(image.convert("RGB"), np.float64)


def psnr(one: np.ndarray, other: np.ndarray) -> float:
    """Return the peak signal-to-noise ratio in dB."""
    error = float(((one - other) ** 2).mean())
    return 10 * np.log10(255**2 / error) if error else 99.0


def tags(path: Path) -> dict[str, Any]:
    """Return what ExifTool finds, by group and name."""
    line = ["exiftool", "-json", "-G1", "-a", "-n", str(path)]
    found: dict[str, Any] = json.loads(subprocess.check_output(line))[0]
    return found


def pictures(cases: Cases) -> None:
    """Colours, noise and texture."""
    for name, colour, before in (
        ("flat_green.png", (0, 255, 0), "mean (36, 27, 19) at strength 1"),
        ("flat_blue.png", (0, 0, 255), "mean (25, 1, 235) at strength 1"),
    ):
        path = cases.denoised(name, 1.0)
        found = pixels(path)
        worst = float(np.abs(found - colour).max())
        mean = [round(v, 1) for v in found.mean((0, 1))]
        cases.add("1", name, before, worst <= 6, mean=mean, largest_error=worst)
        cases.sheet.append((name, [cases.files / name, path]))
    cases.compared("3", "stage.png", "17.65 noisy, 19.36 auto, 24.10 strength 1", 29)
    cases.compared("10", "blotches.png", "colour noise 5.44 -> 4.97 auto, 4.58 strength 1", 36)
    cases.compared("11", "fabric.png", "32.55 -> 26.10 with auto", 32.5)
    cases.compared("11", "halffabric.png", "33.2 with auto", 33.2)
    cases.compared("18", "banding.png", "rows' spread 3.75 -> 2.2", 42)
    cases.compared("19", "stars.png", "stars dimmed by 30 % at strength 1", 40)
    cases.compared("thread 18", "sky.png", "13 levels in 35 runs at strength 1", 45)
    clean = pixels(cases.files / "stars_clean.png")
    bright = clean.max(axis=2) > 200
    for name, asked in (("stars.png", False), ("stars.png, --stars", True)):
        stars = pixels(cases.denoised("stars.png", 1.0, stars=asked))
        kept = float(stars.max(axis=2)[bright].mean() / clean.max(axis=2)[bright].mean())
        cases.add("19", name, "249 -> 174 at strength 1", kept > 0.9, light_kept=kept)
    white = pixels(cases.denoised("white.png", 1.0))
    cases.add("19", "white.png", "250 to 255", white.min() >= 254, least=float(white.min()))
    grey = pixels(cases.denoised("grey_as_rgb.png", 1.0))
    apart = float(np.ptp(grey, axis=2).max())
    cases.add("13", "grey_as_rgb.png", "10 levels apart at strength 1", apart == 0, apart=apart)


def spots(cases: Cases) -> None:
    """Hot pixels."""
    listed = (cases.files / "hot_positions.txt").read_text()
    places = [tuple(map(int, line.split())) for line in listed.splitlines()]
    noisy, clean = (pixels(cases.files / n) for n in ("hot.png", "hot_clean.png"))
    swapped = all(np.abs(noisy[a, b] - clean[a, b]).max() > 60 for a, b in places)
    at = places if swapped else [(b, a) for a, b in places]
    for label, strength in _STRENGTHS:
        found = pixels(cases.denoised("hot.png", strength))
        left = sum(bool(np.abs(found[a, b] - clean[a, b]).max() > 40) for a, b in at)
        before = {"auto": "40 of 40 stay", "full": "9 of 40 stay"}[label]
        cases.add("9", f"hot.png, {label}", before, left == 0, left=left, of=len(at))


def wide_gamut(cases: Cases) -> None:
    """Noise within the patches of pictures in Display P3: no block may become noisier.

    At the edges of patches the spread is that of an edge which is softened by two pixels.
    """
    for name in ("p3.png", "flowers_p3.jpg"):
        for label, strength in _STRENGTHS:
            path = cases.denoised(name, strength)
            before, after = blocks(pixels(cases.files / name)), blocks(pixels(path))
            flat = before < 25
            ratios, edges = after / np.maximum(before, 1), at_edges(pixels(cases.files / name))
            worst, softened = (
                float(ratios[flat & where].max(initial=0)) for where in (~edges, edges)
            )
            middle = float(np.median(after[flat]))
            with Image.open(path) as a, Image.open(cases.files / name) as b:
                same = a.info.get("icc_profile") == b.info.get("icc_profile")
            said = "channels became noisier, or black"
            cases.sheet.append((f"{name} {label}", [cases.files / name, path]))
            cases.add(
                "4", f"{name}, {label}", said, worst < 1.1 and same,
                median_spread_before=float(np.median(before[flat])), median_spread=middle,
                worst_ratio=worst, worst_ratio_at_edges=softened, profile_kept=same,
            )  # fmt: skip


def squares(image: np.ndarray, side: int = 16) -> np.ndarray:
    """Return an image as squares, (rows, columns, side, side, 3)."""
    high, wide = (n // side * side for n in image.shape[:2])
    cut = image[:high, :wide].reshape(high // side, side, wide // side, side, 3)
    return cut.transpose(0, 2, 1, 3, 4)


def blocks(image: np.ndarray) -> np.ndarray:
    """Return the spread in squares, (rows, columns, 3), without what changes slowly."""
    fine = np.diff(squares(image), axis=3) / np.sqrt(2)
    return np.asarray(fine.std(axis=(2, 3)))


def at_edges(image: np.ndarray) -> np.ndarray:
    """Return which squares differ in colour from one beside them, (rows, columns, 1)."""
    colours = np.pad(squares(image).mean(axis=(2, 3)), ((1, 1), (1, 1), (0, 0)), mode="edge")
    middle, (high, wide) = colours[1:-1, 1:-1], colours.shape[:2]
    places = ((0, 1), (2, 1), (1, 0), (1, 2))
    beside = [colours[y : high - 2 + y, x : wide - 2 + x] for y, x in places]
    return np.asarray(np.max(np.abs(np.array(beside) - middle), axis=(0, 3))[..., None] > 30)


def beside(cases: Cases) -> None:
    """What lies beside the picture."""
    path = cases.denoised("ultrahdr.jpg")
    found = tags(path)
    length = int(found.get("XMP-GContainer:DirectoryItemLength", 0) or 0) or None
    data = path.read_bytes()
    gain = any(key.startswith("MPImage2") for key in found) or "MPF0:MPImageLength" in str(found)
    whole = gain or data.count(b"\xff\xd8\xff") > 1
    cases.add("5", "ultrahdr.jpg", "gain map dropped, XMP still promises it", whole,
              second_picture=whole, xmp_length=length)  # fmt: skip
    path = cases.denoised("PXL_motion.MP.jpg")
    offset = int(tags(path)["XMP-GCamera:MicroVideoOffset"])
    source = (cases.files / "PXL_motion.MP.jpg").read_bytes()
    same = path.read_bytes()[-offset:] == source[-2860:]
    cases.add("6", "PXL_motion.MP.jpg", "video dropped, XMP still promises it", same, video=same)
    refused = cases.command("denoise", cases.files / "stereo.mpo", "-o", "s.jpg")
    chosen = cases.command("denoise", cases.files / "stereo.mpo", "-o", "s.jpg", "--page", "2")
    said = b"--page" in refused.stderr and refused.returncode == 1
    cases.add("12", "stereo.mpo", "second picture dropped", said and chosen.returncode == 0,
              refused_until_page=said, page_2=chosen.returncode == 0)  # fmt: skip
    made = cases.folder / "thumb.jpg"
    noisy().save(made, exif=exif_with_thumbnail(), quality=92)
    target = cases.folder / "thumb_out.jpg"
    cases.denoiser.denoise_file(made, target, overwrite=True)
    line = ["exiftool", "-b", "-ThumbnailImage"]
    old, new = (subprocess.check_output([*line, path]) for path in (made, target))
    software = str(tags(target).get("IFD0:Software", ""))
    cases.add("24", "thumbnail and trace", "old thumbnail, no trace",
              old != new and "InvDN" in software,
              thumbnail_new=old != new and len(new) > 100, software=software)  # fmt: skip
    buffer = io.BytesIO()
    noisy().save(buffer, "JPEG")
    plain = buffer.getvalue()
    block = b"JP\0\1\0\0\0\1" + struct.pack(">I4s", 42, b"jumb")
    block += (
        struct.pack(">I4s", 34, b"jumd") + b"c2pa".ljust(16, b"\0") + b"\3c2pa\0".ljust(10, b"\0")
    )
    (cases.folder / "c2pa.jpg").write_bytes(
        plain[:2] + b"\xff\xeb" + struct.pack(">H", len(block) + 2) + block + plain[2:]
    )
    said = cases.command("denoise", "c2pa.jpg", "-o", "c2pa_out.jpg").stderr.decode()
    cases.add("29", "C2PA segment", "dropped without a note", "C2PA" in said, note="C2PA" in said)


def containers(cases: Cases) -> None:
    """Formats, codecs and tags."""
    path = cases.denoised("tzstd.tif")
    cases.add("14", "tzstd.tif", "'damaged, fetch it again'", path.is_file(),
              remarks=list(cases.result.remarks))  # fmt: skip
    path = cases.denoised("missing_eoi.jpg")
    cases.add(
        "15", "missing_eoi.jpg", "refused", path.is_file(), remarks=list(cases.result.remarks)
    )
    path = cases.denoised("t4extra.tif")
    with tifffile.TiffFile(path) as file:
        extra = [int(v) for v in file.pages[0].tags["ExtraSamples"].value]
    cases.add("22", "t4extra.tif", "ExtraSamples 0 -> 2", extra == [0], extra_samples=extra)
    path = cases.denoised("x.jxl", suffix=".jxl")
    cases.add("20", "x.jxl", "refused", path.is_file(), bytes=path.stat().st_size)
    folder = cases.folder / "mixed"
    folder.mkdir()
    for suffix in ("bmp", "gif", "jp2", "ppm", "tga", "ico"):
        noisy().save(folder / f"{suffix}.{suffix}")
    said = cases.command("denoise", folder, "-o", "mixed_out").stderr.decode()
    made = sorted(p.name for p in (cases.folder / "mixed_out").iterdir())
    named = "tga.tga" in said and "ico.ico" in said
    cases.add("20", "folder of BMP, GIF, JP2, PPM, TGA, ICO", "passed over without a word",
              len(made) == 4 and named, made=made, rest_named=named)  # fmt: skip
    noisy().save(cases.folder / "nores.png")
    noisy().save(cases.folder / "nores.tif")
    invented = []
    for name in ("nores.png", "nores.tif"):
        cases.denoiser.denoise_file(cases.folder / name, cases.folder / f"o_{name}", overwrite=True)
        found = tags(cases.folder / f"o_{name}")
        invented += [key for key in found if re.search("XResolution|PixelsPerUnitX", key)]
    cases.add(
        "23", "PNG and TIFF without resolution", "72 dpi invented", not invented, invented=invented
    )
    for suffix in ("webp", "avif"):
        noisy().save(cases.folder / f"lossy.{suffix}", quality=60)
        target = cases.folder / f"lossy_out.{suffix}"
        cases.denoiser.denoise_file(cases.folder / f"lossy.{suffix}", target, overwrite=True)
        sizes = [(cases.folder / f"lossy.{suffix}").stat().st_size, target.stat().st_size]
        cases.add("25", f"lossy {suffix}", "grows by 40 to 66 %", sizes[1] <= sizes[0], bytes=sizes)
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    noisy().save(cases.folder / "icc.png", icc_profile=profile)
    cases.denoiser.denoise_file(cases.folder / "icc.png", cases.folder / "icc_out.png")
    with Image.open(cases.folder / "icc_out.png") as image:
        same = image.info["icc_profile"] == profile
    cases.add("thread 8", "profile of a PNG", "works", same, same=same)
    frames = [noisy(seed) for seed in range(3)]
    for suffix in ("png", "webp", "gif"):
        frames[0].save(cases.folder / f"anim.{suffix}", save_all=True, append_images=frames[1:])
        code = cases.command(
            "denoise", f"anim.{suffix}", "-o", f"anim_out.{'png' if suffix == 'gif' else suffix}"
        )
        said = "animat" in code.stderr.decode()
        cases.add(
            "thread 22", f"animated {suffix}", "refused clearly", code.returncode == 1 and said
        )
    noisy().convert("CMYK").save(cases.folder / "cmyk.jpg")
    said = cases.command("denoise", "cmyk.jpg", "-o", "cmyk_out.jpg")
    cases.add("thread 21", "CMYK without profile", "refused, says convert",
              said.returncode == 1 and b"CMYK" in said.stderr)  # fmt: skip
    for share in (0.3, 0.9):
        (cases.folder / "cut.jpg").write_bytes(plain_jpeg()[: int(len(plain_jpeg()) * share)])
        said = cases.command("denoise", "cut.jpg", "-o", "cut_out.jpg")
        right = said.returncode == 1 and not (cases.folder / "cut_out.jpg").exists()
        cases.add("thread 23", f"JPEG cut at {share:.0%}", "refused", right)


def files(cases: Cases) -> None:
    """Permissions, times, names, pipes and messages."""
    path = cases.folder / "private.jpg"
    path.write_bytes(plain_jpeg())
    path.chmod(0o600)
    os.utime(path, (1_557_000_000, 1_557_000_000))
    cases.command("denoise", path, "-o", "private_out.jpg", "--keep-time")
    info = (cases.folder / "private_out.jpg").stat()
    mode, kept = oct(info.st_mode & 0o777), int(info.st_mtime) == 1_557_000_000
    cases.add("16", "mode 0600 and --keep-time", "0644, new time", mode == "0o600" and kept,
              mode=mode, time_kept=kept)  # fmt: skip
    piped = cases.command("denoise", "-", "-o", "-", data=plain_jpeg())
    right = piped.returncode == 0 and piped.stdout[:2] == b"\xff\xd8"
    cases.add(
        "21",
        "from '-' to '-'",
        "makes a folder called '-'",
        right and not (cases.folder / "-").exists(),
    )
    lines = cases.command("denoise", path, "-o", "lines.jpg", "--json-lines").stdout
    cases.add("26", "--json-lines", "5 kB a photograph", len(lines) < 2500, bytes=len(lines))
    long = cases.folder / ("n" * 246 + ".jpg")
    shutil.copy(path, long)
    long.with_suffix(".xmp").write_text("<x:xmpmeta xmlns:x='adobe:ns:meta/'/>")
    code = cases.command("denoise", long).returncode
    made = [
        p.name for p in cases.folder.iterdir() if p.name.startswith("nnn") and p.suffix == ".xmp"
    ]
    cases.add("27", "name of 250 letters, sidecar", "fails; sidecar ignored",
              code == 0 and len(made) == 2,
              exit_code=code, sidecars=len(made))  # fmt: skip
    percent = cases.command("denoise", path, "-o", "percent.jpg", "--strength", "50%").returncode
    wrong = cases.command("denois", path).stderr.decode()
    cases.add("28", "--strength 50%, 'invdn denois'", "refused without a hint",
              percent == 0 and "denoise" in wrong, did_you_mean="denoise" in wrong)  # fmt: skip
    again = cases.command("denoise", "percent.jpg", "-o", "twice.jpg").stderr.decode()
    cases.add("thread 33", "a result once more", "a warning", "result" in again, note=again[-160:])
    awkward = cases.folder / "é ü 写真 {x} % \" ' $.jpg"
    shutil.copy(path, awkward)
    code = cases.command("denoise", awkward).returncode
    cases.add("thread 28", awkward.name, "works", code == 0)


def noisy(seed: int = 0) -> Image.Image:
    """Return a drawn picture with noise."""
    rows, columns = np.mgrid[0:96, 0:128] / 128
    clean = np.stack([0.2 + 0.5 * rows, 0.7 - 0.4 * columns, 0.3 + 0.3 * rows * columns], axis=2)
    noise = np.random.default_rng(seed).normal(0, 0.05, clean.shape)
    return Image.fromarray(np.rint(np.clip(clean + noise, 0, 1) * 255).astype(np.uint8))


def plain_jpeg() -> bytes:
    """Return the drawn picture as a JPEG."""
    buffer = io.BytesIO()
    noisy().save(buffer, "JPEG", quality=90)
    return buffer.getvalue()


def exif_with_thumbnail() -> bytes:
    """Return EXIF that holds a thumbnail of the noisy picture."""
    buffer = io.BytesIO()
    noisy(7).resize((64, 48)).save(buffer, "JPEG")
    small = buffer.getvalue()
    first = struct.pack("<HHHIII", 1, 0x0112, 3, 1, 1, 26)
    second = struct.pack("<H", 3) + struct.pack("<HHII", 0x0103, 3, 1, 6)
    second += struct.pack("<HHII", 0x0201, 4, 1, 26 + 42) + struct.pack(
        "<HHII", 0x0202, 4, 1, len(small)
    )
    return b"Exif\0\0II*\0\x08\0\0\0" + first + second + bytes(4) + small


def draw(rows: list[tuple[str, list[Path]]], target: Path) -> None:
    """Draw sources and results side by side, enlarged twice."""
    strips = []
    for _, paths in rows:
        cells = [
            Image.open(path).convert("RGB").crop((0, 0, 192, 192)).resize((384, 384), 0)
            for path in paths
        ]
        strip = Image.new("RGB", (3 * 390, 390))
        for number, cell in enumerate(cells):
            strip.paste(cell, (390 * number, 0))
        strips.append(strip)
    sheet = Image.new("RGB", (3 * 390, 390 * len(strips)))
    for number, strip in enumerate(strips):
        sheet.paste(strip, (0, 390 * number))
    sheet.save(target)


if __name__ == "__main__":
    main()
