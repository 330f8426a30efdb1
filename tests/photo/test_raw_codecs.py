"""DNGs in compressions, and with codes of light, that LibRaw does not know."""

import struct
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile

from invdn.errors import ImageError, MissingDependencyError
from invdn.photo.linear_raw import read_linear_raw
from invdn.photo.read import read_photo
from support.raw_files import COLOUR_MATRIX, _fractions, write_dng

JPEG_XL, DEFLATE = 52546, 8


def scene() -> np.ndarray:
    """Light of a ramp and a colour."""
    rows, columns = np.mgrid[:192, :256] / 256
    return np.stack((0.1 + 0.7 * columns, 0.1 + 0.8 * rows, np.full(rows.shape, 0.3)), axis=2)


def opcodes(*parts: tuple[int, bytes], flags: int = 0) -> bytes:
    """Return a list of opcodes."""
    made = [
        struct.pack(">4I", number, 0x1030000, flags, len(body)) + body for number, body in parts
    ]
    return struct.pack(">I", len(parts)) + b"".join(made)


def area(bottom: int = 192, right: int = 256, plane: int = 0, planes: int = 3) -> bytes:
    """Return where an opcode works."""
    return struct.pack(">8I", 0, 0, bottom, right, plane, planes, 1, 1)


def polynomial(*coefficients: float, **where: int) -> tuple[int, bytes]:
    """Return the opcode MapPolynomial."""
    form = f">I{len(coefficients)}d"
    return 8, area(**where) + struct.pack(form, len(coefficients) - 1, *coefficients)


def table(values: np.ndarray, **where: int) -> tuple[int, bytes]:
    """Return the opcode MapTable."""
    return 7, area(**where) + struct.pack(">I", len(values)) + values.astype(">u2").tobytes()


def write_linear(
    path: Path, stored: np.ndarray, white: int, further: tuple[Any, ...] = (), **how: Any
) -> None:
    """Write a DNG of demosaiced colours of the camera."""
    tags = [
        (50706, 1, 4, bytes((1, 7, 0, 0)), True),
        (50708, 2, 0, "Canon EOS", True),
        (50714, 3, 3, (0, 0, 0), True),
        (50717, 3, 3, (white,) * 3, True),
        (50721, 10, 9, _fractions(COLOUR_MATRIX.ravel()), True),
        (50728, 5, 3, _fractions((0.5, 1.0, 0.625)), True),
        (50778, 3, 1, 21, True),
        *further,
    ]
    how |= {"photometric": 34892, "extratags": tags, "metadata": None, "software": False}
    tifffile.imwrite(path, stored, **how)


@pytest.mark.parametrize("interleaved", [False, True])
@pytest.mark.parametrize("compression", [JPEG_XL, DEFLATE])
def test_samples_are_those_of_a_plain_file(
    tmp_path: Path, compression: int, interleaved: bool
) -> None:
    write_dng(tmp_path / "plain.dng", scene(), 6, noise=0.02)
    write_dng(
        tmp_path / "a.dng", scene(), 6, noise=0.02, compression=compression, interleaved=interleaved
    )
    for reader in (read_photo, read_linear_raw):
        plain, packed = (reader(tmp_path / name) for name in ("plain.dng", "a.dng"))
        assert np.array_equal(plain.pixels, packed.pixels)
        assert plain.orientation == packed.orientation
    assert plain.metadata.camera == packed.metadata.camera


def test_values_of_even_steps_to_the_eye_become_linear(tmp_path: Path) -> None:
    light = (scene() * 65535).astype(np.uint16)
    coded = np.rint(np.sqrt(light / 65535) * 65535).astype(np.uint16)
    square = np.rint(np.linspace(0, 1, 4096) ** 2 * 65535)
    write_linear(tmp_path / "plain.dng", light, 65535)
    lists = {
        "polynomial": opcodes(polynomial(0, 0, 1)),
        "planes": opcodes(*(polynomial(0, 0, 1, plane=n, planes=1) for n in range(3))),
        "table": opcodes(table(square)),
    }
    for name, program in lists.items():
        further = ((51009, 7, len(program), program, True),)
        write_linear(tmp_path / f"{name}.dng", coded, 65535, further)
        for reader in (read_photo, read_linear_raw):
            plain, found = (reader(tmp_path / f"{file}.dng") for file in ("plain", name))
            apart = np.abs(plain.pixels.astype(int) - found.pixels)
            assert apart.max() <= 60, name
            assert not any("left out" in remark for remark in found.remarks)


def test_values_of_8_bits_become_16(tmp_path: Path) -> None:
    light = scene()
    coded = np.rint(np.sqrt(light) * 255).astype(np.uint8)
    program = opcodes(polynomial(0, 0, 1))
    write_linear(tmp_path / "plain.dng", ((coded / 255) ** 2 * 65535).astype(np.uint16), 65535)
    write_linear(tmp_path / "a.dng", coded, 255, ((51009, 7, len(program), program, True),))
    plain, found = (read_linear_raw(tmp_path / f"{name}.dng").pixels for name in ("plain", "a"))
    assert np.abs(plain.astype(int) - found).max() <= 2


