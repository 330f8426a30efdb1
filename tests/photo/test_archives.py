"""What lies in real archives: every kind is read, or refused in one line that says what to do."""

import io
import struct
import threading
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import tifffile
from PIL import Image

from invdn.errors import ImageError, OutputError
from invdn.photo.color import srgb_bridge_of
from invdn.photo.photo import Metadata, Photo
from invdn.photo.read import read_photo
from invdn.photo.write import write_photo
from support.photographs import encoded, picture, pixels


def _tiff(array: np.ndarray, **options: object) -> bytes:
    buffer = io.BytesIO()
    tifffile.imwrite(buffer, array, **options)
    return buffer.getvalue()


def _animation(name: str) -> bytes:
    frames = [picture().rotate(90)]
    return encoded(picture(), name, save_all=True, append_images=frames)


def _exif(block: bytes) -> bytes:
    payload = b"Exif\0\0" + block
    plain = encoded(picture(), "JPEG")
    return plain[:2] + b"\xff\xe1" + struct.pack(">H", len(payload) + 2) + payload + plain[2:]


REFUSED: dict[str, tuple[Callable[[], bytes], str]] = {
    "CMYK JPEG": (lambda: encoded(picture("CMYK"), "JPEG"), "convert it to RGB"),
    "CMYK TIFF": (lambda: encoded(picture("CMYK"), "TIFF"), "convert it to RGB"),
    "Lab TIFF": (lambda: encoded(picture("LAB"), "TIFF"), "convert it to RGB"),
    "32-bit integers": (lambda: encoded(Image.new("I", (9, 9)), "TIFF"), "8 or 16 bits"),
    "unsigned 32 bits": (lambda: _tiff(np.zeros((9, 9), np.uint32)), "8 or 16 bits"),
    "signed 16 bits": (lambda: _tiff(np.zeros((9, 9), np.int16)), "8 or 16 bits"),
    "64-bit floats": (lambda: _tiff(np.zeros((9, 9))), "32-bit floating point"),
    "complex numbers": (lambda: _tiff(np.zeros((9, 9), np.complex64)), "8 or 16 bits"),
    "seven channels": (lambda: _tiff(np.zeros((9, 9, 7), np.uint8), photometric="rgb"), "channels"),
    "animated PNG": (lambda: _animation("PNG"), "animation"),
    "animated WebP": (lambda: _animation("WEBP"), "animation"),
    "animated AVIF": (lambda: _animation("AVIF"), "animation"),
    "animated GIF": (lambda: _animation("GIF"), "animation"),
    "pages": (lambda: _tiff(np.zeros((3, 9, 9), np.uint8), photometric="minisblack"), "--page"),
    "half a JPEG": (lambda: encoded(picture(), "JPEG")[:900], "damaged or cut short"),
    "half a TIFF": (lambda: encoded(picture(), "TIFF")[:900], "damaged or cut short"),
    "nothing": (lambda: b"", "empty"),
    "zeros": (lambda: bytes(5000), "no picture of a known format"),
    "a web page": (lambda: b"<!DOCTYPE html><html></html>", "no picture of a known format"),
    "a video": (lambda: b"\0\0\0\x18ftypisom" + bytes(99), "video"),
    "a size that cannot be": (
        lambda: encoded(picture(), "PNG")[:16] + struct.pack(">II", 2**31 - 1, 9) + bytes(99),
        "damaged",
    ),
    "half transparent by multiplication": (
        lambda: _tiff(np.zeros((9, 9, 4), np.uint8), photometric="rgb", extrasamples=[1]),
        "straight",
    ),
}


@pytest.mark.parametrize("kind", REFUSED)
def test_refused_in_one_line(tmp_path: Path, kind: str) -> None:
    make, reason = REFUSED[kind]
    (tmp_path / "file.jpg").write_bytes(make())
    with pytest.raises(ImageError, match=reason) as caught:
        read_photo(tmp_path / "file.jpg")
    assert str(caught.value).startswith("cannot read ") and "\n" not in str(caught.value)


