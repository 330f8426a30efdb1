"""Equal tiles that go through the network together: the numbers of each alone."""

from typing import Any

import numpy as np
import pytest

from invdn.engines.torch_engine import TorchEngine
from invdn.inference import DenoiseOptions, Pipeline

_ROOM = 3 * 96 * 96  # pixels: three windows of a tile of 64 with 16 around it
_LARGE = np.random.default_rng(0).random((80, 330, 3), np.float32)


@pytest.fixture
def sizes(engine: TorchEngine, monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, ...]]:
    """The shape of what the network encodes, pass by pass."""
    seen: list[tuple[int, ...]] = []
    encode = engine.encode

    def watched(noisy: np.ndarray) -> np.ndarray:
        seen.append(noisy.shape)
        return encode(noisy)

    monkeypatch.setattr(engine, "encode", watched)
    return seen


@pytest.mark.parametrize(
    "choices", [{}, {"num_samples": 3}, {"self_ensemble": True, "num_samples": 2}]
)
@pytest.mark.parametrize("channels", [1, 3])
def test_tiles_together_are_those_alone(
    engine: TorchEngine,
    sizes: list[tuple[int, ...]],
    monkeypatch: pytest.MonkeyPatch,
    choices: dict[str, Any],
    channels: int,
) -> None:
    pixels = _LARGE[..., :channels]
    options = DenoiseOptions(tile_size=64, tile_overlap=16, strength=1, seed=3, **choices)
    found = {}
    for room in (0, _ROOM):
        monkeypatch.setattr(engine, "batch_pixels", room)
        sizes.clear()
        steps: list[int] = []
        pipeline = Pipeline(engine, options, progress=lambda step, _, seen=steps: seen.append(step))
        prediction = pipeline.predict(pixels)
        found[room] = prediction.mean, prediction.std, steps, list(sizes)
    mean, std, steps, alone = found[0]
    assert {batch for batch, *_ in alone} == {1}
    together = found[_ROOM][3]
    assert max(batch for batch, *_ in together) > 2
    assert max(batch * height * width for batch, _, height, width in together) <= _ROOM
    assert len(together) < len(alone)
    assert found[_ROOM][2] == steps
    assert np.abs(found[_ROOM][0] - mean).max() < 1e-5
    if std is not None:
        assert np.abs(found[_ROOM][1] - std).max() < 1e-5


def test_in_place_too(engine: TorchEngine, monkeypatch: pytest.MonkeyPatch) -> None:
    options = DenoiseOptions(tile_size=64, tile_overlap=16, strength="auto", detail=0.5)
    results = []
    for room in (0, _ROOM):
        monkeypatch.setattr(engine, "batch_pixels", room)
        results.append(np.rint(_LARGE * 65535).astype(np.uint16))
        Pipeline(engine, options).denoise_in_place(results[-1])
    one, together = (result.astype(int) for result in results)
    assert np.abs(one - together).max() <= 1


def test_a_limited_memory_takes_them_alone(
    engine: TorchEngine, sizes: list[tuple[int, ...]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine, "batch_pixels", _ROOM)
    options = DenoiseOptions(tile_size=64, tile_overlap=16, strength=1, max_memory=10**9)
    Pipeline(engine, options).denoise(_LARGE)
    assert {batch for batch, *_ in sizes} == {1}