def test_floating_numbers_in_jpeg_xl_become_16_bits_below_white(tmp_path: Path) -> None:
    light = scene().astype(np.float16)
    write_linear(tmp_path / "plain.dng", np.rint(light.astype("f4") * 65535).astype("u2"), 65535)
    how = {"compression": JPEG_XL, "compressionargs": {"lossless": True}, "tile": (192, 256)}
    write_linear(tmp_path / "a.dng", light, 1, **how)
    plain, found = (read_linear_raw(tmp_path / f"{name}.dng").pixels for name in ("plain", "a"))
    assert np.abs(plain.astype(int) - found).max() <= 1


@pytest.mark.parametrize(
    ("program", "said"),
    [
        (opcodes(polynomial(0, 0, 1, bottom=90)), "part of the picture"),
        (opcodes((8, bytes(20)), flags=1), None),
        (opcodes(polynomial(float("nan"))), "damaged"),
        (opcodes(polynomial(float("nan")), flags=1), None),
        (b"\0\0\0\5", None),
    ],
    ids=["part", "short", "nan", "optional nan", "cut"],
)
def test_opcodes_that_cannot_be_run(tmp_path: Path, program: bytes, said: str | None) -> None:
    stored = (scene() * 65535).astype(np.uint16)
    write_linear(tmp_path / "a.dng", stored, 65535, ((51009, 7, len(program), program, True),))
    for reader in (read_photo, read_linear_raw):
        if said:
            with pytest.raises(ImageError, match=said):
                reader(tmp_path / "a.dng")
        else:
            assert reader(tmp_path / "a.dng").pixels.mean() > 1000


@pytest.mark.parametrize("tag", [50975, 52547])
def test_distances_and_steps_without_end_are_refused(tmp_path: Path, tag: int) -> None:
    path = tmp_path / "a.dng"
    write_dng(path, scene(), compression=JPEG_XL, further=((tag, 4, 1, 0xFFFFFFF0, True),))
    with pytest.raises(ImageError, match="damaged"):
        read_photo(path)
    endless = struct.pack(">8I", 0, 0, 192, 256, 0, 3, 65521, 65519)
    program = opcodes((8, endless + struct.pack(">I2d", 1, 0, 1)))
    stored = (scene() * 65535).astype(np.uint16)
    write_linear(path, stored, 65535, ((51009, 7, len(program), program, True),))
    with pytest.raises(ImageError, match="damaged"):
        read_photo(path)


def test_damage_is_told_in_one_line(tmp_path: Path) -> None:
    """The package that decodes has words of its own, for its own readers."""
    path = tmp_path / "a.dng"
    write_dng(path, scene(), compression=JPEG_XL)
    data = bytearray(path.read_bytes())
    with tifffile.TiffFile(path) as file:
        tag = file.pages[0].tags[324]
    struct.pack_into("<I", data, tag.offset + 8, 3)
    path.write_bytes(bytes(data))
    line = [sys.executable, "-m", "invdn", "denoise", "-m", "fast", str(path)]
    done = subprocess.run(line, capture_output=True, text=True, check=False)
    assert done.returncode == 1 and len(done.stderr.strip().splitlines()) == 1


def test_damage_and_size_are_told(tmp_path: Path) -> None:
    path = tmp_path / "a.dng"
    write_dng(path, scene(), noise=0.02, compression=JPEG_XL)
    whole = path.read_bytes()
    with tifffile.TiffFile(path) as file:
        start = file.pages[0].dataoffsets[2]
    path.write_bytes(whole[: start + 40] + bytes(400) + whole[start + 440 :])
    with pytest.raises(ImageError, match="damaged"):
        read_photo(path)
    path.write_bytes(whole)
    with pytest.raises(ImageError, match="limit"):
        read_photo(path, max_pixels=1000)


def test_packages_that_are_missing_are_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_dng(tmp_path / "a.dng", scene(), compression=JPEG_XL)
    monkeypatch.setitem(sys.modules, "imagecodecs", None)
    with pytest.raises(MissingDependencyError, match=r"invdn\[raw\]"):
        read_photo(tmp_path / "a.dng")


def test_a_raw_file_without_a_signature_goes_by_its_ending(tmp_path: Path) -> None:
    """A Kodak C330 begins with its picture; LibRaw knows such files by their size."""
    data = np.random.default_rng(0).integers(60, 190, 2247168, dtype=np.uint8).tobytes()
    (tmp_path / "a.raw").write_bytes(data)
    assert read_photo(tmp_path / "a.raw").pixels.shape == (912, 1216, 3)
    (tmp_path / "b.raw").write_bytes(data[:-7])
    (tmp_path / "c.jpg").write_bytes(data)
    for name, said in (("b.raw", "LibRaw"), ("c.jpg", "no picture of a known format")):
        with pytest.raises(ImageError, match=said):
            read_photo(tmp_path / name)
