"""What denoising a file leaves beside the pixels: a trace, sidecars, remarks."""

from pathlib import Path

import numpy as np
import pytest

from invdn.engines.torch_engine import TorchEngine
from invdn.inference.files import FileOptions, denoise_file
from invdn.photo.keeping import copy_sidecars, is_marked
from invdn.photo.photo import Metadata, Photo, WriteOptions
from invdn.photo.read import read_photo
from invdn.photo.write import write_photo


@pytest.mark.parametrize("suffix", [".jpg", ".png", ".tif", ".webp", ".avif"])
def test_a_result_says_who_made_it(
    tmp_path: Path, engine: TorchEngine, picture: np.ndarray, suffix: str
) -> None:
    write_photo(Photo(picture.copy()), tmp_path / f"a{suffix}")
    first = denoise_file(engine, tmp_path / f"a{suffix}", tmp_path / f"b{suffix}")
    assert not [remark for remark in first.remarks if "already" in remark]
    found = read_photo(tmp_path / f"b{suffix}")
    assert b"InvDN" in (found.metadata.exif or b"") and b"InvDN" in (found.metadata.xmp or b"")
    again = denoise_file(engine, tmp_path / f"b{suffix}", tmp_path / f"c{suffix}")
    assert [remark for remark in again.remarks if "a result of InvDN already" in remark]
    plain = WriteOptions(strip_metadata=True)
    files = FileOptions(write=plain)
    denoise_file(engine, tmp_path / f"a{suffix}", tmp_path / f"d{suffix}", files=files)
    assert not is_marked(read_photo(tmp_path / f"d{suffix}"))
    assert b"InvDN" not in (tmp_path / f"d{suffix}").read_bytes()


def test_damaged_metadata_is_not_touched(
    tmp_path: Path, engine: TorchEngine, picture: np.ndarray
) -> None:
    metadata = Metadata(exif=b"no exif at all", xmp=b"no packet")
    write_photo(Photo(picture.copy(), metadata=metadata), tmp_path / "a.jpg")
    denoise_file(engine, tmp_path / "a.jpg", tmp_path / "b.jpg")
    found = read_photo(tmp_path / "b.jpg").metadata
    assert (found.exif, found.xmp) == (metadata.exif, metadata.xmp)


def test_sidecars_travel(tmp_path: Path) -> None:
    for name in ("a.jpg", "a.xmp", "a.JPG.XMP", "a.jpg.pp3", "a.MOV", "b.jpg"):
        (tmp_path / name).write_text(name)
    (tmp_path / "out").mkdir()
    (note,) = copy_sidecars(tmp_path / "a.jpg", tmp_path / "out" / "r.png", developed=False)
    assert (tmp_path / "out" / "r.xmp").read_text() == "a.xmp"
    assert (tmp_path / "out" / "r.png.xmp").read_text() == "a.JPG.XMP"
    assert "a.jpg.pp3" in note and "a.MOV (the video of a Live Photo)" in note
    (tmp_path / "out" / "r.xmp").write_text("the user's own")
    notes = copy_sidecars(tmp_path / "a.jpg", tmp_path / "out" / "r.png", developed=False)
    assert "r.xmp exists already and is left" in notes[0]
    assert (tmp_path / "out" / "r.xmp").read_text() == "the user's own"


def test_sidecars_of_raw_files_stay(tmp_path: Path) -> None:
    for name in ("a.cr2", "a.jpg", "a.xmp"):
        (tmp_path / name).write_text(name)
    assert copy_sidecars(tmp_path / "a.jpg", tmp_path / "b.jpg", developed=False) == ()
    assert not (tmp_path / "b.xmp").exists()  # it is the raw file's
    (note,) = copy_sidecars(tmp_path / "a.cr2", tmp_path / "b.tif", developed=True)
    assert "a.xmp" in note and not (tmp_path / "b.xmp").exists()
