"""One protocol for every storage: the same pixels come out, and damage is told at the start."""

import json
import os
import pickle
import subprocess
import sys
from pathlib import Path

import lmdb
import numpy as np
import pytest

from invdn.atomic import temporary_name
from invdn.data.images import ImageFolder
from invdn.data.pack import PackedImages, write_pack
from invdn.data.sources import PairSource, open_images, open_pairs, open_planes, verify
from invdn.errors import DataError, ImageError, OutputError
from invdn.photo.photo import Photo
from invdn.photo.write import write_photo
from support.tiny_sets import SIZES, picture, write_lmdb


@pytest.fixture(params=["folder", "pack", "lmdb"])
def pairs(request: pytest.FixtureRequest, tmp_path: Path) -> PairSource:
    if request.param == "lmdb":
        return open_pairs(request.getfixturevalue("lmdb_folder"))
    folder: Path = request.getfixturevalue("pair_folder")
    if request.param == "pack":
        write_pack(tmp_path / "packed", open_planes(folder))
        return open_pairs(tmp_path / "packed")
    return open_pairs(folder)


def test_every_storage_gives_the_same_windows(pairs: PairSource) -> None:
    assert pairs.low is not None
    assert pairs.clean.sizes.tolist() == [list(size) for size in SIZES]
    for index, (height, width) in enumerate(SIZES):
        noisy = pairs.noisy.crop(index, 4, 8, 16, 20)
        assert np.array_equal(noisy, picture(index, height, width)[4:20, 8:28])
        clean = pairs.clean.crop(index, 0, 0, height, width)
        assert np.array_equal(clean, picture(10 + index, height, width))
        low = pairs.low.crop(index, 1, 2, 4, 5)
        assert np.array_equal(low, picture(20 + index, height // 4, width // 4)[1:5, 2:7])


def test_sources_survive_pickling(pairs: PairSource) -> None:
    copy = pickle.loads(pickle.dumps(pairs))
    assert np.array_equal(copy.noisy.crop(1, 0, 0, 9, 9), pairs.noisy.crop(1, 0, 0, 9, 9))


def test_pack_is_mapped_again_not_copied(pair_folder: Path, tmp_path: Path) -> None:
    size = write_pack(tmp_path / "packed", open_planes(pair_folder))
    noisy = open_pairs(tmp_path / "packed").noisy
    assert isinstance(noisy, PackedImages)
    assert len(pickle.dumps(noisy)) < size // 4


def test_grey_photographs_become_rgb(tmp_path: Path) -> None:
    grey = np.arange(64, dtype=np.uint8).reshape(8, 8)
    write_photo(Photo(grey), tmp_path / "grey.png")
    pixels = open_images(tmp_path).crop(0, 0, 0, 8, 8)
    assert np.array_equal(pixels, np.stack([grey] * 3, axis=2))


def test_sides_of_different_size(pair_folder: Path) -> None:
    (pair_folder / "Noisy" / "1.png").unlink()
    write_photo(Photo(picture(0, 64, 36)), pair_folder / "Noisy" / "1.png")
    with pytest.raises(DataError, match="'1' is 36x64, but its clean image is 32x64"):
        open_pairs(pair_folder)


def test_low_of_wrong_size(pair_folder: Path) -> None:
    (pair_folder / "LQ" / "2.png").unlink()
    write_photo(Photo(picture(0, 14, 13)), pair_folder / "LQ" / "2.png")
    with pytest.raises(DataError, match="factor of 4"):
        open_pairs(pair_folder)


def test_16_bits_are_refused_at_once(pair_folder: Path) -> None:
    (pair_folder / "GT" / "1.png").unlink()
    write_photo(Photo(np.zeros((64, 32, 3), np.uint16)), pair_folder / "GT" / "1.png")
    with pytest.raises(DataError, match=r"1\.png.*8 bits"):
        open_pairs(pair_folder)


def test_an_image_that_is_none(pair_folder: Path) -> None:
    (pair_folder / "GT" / "1.png").write_bytes(b"not a picture")
    with pytest.raises(DataError, match=r"GT/1\.png"):
        open_pairs(pair_folder)


def test_truncation_is_found_by_verifying(pair_folder: Path) -> None:
    file = pair_folder / "Noisy" / "2.png"
    os.truncate(file, file.stat().st_size - 1000)
    with pytest.raises(ImageError, match=r"Noisy/2\.png"):
        verify(open_pairs(pair_folder))


def test_verifying_counts(pair_folder: Path) -> None:
    seen = []
    verify(open_pairs(pair_folder), lambda done, total: seen.append((done, total)))
    assert seen == [(1, 3), (2, 3), (3, 3)] * 3


def test_packing_a_truncated_image_leaves_no_pack(pair_folder: Path, tmp_path: Path) -> None:
    file = pair_folder / "GT" / "2.png"
    os.truncate(file, file.stat().st_size - 1000)
    with pytest.raises(ImageError):
        write_pack(tmp_path / "packed", open_planes(pair_folder))
    assert not (tmp_path / "packed" / "index.json").exists()


def test_sides_of_different_sizes_are_told_with_their_folder(pair_folder: Path) -> None:
    file = pair_folder / "Noisy" / "1.png"
    file.unlink()
    write_photo(Photo(picture(0, 8, 12)), file)
    with pytest.raises(DataError, match=r"pairs: '1' is 12x8, but its clean image is 32x64"):
        open_pairs(pair_folder)


def test_lmdb_folders_are_packed_as_pairs(lmdb_folder: Path, tmp_path: Path) -> None:
    write_pack(tmp_path / "packed", open_planes(lmdb_folder))
    stored, packed = open_pairs(lmdb_folder), open_pairs(tmp_path / "packed")
    assert packed.low
    for index, (height, width) in enumerate(SIZES):
        window = (index, 0, 0, height, width)
        assert np.array_equal(stored.noisy.crop(*window), packed.noisy.crop(*window))


def test_packing_removes_what_a_kill_left(pair_folder: Path, tmp_path: Path) -> None:
    abandoned = tmp_path / temporary_name().replace(str(os.getpid()), str(2**22 + 1))
    abandoned.touch()  # of a process that cannot exist
    write_pack(tmp_path, open_planes(pair_folder))
    assert not abandoned.exists()


def test_pack_is_never_overwritten(pair_folder: Path, tmp_path: Path) -> None:
    write_pack(tmp_path / "packed", open_planes(pair_folder))
    with pytest.raises(OutputError, match="already"):
        write_pack(tmp_path / "packed", open_planes(pair_folder))


def test_full_disk_is_noticed_before(
    pair_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = type("Usage", (), {"free": 100})
    monkeypatch.setattr("shutil.disk_usage", lambda _: usage)
    with pytest.raises(OutputError, match="100 free"):
        write_pack(tmp_path / "packed", open_planes(pair_folder))


@pytest.mark.parametrize("damage", ["cut", "index", "version", "sizes", "missing"])
def test_damaged_packs(pair_folder: Path, tmp_path: Path, damage: str) -> None:
    packed = tmp_path / "packed"
    write_pack(packed, open_planes(pair_folder))
    index = json.loads((packed / "index.json").read_text())
    match damage:
        case "cut":
            os.truncate(packed / "clean.u8", 1000)
        case "index":
            (packed / "index.json").write_text("{")
        case "version":
            (packed / "index.json").write_text(json.dumps({**index, "version": 2}))
        case "sizes":
            index["planes"]["clean"].pop()
            (packed / "index.json").write_text(json.dumps(index))
        case _:
            (packed / "noisy.u8").unlink()
    with pytest.raises(DataError):
        open_pairs(packed)


def test_pack_of_photographs_is_no_pack_of_pairs(pair_folder: Path, tmp_path: Path) -> None:
    planes = open_planes(pair_folder / "GT")
    assert set(planes) == {"clean"}
    write_pack(tmp_path / "packed", planes)
    assert len(open_images(tmp_path / "packed").names) == 3
    with pytest.raises(DataError, match="no noisy"):
        open_pairs(tmp_path / "packed")


def test_hostile_meta_is_refused(lmdb_folder: Path, tmp_path: Path) -> None:
    class Hostile:
        def __reduce__(self) -> tuple[object, ...]:
            return os.system, (f"touch {tmp_path / 'owned'}",)

    (lmdb_folder / "GT.lmdb" / "meta_info.pkl").write_bytes(pickle.dumps(Hostile()))
    with pytest.raises(DataError, match="system"):
        open_pairs(lmdb_folder)
    assert not (tmp_path / "owned").exists()


def test_databases_are_read_in_forked_workers(lmdb_folder: Path) -> None:
    """In a process of its own: this one has threads by now, and must not fork."""
    script = """
import sys
from multiprocessing import get_context
from pathlib import Path
from invdn.data.sources import open_pairs

noisy = open_pairs(Path(sys.argv[1])).noisy
here = noisy.crop(0, 0, 0, 8, 8)
with get_context("fork").Pool(1) as pool:
    there = pool.apply(noisy.crop, (0, 0, 0, 8, 8))
assert (here == there).all()
assert (noisy.crop(0, 0, 0, 8, 8) == here).all()
"""
    subprocess.run([sys.executable, "-c", script, lmdb_folder], check=True, timeout=60)


@pytest.mark.parametrize("resolution", ["3_9_9", ["3_9_9"], ["1_40_48"] * 3, "3_x", 7, []])
def test_meta_that_does_not_fit(lmdb_folder: Path, resolution: object) -> None:
    meta = {"keys": ["0", "1", "2"], "resolution": resolution}
    (lmdb_folder / "GT.lmdb" / "meta_info.pkl").write_bytes(pickle.dumps(meta))
    with pytest.raises(DataError):
        open_pairs(lmdb_folder)


def test_an_image_that_a_database_lacks_is_missed_at_once(lmdb_folder: Path) -> None:
    folder = str(lmdb_folder / "Noisy.lmdb")
    with lmdb.open(folder, map_size=1 << 24) as database, database.begin(write=True) as change:
        change.delete(b"1")
    with pytest.raises(DataError, match=r"Noisy\.lmdb: '1' is missing"):
        open_pairs(lmdb_folder)


def test_a_database_that_is_cut_short(lmdb_folder: Path) -> None:
    file = lmdb_folder / "GT.lmdb" / "data.mdb"
    os.truncate(file, file.stat().st_size // 2)
    with pytest.raises(DataError, match=r"data\.mdb is cut short"):
        open_pairs(lmdb_folder)


def test_databases_of_different_keys(lmdb_folder: Path) -> None:
    root = lmdb_folder.parent / "other"
    write_lmdb(root / "Noisy.lmdb", {"a": picture(1, 8, 8), "b": picture(2, 8, 8)})
    write_lmdb(root / "GT.lmdb", {"a": picture(1, 8, 8), "c": picture(2, 8, 8)})
    with pytest.raises(DataError, match="'b' has no clean"):
        open_pairs(root)


def test_folder_reads_headers_only(pair_folder: Path) -> None:
    file = pair_folder / "GT" / "0.png"
    os.truncate(file, file.stat().st_size - 1000)
    assert ImageFolder([file]).sizes.tolist() == [list(SIZES[0])]
