"""``invdn denoise`` with the options that say how much is taken away, and where."""

import json
import re
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result

from invdn import DenoiseOptions, Denoiser, Region
from invdn.cli import group
from invdn.photo.photo import Photo
from invdn.photo.read import read_photo
from invdn.photo.write import write_photo


@pytest.fixture
def noisy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> np.ndarray:
    """A photograph, one.png in the current folder."""
    pixels = np.random.default_rng(0).normal(110, 9, (60, 72, 3)).astype(np.uint8)
    write_photo(Photo(pixels), tmp_path / "one.png")
    monkeypatch.chdir(tmp_path)
    return pixels


def _run(*arguments: str) -> Result:
    return CliRunner().invoke(group, ["denoise", "one.png", "--device", "cpu", *arguments])


def test_every_option_reaches_the_work(noisy: np.ndarray) -> None:
    result = _run(
        *("--strength", "0.8", "--luminance", "0.7", "--chroma", "0.9", "--detail", "0.4"),
        *("--latent-std", "0.5", "--max-memory", "1.5G"),
    )
    assert result.exit_code == 0, result.output
    chosen = DenoiseOptions(
        strength=0.8, luminance=0.7, chroma=0.9, detail=0.4, latent_std=0.5, max_memory=1500000000
    )
    expected = Denoiser(options=chosen).denoise(noisy)
    assert np.array_equal(read_photo("one_denoised.png").pixels, expected)


def test_the_strength_is_found_unless_it_is_given(noisy: np.ndarray) -> None:
    assert _run("-o", "auto.png").exit_code == 0
    assert _run("-o", "full.png", "--strength", "1").exit_code == 0
    assert _run("-o", "none.png", "--strength", "0").exit_code == 0
    auto, full, none = (read_photo(f"{name}.png").pixels for name in ("auto", "full", "none"))
    assert np.array_equal(auto, Denoiser(strength="auto").denoise(noisy))
    assert np.array_equal(full, Denoiser(strength=1).denoise(noisy))
    assert np.array_equal(none, noisy)


def test_the_noise_is_told(noisy: np.ndarray) -> None:
    told = _run()
    assert "strong noise, 9.0 of 255" in told.stderr
    assert "neighbouring pixels are independent" in told.stderr


def test_a_preview_is_a_photograph_of_its_own(noisy: np.ndarray) -> None:
    result = _run("--preview", "10,20,30,25", "--strength", "1")
    assert result.exit_code == 0, result.output
    found = read_photo("one_preview.png").pixels
    expected = Denoiser(strength=1).denoise_region(noisy, Region(10, 20, 30, 25))
    assert np.array_equal(found, expected)
    assert not Path("one_denoised.png").exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--strength", "much"), "must be 'auto'"),
        (("--draws", "3"), "called --num-samples now"),
        (("--strengh", "1"), "did you mean --strength?"),
        (("--strength", "101"), "strength must be"),
        (("--strength", "nan"), "strength must be"),
        (("--luminance", "-1"), "luminance"),
        (("--chroma", "1.5"), "chroma"),
        (("--detail", "half"), "detail"),
        (("--latent-std", "-1"), "latent_std"),
        (("--max-memory", "lots"), "no amount of memory"),
        (("--max-memory", "0"), "max_memory must be"),
        (("--max-memory", "10M"), "10 MB are too little"),
        (("--preview", "1,2,3"), "x,y,width,height"),
        (("--preview", "500,0,10,10"), "begins at 500,0"),
    ],
)
def test_what_cannot_be_is_said(
    noisy: np.ndarray, arguments: tuple[str, ...], message: str
) -> None:
    result = _run(*arguments)
    assert result.exit_code != 0
    assert message in result.output + str(result.exception)
    assert [path.name for path in Path().iterdir()] == ["one.png"]


def test_a_look_reaches_the_work_and_contradicts_a_strength(noisy: np.ndarray) -> None:
    made = {}
    for look in ("gentle", "natural", "strong"):
        assert _run("-o", f"{look}.png", "--look", look).exit_code == 0
        made[look] = read_photo(f"{look}.png").pixels
        assert np.array_equal(made[look], Denoiser(look=look).denoise(noisy))
    changes = [np.square(made[look].astype(float) - noisy).mean() for look in made]
    assert changes[0] < 0.9 * changes[1] and changes[1] < changes[2]
    result = _run("-o", "x.png", "--look", "strong", "--strength", "0.5")
    assert result.exit_code == 2 and "leave out strength 0.5" in result.stderr
    assert not Path("x.png").exists()


