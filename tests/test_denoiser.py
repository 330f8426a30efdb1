"""The public class: arrays, Pillow images, files."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from invdn import DenoiseOptions, Denoiser, Region
from invdn.errors import InputError

PIXELS = np.random.default_rng(0).integers(50, 110, (22, 35, 4), np.uint8)


@pytest.fixture(scope="module")
def denoiser() -> Denoiser:
    return Denoiser(options=DenoiseOptions(seed=2, strength=1))


@pytest.mark.parametrize(("mode", "channels"), [("L", 1), ("LA", 2), ("RGB", 3), ("RGBA", 4)])
def test_a_pillow_image_is_its_array(denoiser: Denoiser, mode: str, channels: int) -> None:
    array = PIXELS[..., 0] if channels == 1 else np.ascontiguousarray(PIXELS[..., :channels])
    image = Image.fromarray(array)
    image.info["icc_profile"] = b"a profile"
    clean = denoiser.denoise_image(image)
    assert (clean.mode, clean.size) == (mode, (35, 22))
    assert clean.info["icc_profile"] == b"a profile"
    assert np.array_equal(np.asarray(clean), denoiser.denoise(array))
    assert np.array_equal(np.asarray(image), array), "the input was changed"


@pytest.mark.parametrize("mode", ["P", "CMYK", "I;16", "F", "1", "LAB"])
def test_other_modes_are_refused_with_advice(denoiser: Denoiser, mode: str) -> None:
    with pytest.raises(InputError, match="convert it"):
        denoiser.denoise_image(Image.new(mode, (8, 8)))


def test_a_file_is_its_array(denoiser: Denoiser, tmp_path: Path) -> None:
    source, target = tmp_path / "noisy.png", tmp_path / "clean.png"
    Image.fromarray(PIXELS).save(source)
    result = denoiser.denoise_file(str(source), target)
    assert (result.width, result.height) == (35, 22)
    assert np.array_equal(np.asarray(Image.open(target)), denoiser.denoise(PIXELS))


def test_a_clean_photograph_stays_unless_the_network_is_asked_for() -> None:
    ramp = np.linspace(60, 200, 96).astype(np.uint8)
    clean = np.broadcast_to(ramp[None, :, None], (64, 96, 3)).copy()
    network, usual = (Denoiser(**it).denoise(clean) for it in ({"strength": 1}, {}))
    change = [np.abs(result.astype(int) - clean).mean() for result in (network, usual)]
    assert change[1] < 0.01 < change[0]


def test_options_reach_the_work(denoiser: Denoiser) -> None:
    other = Denoiser(options=DenoiseOptions(latent_scale=1, seed=3, strength=1))
    assert not np.array_equal(denoiser.denoise(PIXELS), other.denoise(PIXELS))
    clean, spread = Denoiser(options=DenoiseOptions(draws=2, strength=1)).denoise_with_spread(
        PIXELS
    )
    assert clean.shape == PIXELS.shape
    assert spread.shape == (22, 35, 3)


def test_single_choices_go_over_the_options() -> None:
    denoiser = Denoiser(options=DenoiseOptions(seed=2, draws=3, strength=1), draws=1, strength=0.0)
    assert denoiser.options == DenoiseOptions(seed=2, strength=0.0)
    assert np.array_equal(denoiser.denoise(PIXELS), PIXELS)
    with pytest.raises(InputError, match="no option strenght"):
        Denoiser(strenght=0.5)
    with pytest.raises(InputError, match="strength must be"):
        Denoiser(strength=7)


def test_a_region_is_its_part(denoiser: Denoiser, tmp_path: Path) -> None:
    region = Region(x=8, y=4, width=20, height=12)
    part = denoiser.denoise_region(PIXELS, region)
    whole = denoiser.denoise(PIXELS)[4:16, 8:28]
    assert np.abs(part.astype(int) - whole).max() <= 1
    Image.fromarray(PIXELS).save(tmp_path / "noisy.png")
    denoiser.denoise_file(tmp_path / "noisy.png", tmp_path / "part.png", region=region)
    assert np.array_equal(np.asarray(Image.open(tmp_path / "part.png")), part)
