"""What is written is what was given, or nothing is written."""

import errno
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from invdn.errors import InputError, OutputError
from invdn.photo.photo import Compression, Metadata, Photo, WriteOptions
from invdn.photo.read import read_photo
from invdn.photo.write import check_writable, write_photo
from support.photographs import pixels

RGB = Photo(pixels("uint8"), format="jpeg")
LOSSLESS = {"png": ("uint8", "uint16"), "tif": ("uint8", "uint16", "float32")}


@pytest.mark.parametrize(
    ("suffix", "kind"), [(suffix, kind) for suffix in LOSSLESS for kind in LOSSLESS[suffix]]
)
@given(height=st.integers(1, 40), width=st.integers(1, 40), grey=st.booleans(), clear=st.booleans())
@settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_every_pixel_comes_back(
    tmp_path: Path, suffix: str, kind: str, height: int, width: int, grey: bool, clear: bool
) -> None:
    stored = pixels(kind, (height, width) if grey else (height, width, 3))
    alpha = pixels(kind, (height, width)) if clear else None
    path = tmp_path / f"photo.{suffix}"
    write_photo(Photo(stored, alpha), path, overwrite=True)
    found = read_photo(path)
    assert found.pixels.dtype == stored.dtype and np.array_equal(found.pixels, stored)
    assert (found.alpha is None) is (alpha is None)
    assert alpha is None or np.array_equal(found.alpha, alpha)


def test_a_second_library_sees_the_same(tmp_path: Path) -> None:
    for suffix in ("png", "tif"):
        path = tmp_path / f"photo.{suffix}"
        write_photo(Photo(pixels("uint8"), pixels("uint8", (37, 53))), path)
        seen = np.asarray(Image.open(path))
        assert np.array_equal(seen[..., :3], pixels("uint8"))
        assert np.array_equal(seen[..., 3], pixels("uint8", (37, 53)))
        path = tmp_path / f"grey.{suffix}"
        write_photo(Photo(pixels("uint16", (37, 53))), path)
        assert np.array_equal(np.asarray(Image.open(path)), pixels("uint16", (37, 53)))
    path = tmp_path / "float.tif"
    write_photo(Photo(pixels("float32", (37, 53))), path)
    assert np.array_equal(np.asarray(Image.open(path)), pixels("float32", (37, 53)))


def test_a_lossless_webp_stays_lossless(tmp_path: Path) -> None:
    photo = Photo(
        pixels("uint8"),
        pixels("uint8", (37, 53)),
        format="webp",
        compression=Compression(lossless=True),
    )
    write_photo(photo, tmp_path / "a.webp")
    found = read_photo(tmp_path / "a.webp")
    assert np.array_equal(found.pixels, photo.pixels) and np.array_equal(found.alpha, photo.alpha)
    assert found.compression.lossless
    write_photo(photo, tmp_path / "b.webp", choices=WriteOptions(quality=50))
    assert not read_photo(tmp_path / "b.webp").compression.lossless


@pytest.mark.parametrize("suffix", [".jpg", ".png", ".webp"])
def test_depth_is_reduced_where_it_must(tmp_path: Path, suffix: str) -> None:
    """Rounded, not cut: 16 bits to 8, and floats to the most that fits."""
    smooth = np.linspace(0, 1, 64 * 64, dtype=np.float32).reshape(64, 64)
    deep = np.rint(smooth * 65535).astype(np.uint16)
    write_photo(Photo(deep), tmp_path / f"deep{suffix}")
    write_photo(Photo(smooth), tmp_path / f"float{suffix}")
    for name in ("deep", "float"):
        found = read_photo(tmp_path / f"{name}{suffix}").pixels
        if suffix == ".png":
            assert np.array_equal(found, deep)
        else:
            assert found.dtype == np.uint8
            if suffix == ".webp":  # has no grey
                found = found[..., 1]
            assert np.abs(found / 255 - smooth).max() < 3 / 255


def test_jpeg_is_close_and_grey_stays_grey(tmp_path: Path) -> None:
    smooth = np.linspace(0, 255, 64 * 64).reshape(64, 64).astype(np.uint8)
    write_photo(Photo(smooth), tmp_path / "a.jpg")
    found = read_photo(tmp_path / "a.jpg")
    assert found.pixels.ndim == 2
    assert np.abs(found.pixels.astype(int) - smooth).max() <= 3


@pytest.mark.parametrize(
    ("source", "asked", "expected"),
    [
        (Compression(), None, (95, "4:4:4")),
        (Compression(60, "4:2:0"), None, (60, "4:2:0")),
        (Compression(98, "4:2:2"), None, (98, "4:4:4")),
        (Compression(80, "4:1:1"), None, (80, "4:2:0")),
        (Compression(98, "4:4:4"), 40, (40, "4:4:4")),
    ],
)
def test_jpeg_quality_and_chroma(
    tmp_path: Path, source: Compression, asked: int | None, expected: tuple[int, str]
) -> None:
    choices = WriteOptions(quality=asked)
    write_photo(replace(RGB, compression=source), tmp_path / "a.jpg", choices=choices)
    found = read_photo(tmp_path / "a.jpg").compression
    assert (found.quality, found.subsampling) == expected


