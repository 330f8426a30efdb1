"""``invdn denoise`` as a user meets it, in a process of its own where that matters."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result

from invdn import DenoiseOptions, Denoiser
from invdn.cli import group
from invdn.photo.photo import Photo
from invdn.photo.read import read_photo
from invdn.photo.write import write_photo
from support.systems import not_for_root


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    pixels = np.random.default_rng(0).integers(60, 120, (30, 41, 3), np.uint8)
    for name in ("one.png", "two.jpg"):
        write_photo(Photo(pixels), tmp_path / name)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def _run(*arguments: str) -> Result:
    return CliRunner().invoke(group, ["denoise", "--device", "cpu", *arguments])


def _invdn(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "invdn", *arguments], capture_output=True, text=True, check=False
    )


def test_a_photograph_beside_itself(folder: Path) -> None:
    result = _run("one.png", "--seed", "3")
    assert result.exit_code == 0, result.output
    found = read_photo(folder / "one_denoised.png").pixels
    expected = Denoiser(options=DenoiseOptions(seed=3)).denoise(
        read_photo(folder / "one.png").pixels
    )
    assert np.array_equal(found, expected)


def test_quality_is_symmetries_and_draws(folder: Path) -> None:
    assert _run("one.png", "--quality", "balanced").exit_code == 0
    expected = Denoiser(options=DenoiseOptions(num_samples=4)).denoise(
        read_photo(folder / "one.png").pixels
    )
    assert np.array_equal(read_photo(folder / "one_denoised.png").pixels, expected)


def test_a_draft_is_the_fast_models_unless_another_is_named(folder: Path) -> None:
    def made(name: str, *choices: str) -> bytes:
        assert _run("one.png", "-o", name, *choices).exit_code == 0
        return (folder / name).read_bytes()

    draft = made("draft.png", "--quality", "draft")
    assert draft == made("fast.png", "--model", "fast")
    default = made("default.png")
    assert default != draft
    assert default == made("named.png", "-m", "default", "-q", "draft")


def test_numbers_override_the_quality(folder: Path) -> None:
    result = _run("one.png", "--quality", "best", "--num-samples", "1", "--json-lines")
    assert result.exit_code == 0, result.output
    options = json.loads(result.stdout.splitlines()[-1])["options"]
    assert (options["self_ensemble"], options["num_samples"]) == (True, 1)


def test_the_report_in_json_lines(folder: Path) -> None:
    result = _run(".", "missing.png", "--json-lines", "-o", "out")
    assert result.exit_code == 1
    done, also, failed, summary = map(json.loads, result.stdout.splitlines())
    assert "on the CPU" in summary["engine"]
    assert (summary["done"], summary["failed"]) == (2, 1)
    assert [entry["status"] for entry in (done, also, failed)] == ["done", "done", "failed"]
    assert (done["source"], done["target"]) == ("one.png", str(Path("out/one_denoised.png")))
    assert (done["width"], done["height"], done["depth"]) == (41, 30, "uint8")
    assert also["target"] == str(Path("out/two_denoised.jpg"))
    assert "no such file" in failed["error"]


def test_one_bad_file_does_not_stop_the_batch(folder: Path) -> None:
    (folder / "aaa.jpg").write_bytes(b"")
    (folder / "bbb.jpg").write_bytes((folder / "two.jpg").read_bytes()[:300])
    done = _invdn("denoise", ".", "--device", "cpu")
    assert done.returncode == 1
    counts = [line.split()[:2] for line in done.stderr.splitlines()[-2:]]
    assert counts == [["done", "2"], ["failed", "2"]]
    assert "Traceback" not in done.stderr
    assert {path.name for path in folder.glob("*_denoised*")} == {
        "one_denoised.png",
        "two_denoised.jpg",
    }


def test_a_second_run_overwrites_nothing(folder: Path) -> None:
    assert _run("one.png").exit_code == 0
    first = (folder / "one_denoised.png").read_bytes()
    again = _run("one.png", "--seed", "9")
    assert again.exit_code == 1
    assert "exists already" in again.output
    assert (folder / "one_denoised.png").read_bytes() == first
    assert _run("one.png", "--num-samples", "2", "--overwrite").exit_code == 0
    assert (folder / "one_denoised.png").read_bytes() != first


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (("gone.png",), 1, "no such file"),
        (("one.png", "--model", "nothing"), 2, "known: default"),
        (("one.png", "--num-samples", "0"), 2, "num_samples must be from 1 to 1024"),
        (("one.png", "--tile-size", "9"), 2, "tile_size must be 0"),
        (("one.png", "--device", "gpu"), 2, "gpu"),
        (("one.png", "-o", "there/is/no/folder.png"), 1, "does not exist"),
        (("one.png", "-o", "picture.xyz"), 1, "no known format"),
        (("*.webp",), 2, "nothing matches"),
        (("one.png", "--max-megapixels", "0.001"), 1, "--max-megapixels"),
        (("one.png", "--suffix", "", "--overwrite"), 2, "over the photograph"),
        (("one.png", "--name", "{index}.png"), 2, "holds {index}"),
        (("one.png", "--watch"), 2, "watches folders"),
    ],
)
def test_what_cannot_be_done_is_one_clear_line(
    folder: Path, arguments: tuple[str, ...], code: int, message: str
) -> None:
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    done = _invdn("denoise", *arguments)
    assert done.returncode == code
    assert message in done.stderr
    assert "Traceback" not in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before


@not_for_root
def test_a_read_only_folder(folder: Path) -> None:
    folder.chmod(0o500)
    try:
        result = _run("one.png")
    finally:
        folder.chmod(0o700)
    assert result.exit_code == 1
    assert "permission is denied" in result.output


def test_demo_writes_three_pictures_and_improves_the_noisy_one(folder: Path) -> None:
    arguments = ["demo", "-o", "demo"]
    result = CliRunner().invoke(group, arguments)
    assert result.exit_code == 0, result.output
    sizes = {path.name: read_photo(path).pixels.shape for path in (folder / "demo").iterdir()}
    assert sizes == {
        "noisy.png": (512, 512, 3),
        "clean.png": (512, 512, 3),
        "comparison.png": (512, 1536, 3),
    }
    before, after = (
        float(word) for word in result.output.split() if word.count(".") == 1 and word[0].isdigit()
    )
    assert after > before + 3
    again = _invdn(*arguments)
    assert again.returncode == 1
    assert "exists already" in again.stderr


def test_doctor_names_the_engine_and_the_model() -> None:
    result = CliRunner().invoke(group, ["doctor"])
    assert result.exit_code == 0, result.output
    for word in ("onnxruntime", "invdn[torch]", "devices", "cpu", "default", "x4", "8 + 8 blocks"):
        assert word in result.output


def test_help_lists_every_command() -> None:
    done = _invdn("--help")
    assert done.returncode == 0
    for name in ("denoise", "video", "weights", "export", "dev"):
        assert f"  {name} " in done.stdout
        help_text = CliRunner().invoke(group, [name, "--help"])
        assert help_text.exit_code == 0, help_text.output
