"""``invdn denoise`` with the options that say how much is taken away, and where."""

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
    assert "strong noise, 8.9 of 255" in told.stderr
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
