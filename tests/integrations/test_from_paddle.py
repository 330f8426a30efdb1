"""docs/from-paddle.md: its commands, run one after the other as they stand there."""

import re
import shlex
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from click.testing import CliRunner
from scipy.io import savemat

from invdn.architecture import Architecture
from invdn.cli import group
from invdn.network import InvDN
from invdn.photo.photo import Photo
from invdn.photo.write import write_photo
from invdn.weights import read_parameters, write_parameters
from invdn.weights.network import parameters_of

DOCUMENT = Path(__file__).parents[2] / "docs" / "from-paddle.md"
SMALL = "--set network.blocks=[1,1] --set network.features=4 --set phases.0.crop=16 "
SMALL += "--set phases.0.steps=2 --set phases.0.batch=2 --set phases.0.halve_at=[] "
# The scripts, options and files of the reproduction's README.
THEIRS = """
generate_patches_sidd.py generate_patches_SIDD.py generate_lq.py extract_valid_patches_sidd.py
pretrained/InvDN_ResUnit_x4.pdparams pretrained/default_invdn.pdparams
pretrained/model_best.pdparams train_denoising_1card.py training_1card.yml
train_denoising_4cards.py training_4cards.yml
paddle.distributed.launch training_4cards.py config.py losses.py train.py ./experiments
--data_dir --val_dir --log_dir --iter --batchSize --weights --data_path --result_dir
test_denoising_sidd.py predict.py export_model.py --save-inference-dir networks/InvDN_model.py
networks/InvDN_model_oneForward.py model.pdmodel model.pdiparams model.pdiparams.info
infer.py --model-dir --noisy-dir --clean-dir --use-gpu --batch-size --benchmark AutoLog reprod_log
test_tipc/prepare.sh test_train_inference_python.sh train_infer_python.txt norm_train_gpus_0
"""
# What makes a command of the document small: by how the command begins.
SMALLER = {
    "invdn data sidd": "--size 32 --count 2 --processes 1",
    "invdn weights init": "--blocks 1,1 --features 4",
    "invdn train": SMALL + "--set hardware.precision=fp32 --set hardware.device=cpu",
    "torchrun": SMALL + "--dry-run",
}


def _commands() -> list[str]:
    blocks = re.findall(r"```sh\n(.*?)```", DOCUMENT.read_text(), re.DOTALL)
    return [line for block in blocks for line in block.splitlines() if not line.startswith("pip ")]


