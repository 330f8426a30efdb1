"""The expected error: exact where it can be known, calibrated where it was measured."""

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter
from scipy.stats import spearmanr

from invdn.engines import open_engine
from invdn.errors import InputError
from invdn.image.noise_estimation import NoiseEstimate, estimate_noise
from invdn.inference import DenoiseOptions, Pipeline, error_map
from invdn.inference.error_map import (
    BLOCK,
    at_pixels,
    block_features,
    error_blocks,
    error_picture,
    expected_error,
    in_colour,
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


def features_by_the_book(
    noisy: NDArray[np.float32], result: NDArray[np.float32], noise: NoiseEstimate
) -> NDArray[np.float64]:
    """The features of whole blocks, block by block and in float64, as the module describes them."""
    matrix = np.array(
        [[0.299, 0.587, 0.114], [-0.168736, -0.331264, 0.5], [0.5, -0.418688, -0.081312]]
    )
    rows, columns = noisy.shape[0] // 8, noisy.shape[1] // 8
    before, after = (
        np.pad(x.astype(float) * 255, ((0, 1), (0, 1), (0, 0)), "edge") for x in (noisy, result)
    )
    colours = noisy.shape[2]
    planes = [x[:, :, 0][None] if colours == 1 else np.moveaxis(x @ matrix.T, 2, 0) for x in
              (before, after)]  # fmt: skip
    table = np.zeros((rows, columns, 14))
    for row in range(rows):
        for column in range(columns):
            top, left = 8 * row, 8 * column
            here = table[row, column]
            for plane, (one, other) in enumerate(zip(*planes, strict=True)):
                d = (one - other)[top : top + 9, left : left + 9]
                r = other[top : top + 9, left : left + 9]
                right, below = d[:8, 1:] - d[:8, :8], d[1:, :8] - d[:8, :8]
                slope, fall = r[:8, 1:] - r[:8, :8], r[1:, :8] - r[:8, :8]
                d, r = d[:8, :8], r[:8, :8]
                quarters = [d[y : y + 4, x : x + 4].mean() for y in (0, 4) for x in (0, 4)]
                energies = (
                    (d**2).mean(),
                    (right**2 + below**2).mean(),
                    (slope**2 + fall**2).mean(),
                    np.mean(np.square(quarters)),
                    r.var(),
                )
                first = 0 if plane == 0 else 5
                here[first : first + 5] += energies
                here[10 if plane == 0 else 11] += (right * slope + below * fall).mean()
                if plane == 0:
                    here[12] = r.mean()
            part = before[top : top + 8, left : left + 8]
            here[13] = ((part <= 0) | (part >= 255)).any(axis=2).mean()
    if colours == 1:
        table[:, :, 5:10], table[:, :, 11] = table[:, :, :5] / 2, table[:, :, 10] / 2
    found = np.zeros((rows, columns, 43))
    for row in range(rows):
        for column in range(columns):
            features: list[float] = []
            for radius in (0, 1, 3):
                near = table[
                    max(0, row - radius) : row + radius + 1,
                    max(0, column - radius) : column + radius + 1,
                ]
                mean = near.reshape(-1, 14).mean(axis=0)
                features += list(np.log(mean[:10] + 0.03))
                features.append(mean[10] / (np.sqrt(mean[1] * mean[2]) + 0.1))
                features.append(mean[11] / (np.sqrt(mean[6] * mean[7]) + 0.1))
            bright = table[row, column, 12] / 255
            features += [bright, bright**2, table[row, column, 13]]
            for spread in (noise.luma, noise.colour):
                there = 255 * np.interp(bright, noise.brightness, spread)
                features.append(np.log(there**2 + 0.03))
            features += [np.log(noise.level**2 + 0.03), noise.correlation]
            found[row, column] = features
    return found


@pytest.mark.parametrize("channels", [1, 3])
def test_the_features_are_those_of_the_description(channels: int) -> None:
    noisy, result = (
        np.float32(x[:40, :56] / 255) for x in (pair(40, 56, channels) if channels == 3 else
        [side[:, :, :1] for side in pair(40, 56)])
    )  # fmt: skip
    noisy[:9, :20], noisy[30:, 40:] = 0, 1  # clipped
    noise = NoiseEstimate(7.0, (0.2, 0.7), (0.01, 0.03), (0.02, 0.05), 0.4, 0.5)
    found = block_features(noisy, result, noise)
    expected = features_by_the_book(noisy, result, noise)
    assert found == pytest.approx(expected, rel=2e-3, abs=2e-3)
    layers = np.load(Path(error_map.__file__).with_name("error_map.npz"))
    values = np.clip((expected[2, 3] - layers["mean"]) / layers["spread"], -5, 5)
    for name in ("first", "second"):
        values = np.maximum(layers[f"{name}.weight"].T @ values + layers[f"{name}.bias"], 0)
    log = float((layers["last.weight"].T @ values + layers["last.bias"])[0])
    error = error_blocks(noisy, result, noise)[2, 3]
    assert error == pytest.approx(max(np.exp(log / 2), 0.3 / 255), rel=1e-2)


def test_a_picture_of_the_error_is_brightest_at_its_highest_values() -> None:
    blocks = np.arange(1000, dtype=np.float32).reshape(40, 25) / 10_000
    picture, widest = error_picture(blocks, 315, 199)
    full = float(np.quantile(blocks, 0.995))
    assert widest == pytest.approx(full * interval())
    expected = in_colour(at_pixels(blocks, slice(0, 315), slice(0, 199)), full)
    assert np.array_equal(picture, expected)
    assert in_colour(np.array([[0.5]]), full=1.0)[0, 0].tolist() == [186, 57, 82]  # between anchors
    assert not in_colour(np.zeros((2, 2)), full=0.0)[:, :, :2].any()


def test_too_little_for_an_estimate_is_taken_for_a_little_noise_of_a_camera() -> None:
    noisy, result = (np.float32(side / 255) for side in pair(16, 24))
    usual = NoiseEstimate(3.0, (0.5,), (3 / 255,), (3 / 255,), correlation=0.3, flat=0.0)
    unknown = block_features(noisy, result, None)
    assert np.array_equal(unknown, block_features(noisy, result, usual))
