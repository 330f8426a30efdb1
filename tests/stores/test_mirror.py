"""Training data from a store, and a run into one."""

import io
import time
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image

from invdn.cli.data import command as data_command
from invdn.cli.train import command as train_command
from invdn.data.sources import open_images, open_pairs
from invdn.errors import DataError, InputError, MissingObjectError
from invdn.stores import FolderUpload, Store, fetch_folder, local_copy, open_store, written_to

SMALL = [
    'data.pairs=["pairs"]', 'data.clean=["pairs/GT"]', 'validation.pairs=["pairs"]',
    'validation.photographs=["1"]', "validation.crop=32", "phases.0.crop=32",
    "phases.0.steps=4", "phases.0.warm_up=0", "phases.0.decay=2", "log.every=2",
    "log.checkpoint_every=2", "validation.every=4", "hardware.device=cpu",
]  # fmt: skip


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("INVDN_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def _fill(store: Store) -> None:
    random = np.random.default_rng(0)
    for side in ("Noisy", "GT"):
        for name in "01":
            file = io.BytesIO()
            Image.fromarray(random.integers(0, 256, (40, 40, 3), np.uint8)).save(file, "png")
            store.create(f"pairs/{side}/{name}.png", file.getvalue())


def test_only_what_changed_is_fetched_again(store: Store, tmp_path: Path) -> None:
    for name in ("a.bin", "b/c.bin", "b/d.bin"):
        store.create(name, name.encode() * 1000)
    copy = tmp_path / "copy"
    assert fetch_folder(store.url, copy) == 3
    before = {path: path.stat().st_mtime_ns for path in copy.rglob("*.bin")}
    assert (copy / "b/c.bin").read_bytes() == b"b/c.bin" * 1000
    store.replace("b/c.bin", b"new")
    store.create("e.bin", b"e")
    assert fetch_folder(store.url, copy) == 4
    assert (copy / "b/c.bin").read_bytes() == b"new"
    after = {path: path.stat().st_mtime_ns for path in copy.rglob("*.bin")}
    assert {path for path in before if before[path] != after[path]} == {copy / "b/c.bin"}
    (copy / "a.bin").write_bytes(b"cut short")
    fetch_folder(store.url, copy)
    assert (copy / "a.bin").read_bytes() == b"a.bin" * 1000


def test_a_damaged_copy_is_never_left(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store.create("a.bin", bytes(20 << 20))
    real = type(store).stream

    def broken(self, key):
        pieces = real(self, key)
        yield next(pieces)
        raise MissingObjectError("it went away")

    monkeypatch.setattr(type(store), "stream", broken)
    with pytest.raises(MissingObjectError):
        fetch_folder(store.url, tmp_path / "copy")
    assert not list((tmp_path / "copy").glob("*"))


def test_pairs_and_packs_of_a_bucket(bucket: str, tmp_path: Path) -> None:
    _fill(open_store(f"{bucket}/sidd"))
    pairs = open_pairs(Path(f"{bucket}/sidd") / "pairs")
    assert len(pairs.noisy.names) == 2 and pairs.noisy.crop(0, 0, 0, 8, 8).shape == (8, 8, 3)
    packed = tmp_path / "packed"
    made = CliRunner().invoke(data_command, ["pack", f"{bucket}/sidd/pairs", str(packed)])
    assert made.exit_code == 0, made.output
    FolderUpload(packed, f"{bucket}/packs/sidd").sync()
    again = open_pairs(Path(f"{bucket}/packs/sidd"))
    assert np.array_equal(again.clean.crop(1, 3, 4, 20, 30), pairs.clean.crop(1, 3, 4, 20, 30))
    assert open_images(Path(f"{bucket}/packs/sidd")).names == pairs.clean.names
    with pytest.raises(DataError, match="nothing below"):
        open_pairs(Path(f"{bucket}/nothing"))


def test_paths_stay_paths(tmp_path: Path) -> None:
    for path in (tmp_path, Path("a/b"), Path("C:/data"), Path("odd:name/x")):
        assert local_copy(path) == path


def test_a_folder_grows_into_a_store(bucket: str) -> None:
    url = f"{bucket}/runs/a"
    store = open_store(url)
    with written_to(url, resume=False, seconds=0.05) as folder:
        (folder / "log.csv").write_text("1")
        (folder / ".hidden").write_text("1")
        for _ in range(200):
            if store.head("log.csv"):
                break
            time.sleep(0.05)
        assert store.fetch("log.csv")[0] == b"1"
        (folder / "log.csv").write_text("12")
    assert {entry.key: store.fetch(entry.key)[0] for entry in store.entries()} == {"log.csv": b"12"}
    with pytest.raises(InputError, match="--resume"), written_to(url, resume=False):
        pass


@pytest.mark.slow
def test_training_from_a_bucket_into_a_bucket(
    bucket: str, cache: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    _fill(open_store(f"{bucket}/sets"))
    settings = [part for setting in SMALL for part in ("--set", setting)]
    call = ["smoke", "--data", f"{bucket}/sets", *settings, "-o", f"{bucket}/runs/smoke"]
    first = CliRunner().invoke(train_command, call)
    assert first.exit_code == 0, first.output
    assert first.stdout.strip() == f"{bucket}/runs/smoke/weights-ema.safetensors"
    store = open_store(f"{bucket}/runs/smoke")
    weights = store.fetch("weights-ema.safetensors")[0]
    # another machine goes on with it
    monkeypatch.setenv("INVDN_CACHE", str(tmp_path / "other machine"))
    refused = CliRunner().invoke(train_command, call)
    assert isinstance(refused.exception, InputError)
    more = CliRunner().invoke(train_command, [*call, "--resume", "--set", "phases.0.steps=6"])
    assert more.exit_code == 0, more.output
    assert "6/6" in more.stderr and "2/6" not in more.stderr
    assert store.fetch("weights-ema.safetensors")[0] != weights
