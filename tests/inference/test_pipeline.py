"""Denoising arrays: kinds, sizes, tiles, symmetries, draws, and what is refused."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from invdn.engines import open_engine
from invdn.engines.torch_engine import TorchEngine
from invdn.errors import EngineError, InputError
from invdn.image.orientation import apply_symmetry
from invdn.inference import QUALITIES, DenoiseOptions, Findings, Pipeline, denoise_pixels
from invdn.inference.engine import Array
from invdn.inference.sampling import LatentField

WHOLE = DenoiseOptions(tile_size=0, strength=1).of_the_network()
KINDS = ("uint8", "uint16", "float16", "float32", "float64")


def _of_kind(picture: NDArray[np.uint8], kind: str) -> NDArray[np.generic]:
    if kind == "uint8":
        return picture
    if kind == "uint16":
        return picture.astype(np.uint16) * 257
    return (picture / 255).astype(kind)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("channels", [None, 1, 2, 3, 4])
def test_the_result_is_of_the_same_kind(
    engine: TorchEngine, picture: NDArray[np.uint8], kind: str, channels: int | None
) -> None:
    rgba = np.dstack((picture, np.arange(picture[..., 0].size, dtype=np.uint8).reshape(150, 203)))
    pixels = _of_kind(rgba, kind)
    pixels = pixels[..., 0] if channels is None else pixels[..., -channels:]
    before = pixels.copy()
    clean = denoise_pixels(engine, pixels, WHOLE)
    assert clean.shape == pixels.shape
    assert clean.dtype == pixels.dtype
    assert np.array_equal(pixels, before), "the input was changed"
    assert not np.shares_memory(clean, pixels)
    assert not np.array_equal(clean, pixels)
    if channels in (2, 4):
        assert np.array_equal(clean[..., -1], pixels[..., -1])


def test_all_kinds_agree(engine: TorchEngine, picture: NDArray[np.uint8]) -> None:
    exact = denoise_pixels(engine, _of_kind(picture, "float64"), WHOLE)
    eight = denoise_pixels(engine, picture, WHOLE) / 255
    sixteen = denoise_pixels(engine, _of_kind(picture, "uint16"), WHOLE) / 65535
    clipped = np.clip(exact, 0, 1)
    assert np.abs(eight - clipped).max() <= 0.5 / 255 + 1e-6
    assert np.abs(sixteen - clipped).max() <= 0.5 / 65535 + 1e-6


def test_grey_is_grey_rgb_averaged(engine: TorchEngine, picture: NDArray[np.uint8]) -> None:
    grey = _of_kind(picture[..., 0], "float32")
    colour = denoise_pixels(engine, np.repeat(grey[..., None], 3, axis=2), WHOLE)
    assert np.allclose(denoise_pixels(engine, grey, WHOLE), colour.mean(axis=2), atol=1e-6)


@settings(max_examples=30)
@given(height=st.integers(1, 21), width=st.integers(1, 21))
def test_any_size(engine: TorchEngine, height: int, width: int) -> None:
    pixels = np.random.default_rng(0).random((height, width, 3), np.float32)
    assert denoise_pixels(engine, pixels).shape == (height, width, 3)


@pytest.mark.parametrize("tile", [64, 72, 100, 512])
@pytest.mark.parametrize("symmetries", [1, 8])
def test_tiles_give_what_the_whole_gives(
    engine: TorchEngine, picture: NDArray[np.uint8], tile: int, symmetries: int
) -> None:
    """Exactly so where the overlap covers the receptive field, 72 pixels for this network."""
    pixels = _of_kind(picture, "float32")
    whole = denoise_pixels(
        engine, pixels, DenoiseOptions(tile_size=0, self_ensemble=symmetries == 8, strength=1)
    )
    tiled = denoise_pixels(
        engine,
        pixels,
        DenoiseOptions(tile_size=tile, tile_overlap=72, self_ensemble=symmetries == 8, strength=1),
    )
    assert np.abs(tiled - whole).max() < 1e-5


def test_less_overlap_shows(engine: TorchEngine, picture: NDArray[np.uint8]) -> None:
    """So that the test above is known to be able to fail."""
    pixels = _of_kind(picture, "float32")
    whole = denoise_pixels(engine, pixels, WHOLE)
    tiled = denoise_pixels(engine, pixels, DenoiseOptions(tile_size=64, tile_overlap=0, strength=1))
    assert np.abs(tiled - whole).max() > 1e-3


def test_the_seed_decides(engine: TorchEngine, picture: NDArray[np.uint8]) -> None:
    first, again, other = (
        denoise_pixels(engine, picture, DenoiseOptions(num_samples=2, seed=seed, strength=1))
        for seed in (5, 5, 6)
    )
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


def test_result_is_the_mean_over_symmetries_and_draws(engine: TorchEngine) -> None:
    """Against the sum written out, with the network called directly on the bordered picture."""
    pixels = np.random.default_rng(1).random((24, 32, 3), np.float32)
    seen = np.pad(pixels, [(8, 8), (8, 8), (0, 0)], "reflect")
    options = DenoiseOptions(
        self_ensemble=True, num_samples=3, seed=9, latent_std=0.5, tile_size=0, strength=1
    )
    samples = []
    for symmetry in range(8):
        turned = np.ascontiguousarray(apply_symmetry(seen.transpose(2, 0, 1), symmetry))
        low = engine.encode(turned[None])
        for draw in range(3):
            z = LatentField(45, 9, draw, symmetry).window(0, 0, 10, 12) * np.float32(0.5)
            z = np.ascontiguousarray(apply_symmetry(z, symmetry))
            image = engine.decode(low, z[None])[0]
            if symmetry & 4:
                image = image.swapaxes(1, 2)
            if symmetry & 2:
                image = image[:, ::-1]
            if symmetry & 1:
                image = image[:, :, ::-1]
            samples.append(image.transpose(1, 2, 0)[8:-8, 8:-8])
    clean, spread = Pipeline(engine, options).denoise_with_std(pixels)
    assert np.allclose(clean, np.mean(samples, axis=0), atol=1e-5)
    assert np.allclose(spread, np.std(samples, axis=0, ddof=1), atol=1e-5)
    assert np.array_equal(denoise_pixels(engine, pixels, options), clean)


class WatchedEngine:
    """An engine that remembers the batches it was given."""

    def __init__(self, engine: TorchEngine) -> None:
        self.architecture, self.description = engine.architecture, engine.description
        self.encode = engine.encode
        self._decode = engine.decode
        self.batches: list[tuple[int, int]] = []

    def decode(self, low: Array, latent: Array) -> Array:
        self.batches.append((len(low), len(latent)))
        return self._decode(low, latent)


def test_draws_go_together_as_far_as_memory_is_bounded(
    engine: TorchEngine, picture: NDArray[np.uint8], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever goes together, the result is the same."""
    options = DenoiseOptions(num_samples=5, tile_size=0, strength=1)
    results, batches = [], []
    for pixels in (1, 2 * 168 * 220, 2**30):  # the window, with its border
        monkeypatch.setattr("invdn.inference.sampling._BATCH_PIXELS", pixels)
        monkeypatch.setattr("invdn.inference.sampling._BATCH_DRAWS", 8)
        watched = WatchedEngine(engine)
        results.append(Pipeline(watched, options).denoise_with_std(picture / 255))
        batches.append(watched.batches)
    assert batches == [[(1, 1)] * 5, [(1, 2), (1, 2), (1, 1)], [(1, 5)]]
    for clean, spread in results[1:]:
        assert np.allclose(clean, results[0][0], atol=1e-6)
        assert np.allclose(spread, results[0][1], atol=1e-6)


