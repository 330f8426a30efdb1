"""The tables of docs/formats.md are what other libraries see; ExifTool agrees where it is."""

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from invdn.photo.photo import WriteOptions
from invdn.photo.read import read_photo
from invdn.photo.write import write_photo
from support.format_table import TABLES, everything, in_document

NAMES = ("jpeg", "png", "tiff", "webp", "avif", "heic", "raw")


@pytest.mark.parametrize("name", TABLES)
def test_the_document_says_what_is_so(tmp_path: Path, name: str) -> None:
    if name == "beside the picture" and shutil.which("exiftool") is None:
        pytest.skip("needs exiftool")
    made = TABLES[name](tmp_path)
    assert "LOST" not in made
    assert made == in_document(name), "run tests/imaging/format_table.py"


SUFFIXES = (".jpg", ".png", ".tif", ".webp", ".avif")
Told = dict[str, dict[str, Any]]


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> Told:
    """What ExifTool says of every format in every format, and of stripped files, in one call."""
    if shutil.which("exiftool") is None:
        pytest.skip("needs exiftool")
    folder = tmp_path_factory.mktemp("results")
    for name in NAMES:
        photo = read_photo(everything(folder, name))
        for suffix in SUFFIXES:
            write_photo(photo, folder / f"{name}-in{suffix}")
            if name == "jpeg":
                stripped = folder / f"stripped{suffix}"
                write_photo(photo, stripped, choices=WriteOptions(strip_metadata=True))
    files = [str(path) for path in folder.iterdir() if path.stem != "source"]
    command = ["exiftool", "-j", "-n", "-G1", "-a", "-struct", *files]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return {Path(entry["SourceFile"]).name: entry for entry in json.loads(done.stdout)}


def _value(told: dict[str, Any], tag: str) -> Any:
    """The value of a tag in whatever group it stands."""
    found = [value for name, value in told.items() if name.rpartition(":")[2] == tag]
    return found[0] if found else None


@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize("name", NAMES)
def test_exiftool_finds_everything(told: Told, name: str, suffix: str) -> None:
    found = told[f"{name}-in{suffix}"]
    assert not [tag for tag in found if "Warning" in tag or "Error" in tag]
    assert (_value(found, "Make"), _value(found, "Model")) == ("Canon", "EOS")
    assert _value(found, "DateTimeOriginal") == "2020:01:02 03:04:05"
    assert _value(found, "ISO") == 3200
    assert found["Composite:GPSLatitude"] == pytest.approx(47.5)
    assert found["XMP-xmp:Rating"] == 4
    assert _value(found, "ProfileDescription")
    turned = bool({name, suffix} & {"avif", "heic", "raw", ".avif"})
    assert found.get("IFD0:Orientation", 1) == (1 if turned else 8)
    if name != "heic":  # whose pixels are of another size
        assert found["Composite:ImageSize"] == ("64 96" if turned else "96 64")
    if name in ("jpeg", "png", "tiff", "raw"):
        assert (found.get("IPTC:Keywords") or found["XMP-dc:Subject"]) in ("kitty", ["kitty"])
    if name in ("jpeg", "png", "tiff"):
        if suffix == ".png":
            assert _value(found, "PixelsPerUnitX") == pytest.approx(300 / 0.0254, abs=1)
        else:
            scale = 2.54 if _value(found, "ResolutionUnit") == 3 else 1
            assert _value(found, "XResolution") * scale == pytest.approx(300, abs=0.5)


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_exiftool_finds_nothing_after_stripping(told: Told, suffix: str) -> None:
    found = told[f"stripped{suffix}"]
    groups = {tag.partition(":")[0] for tag in found}
    assert not {"GPS", "ExifIFD", "IPTC", "XMP-xmp", "XMP-dc", "XMP-x"} & groups
    assert _value(found, "Make") is None and _value(found, "Artist") is None
    assert _value(found, "ProfileDescription")
    assert found.get("IFD0:Orientation", 1) == (1 if suffix == ".avif" else 8)
