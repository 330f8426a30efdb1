"""The expected error: exact where it can be known, calibrated where it was measured."""

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter
from scipy.stats import spearmanr

from invdn.engines import open_engine
from invdn.errors import InputError
from invdn.image.noise_estimation import estimate_noise
from invdn.inference import DenoiseOptions, Pipeline
from invdn.inference.error_map import (
    BLOCK,
    at_pixels,
    block_features,
    error_blocks,
    expected_error,
    interval,
)
from invdn.photo.demo_photo import demo_photo


def pair(height: int, width: int, channels: int = 3) -> tuple[NDArray[np.uint8], ...]:
    random = np.random.default_rng(4)
    clean = demo_photo(max(height, width), seed=1)[:height, :width, :channels]
    noise = gaussian_filter(random.normal(0, 22, clean.shape), (0.7, 0.7, 0))
    noisy = np.clip(clean + noise, 0, 255).astype(np.uint8)
    return noisy, np.clip(clean + noise / 4, 0, 255).astype(np.uint8)


def test_bands_give_what_the_whole_gives(monkeypatch: pytest.MonkeyPatch) -> None:
    noisy, result = pair(117, 83)
    noise = estimate_noise(noisy)
    whole = error_blocks(noisy, result, noise)
    assert whole.shape == (15, 11)
    monkeypatch.setattr("invdn.inference.error_map._BAND", 4)
    assert np.array_equal(error_blocks(noisy, result, noise), whole)
    features = block_features(noisy / np.float32(255), result / np.float32(255), noise)
    assert features.shape[:2] == whole.shape


def test_pixels_are_interpolated_between_the_centres_of_blocks() -> None:
    rows, columns = np.mgrid[:3, :4].astype(np.float32)
    blocks = 5 * rows + columns
    whole = at_pixels(blocks, slice(0, 24), slice(0, 32))
    assert whole[:4, :4] == pytest.approx(np.zeros((4, 4)))
    y, x = (np.mgrid[4:20, 4:28] - 3.5) / 8  # linear between the outermost centres
    assert whole[4:20, 4:28] == pytest.approx(5 * y + x, abs=1e-5)
    part = at_pixels(blocks, slice(5, 9), slice(30, 32))
    assert np.array_equal(part, whole[5:9, 30:32])


@pytest.mark.parametrize("shape", [(1, 1, 3), (9, 300), (64, 80, 1), (40, 24, 3)])
def test_any_size_and_kind(shape: tuple[int, ...]) -> None:
    random = np.random.default_rng(1)
    for dtype, white in ((np.uint8, 255), (np.uint16, 65535), (np.float32, 1)):
        pixels = (random.uniform(0.2, 0.7, shape) * white).astype(dtype)
        error = expected_error(pixels, pixels)
        assert error.shape == shape[:2] and error.dtype == np.float32
        assert np.isfinite(error).all() and error.min() > 0


def test_the_depth_does_not_matter() -> None:
    noisy, result = pair(64, 64)
    shallow = expected_error(noisy, result)
    deep = expected_error(*(x.astype(np.uint16) * 257 for x in (noisy, result)))
    assert deep == pytest.approx(shallow, rel=1e-3)


def test_shapes_that_differ_are_refused() -> None:
    with pytest.raises(InputError, match="one shape"):
        expected_error(np.zeros((8, 8, 3), np.uint8), np.zeros((8, 9, 3), np.uint8))


def test_more_noise_is_more_error() -> None:
    clean = gaussian_filter(demo_photo(128, seed=2), (3, 3, 0))
    random = np.random.default_rng(0)
    before, after = [], []
    engine = open_engine("fast", device="cpu")
    pipeline = Pipeline(engine, DenoiseOptions(strength=1))
    for sigma in (4, 10, 25):
        noise = gaussian_filter(random.normal(0, sigma, clean.shape), (0.6, 0.6, 0))
        noisy = np.clip(clean + noise, 0, 255).astype(np.uint8)
        before.append(float(expected_error(noisy, noisy).mean()))
        after.append(float(expected_error(noisy, pipeline.denoise(noisy)).mean()))
    assert before[0] < before[1] < before[2]
    assert after[0] < after[1] < after[2]
    assert after[1] < before[1] and after[2] < before[2]


@pytest.mark.slow
@pytest.mark.parametrize("strength", [1.0, "auto", 0.5])
def test_it_is_calibrated_on_photographs_of_no_training(strength: float | str) -> None:
    """Drawn pictures with noise of cameras: ranks, and nine of ten values within the interval."""
    torch = pytest.importorskip("torch")
    from invdn.data.camera import sample_cameras
    from invdn.data.camera_range import MIXED
    from invdn.data.noise import add_camera_noise

    generator = torch.Generator().manual_seed(5)
    inside, predicted, true = [], [], []
    engine = open_engine("default", device="cpu")
    for seed in range(8):
        clean = demo_photo(192, seed=seed).transpose(2, 0, 1)[None] / np.float32(255)
        cameras = sample_cameras(1, generator, MIXED)
        made = add_camera_noise(torch.from_numpy(np.ascontiguousarray(clean)), cameras, generator)
        noisy, truth = (
            np.rint(255 * side[0].clamp(0, 1).numpy().transpose(1, 2, 0)).astype(np.uint8)
            for side in (made.noisy, made.clean)
        )
        result = Pipeline(engine, DenoiseOptions(strength=strength)).denoise(noisy)
        expected = expected_error(noisy, result)
        error = np.abs(result.astype(float) - truth) / 255
        inside.append((error <= interval() * expected[:, :, None]).mean())
        blocks = (192 // BLOCK, BLOCK) * 2
        predicted.append(np.square(expected).reshape(blocks).mean((1, 3)).ravel())
        true.append(np.square(error).mean(2).reshape(blocks).mean((1, 3)).ravel())
    assert 0.84 < np.mean(inside) < 0.96
    assert spearmanr(np.concatenate(predicted), np.concatenate(true)).statistic > 0.6