def test_a_single_sample_is_the_middle_one() -> None:
    """Unless asked for; where samples are averaged they are those of training."""
    assert DenoiseOptions(**QUALITIES["fast"], strength=1).effective_latent_std == 0
    assert DenoiseOptions(**QUALITIES["balanced"], strength=1).effective_latent_std == 1
    assert DenoiseOptions(**QUALITIES["best"], strength=1).effective_latent_std == 0
    assert DenoiseOptions(latent_std=0.5, strength=1).effective_latent_std == 0.5
    assert DenoiseOptions(num_samples=4, latent_std=0.5, strength=1).effective_latent_std == 0.5
    assert DenoiseOptions(self_ensemble=True, latent_std=0, strength=1).effective_latent_std == 0
    assert replace(DenoiseOptions(strength=1), num_samples=4).effective_latent_std == 1


def test_draws_go_one_by_one_where_memory_is_bounded(
    engine: TorchEngine, picture: NDArray[np.uint8]
) -> None:
    watched = WatchedEngine(engine)
    denoise_pixels(watched, picture, DenoiseOptions(num_samples=3, max_memory=10**10))
    assert watched.batches == [(1, 1)] * 3


def test_latents_of_no_scale_are_zero(engine: TorchEngine, picture: NDArray[np.uint8]) -> None:
    seeds = [
        denoise_pixels(engine, picture, replace(WHOLE, latent_std=0, seed=seed)) for seed in (0, 1)
    ]
    part = picture[:148, :200] / np.float32(255)
    noisy = np.pad(part, [(8, 8), (8, 8), (0, 0)], "reflect").transpose(2, 0, 1)[None]
    options = replace(WHOLE, latent_std=0)
    clean = denoise_pixels(engine, part, options)
    expected = engine.decode(engine.encode(noisy), np.zeros((1, 45, 41, 54), np.float32))
    assert np.array_equal(seeds[0], seeds[1])
    assert np.allclose(clean, expected[0].transpose(1, 2, 0)[8:-8, 8:-8], atol=1e-6)


