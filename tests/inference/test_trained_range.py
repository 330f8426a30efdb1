"""The warning: right on real noisy photographs, on clean ones, and on synthetic noise."""

from pathlib import Path

import numpy as np
import pytest

from invdn.image.noise_estimation import NoiseEstimate, estimate_noise
from invdn.inference import Findings, training_range_warning
from invdn.photo.read import read_photo

# Noise as white as synthetic noise (correlation under 0.08 in all of them), by their makers' way.
_WHITE = {"Dog", "Flowers", "Frog", "Postcards"}


def _kind(path: Path) -> str:
    warning = training_range_warning(estimate_noise(read_photo(path).pixels)) or "none"
    return next(word for word in ("almost clean", "unlike", "stronger", "none") if word in warning)


def test_real_noisy_photographs(real_data: Path) -> None:
    kinds = {path.stem: _kind(path) for path in (real_data / "real-noisy").iterdir()}
    expected = dict.fromkeys(kinds, "none")
    expected.update(dict.fromkeys(_WHITE, "unlike"))
    assert kinds == expected


def test_real_pairs(real_data: Path) -> None:
    folder = real_data / "sidd-mini-val"
    assert {_kind(path) for path in (folder / "Noisy").iterdir()} == {"none"}


def test_synthetic_copies_of_clean_photographs(real_data: Path) -> None:
    paths = sorted((real_data / "clean").iterdir())[::24]
    generator = np.random.default_rng(0)
    white = 0
    for path in paths:
        pixels = read_photo(path).pixels[:640, :640]
        noisy = np.rint(pixels + generator.normal(0, 15, pixels.shape)).clip(0, 255)
        white += "unlike" in (training_range_warning(estimate_noise(noisy.astype(np.uint8))) or "")
    assert white >= 0.9 * len(paths)


@pytest.mark.parametrize(
    ("level", "correlation", "word"),
    [(0.5, 0.3, "almost clean"), (10, 0.0, "unlike"), (60, 0.3, "stronger"), (10, 0.3, None)],
)
def test_each_kind(level: float, correlation: float, word: str | None) -> None:
    warning = training_range_warning(
        NoiseEstimate(level, (0.5,), (level / 255,), (level / 255,), correlation, 1.0)
    )
    assert warning is None if word is None else word in str(warning)
    assert training_range_warning(None) is None


def test_what_automatic_strength_removed_decides_what_is_almost_clean() -> None:
    """And its note gives no advice to use what is in use."""
    noise = NoiseEstimate(0.8, (0.5,), (0.003,), (0.003,), 0.3, 1.0)
    change = np.full((8, 8, 3), 4 / 255, np.float32)
    for share, said in ((0.05, True), (1.0, False)):
        findings = Findings()
        findings.add(change, share * change)
        assert ("almost clean" in (training_range_warning(noise, findings) or "")) == said
        assert "auto" not in (training_range_warning(noise, findings) or "")
    assert "strength auto keeps it" in str(training_range_warning(noise, Findings()))
