"""What the network said once takes its place: the same bytes, and no second run."""

import io
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from invdn.engines import open_engine
from invdn.engines.torch_engine import TorchEngine
from invdn.errors import EngineError
from invdn.inference import (
    DenoiseOptions,
    Engine,
    denoise_pixels,
    recalling,
    recorded_bytes,
    recording,
    streaming,
)
from invdn.inference.pipeline import denoise_with_spread

LOOK: dict[str, Any] = {"strength": "auto", "luminance": 0.8, "chroma": 0.9, "detail": 0.5}


class Mute:
    """Has the kind of an engine, and fails the test that asks it anything about a picture."""

    def __init__(self, engine: Engine) -> None:
        self.architecture, self.description = engine.architecture, engine.description
        if hasattr(engine, "decode_rows"):
            self.bytes_per_pixel, self.bytes_per_column = 1, 1
            self.encode_rows = self.decode_rows = self.encode
        self.decode = self.encode

    def encode(self, *_: Any) -> Any:
        """Never."""
        raise AssertionError("the network was asked")


@pytest.mark.parametrize("runtime", ["torch", "native"])
@pytest.mark.parametrize("sampling", [{}, {"draws": 3}, {"symmetries": 8}])
def test_another_look_at_the_same_samples(
    engine: TorchEngine,
    picture: NDArray[np.uint8],
    monkeypatch: pytest.MonkeyPatch,
    runtime: str,
    sampling: dict[str, int],
) -> None:
    used: Engine = engine
    if runtime == "native":
        pytest.importorskip("invdn.engines._native", reason="the native engine was not built")
        used = open_engine(runtime="native")
        monkeypatch.setattr(streaming, "WHOLE", 0)
        monkeypatch.setattr(streaming, "_ROWS", 24)
        picture = picture[:40, :72]
    plain = DenoiseOptions(**sampling, tile=64, overlap=8, strength=1)
    look = DenoiseOptions(**sampling, tile=64, overlap=8, **LOOK)
    assert look.of_network == plain
    file = io.BytesIO()
    first = denoise_pixels(recording(used, file, 10**9), picture, plain)
    assert np.array_equal(first, denoise_pixels(used, picture, plain))
    wanted = denoise_pixels(used, picture, look)
    file.seek(0)
    assert np.array_equal(denoise_pixels(recalling(Mute(used), file), picture, look), wanted)
    assert not np.array_equal(wanted, first)


def test_the_spread_comes_back(engine: TorchEngine, picture: NDArray[np.uint8]) -> None:
    options, file = DenoiseOptions(draws=2, strength=1), io.BytesIO()
    _, spread = denoise_with_spread(recording(engine, file, 10**9), picture, options)
    file.seek(0)
    assert np.array_equal(
        denoise_with_spread(recalling(Mute(engine), file), picture, options)[1], spread
    )


@pytest.mark.parametrize("damage", ["short", "empty", "foreign"])
def test_what_is_not_whole_is_refused(
    engine: TorchEngine, picture: NDArray[np.uint8], damage: str
) -> None:
    file = io.BytesIO()
    denoise_pixels(recording(engine, file, 10**9), picture)
    held = {"short": file.getvalue()[:-9], "empty": b"", "foreign": b"not an array" * 99}[damage]
    with pytest.raises(EngineError, match="run it again"):
        denoise_pixels(recalling(engine, io.BytesIO(held)), picture)


def test_nothing_is_kept_of_what_needs_no_network(
    engine: TorchEngine, picture: NDArray[np.uint8]
) -> None:
    file = io.BytesIO()
    options = DenoiseOptions(strength=0)
    denoise_pixels(recording(engine, file, 10**9), picture, options)
    assert file.tell() == recorded_bytes(picture.size, options) == 0


def test_a_full_disk_does_not_stop_the_work(
    engine: TorchEngine, picture: NDArray[np.uint8]
) -> None:
    class Full(io.BytesIO):
        def write(self, data: Any) -> int:
            if self.tell() + len(data) > 100_000:
                raise OSError("no room")
            return super().write(data)

    options = DenoiseOptions(draws=4, tile=64, strength=1)
    bounded = io.BytesIO()
    denoise_pixels(recording(engine, bounded, 100_000), picture, options)
    assert bounded.getvalue() == b""
    file = Full()
    result = denoise_pixels(recording(engine, file, 10**9), picture, options)
    assert np.array_equal(result, denoise_pixels(engine, picture, options))
    assert file.getvalue() == b""
