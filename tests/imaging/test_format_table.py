"""The tables of docs/formats.md are what other libraries see; ExifTool agrees where it is."""

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
from format_table import TABLES, everything, in_document

from invdn.imaging.choices import WriteChoices
from invdn.imaging.endings import ending_of_result
from invdn.imaging.reading import read_photo
from invdn.imaging.writing import write_photo

NAMES = ("jpeg", "png", "tiff", "webp", "avif", "heic", "raw")


@pytest.mark.parametrize("name", TABLES)
def test_the_document_says_what_is_so(tmp_path: Path, name: str) -> None:
    made = TABLES[name](tmp_path)
    assert "LOST" not in made
    assert made == in_document(name), "run tests/imaging/format_table.py"


def _told(path: Path) -> dict[str, Any]:
    """Everything that ExifTool says of a file, numbers as numbers."""
    if shutil.which("exiftool") is None:
        pytest.skip("needs exiftool")
    command = ["exiftool", "-j", "-n", "-G1", "-a", "-struct", str(path)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    told: dict[str, Any] = json.loads(done.stdout)[0]
    return told


def _value(told: dict[str, Any], tag: str) -> Any:
    """The value of a tag in whatever group it stands."""
    found = [value for name, value in told.items() if name.rpartition(":")[2] == tag]
    return found[0] if found else None


@pytest.mark.parametrize("suffix", [None, ".jpg", ".png", ".tif", ".webp", ".avif"])
@pytest.mark.parametrize("name", NAMES)
def test_exiftool_finds_everything(tmp_path: Path, name: str, suffix: str | None) -> None:
    path = everything(tmp_path, name)
    target = tmp_path / f"copy{suffix or ending_of_result(path)}"
    write_photo(read_photo(path), target)
    told = _told(target)
    assert not [name for name in told if "Warning" in name or "Error" in name]
    assert (_value(told, "Make"), _value(told, "Model")) == ("Canon", "EOS")
    assert _value(told, "DateTimeOriginal") == "2020:01:02 03:04:05"
    assert _value(told, "ISO") == 3200
    assert told["Composite:GPSLatitude"] == pytest.approx(47.5)
    assert told["XMP-xmp:Rating"] == 4
    assert _value(told, "ProfileDescription")
    turned = {name, target.suffix} & {"avif", "heic", "raw", ".avif"}
    assert told.get("IFD0:Orientation", 1) == (1 if turned else 8)
    upright = told["Composite:ImageSize"] == "64 96"
    assert upright == bool(turned) or name == "heic"
    if name in ("jpeg", "png", "tiff", "raw"):
        assert (told.get("IPTC:Keywords") or told["XMP-dc:Subject"]) in ("kitty", ["kitty"])
    if name in ("jpeg", "png", "tiff"):
        scale = {1: 1, 3: 2.54}.get(_value(told, "ResolutionUnit"), 1)
        if target.suffix == ".png":
            assert _value(told, "PixelsPerUnitX") == pytest.approx(300 / 0.0254, abs=1)
        else:
            assert _value(told, "XResolution") * scale == pytest.approx(300, abs=0.5)


@pytest.mark.parametrize("suffix", [".jpg", ".png", ".tif", ".webp", ".avif"])
def test_exiftool_finds_nothing_after_stripping(tmp_path: Path, suffix: str) -> None:
    path = everything(tmp_path, "jpeg")
    target = tmp_path / f"copy{suffix}"
    write_photo(read_photo(path), target, choices=WriteChoices(strip_metadata=True))
    told = _told(target)
    groups = {name.partition(":")[0] for name in told}
    assert not {"GPS", "ExifIFD", "IPTC", "XMP-xmp", "XMP-dc", "XMP-x"} & groups
    assert _value(told, "Make") is None and _value(told, "Artist") is None
    assert _value(told, "ProfileDescription")
    assert told.get("IFD0:Orientation", 1) == (1 if suffix == ".avif" else 8)