def _write_pairs(root: Path, names: list[str], *, folders: tuple[str, str], size: int) -> None:
    random = np.random.default_rng(0)
    for name in names:
        clean = random.integers(60, 200, (size // 8, size // 8, 3)).repeat(8, 0).repeat(8, 1)
        noisy = clean + random.normal(0, 20, clean.shape)
        for folder, pixels in zip(folders, (noisy, clean), strict=True):
            path = root / folder.format(name)
            path.parent.mkdir(parents=True, exist_ok=True)
            write_photo(Photo(np.clip(pixels, 0, 255).astype(np.uint8)), path.with_suffix(".png"))
            path.with_suffix(".png").rename(path)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The reproduction's folders, with small photographs and weights."""
    root = tmp_path_factory.mktemp("reproduction")
    _write_pairs(
        root / "SIDD_Medium_Srgb",
        ["0001", "0002"],
        folders=("Data/{0}/{0}_NOISY_SRGB_010.PNG", "Data/{0}/{0}_GT_SRGB_010.PNG"),
        size=64,
    )
    for name in ("train_mini", "val_mini"):
        names = ["0_0", "0_1"]
        pairs = root / "SIDD_mini" / name
        _write_pairs(pairs, names, folders=("Noisy/{}.PNG", "GT/{}.PNG"), size=48)
    blocks = np.random.default_rng(1).integers(0, 256, (1, 2, 32, 32, 3)).astype(np.uint8)
    for name in ("ValidationNoisyBlocksSrgb", "ValidationGtBlocksSrgb"):
        savemat(root / f"{name}.mat", {name: blocks})
    (root / "pretrained").mkdir()
    torch.manual_seed(0)
    network = InvDN(Architecture(blocks=(1, 1), features=4))
    write_parameters(parameters_of(network), root / "pretrained" / "model_best.pdparams")
    return root


@pytest.mark.slow
def test_every_command_of_the_document_works(folder: Path) -> None:
    pytest.importorskip("paddle", reason="needs Paddle")
    outputs = {}
    for command in _commands():
        extra = next((more for begin, more in SMALLER.items() if command.startswith(begin)), "")
        words = shlex.split(command) + shlex.split(extra)
        if words[0] == "torchrun":
            words = ["invdn", *words[words.index("invdn") + 1 :]]  # a dry run is one process
        done = subprocess.run(
            [sys.executable, "-m", *words], cwd=folder, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
        outputs[command] = done.stdout
    assert len(outputs) > 15
    patches = folder / "SIDD_Medium_Srgb_Patches_512" / "train"
    assert len(list((patches / "LQ").glob("*.png"))) == len(list((patches / "GT").glob("*.png")))
    assert read_parameters(folder / "pretrained" / "default_invdn.pdparams").count
    assert len(list((folder / "predict_results").iterdir())) == 2
    (single,) = (text for command, text in outputs.items() if "--benchmark" in command)
    (score,) = re.findall(r"^image_name: \S+0_0\.PNG, psnr: (\S+)$", single, re.MULTILINE)
    assert re.search(r"inference_time\(ms\): \d+\.\d+", single)
    logged = np.load(folder / "output_inference_engine.npy", allow_pickle=True).tolist()
    assert logged["psnr"][0] == float(score)
    chain = outputs[next(command for command in outputs if "dev smoke --mode" in command)]
    assert chain.count("Run successfully with command - invdn ") == 4


def _rows() -> list[tuple[str, str]]:
    """The document's tables: what the reproduction has, and what is here."""
    lines = re.findall(r"^\| (.+?) \| (.+) \|$", DOCUMENT.read_text(), re.MULTILINE)
    return [(theirs, ours) for theirs, ours in lines if theirs != "reproduction"]


@pytest.mark.parametrize("name", THEIRS.split())
def test_nothing_of_the_reproduction_is_left_out(name: str) -> None:
    assert any(name in theirs for theirs, _ in _rows())


def test_every_option_that_the_document_names_exists() -> None:
    """Without Paddle: the options of every command, against the command's own help."""
    for command in _commands():
        words = shlex.split(command)
        words = words[words.index("invdn") + 1 :]
        depth = 2 if words[0] in ("data", "weights", "dev") else 1
        told = CliRunner().invoke(group, [*words[:depth], "--help"]).output
        for option in (word for word in words if word.startswith("-")):
            assert re.search(rf"(?<![\w-]){option}\b", told), f"{command}: {option}"


def test_a_failing_command_ends_the_chain(folder: Path, tmp_path: Path) -> None:
    """TIPC's words for a failure, and the exit code that scripts look at."""
    pairs, out = folder / "SIDD_mini/val_mini", tmp_path / "out"
    arguments = f"dev smoke --mode whole_infer --weights missing --pairs {pairs} -o {out}"
    result = subprocess.run(
        [sys.executable, "-m", "invdn", *arguments.split()],
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 1
    (line,) = [line for line in result.stdout.splitlines() if line.startswith("Run ")]
    assert line.startswith("Run failed with command - invdn evaluate")


def test_reprod_log_reads_what_smoke_and_infer_write(tmp_path: Path) -> None:
    helper = pytest.importorskip("reprod_log", reason="needs reprod_log").ReprodDiffHelper()
    from invdn.cli.infer import write_reprod_log

    write_reprod_log(tmp_path / "a.npy", psnr=np.array([40.0]))
    read = helper.load_info(str(tmp_path / "a.npy"))
    helper.compare_info(read, read)
    assert read["psnr"].tolist() == [40.0]
