"""Predict once, blend many times: the same bytes as a run of its own, and no second run."""

import io
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from invdn.engines import open_engine
from invdn.engines.torch_engine import TorchEngine
from invdn.errors import EngineError
from invdn.inference import DenoiseOptions, Engine, Pipeline, Prediction, blocks, denoise_pixels
from invdn.inference import sampling as inference_sampling
from invdn.web.predictions import PredictionWriter, prediction_bytes, read_prediction

LOOK: dict[str, Any] = {"strength": "auto", "luminance": 0.8, "chroma": 0.9, "detail": 0.5}


class Mute:
    """Has the kind of an engine, and fails the test that asks it anything about a picture."""

    def __init__(self, engine: Engine) -> None:
        self.architecture, self.description = engine.architecture, engine.description

    def encode(self, *_: Any) -> Any:
        """Never."""
        raise AssertionError("the network was asked")

    decode = encode_rows = decode_rows = encode


def saved(engine: Engine, pixels: NDArray[Any], options: DenoiseOptions) -> io.BytesIO:
    file = io.BytesIO()
    Pipeline(engine, options).denoise_in_place(pixels.copy(), PredictionWriter(file, 10**9))
    file.seek(0)
    return file


@pytest.mark.parametrize("runtime", ["torch", "native"])
@pytest.mark.parametrize("sampling", [{}, {"num_samples": 3}, {"self_ensemble": True}])
@pytest.mark.parametrize("kind", ["rgb", "rgba", "grey", "sixteen"])
def test_another_strength_is_as_a_run_of_its_own(
    engine: TorchEngine,
    picture: NDArray[np.uint8],
    monkeypatch: pytest.MonkeyPatch,
    runtime: str,
    sampling: dict[str, Any],
    kind: str,
) -> None:
    used: Engine = engine
    if runtime == "native":
        pytest.importorskip("invdn.engines._native", reason="the native engine was not built")
        used = open_engine(backend="native")
        monkeypatch.setattr(blocks, "WHOLE", 0)
        for module in (blocks, inference_sampling):
            monkeypatch.setattr(module, "ROWS", 24)
        picture = picture[:40, :72]
    kinds: dict[str, NDArray[Any]] = {
        "rgb": picture,
        "rgba": np.concatenate((picture, picture[..., :1]), axis=2),
        "grey": picture[..., 0],
        "sixteen": picture.astype(np.uint16) * 257,
    }
    pixels = kinds[kind]
    # what is mended before the network is part of the run, not of the look
    sampling = {**sampling, "hot_pixels": False, "banding": False, "blotches": False}
    plain = DenoiseOptions(**sampling, tile_size=64, tile_overlap=8, strength=1)
    look = DenoiseOptions(**sampling, tile_size=64, tile_overlap=8, **LOOK)
    assert look.without_blending() == plain
    wanted = denoise_pixels(used, pixels, look)
    prediction = Pipeline(used, plain).predict(pixels)
    muted = replace(prediction, pipeline=replace(prediction.pipeline, engine=Mute(used)))
    first = muted.blend()
    assert np.array_equal(first, denoise_pixels(used, pixels, plain))
    assert np.array_equal(muted.blend(look), wanted)
    assert not np.array_equal(wanted, first)
    saved_blocks = read_prediction(saved(used, pixels, plain), *pixels.shape[:2])
    assert np.array_equal(Pipeline(Mute(used), look).blend_saved(pixels, saved_blocks), wanted)


def test_mean_and_std_are_those_of_the_network(
    engine: TorchEngine, picture: NDArray[np.uint8]
) -> None:
    noisy = (picture / 255).astype(np.float32)
    options = DenoiseOptions(num_samples=3, tile_size=64, strength=1)
    prediction = Pipeline(engine, replace(options, strength=0.3)).predict(noisy)
    assert isinstance(prediction, Prediction)
    clean, std = Pipeline(engine, options).denoise_with_std(noisy)
    assert np.array_equal(prediction.mean, clean)
    assert prediction.std is not None
    assert np.array_equal(prediction.std, std)
    assert prediction.noise is not None
    single = Pipeline(engine, DenoiseOptions()).predict(picture[..., 0])
    assert single.std is None
    assert single.mean.shape == picture.shape[:2]
    assert np.array_equal(single.blend(DenoiseOptions(strength=0)), picture[..., 0])


@pytest.mark.parametrize("damage", ["short", "empty", "foreign", "block"])
def test_a_damaged_file_is_refused(
    engine: TorchEngine, picture: NDArray[np.uint8], damage: str
) -> None:
    whole = saved(engine, picture, DenoiseOptions(tile_size=64)).getvalue()
    file = io.BytesIO(whole)
    np.load(file)
    np.load(file)
    first_block = whole[: file.tell()]
    content = {
        "short": whole[:-9],
        "empty": b"",
        "foreign": b"not an array" * 99,
        "block": first_block,
    }[damage]
    saved_blocks = read_prediction(io.BytesIO(content), *picture.shape[:2])
    with pytest.raises(EngineError, match="run the network again"):
        Pipeline(engine).blend_saved(picture, saved_blocks)


def test_the_estimate_of_a_file_is_near(engine: TorchEngine, picture: NDArray[np.uint8]) -> None:
    pixels = picture.shape[0] * picture.shape[1]
    for options in (
        DenoiseOptions(tile_size=128, tile_overlap=16),
        DenoiseOptions(num_samples=2, tile_size=0),
    ):
        size = len(saved(engine, picture, options).getvalue())
        assert 0.5 < size / prediction_bytes(pixels, options) < 1.6
    assert prediction_bytes(pixels, DenoiseOptions(strength=0)) == 0


def test_a_full_disk_does_not_stop_the_work(
    engine: TorchEngine, picture: NDArray[np.uint8]
) -> None:
    class Full(io.BytesIO):
        def write(self, data: Any) -> int:
            if self.tell() + len(data) > 100_000:
                raise OSError("no room")
            return super().write(data)

    options = DenoiseOptions(num_samples=4, tile_size=64, strength=1, hot_pixels=False)
    wanted = denoise_pixels(engine, picture, options)
    for file, room in ((io.BytesIO(), 100_000), (Full(), 10**9)):
        pixels = picture.copy()
        Pipeline(engine, options).denoise_in_place(pixels, PredictionWriter(file, room))
        assert np.array_equal(pixels, wanted)
        assert file.getvalue() == b""


@pytest.mark.parametrize("strength", [1, "auto"])
def test_hot_pixels_are_mended_whatever_the_prediction_was_made_with(strength: Any) -> None:
    """A prediction at strength 1, blended with auto, holds none; nor does one of its own."""
    rng = np.random.default_rng(8)
    noisy = np.clip(rng.normal(90, 5, (96, 120, 3)), 0, 255).astype(np.uint8)
    places = [(20, 30), (50, 80), (77, 15)]
    for row, column in places:
        noisy[row, column, 1] = 255
    engine = open_engine()
    prediction = Pipeline(engine, DenoiseOptions(strength=strength)).predict(noisy)
    for options in (DenoiseOptions(), DenoiseOptions(strength=1), DenoiseOptions(strength=0.5)):
        result = prediction.blend(options)
        assert max(abs(int(result[row, column, 1]) - 90) for row, column in places) < 20
        assert np.array_equal(result, denoise_pixels(engine, noisy, options))
    kept = denoise_pixels(engine, noisy, DenoiseOptions(hot_pixels=False))
    assert max(abs(int(kept[row, column, 1]) - 90) for row, column in places) > 60
