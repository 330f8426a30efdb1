"""The scripts of ``benchmarks/`` still run: with tiny sizes, for they are long otherwise."""

import ast
import json
import re
import shlex
import subprocess
import sys
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

import numpy as np
import pytest

from invdn.photo.photo import Photo
from invdn.photo.write import write_photo

FOLDER = Path(__file__).parents[1] / "benchmarks"
SCRIPTS = sorted(path.stem for path in FOLDER.glob("*.py") if path.stem != "__main__")
#: Script -> its arguments. ``PAIRS`` is a folder of pairs, ``PHOTO`` a photograph of it, ``OUT`` a
#: folder. Those that are not here take minutes, or photographs and videos that are not shipped.
TINY = {
    "architectures": "--sizes 4:1,1 --side 32 --repeats 1",
    "code_path": "--only command --only python --only 'web job'",
    "engines": "--sizes 32 --threads 1 --repeats 2",
    "loader": "PAIRS --crop 16 --batch 2 --seconds 0.1 --repeats 1",
    "memory": "--megapixels 0.1 --formats jpg --windows 64",
    "peers": "--sizes 32 --threads 1 --repeats 1 --only native onnxruntime",
    "runtimes": "--size 64 --repeats 1 --model fast",
    "service": "--sizes 0.01 --runs 1 --seconds 1 --side 32",
    "shadow_boost": "PHOTO -o OUT/boost.jpg --crop 32",
    "tiling": "PHOTO",
    "training_step": "--recipe smoke --crop 16 --batch 1 --steps 1 --one",
    "whole_road": "--sizes 64x64 --repeats 1",
}


@pytest.fixture(scope="module")
def pairs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("pairs")
    random = np.random.default_rng(0)
    for folder in ("Noisy", "GT"):
        (root / folder).mkdir()
        for name in "ab":
            pixels = random.integers(60, 180, (96, 128, 3), dtype=np.uint8)
            write_photo(Photo(pixels), root / folder / f"{name}.png")
    return root


def test_scripts_that_import_others_are_named_by_their_path() -> None:
    """``python -m benchmarks.NAME`` finds no script beside it, the path does."""
    root = FOLDER.parent
    for path in (*FOLDER.glob("*.py"), *(root / "docs").rglob("*.md")):
        for name in re.findall(r"python -m benchmarks\.(\w+)", path.read_text(encoding="utf-8")):
            tree = ast.parse((FOLDER / f"{name}.py").read_text(encoding="utf-8"))
            imported = {node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
            assert not imported & set(SCRIPTS), f"{path.name} names benchmarks.{name}"


@pytest.mark.parametrize("script", SCRIPTS)
def test_it_finds_all_that_it_imports(script: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(FOLDER))
    path = FOLDER / f"{script}.py"
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("invdn"):
            names = [name.name for name in node.names]
            module = __import__(node.module or "", fromlist=names)
            for name in names:
                assert hasattr(module, name), f"{node.module} has no {name}"
    spec = spec_from_file_location(f"benchmark_{script}", path)
    assert spec and spec.loader
    if script != "plots":  # part of the package
        spec.loader.exec_module(module_from_spec(spec))


@pytest.mark.slow
@pytest.mark.parametrize("script", TINY)
def test_it_runs(script: str, pairs: Path, tmp_path: Path) -> None:
    places = {"PAIRS": pairs, "PHOTO": pairs / "Noisy" / "a.png", "OUT": tmp_path}
    arguments = TINY[script]
    for name, place in places.items():
        arguments = arguments.replace(name, str(place))
    command = [sys.executable, str(FOLDER / f"{script}.py"), *shlex.split(arguments)]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=300)
    assert ended.returncode == 0, ended.stderr[-3000:]


def test_the_table_of_runtimes_is_that_of_its_result() -> None:
    spec = spec_from_file_location("benchmark_runtimes_table", FOLDER / "runtimes.py")
    assert spec and spec.loader
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    report = json.loads((FOLDER / "results" / "runtimes.json").read_text(encoding="utf-8"))
    document = (FOLDER.parent / "docs" / "export.md").read_text(encoding="utf-8")
    assert module.table(report) in document