def test_an_existing_file_is_safe(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    path.write_bytes(b"precious")
    with pytest.raises(OutputError, match="exists already"):
        write_photo(RGB, path)
    assert path.read_bytes() == b"precious"
    write_photo(RGB, path, overwrite=True)
    assert read_photo(path).width == RGB.width


@pytest.mark.parametrize("suffix", [".jpg", ".png", ".tif", ".webp"])
def test_a_full_disk_leaves_nothing(tmp_path: Path, suffix: str) -> None:
    photo = Photo(pixels("uint8", (300, 300, 3)), metadata=Metadata(exif=b"II*\0" + bytes(12)))
    resource = pytest.importorskip("resource")
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, before[1]))
    try:
        with pytest.raises(OutputError, match="too large for this place") as caught:
            write_photo(photo, tmp_path / f"a{suffix}")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert isinstance(caught.value.__cause__, OSError)
    assert caught.value.__cause__.errno == errno.EFBIG
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("photo", "name", "reason"),
    [
        (RGB, "a.gif", "can be read only"),
        (RGB, "a", "names no known format"),
        (replace(RGB, alpha=np.zeros((37, 53), np.uint8)), "a.jpg", "no transparency"),
        (Photo(np.zeros((1, 65536, 3), np.uint8)), "a.jpg", "65535 pixels"),
        (Photo(np.zeros((16384, 1), np.uint8)), "a.webp", "16383 pixels"),
        (replace(RGB, metadata=Metadata(exif=bytes(70_000))), "a.jpg", "64 kB"),
        (replace(RGB, metadata=Metadata(xmp=bytes(70_000))), "a.jpg", "64 kB"),
        (Photo(np.zeros((9, 9)).astype("u1"), metadata=Metadata(b"GRAY" * 9)), "a.webp", "profile"),
    ],
)
def test_what_a_format_cannot_hold(tmp_path: Path, photo: Photo, name: str, reason: str) -> None:
    for attempt in (check_writable, write_photo):
        with pytest.raises(OutputError, match=reason):
            attempt(photo, tmp_path / name)
    assert not list(tmp_path.iterdir())


def test_an_opaque_alpha_may_go(tmp_path: Path) -> None:
    write_photo(replace(RGB, alpha=np.full((37, 53), 255, np.uint8)), tmp_path / "a.jpg")
    assert read_photo(tmp_path / "a.jpg").alpha is None


@pytest.mark.parametrize("asked", ["4:4:4", "4:2:0"])
@pytest.mark.parametrize("name", ["a.jpg", "a.avif"])
def test_chroma_as_asked(tmp_path: Path, name: str, asked: str) -> None:
    write_photo(RGB, tmp_path / name, choices=WriteOptions(subsampling=asked))
    assert read_photo(tmp_path / name).compression.subsampling == asked


@pytest.mark.parametrize("quality", [0, 101, -5])
def test_impossible_quality(quality: int) -> None:
    with pytest.raises(InputError, match="1 to 100"):
        WriteOptions(quality=quality)


def test_impossible_chroma() -> None:
    with pytest.raises(InputError, match="4:1:0"):
        WriteOptions(subsampling="4:1:0")


@pytest.mark.parametrize(
    ("wrong", "alpha"),
    [
        (np.zeros((5, 5, 4), np.uint8), None),
        (np.zeros(5, np.uint8), None),
        (np.zeros((0, 5), np.uint8), None),
        (np.zeros((5, 5), np.float64), None),
        (np.zeros((5, 5), np.uint8), np.zeros((5, 4), np.uint8)),
        (np.zeros((5, 5), np.uint8), np.zeros((5, 5), np.uint16)),
    ],
)
def test_what_is_no_photo(wrong: np.ndarray, alpha: np.ndarray | None) -> None:
    with pytest.raises(InputError):
        Photo(wrong, alpha)


def test_views_are_written_as_they_look(tmp_path: Path) -> None:
    turned = pixels("uint8")[::-1, ::2].swapaxes(0, 1)
    write_photo(Photo(turned), tmp_path / "a.png")
    assert np.array_equal(read_photo(tmp_path / "a.png").pixels, turned)


def test_an_interruption_while_writing_is_not_lost(tmp_path: Path) -> None:
    """Ctrl-C reaches a process that is deep inside the encoder, and nothing is left behind."""
    program = (
        "import sys\nimport numpy as np\nfrom invdn.photo.photo import Photo\n"
        "from invdn.photo.write import write_photo\n"
        "noise = np.random.default_rng(0).integers(0, 255, (5000, 5000, 3), np.uint8)\n"
        "write_photo(Photo(noise), sys.argv[1])\n"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", program, str(tmp_path / "a.png")], stderr=subprocess.PIPE, text=True
    )
    while process.poll() is None and not any(p.stat().st_size for p in tmp_path.iterdir()):
        time.sleep(0.01)
    process.send_signal(signal.SIGINT)
    _, said = process.communicate()
    assert process.returncode != 0 and said.rstrip().endswith("KeyboardInterrupt")
    assert "ignored" not in said
    assert not list(tmp_path.iterdir())
