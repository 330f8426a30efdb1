"""The scripts around training runs: the curve from runs' CSV files, packs for short runs."""

from __future__ import annotations

import importlib.util
import json
import re
import subprocess
import sys
import tomllib
from importlib.metadata import packages_distributions, requires
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from invdn.data.sources import open_images, open_pairs
from invdn.errors import DataError
from invdn.photo.photo import Photo
from invdn.photo.write import write_photo

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"


def script(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, BENCHMARKS / f"{name}.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def run(folder: Path, title: str, crop: int, rows: dict[int, float]) -> Path:
    folder.mkdir()
    phase = {"steps": 100, "batch": 4, "crop": crop}
    recipe = {"title": title, "phases": [phase, {**phase, "batch": 8}], "budget": None}
    (folder / "run.json").write_text(json.dumps([{}, {"recipe": recipe}]))
    lines = [f"{step},{psnr},0.9\n" for step, psnr in rows.items()]
    (folder / "validation.csv").write_text("".join(["step,real_psnr,real_ssim\n", *lines]))
    last = max(rows) + 10
    (folder / "train.csv").write_text(f"step,loss\n{last - 5},0.5\n{last},0.25\n")
    return folder


def test_the_curve_counts_steps_and_pixels_through_all_runs(tmp_path: Path) -> None:
    curve = script("learning_curve")
    first = run(tmp_path / "a", "A", 100, {50: 30.0, 150: 31.2346})
    second = run(tmp_path / "b", "B", 50, {20: 31.5})
    before = {"editions": [1000], "points": [{"step": 1000, "psnr": {"real": 29.0}}]}
    found, log = curve.join([first, second], before, [second])
    assert [point["step"] for point in found["points"]] == [1000, 1050, 1150, 1180]
    assert [point["psnr"]["real"] for point in found["points"]] == [29.0, 30.0, 31.235, 31.5]
    # 100 steps of 4 crops, then 50 of 8; after 60 of these the second run
    megapixels = [point["megapixels"] for point in found["points"][1:]]
    assert megapixels == pytest.approx([2.0, 8.0, 8.8 + 0.2])
    assert found["editions"] == [1000, 1190]
    assert [row["step"] for row in log] == [1155, 1160, 1185, 1190]
    assert found["points"][-1]["run"] == "b: B"


def test_a_run_without_validation_is_named(tmp_path: Path) -> None:
    curve = script("learning_curve")
    folder = run(tmp_path / "a", "A", 100, {50: 30.0})
    (folder / "validation.csv").write_text("step,real_psnr\n")
    with pytest.raises(ValueError, match="has no validation"):
        curve.join([folder], None, [])


def data_of(root: Path) -> Path:
    """Small data under the names that the recipe `default` has."""
    random = np.random.default_rng(0)
    for folder in ("clean", *(f"sidd-{name}/{side}" for name in (
        "mini-train-a", "mini-train-b", "mini-train-c", "train-d") for side in ("Noisy", "GT")
    )):  # fmt: skip
        (root / folder).mkdir(parents=True)
        for number in range(4):
            pixels = random.integers(0, 256, (24, 20 + number, 3)).astype(np.uint8)
            write_photo(Photo(pixels), root / folder / f"{number}.png")
    return root


def test_a_pack_keeps_every_pixel_and_its_size(tmp_path: Path) -> None:
    short, data = script("short_run"), data_of(tmp_path / "data")
    told = short.pack(data, tmp_path / "pack", 40_000)
    files = [file for file in (tmp_path / "pack").rglob("*") if file.is_file()]
    assert told["bytes"] == sum(file.stat().st_size for file in files) < 43_000  # and the index
    assert told["clean"] == 4 and 2 <= told["pairs"] <= 4
    short.unpack(tmp_path / "pack", tmp_path / "out")
    packed, original = open_images(tmp_path / "out/clean"), open_images(data / "clean")
    assert sorted(packed.names) == sorted(original.names)
    for index, name in enumerate(packed.names):
        whole = (0, 0, *map(int, packed.sizes[index]))
        own = list(original.names).index(name)
        assert np.array_equal(packed.crop(index, *whole), original.crop(own, *whole))
    assert len(open_pairs(tmp_path / "out/pairs").noisy.names) == told["pairs"]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ('{"version": 2}', "version 2, not 1"),
        ("{", "damaged"),
        ("[]", "damaged"),
        (None, "no pack"),
    ],
)
def test_packs_that_are_none(tmp_path: Path, content: str | None, said: str) -> None:
    if content is not None:
        (tmp_path / "short-run.json").write_text(content)
    with pytest.raises(DataError, match=said):
        script("short_run").unpack(tmp_path, tmp_path / "out")


