"""Photographs in rows: exactly what they are when taken whole."""

from typing import Any

import numpy as np
import pytest

from invdn.inference import DenoiseOptions, Pipeline, blocks, denoise_pixels, sampling
from invdn.options import QUALITIES
from invdn.photo.demo_photo import camera_noise, demo_photo

pytest.importorskip("invdn.engines._native", reason="the native engine was not built")
from invdn.engines import open_engine
from invdn.engines.native_engine import NativeEngine


@pytest.fixture(scope="module")
def engine() -> NativeEngine:
    opened = open_engine(backend="native")
    assert isinstance(opened, NativeEngine)
    return opened


@pytest.mark.parametrize("size", [(37, 50, 3), (150, 21, 3), (90, 34)])
@pytest.mark.parametrize(
    ("draws", "choices"), [(1, {}), (3, {}), (1, {"strength": "auto", "detail": 0.5})]
)
def test_rows_give_the_same_as_the_whole(
    engine: NativeEngine,
    monkeypatch: pytest.MonkeyPatch,
    size: tuple[int, ...],
    draws: int,
    choices: dict[str, Any],
) -> None:
    noisy = np.random.default_rng(0).random(size, np.float32)
    options = DenoiseOptions(num_samples=draws, seed=5, **choices)
    whole = denoise_pixels(engine, noisy, options)
    monkeypatch.setattr(blocks, "WHOLE", 0)
    for module in (blocks, sampling):
        monkeypatch.setattr(module, "ROWS", 24)
    steps: list[tuple[int, int]] = []
    cut = denoise_pixels(engine, noisy, options, progress=lambda *step: steps.append(step))
    assert np.abs(cut - whole).max() <= (1e-6 if choices else 0)  # means over squares round
    rows, _ = sampling.framed(engine, *size[:2])
    total = -(-rows // 24) * (1 + draws)
    assert steps == [(step, total) for step in range(1, total + 1)]


def test_rows_and_tiles_agree_and_so_does_the_spread(
    engine: NativeEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    noisy = camera_noise(demo_photo(160))
    options = DenoiseOptions(**QUALITIES["balanced"], tile_size=0, strength=1)
    mean, spread = Pipeline(engine, options).denoise_with_std(noisy)
    monkeypatch.setattr("invdn.inference.blocks.supports_streaming", lambda *_: False)
    tiled_mean, tiled_spread = Pipeline(engine, options).denoise_with_std(noisy)
    assert np.array_equal(mean, tiled_mean)
    assert np.abs(spread - tiled_spread).max() < 1e-6


def test_only_an_engine_that_can_and_an_upright_photograph(engine: NativeEngine) -> None:
    assert sampling.supports_streaming(engine, DenoiseOptions(strength=1))
    assert not sampling.supports_streaming(engine, DenoiseOptions(self_ensemble=True, strength=1))
    assert not sampling.supports_streaming(
        open_engine(backend="onnxruntime"), DenoiseOptions(strength=1)
    )
