"""Reading gives the stored pixels or a typed error that says what to do."""

import os
import struct
import subprocess
import sys
import tempfile
import zlib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageCms

from invdn.errors import ImageError
from invdn.photo.photo import Photo
from invdn.photo.read import read_photo
from invdn.photo.write import write_photo
from support.bombs import dng_deflated, dng_of_one_tile, heic_of_one_tile
from support.photographs import encoded, picture, pixels
from support.systems import ROOT, needs_posix

FORMATS = ["JPEG", "PNG", "TIFF", "WEBP"]


def reading(folder: Path, data: bytes, **options: int) -> Photo:
    path = folder / "file"
    path.write_bytes(data)
    return read_photo(path, **options)


def refusal(folder: Path, data: bytes, **options: int) -> str:
    with pytest.raises(ImageError) as caught:
        reading(folder, data, **options)
    message = str(caught.value)
    assert message.startswith("cannot read ") and "\n" not in message
    return message


@pytest.mark.parametrize("name", FORMATS)
@pytest.mark.parametrize("suffix", [".jpg", ".png", ".txt", ""])
def test_the_content_decides_not_the_name(tmp_path: Path, name: str, suffix: str) -> None:
    path = tmp_path / f"photo{suffix}"
    path.write_bytes(encoded(picture(), name))
    photo = read_photo(path)
    assert (photo.format, photo.height, photo.width) == (name.lower(), 64, 96)


@pytest.mark.parametrize(
    "name", ["a\nb.png", "😀.png", "a[page=1].png", "a,b=c.png", "-x", "%d.png"]
)
def test_any_name_can_be_read(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(encoded(picture(), "PNG"))
    assert read_photo(tmp_path / name).width == 96


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "PA", "RGB", "RGBA"])
@pytest.mark.parametrize("name", ["PNG", "TIFF"])
def test_pixels_are_those_that_pillow_sees(tmp_path: Path, mode: str, name: str) -> None:
    try:
        data = encoded(picture(mode), name)
    except OSError:
        pytest.skip(f"Pillow writes no {name} of mode {mode}")
    photo = reading(tmp_path, data)
    grey = mode in ("1", "L", "LA")
    expected = np.asarray(picture(mode).convert("LA" if grey else "RGBA"))
    assert photo.pixels.dtype == np.uint8 and photo.pixels.flags.c_contiguous
    assert np.array_equal(photo.pixels, expected[..., 0] if grey else expected[..., :3])
    assert (photo.alpha is not None) == (mode in ("LA", "PA", "RGBA"))


@pytest.mark.parametrize("shape", [(1, 1, 3), (3, 5, 3), (1, 700), (700, 1), (300, 2, 3)])
def test_tiny_and_narrow(tmp_path: Path, shape: tuple[int, ...]) -> None:
    stored = pixels("uint8", shape)
    assert np.array_equal(reading(tmp_path, encoded(Image.fromarray(stored), "PNG")).pixels, stored)


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"quality": 70, "subsampling": 0}, (70, "4:4:4")),
        ({"quality": 88, "subsampling": 1}, (88, "4:2:2")),
        ({"quality": 97, "subsampling": 2, "progressive": True}, (97, "4:2:0")),
    ],
)
def test_how_a_jpeg_was_compressed(
    tmp_path: Path, options: dict[str, int], expected: tuple[int, str]
) -> None:
    found = reading(tmp_path, encoded(picture(), "JPEG", **options)).compression
    assert (found.quality, found.subsampling) == expected


def test_how_a_webp_was_compressed(tmp_path: Path) -> None:
    for lossless in (False, True):
        data = encoded(picture(), "WEBP", lossless=lossless)
        assert reading(tmp_path, data).compression.lossless is lossless