@pytest.mark.parametrize("channels", [None, 1, 2, 3, 4])
def test_spread_has_the_shape_of_the_colours(engine: TorchEngine, channels: int | None) -> None:
    shape = (9, 14) if channels is None else (9, 14, channels)
    pixels = np.random.default_rng(0).random(shape)
    clean, spread = Pipeline(engine, DenoiseOptions(num_samples=2, strength=1)).denoise_with_std(
        pixels
    )
    colours = {None: (), 1: (1,), 2: (1,), 3: (3,), 4: (3,)}[channels]
    assert clean.shape == shape
    assert spread.shape == (9, 14, *colours)
    assert (spread > 0).any()


def test_one_sample_has_no_spread(engine: TorchEngine, picture: NDArray[np.uint8]) -> None:
    with pytest.raises(InputError, match="2 samples"):
        Pipeline(engine, DenoiseOptions(strength=1)).denoise_with_std(picture)


def test_progress_counts_every_pass(engine: TorchEngine, picture: NDArray[np.uint8]) -> None:
    calls: list[tuple[int, int]] = []
    options = DenoiseOptions(num_samples=2, tile_size=128, strength=1)
    denoise_pixels(engine, picture, options, progress=lambda *call: calls.append(call))
    assert calls == [(done, 12) for done in range(1, 13)]


def test_progress_can_end_the_work(engine: TorchEngine, picture: NDArray[np.uint8]) -> None:
    def stop(done: int, total: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        denoise_pixels(engine, picture, progress=stop)


@pytest.mark.parametrize(
    ("pixels", "message"),
    [
        (np.zeros((4, 4, 5), np.uint8), "channels come last"),
        (np.zeros((2, 4, 4, 3), np.uint8), "image by image"),
        (np.zeros(7, np.uint8), r"\(H, W\)"),
        (np.zeros((0, 4, 3), np.uint8), "empty"),
        (np.zeros((4, 4, 3), np.int32), "int32"),
        (np.zeros((4, 4, 3), bool), "bool"),
        (np.zeros((4, 4, 3), complex), "complex"),
        (np.full((4, 4, 3), np.nan), "not a number"),
        (np.full((4, 4, 3), np.inf), "from 0 to 1"),
        (np.full((4, 4, 3), 255.0), "white level"),
        (np.full((4, 4, 3), -0.1), "from 0 to 1"),
        ([[0.5]], "numpy array, not list"),
    ],
)
def test_what_is_no_picture_is_refused(
    engine: TorchEngine, pixels: NDArray[np.generic], message: str
) -> None:
    with pytest.raises(InputError, match=message):
        denoise_pixels(engine, pixels)


def test_broken_weights_are_noticed(picture: NDArray[np.uint8]) -> None:
    from invdn.architecture import Architecture
    from invdn.network import InvDN

    network = InvDN(Architecture(blocks=(1,), features=2))
    network.operations[1].F.conv3.bias.data.fill_(float("inf"))
    with pytest.raises(EngineError, match="check the weights"):
        denoise_pixels(TorchEngine(network), picture)


class _OneBrokenPixel(TorchEngine):
    """As its network computes, but for one value of each result."""

    value = np.nan

    def decode(self, low: Array, latent: Array) -> Array:
        result = super().decode(low, latent)
        result[0, 1, result.shape[2] // 2, result.shape[3] // 2] = self.value
        return result


@pytest.mark.filterwarnings("ignore:invalid value")  # infinity minus infinity
@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_one_broken_pixel_is_noticed(picture: NDArray[np.uint8], value: float) -> None:
    from invdn.architecture import Architecture
    from invdn.network import InvDN

    broken = _OneBrokenPixel(InvDN(Architecture(blocks=(1,), features=2)))
    broken.value = value
    with pytest.raises(EngineError, match="check the weights"):
        denoise_pixels(broken, picture[:32, :40])


@pytest.mark.parametrize(
    "wrong",
    [
        {"self_ensemble": 2},
        {"num_samples": 0},
        {"seed": -1},
        {"seed": 2**64},
        {"latent_std": -1.0},
        {"latent_std": float("nan")},
        {"latent_std": 0.0, "num_samples": 2},
        {"tile_size": 8},
        {"tile_overlap": -1},
    ],
)
def test_options_outside_their_range_are_refused(wrong: dict[str, int]) -> None:
    with pytest.raises(InputError, match=next(iter(wrong))):
        DenoiseOptions(**wrong)


def test_findings_are_of_every_pixel_and_of_automatic_strength_alone() -> None:
    noise = np.random.default_rng(0).normal(0, 9, (96, 120, 3))
    noisy = np.rint(120 + noise).astype(np.uint8)
    options = DenoiseOptions(tile_size=64, dither=False)
    automatic = Pipeline(open_engine("fast", device="cpu"), options)
    clean = automatic.denoise(noisy).astype(np.float64)
    assert automatic.findings.count == noisy.size
    made = float(np.sqrt(np.square(clean - noisy).mean()))
    assert automatic.findings.noise_level == pytest.approx(made, abs=0.1) and made > 6
    fixed = replace(automatic, options=replace(options, strength=0.5), findings=Findings())
    fixed.denoise(noisy)
    assert fixed.findings.count == 0 and fixed.findings.strength is None