def test_a_state_in_pieces_comes_back_whole_or_not_at_all(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    short = script("short_run")
    monkeypatch.setattr(short, "PIECE_BYTES", 1000)
    content = np.random.default_rng(0).bytes(3500)
    (tmp_path / "last.pt").write_bytes(content)
    pieces = short.split(tmp_path / "last.pt", tmp_path / "state")
    assert [piece.stat().st_size for piece in pieces] == [1000, 1000, 1000, 500]
    short.join(tmp_path / "state", tmp_path / "again" / "last.pt")
    assert (tmp_path / "again" / "last.pt").read_bytes() == content
    pieces[1].write_bytes(bytes(1000))
    with pytest.raises(DataError, match="not complete"):
        short.join(tmp_path / "state", tmp_path / "again" / "last.pt")


def absent_on_a_bare_machine() -> set[str]:
    """Modules that a machine with what ``short_run`` asks for, and no more, does not have."""
    project = tomllib.loads((BENCHMARKS.parent / "pyproject.toml").read_text())["project"]
    extras = project["optional-dependencies"].values()
    asked = [*project["dependencies"], *(name for extra in extras for name in extra)]
    distributions = packages_distributions()
    there = [name for module in script("short_run").NEEDED for name in distributions[module]]
    for name in there:  # grows: what these need themselves
        needs = [re.split(r"[^\w.-]", need)[0] for need in requires(name) or []
                 if "extra ==" not in need]  # fmt: skip
        there += [need for need in needs if canonical(need) not in map(canonical, there)]
    absent = {canonical(re.split(r"[^\w.-]", name)[0]) for name in asked}
    absent -= {"invdn", *map(canonical, there)}
    return {
        module
        for module, names in distributions.items()
        if absent & set(map(canonical, names)) and not module.startswith("_")
    }


def canonical(distribution: str) -> str:
    return re.sub("[-_.]+", "-", distribution).lower()


@pytest.mark.slow  # a budget that a busy machine, too, opens the data in
def test_training_needs_no_more_than_the_script_asks_for(tmp_path: Path) -> None:
    absent = absent_on_a_bare_machine()
    assert {"pyvips", "scipy", "h5py", "lmdb", "click", "onnxruntime", "fastapi"} <= absent
    script("short_run").pack(data_of(tmp_path / "data"), tmp_path / "pack", 40_000)
    program = (
        "import runpy, sys\n"
        f"sys.modules.update(dict.fromkeys({sorted(absent)!r}))\n"
        "sys.argv = sys.argv[1:]\n"
        "runpy.run_path(sys.argv[0], run_name='__main__')\n"
    )
    phase = "phases=[{steps=2, crop=16, batch=2, learning_rate=1e-4}]"
    done = subprocess.run(
        [sys.executable, "-c", program, BENCHMARKS / "short_run.py", "train", tmp_path / "pack",
         tmp_path / "run", "--budget", "1m", "--set", phase, "--set", "hardware.device=cpu",
         "--set", "hardware.threads=1"],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["steps"] >= 1
    assert (tmp_path / "run" / "state" / "whole.json").is_file()
