"""``invdn evaluate``, ``submit``, ``compare``, ``bench`` and ``smoke``, as people call them."""

import json
import re
from pathlib import Path

import numpy as np
import pytest
import torch
from click.testing import CliRunner, Result
from scipy.io import savemat

from invdn.architecture import Architecture
from invdn.cli import bench, compare, evaluate, smoke, submit
from invdn.errors import DataError, InputError, InvDNError, OutputError
from invdn.network import InvDN
from invdn.photo.photo import Photo
from invdn.photo.read import read_photo
from invdn.photo.write import write_photo
from invdn.weights import write_parameters
from invdn.weights.network import parameters_of


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Weights of a network of two blocks, untrained."""
    torch.manual_seed(0)
    path = tmp_path_factory.mktemp("model") / "small.safetensors"
    network = InvDN(Architecture(blocks=(1, 1), features=4))
    write_parameters(parameters_of(network, {}), path)
    return path


@pytest.fixture
def pairs(tmp_path: Path) -> Path:
    """Two pairs of 32 x 40 pixels."""
    random = np.random.default_rng(0)
    for folder in ("Noisy", "GT"):
        (tmp_path / "pairs" / folder).mkdir(parents=True)
    for number in range(2):
        clean = np.full((32, 40, 3), 90 + 40 * number, np.uint8)
        noisy = np.clip(clean + random.normal(0, 12, clean.shape), 0, 255).astype(np.uint8)
        write_photo(Photo(clean), tmp_path / "pairs" / "GT" / f"0_{number}.png")
        write_photo(Photo(noisy), tmp_path / "pairs" / "Noisy" / f"0_{number}.png")
    return tmp_path / "pairs"


def call(module: object, *arguments: object) -> Result:
    command = module.command  # type: ignore[attr-defined]
    return CliRunner().invoke(command, [str(a) for a in arguments])


def fails(module: object, *arguments: object) -> InvDNError:
    """The typed error that the call ends with; the group turns it into one line and exit code 1."""
    error = call(module, *arguments).exception
    assert isinstance(error, InvDNError), error
    return error


def test_evaluate_prints_every_figure_with_its_protocol(
    pairs: Path, model: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    result = call(
        evaluate, pairs / "Noisy", pairs / "GT", "-m", model, "-o", out, "-p", "paddle", "-p",
        "y-8bit-border4", "-a", "tv", "-a", f"Copy={pairs / 'GT'}", "--num-samples", 2,
        "--uncertainty", "--images",
    )  # fmt: skip
    assert result.exit_code == 0, result.output
    lines = result.stdout.splitlines()
    figures = [line for line in lines if "paddle" in line or "y-8bit-border4" in line]
    assert len(figures) == 4 * 2
    assert "infinite" in next(line for line in lines if line.startswith("Copy"))
    content = json.loads((out / "evaluation.json").read_text())
    assert [method["name"] for method in content["methods"]] == [
        "InvDN small", "tv", "Copy", "noisy input",
    ]  # fmt: skip
    assert content["options"]["num_samples"] == 2
    assert content["methods"][0]["calibration"]["blocks"] == 2 * 4 * 5
    assert (out / "scores.csv").read_text().count("\n") == 1 + 2 * 4 * 2
    assert read_photo(out / "uncertainty" / "0_0.png").pixels.dtype == np.uint16
    assert read_photo(out / "images" / "0_1.png").pixels.shape == (32, 40, 3)
    assert (out / "report.html").read_text().startswith("<!doctype html>")


def test_evaluate_measures_the_network_unless_a_strength_is_asked_for(
    pairs: Path, model: Path, tmp_path: Path
) -> None:
    found = {}
    for strength in (None, "1", "0", "auto"):
        out = tmp_path / f"out-{strength}"
        asked = ["--strength", strength] if strength else []
        result = call(evaluate, pairs, "-m", model, "-o", out, "-p", "paddle", *asked)
        assert result.exit_code == 0, result.output
        scores = json.loads((out / "evaluation.json").read_text())["methods"]
        found[strength] = [method["scores"]["paddle"]["psnr"] for method in scores]
    assert found[None] == found["1"]
    assert found["0"][0] == pytest.approx(found["0"][-1]), "strength 0 is the noisy input"
    # what an untrained network changes is no noise: automatic strength takes nothing of it
    assert found["auto"][0] == found["0"][0] < found[None][-1] + 1e-5
    assert found["auto"][0] > found["1"][0] + 10


def test_published_is_eight_symmetries(pairs: Path, model: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    result = call(evaluate, pairs, "-m", model, "-o", out, "--published", "--limit", 1)
    assert result.exit_code == 0, result.output
    options = json.loads((out / "evaluation.json").read_text())["options"]
    assert (options["self_ensemble"], options["num_samples"]) == (True, 1)
    assert isinstance(
        fails(evaluate, pairs, "-o", tmp_path / "x", "--published", "--num-samples", 4), InputError
    )


def test_outputs_alone_can_be_measured(pairs: Path, tmp_path: Path) -> None:
    arguments = (evaluate, pairs, "-o", tmp_path / "out", "--without-model")
    result = call(*arguments, "-a", f"Mine={pairs / 'Noisy'}", "--limit", 1)
    assert result.exit_code == 0, result.output
    assert result.stdout.splitlines()[1].startswith("Mine")
    assert "cannot write" in str(fails(*arguments))
    assert call(*arguments, "--overwrite").exit_code == 0


def test_protocols_are_listed() -> None:
    result = call(evaluate, "--protocols")
    assert result.exit_code == 0
    assert "39.29 dB" in result.output


@pytest.mark.parametrize(
    ("arguments", "kind", "complaint"),
    [
        (("-p", "best"), InputError, "choose from paddle"),
        (("-a", "nothing"), InputError, "neither"),
        (("-a", "tv:much"), InputError, "no number"),
        (("--num-samples", 0), InputError, "num_samples"),
        (("--without-model", "--uncertainty"), InputError, "needs the model"),
        (("--match", "x"), None, ""),
    ],
)
def test_evaluate_refuses_what_makes_no_sense(
    pairs: Path, model: Path, tmp_path: Path, arguments: tuple[str, ...], kind: type, complaint: str
) -> None:
    given = [str(model) if a == "MODEL" else a for a in arguments]
    if kind is None:  # a key that no name holds, which needs both folders
        error = fails(evaluate, pairs / "Noisy", pairs / "GT", "-o", tmp_path / "out", *given)
        assert isinstance(error, DataError)
        return
    error = fails(evaluate, pairs, "-o", tmp_path / "out", *given)
    assert isinstance(error, kind)
    assert complaint in str(error)


def test_submit_sidd_resumes_and_checks(model: Path, tmp_path: Path) -> None:
    blocks = np.random.default_rng(0).integers(0, 256, (2, 2, 16, 16, 3), dtype=np.uint8)
    savemat(tmp_path / "b.mat", {"BenchmarkNoisyBlocksSrgb": blocks})
    arguments = (submit, "sidd", tmp_path / "b.mat", tmp_path / "out")
    result = call(*arguments, "-m", model)
    assert result.exit_code == 0, result.output
    assert "4 blocks (0 of an earlier run)" in result.stdout
    assert "note: the full benchmark" in result.stderr
    assert "4 blocks (4 of" in call(*arguments, "-m", model).stdout
    assert call(*arguments, "--check").exit_code == 0
    assert isinstance(fails(*arguments, "-m", model, "--num-samples", 2), OutputError)
    (tmp_path / "out" / "SubmitSrgb.csv").write_text("ID,BLOCK\n0,AAAA\n")
    assert isinstance(fails(*arguments, "--check"), DataError)


def test_submit_dnd_writes_one_file_for_each_photograph(model: Path, tmp_path: Path) -> None:
    root = tmp_path / "dnd"
    (root / "images_srgb").mkdir(parents=True)
    info = np.zeros((1, 1), dtype=[("boundingboxes", object)])
    info[0, 0]["boundingboxes"] = np.array([[1, 1, 16, 16], [5, 5, 24, 20]], float)
    savemat(root / "info.mat", {"info": info})
    savemat(root / "images_srgb" / "0001.mat", {"InoisySRGB": np.full((24, 24, 3), 0.5)})
    result = call(submit, "dnd", root, tmp_path / "out", "-m", model)
    assert result.exit_code == 0, result.output
    assert "1 files (0 of an earlier run), 2 boxes" in result.stdout
    assert call(submit, "dnd", root, tmp_path / "out", "--check").exit_code == 0


def test_compare_says_how_far_and_where(tmp_path: Path) -> None:
    a = np.zeros((1, 3, 8, 9), np.float32)
    b = a.copy()
    b[0, 1, 2, 3] = 0.5
    np.save(tmp_path / "a.npy", a)
    np.save(tmp_path / "b.npy", b)
    arguments = (compare, tmp_path / "a.npy", tmp_path / "b.npy")
    far = call(*arguments, "--tolerance", 0.4, "--picture", tmp_path / "p.png")
    assert far.exit_code == 1
    assert "largest difference 0.5 (relative 1) at [0, 1, 2, 3]: 0 against 0.5" in far.stdout
    assert "TOO FAR" in far.stdout
    assert read_photo(tmp_path / "p.png").pixels.shape == (8 * 21, 3 * 9 * 21 + 8, 3)
    assert isinstance(fails(*arguments, "--picture", tmp_path / "p.png"), OutputError)
    assert call(*arguments, "--tolerance", 0.5).exit_code == 0
    assert call(*arguments, "--tolerance", 0.9, "--relative").exit_code == 1
    assert call(compare, tmp_path / "a.npy", tmp_path / "a.npy").exit_code == 0
    assert isinstance(fails(*arguments, "--tolerance", -1), InputError)
    assert isinstance(fails(*arguments, "--tolerance", "nan"), InputError)


def test_compare_matches_folders_by_name(pairs: Path) -> None:
    result = call(compare, pairs / "Noisy", pairs / "GT", "--tolerance", 255)
    assert result.exit_code == 0
    assert result.stdout.startswith(("0_0: largest", "0_1: largest"))


@pytest.mark.parametrize("read", ["first", "second", "linked", "in a folder"])
def test_compare_never_replaces_what_it_reads(pairs: Path, tmp_path: Path, read: str) -> None:
    noisy, clean = (sorted((pairs / side).iterdir())[0] for side in ("Noisy", "GT"))
    (tmp_path / "link.png").symlink_to(noisy)
    places = {"first": noisy, "second": clean, "linked": tmp_path / "link.png"}
    picture = places.get(read, clean)
    sides = (pairs / "Noisy", pairs / "GT") if read == "in a folder" else (noisy, clean)
    before = noisy.read_bytes(), clean.read_bytes()
    error = fails(compare, *sides, "--picture", picture, "--overwrite")
    assert isinstance(error, OutputError) and "which is read here" in str(error)
    assert (noisy.read_bytes(), clean.read_bytes()) == before


@pytest.mark.slow
def test_bench_measures_every_case(model: Path, tmp_path: Path) -> None:
    result = call(
        bench, "-m", model, "--sizes", "32x24,48x40", "--num-samples", "2", "--repeats", 1,
        "--backend", "torch", "-o", tmp_path / "out",
    )  # fmt: skip
    assert result.exit_code == 0, result.output
    content = json.loads((tmp_path / "out" / "bench.json").read_text())
    assert [(c["case"]["draws"], c["case"]["width"]) for c in content["cases"]] == [
        (2, 32), (2, 48),
    ]  # fmt: skip
    for case in content["cases"]:
        stages = case["stages"]
        assert set(stages) == {
            "reading", "preprocessing", "inference", "postprocessing", "writing",
        }  # fmt: skip
        assert sum(stages.values()) == pytest.approx(case["latency"])
        assert case["peak_memory"] > 20_000_000
        assert case["megapixels_per_second"] > 0
    assert "processor" in content["machine"]
    assert "torch 2 draws: torch " in result.stdout
    assert len(re.findall(r"<use .*var\(--s0\)", (tmp_path / "out" / "bench.svg").read_text())) == 2


@pytest.mark.parametrize(
    "arguments",
    [
        ("--sizes", "32"),
        ("--sizes", "0x5"),
        ("--sizes", "axb"),
        ("--threads", 10_000),
        ("--num-samples", 0),
        ("--dtype", "float16"),
        ("--device", "cuda", "--backend", "native"),
        ("--device", "cuda", "--backend", "onnxruntime", "--backend", "torch"),
    ],
)
def test_bench_refuses_impossible_cases(arguments: tuple[object, ...]) -> None:
    assert isinstance(fails(bench, *arguments), InputError)


@pytest.mark.slow
def test_smoke_goes_from_training_to_inference(pairs: Path, tmp_path: Path) -> None:
    result = call(smoke, "--steps", 12, "-o", tmp_path / "out")
    assert result.exit_code == 0, result.output
    lines = result.stdout.splitlines()
    assert [line.split("  ")[0] for line in lines] == [
        "data", "train", "evaluate", "export", "inference on the CPU", "inference on a GPU",
    ]  # fmt: skip
    assert all(" ok " in line for line in lines[:5])
    assert (tmp_path / "out" / "exported" / "decode.onnx").is_file()


def test_smoke_tells_what_failed_and_leaves_out_the_rest(tmp_path: Path) -> None:
    (tmp_path / "Noisy").mkdir()
    (tmp_path / "GT").mkdir()
    result = call(smoke, "--pairs", tmp_path)
    assert result.exit_code == 1
    lines = result.stdout.splitlines()
    assert "FAILED" in lines[0]
    assert "holds no image" in lines[0]
    assert all("needs data" in line for line in lines[1:])