def test_a_rotated_photo_is_not_turned(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[274] = 6
    for name in ("JPEG", "PNG", "TIFF", "WEBP"):
        photo = reading(tmp_path, encoded(picture(), name, exif=exif))
        assert (photo.height, photo.width, photo.orientation) == (64, 96, 6)


@pytest.mark.parametrize("name", FORMATS)
def test_every_cut_is_noticed(tmp_path: Path, name: str) -> None:
    data = encoded(picture(size=(300, 400)), name)
    # what they lack then is an empty last chunk, or the end marker
    ends = {"PNG": 12, "JPEG": 2}.get(name, 0)
    for length in [*range(1, 60, 7), *np.linspace(60, len(data) - ends - 1, 40, dtype=int)]:
        assert "damaged" in (message := refusal(tmp_path, data[:length])) or length < 16, message


def test_a_hole_in_the_middle_is_noticed(tmp_path: Path) -> None:
    data = bytearray(encoded(Image.fromarray(pixels("uint8", (400, 300, 3))), "PNG"))
    data[len(data) // 2 : len(data) // 2 + 5000] = bytes(5000)
    assert "damaged or cut short" in refusal(tmp_path, bytes(data))


def test_a_hole_in_a_real_jpeg_is_noticed(tmp_path: Path, shared_data: Path) -> None:
    data = bytearray((shared_data / "clean" / "cid22_001.jpg").read_bytes())
    data[len(data) // 2 : len(data) * 3 // 4] = bytes(len(data) * 3 // 4 - len(data) // 2)
    assert "damaged or cut short" in refusal(tmp_path, bytes(data))


def test_a_jpeg_that_ends_early_is_noticed(tmp_path: Path) -> None:
    data = encoded(Image.fromarray(pixels("uint8", (400, 300, 3))), "JPEG")
    assert "damaged or cut short" in refusal(tmp_path, data[: len(data) // 2] + b"\xff\xd9")


def test_rubbish_after_the_end_is_harmless(tmp_path: Path) -> None:
    for name in FORMATS:
        assert reading(tmp_path, encoded(picture(), name) + b"rubbish" * 99).width == 96


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "empty"),
        (b"hello, this is text", "no picture of a known format"),
        (b"\xff\xd8\xff", "damaged"),
        (b"II*\0", "damaged"),
        (b"II*\0\xff\xff\xff\xff", "damaged"),
        (b"%PDF-1.7", "PDF document"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "SVG drawing"),
        (b"GIF89a\1\0\1\0\0\0\0;", "GIF"),
        (b"8BPS\0\1", "Photoshop"),
        (b"\0\0\0\x18ftypheic", "damaged"),
        (b"\0\0\0\x18ftypavif", "damaged"),
        (b"\0\0\0\x18ftypavis", "animation"),
        (b"\0\0\0\x18ftypmp42", "video"),
        (b"II*\0\x10\0\0\0CR\2\0", "LibRaw cannot develop it"),
        (b"FUJIFILMCCD-RAW 0201", "LibRaw cannot develop it"),
    ],
)
def test_what_is_no_photograph(tmp_path: Path, data: bytes, reason: str) -> None:
    assert reason in refusal(tmp_path, data)


def test_colours_that_cannot_be_kept(tmp_path: Path) -> None:
    for name, mode in (("JPEG", "CMYK"), ("TIFF", "CMYK"), ("TIFF", "LAB")):
        assert "convert it to RGB" in refusal(tmp_path, encoded(picture(mode), name))


@pytest.mark.parametrize("name", ["PNG", "WEBP"])
def test_animations(tmp_path: Path, name: str) -> None:
    frames = [picture().rotate(90)]
    data = encoded(picture(), name, save_all=True, append_images=frames)
    assert "animation" in refusal(tmp_path, data)


def test_several_pages(tmp_path: Path) -> None:
    data = encoded(picture(), "TIFF", save_all=True, append_images=[picture()])
    assert "2 pages" in refusal(tmp_path, data)


@pytest.mark.parametrize("mode", ["I", "F"])
def test_wide_samples(tmp_path: Path, mode: str) -> None:
    image = Image.new(mode, (9, 9))
    if mode == "F":
        assert reading(tmp_path, encoded(image, "TIFF")).pixels.dtype == np.float32
    else:
        assert "signed numbers of 32 bits" in refusal(tmp_path, encoded(image, "TIFF"))


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_numbers_that_are_none(tmp_path: Path, bad: float) -> None:
    stored = np.zeros((20, 30), np.float32)
    stored[-1, -1] = bad
    assert "NaN or infinite" in refusal(tmp_path, encoded(Image.fromarray(stored), "TIFF"))


def png(width: int, height: int) -> bytes:
    """A PNG that claims a size and holds a few black rows."""
    parts = [b"\x89PNG\r\n\x1a\n"]
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    for kind, body in ((b"IHDR", header), (b"IDAT", zlib.compress(bytes(10**6))), (b"IEND", b"")):
        parts.append(struct.pack(">I", len(body)) + kind + body)
        parts.append(zlib.crc32(kind + body).to_bytes(4))
    return b"".join(parts)


def test_bombs_are_refused_before_decoding(tmp_path: Path) -> None:
    assert "max_pixels" in refusal(tmp_path, png(100_000, 100_000))
    assert "max_pixels" in refusal(tmp_path, encoded(picture(), "JPEG"), max_pixels=96 * 64 - 1)
    assert reading(tmp_path, encoded(picture(), "JPEG"), max_pixels=96 * 64).width == 96
    assert "damaged" in refusal(tmp_path, png(2**31 - 1, 2**31 - 1))
    assert "damaged" in refusal(tmp_path, png(0, 5))
    assert "damaged" in refusal(tmp_path, png(3000, 3000))


def test_what_is_put_together_of_one_tile(tmp_path: Path) -> None:
    """Of a raw file counts what is unpacked, not what is shown of it."""
    for most, given in (
        (599 * 500, dng_of_one_tile(600, 500)),
        (79 * 300 * 3, dng_of_one_tile(600, 500, (300, 200))),
        (3072 * 2048 - 1, heic_of_one_tile(3, 2)),
        (255 * 256, dng_deflated(256)),
    ):
        assert "max_pixels" in refusal(tmp_path, given, max_pixels=most)
    shown = reading(tmp_path, dng_of_one_tile(600, 500, (500, 400)), max_pixels=600 * 400)
    assert (shown.width, shown.height) == (500, 400), "a camera's margins are no reason"
    assert reading(tmp_path, heic_of_one_tile(3, 2, (2000, 1500))).width == 2000


def test_hostile_exif_does_no_harm(tmp_path: Path) -> None:
    plain = encoded(picture(), "JPEG")
    circle = b"II*\0\x08\0\0\0\x01\0" + struct.pack("<HHII", 34665, 4, 1, 8) + bytes(4)
    for exif in (b"rubbish" * 9, b"II*\0\x08\0\0\0" + b"\xff" * 99, circle, b"MM\0*" + bytes(9)):
        block = b"Exif\0\0" + exif
        segment = b"\xff\xe1" + struct.pack(">H", len(block) + 2) + block
        photo = reading(tmp_path, plain[:2] + segment + plain[2:])
        assert photo.metadata.exif == exif and photo.orientation == 1
        for suffix in (".jpg", ".tif", ".png", ".webp"):
            write_photo(photo, tmp_path / f"copy{suffix}", overwrite=True)
            assert read_photo(tmp_path / f"copy{suffix}").width == 96


@needs_posix
def test_places_where_no_photograph_is(tmp_path: Path) -> None:
    (tmp_path / "circle").symlink_to("circle")
    (tmp_path / "dangling").symlink_to("nowhere")
    os.mkfifo(tmp_path / "pipe")
    for path, reason in [
        (tmp_path, "is a folder"),
        (tmp_path / "missing", "no such file"),
        (tmp_path / "dangling", "no such file"),
        (tmp_path / "circle", "symbolic links"),
        (tmp_path / "pipe", "no regular file"),
        (Path("/dev/zero"), "no regular file"),
        (tmp_path / "nul\0", "null"),
    ]:
        with pytest.raises(ImageError, match=reason):
            read_photo(path)


@needs_posix
def test_without_permission() -> None:
    with tempfile.TemporaryDirectory() as name:
        Path(name).chmod(0o755)
        path = Path(name) / "secret.png"
        path.write_bytes(encoded(picture(), "PNG"))
        path.chmod(0)
        root = ROOT
        try:
            if root:
                os.seteuid(65534)
            with pytest.raises(ImageError, match="permission is denied"):
                read_photo(path)
        finally:
            if root:
                os.seteuid(0)


def test_threads_do_not_disturb_each_other(tmp_path: Path) -> None:
    """One thread's damaged file must not spoil another's good one."""
    data = encoded(Image.fromarray(pixels("uint8", (200, 200, 3))), "JPEG")
    (tmp_path / "good").write_bytes(data)
    (tmp_path / "bad").write_bytes(data[: len(data) // 2])

    def outcome(number: int) -> bool:
        try:
            read_photo(tmp_path / ("bad" if number % 2 else "good"))
        except ImageError:
            return False
        return True

    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(outcome, range(64))) == [True, False] * 32


def test_nothing_is_printed_and_no_file_stays_open(tmp_path: Path) -> None:
    """In a process of its own, since libvips prints past Python."""
    data = encoded(picture(size=(300, 300)), "JPEG")
    (tmp_path / "good").write_bytes(data)
    (tmp_path / "bad").write_bytes(data[:3000])
    (tmp_path / "tiff").write_bytes(encoded(picture(), "TIFF")[:-40])
    profile = bytearray(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    profile[136:140] = b"\xff" * 4  # a tag outside the profile: libpng warns, quoting the name
    body = b"iCCPM\xfcnchen\0\0" + zlib.compress(profile)
    chunk = struct.pack(">I", len(body) - 4) + body + zlib.crc32(body).to_bytes(4)
    data = encoded(picture(), "PNG")
    (tmp_path / "png").write_bytes(data[:33] + chunk + data[33:])
    program = (
        "import os, sys\nfrom invdn.photo.read import read_photo\n"
        "from invdn.errors import ImageError\n"
        "before = None\n"
        "for _ in range(5):\n"
        "    for path in sys.argv[1:]:\n"
        "        try: read_photo(path)\n"
        "        except ImageError: pass\n"
        "    now = len(os.listdir('/proc/self/fd' if os.path.exists('/proc/self/fd') else '.'))\n"
        "    assert before in (None, now), (before, now)\n"
        "    before = now\n"
    )
    files = [str(tmp_path / name) for name in ("good", "bad", "tiff", "png")]
    done = subprocess.run(
        [sys.executable, "-c", program, *files], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_real_photographs_are_as_pillow_sees_them(shared_data: Path) -> None:
    files = sorted((shared_data / "real-noisy").iterdir())[:5]
    files += sorted((shared_data / "sidd-mini-val" / "Noisy").iterdir())[:2]
    assert files
    for path in files:
        seen = np.asarray(Image.open(path)).astype(int)
        ours = read_photo(path).pixels
        assert np.abs(ours - seen).max() <= (2 if path.suffix.lower() in (".jpg", ".jpeg") else 0)