def test_a_dry_run_tells_and_writes_nothing(noisy: np.ndarray) -> None:
    before = sorted(Path().iterdir())
    result = _run("--dry-run")
    assert result.exit_code == 0, result.output
    assert "one.png -> one_denoised.png (72x60; " in result.stdout
    assert "strong noise, " in result.stdout and "; strength 1.0" in result.stdout
    assert re.search(r"about [0-9]+ (s|min)", result.stdout)
    told = json.loads(_run("--dry-run", "--json-lines").stdout.splitlines()[0])
    assert told["event"] == "outlook" and told["target"] == "one_denoised.png"
    assert (told["width"], told["height"]) == (72, 60)
    assert told["noise_word"] in ("moderate", "strong") and 0.5 < told["strength"] <= 1
    assert told["seconds"] > 0
    assert sorted(Path().iterdir()) == before
    assert json.loads(
        _run("--dry-run", "--strength", "0.4", "--json-lines").stdout.splitlines()[0]
    )["strength"] == pytest.approx(0.4)
    write_photo(Photo(noisy), Path("one_denoised.png"))
    assert "its result exists" in _run("--dry-run").stdout
    Path("bad.png").write_bytes(b"no photograph")
    arguments = ["denoise", "bad.png", "one.png", "--dry-run", "--device", "cpu"]
    result = CliRunner().invoke(group, arguments)
    assert result.exit_code == 1 and "bad.png" in result.stderr and "one.png" in result.stdout


def test_a_dry_run_tells_what_the_run_then_finds(noisy: np.ndarray) -> None:
    told = json.loads(_run("--dry-run", "--json-lines").stdout.splitlines()[0])
    done = json.loads(_run("--json-lines").stdout.splitlines()[0])
    assert told["strength"] == pytest.approx(done["strength_found"], abs=0.05)
    assert told["noise_level"] == pytest.approx(done["noise_removed"], rel=0.1)
    assert told["noise_word"] == done["noise_word"]
    assert told["target"] == done["target"]
    whole = json.loads(_run("--dry-run", "--json").stdout)
    assert [entry["source"] for entry in whole["outlooks"]] == ["one.png"]
    assert whole["failed"] == 0 and whole["outlooks"][0]["noise_word"] == told["noise_word"]


@pytest.mark.parametrize(
    ("option", "shape"),
    [("compare", (24 + 60, 2 * 72 + 6, 3)), ("uncertainty", (60 + 24, 72, 3))],
)
def test_a_picture_is_written_for_each_photograph(
    noisy: np.ndarray, option: str, shape: tuple[int, ...]
) -> None:
    assert _run(f"--{option}", "both.png").exit_code == 0
    assert read_photo("both.png").pixels.shape == shape
    write_photo(Photo(noisy[::-1].copy()), Path("two.png"))
    both = ["denoise", "one.png", "two.png", "--device", "cpu", "--on-conflict", "overwrite"]
    result = CliRunner().invoke(group, [*both, f"--{option}", "sheet.jpg"])
    assert result.exit_code == 2 and "make a folder" in result.stderr
    Path("sheets").mkdir()
    assert CliRunner().invoke(group, [*both, f"--{option}", "sheets"]).exit_code == 0
    names = [path.name for path in sorted(Path("sheets").iterdir())]
    assert names == [f"one_denoised_{option}.jpg", f"two_denoised_{option}.jpg"]
    write_photo(Photo(noisy), Path("sheets") / f"one_denoised_{option}.jpg", overwrite=True)
    before = (Path("sheets") / f"one_denoised_{option}.jpg").read_bytes()
    taken = ["denoise", "one.png", f"sheets/one_denoised_{option}.jpg", "--device", "cpu"]
    result = CliRunner().invoke(group, [*taken, "--overwrite", f"--{option}", "sheets"])
    assert result.exit_code == 2 and "written over the photograph sheets" in result.stderr
    assert (Path("sheets") / f"one_denoised_{option}.jpg").read_bytes() == before
    result = _run("-o", "c.png", f"--{option}", "both.gif")
    assert result.exit_code != 0 and not Path("c.png").exists()