def test_the_best_shares_are_more_than_any_single_strength(monkeypatch: pytest.MonkeyPatch) -> None:
    """Half of the picture is noise that the network removed, the other texture that it removed."""
    monkeypatch.syspath_prepend(str(FOLDER))
    spec = spec_from_file_location("benchmark_strength_shares", FOLDER / "strength.py")
    assert spec and spec.loader
    module = module_from_spec(spec)
    monkeypatch.setitem(sys.modules, spec.name, module)
    spec.loader.exec_module(module)
    random = np.random.default_rng(1)
    flat = np.full((64, 96, 3), 120, np.uint8)
    clean, noisy = flat.copy(), flat.copy()
    clean[:, 48:] = noisy[:, 48:] = random.integers(90, 150, (64, 48, 3))
    noisy[:, :48] = random.integers(90, 150, (64, 48, 3))
    assert module.best_shares(noisy, flat / 255, clean) == 100
    assert module.best_shares(noisy, flat / 255, flat) == 100
    assert module.psnr(flat / 255, clean) < 30 > module.psnr(noisy / 255, clean)


def test_the_table_of_kinds_is_that_of_its_result(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "path", [*sys.path])
    spec = spec_from_file_location("photographs", FOLDER / "photographs.py")
    assert spec and spec.loader
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    made = module.table(json.loads(module.RESULT.read_text(encoding="utf-8"))["rows"])
    assert f"<!-- kinds -->\n{made}\n<!-- end -->" in module.DOCUMENT.read_text(encoding="utf-8")


def test_intervals_are_as_wide_as_errors_of_unseen_photographs(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Errors of one kind are normal, others have heavy tails: each gets the width that is its own.

    And the layers that it was put into say what both said one after the other.
    """
    pytest.importorskip("torch")
    monkeypatch.syspath_prepend(str(FOLDER))
    spec = spec_from_file_location("benchmark_uncertainty", FOLDER / "uncertainty.py")
    assert spec and spec.loader
    module = module_from_spec(spec)
    monkeypatch.setitem(sys.modules, spec.name, module)
    spec.loader.exec_module(module)
    monkeypatch.setattr(module, "WIDTH_STEPS", 300)
    random = np.random.default_rng(2)
    weights = {
        "first": (43, module.WIDTH),
        "second": (module.WIDTH,) * 2,
        "last": (module.WIDTH, 1),
    }
    layers = {f"{k}.weight": random.normal(0, 0.2, shape) for k, shape in weights.items()}
    layers |= {f"{k}.bias": random.normal(0, 0.2, shape[1]) for k, shape in weights.items()}
    layers |= {"mean": random.normal(0, 1, 43), "spread": random.uniform(0.5, 2, 43)}
    layers["last.bias"] -= 6
    items = []
    for number in range(20):
        heavy = number % 2
        features = random.normal(0, 1, (module.BLOCKS, 43))
        features[:, 7] = (6 * heavy - 3) * layers["spread"][7] + layers["mean"][7]
        told = np.full(module.BLOCKS, 0.02)
        shape = (module.BLOCKS, module.VALUES)
        values = np.abs(random.standard_t(2, shape) if heavy else random.normal(0, 1, shape)) * 0.02
        items.append(module.Item("s", f"p{number}", "auto", features, told, values))
    line = module.learn_width(items, layers)
    for item, quantile in ((items[0], 1.645), (items[1], 2.92)):  # of 90 % on both sides
        width = np.exp(module.width_of(line, layers, item.features)) * module.NORMAL
        assert np.median(width) == pytest.approx(quantile, rel=0.12)
        both = module.run(layers, item.features) * width / module.NORMAL
        assert module.run(module.joined(layers, line), item.features) == pytest.approx(
            np.maximum(both, 0.3 / 255), rel=1e-3
        )