READ: dict[str, tuple[Callable[[], bytes], str]] = {
    "1-bit PNG": (lambda: encoded(picture("1"), "PNG"), "uint8"),
    "1-bit TIFF": (lambda: encoded(picture("1"), "TIFF"), "uint8"),
    "palette": (lambda: encoded(picture("P"), "PNG"), "uint8"),
    "fax": (lambda: encoded(picture("1"), "TIFF", compression="group4"), "uint8"),
    "JPEG in TIFF": (lambda: encoded(picture(), "TIFF", compression="jpeg"), "uint8"),
    "LZW": (lambda: encoded(picture(), "TIFF", compression="tiff_lzw"), "uint8"),
    "progressive": (lambda: encoded(picture(), "JPEG", progressive=True), "uint8"),
    "rubbish at the end": (lambda: encoded(picture(), "JPEG") + b"rubbish" * 999, "uint8"),
    "a second JPEG behind the first": (lambda: encoded(picture(), "JPEG") * 2, "uint8"),
    "EXIF of rubbish": (lambda: _exif(b"rubbish" * 9), "uint8"),
    "EXIF cut short": (lambda: _exif(b"II*\0\x08\0\0\0\x09\0\x12\x01"), "uint8"),
    "half floats": (lambda: _tiff(np.zeros((9, 9), np.float16)), "float32"),
}


@pytest.mark.parametrize("kind", READ)
def test_read_and_written_again(tmp_path: Path, kind: str) -> None:
    make, depth = READ[kind]
    path = tmp_path / "file\n😀.jpg"
    path.write_bytes(make())
    photo = read_photo(path)
    assert photo.pixels.dtype == depth
    for suffix in (".jpg", ".png", ".tif", ".webp", ".avif"):
        write_photo(photo, tmp_path / f"copy{suffix}")
        again = read_photo(tmp_path / f"copy{suffix}")
        assert (again.height, again.width) == (photo.height, photo.width)
        if "EXIF" in kind and suffix != ".tif":
            assert again.metadata.exif == photo.metadata.exif  # rubbish in, rubbish out


@pytest.mark.parametrize("change", ["vanishes", "grows", "shrinks", "is overwritten"])
@pytest.mark.parametrize("name", ["JPEG", "PNG", "TIFF", "WEBP", "AVIF"])
def test_a_file_that_changes_meanwhile(tmp_path: Path, name: str, change: str) -> None:
    """The picture or a typed error; the process lives."""
    path = tmp_path / "photo"
    data = encoded(Image.fromarray(pixels("uint8", (300, 400, 3))), name)
    path.write_bytes(data)

    def resample_noise() -> None:
        match change:
            case "vanishes":
                path.unlink()
            case "grows":
                with path.open("ab") as file:
                    file.write(bytes(100_000))
            case "shrinks":
                with path.open("r+b") as file:
                    file.truncate(len(data) // 3)
            case _:
                with path.open("r+b") as file:
                    file.seek(len(data) // 2)
                    file.write(bytes(1000))

    for delay in (0.0, 0.002, 0.005):
        path.write_bytes(data)
        timer = threading.Timer(delay, resample_noise)
        timer.start()
        try:
            assert read_photo(path).width == 400
        except ImageError as error:
            assert "cannot read" in str(error)
        timer.join()


def test_a_wrong_ending_is_told(tmp_path: Path) -> None:
    (tmp_path / "a.jpg").write_bytes(encoded(picture(), "PNG"))
    assert read_photo(tmp_path / "a.jpg").remarks == (
        "it is PNG inside, whatever the ending '.jpg' says",
    )
    assert read_photo(tmp_path / "a.jpg").format == "png"


def test_hdr_in_one_line(tmp_path: Path) -> None:
    write_photo(Photo(np.full((9, 9, 3), 200, np.float32)), tmp_path / "a.tif")
    with pytest.raises(ImageError, match="white level"):
        srgb_bridge_of(read_photo(tmp_path / "a.tif"))


def test_a_grey_profile_has_no_place_in_webp_and_avif(tmp_path: Path) -> None:
    photo = Photo(np.zeros((9, 9), np.uint8), metadata=Metadata(b"GRAY" * 9))
    for suffix in (".webp", ".avif"):
        with pytest.raises(OutputError, match="no greyscale profile"):
            write_photo(photo, tmp_path / f"a{suffix}")
