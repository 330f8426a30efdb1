"""The engine in WebAssembly gives the bits of the native one without instructions of its own."""

import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from invdn.engines import native_engine
from invdn.errors import EngineError
from invdn.weights import read_parameters, shipped_model

NativeEngine = native_engine.NativeEngine


@pytest.fixture(scope="module")
def parameters() -> Any:
    return read_parameters(shipped_model("fast"))


@pytest.fixture(scope="module")
def plain(parameters: Any) -> Any:
    return NativeEngine(parameters, threads=1, instructions="plain")


@pytest.fixture(scope="module")
def model(parameters: Any) -> dict[str, Any]:
    architecture = parameters.architecture
    tensors = native_engine._in_order(parameters)
    weights = np.concatenate([np.asarray(tensor, np.float32).ravel() for tensor in tensors])
    return {
        "blocks": list(architecture.blocks),
        "features": architecture.features,
        "channels": architecture.channels,
        "weights": weights,
    }


def through(engine: Any, noisy: Any) -> Any:
    low = engine.encode(noisy[None])
    latent = np.zeros((1, engine.architecture.latent_channels, *low.shape[2:]), np.float32)
    return engine.decode(low, latent)[0]


@pytest.mark.parametrize(
    ("build", "height", "width", "piece", "threads"),
    [
        pytest.param("simd", 64, 96, None, 1, id="whole"),
        pytest.param("simd", 4, 4, None, 1, id="smallest"),
        pytest.param("simd", 180, 36, 16, 1, id="rows"),
        pytest.param("simd", 140, 52, 64, 1, id="uneven rows"),
        pytest.param("simd-threads", 64, 96, None, 2, id="two threads"),
        pytest.param("simd-threads", 180, 36, 16, 3, id="three threads, rows"),
    ],
)
def test_bits_of_the_native_engine(
    rule: Any,
    unpacked: Any,
    builds: Path,
    plain: Any,
    model: dict[str, Any],
    build: str,
    height: int,
    width: int,
    piece: int | None,
    threads: int,
) -> None:
    noisy = np.random.default_rng(height).random((3, height, width), np.float32)
    expected = through(plain, noisy)
    arguments = {"model": model, "noisy": noisy, "piece": piece, "threads": threads}
    found = rule("engine", build=str(builds / build), **arguments)
    assert found["instructions"] == "wasm"
    image = unpacked(found["image"], "<f4", expected.shape)
    np.testing.assert_array_equal(image, expected)


@pytest.mark.parametrize(
    ("height", "width", "piece"),
    [pytest.param(64, 96, None, id="whole"), pytest.param(180, 36, 16, id="rows")],
)
def test_joined_products_are_those_of_avx2(
    rule: Any,
    unpacked: Any,
    builds: Path,
    parameters: Any,
    model: dict[str, Any],
    height: int,
    width: int,
    piece: int | None,
) -> None:
    """Relaxed SIMD joins products and sums, where the processor does, as AVX2 does."""
    if not (builds / "relaxed/invdn.wasm").exists():
        pytest.skip("needs the build with relaxed SIMD: emscripten with clang 17 or later")
    try:
        engine = NativeEngine(parameters, threads=1, instructions="avx2")
    except EngineError:
        pytest.skip("needs a processor with AVX2")
    noisy = np.random.default_rng(height).random((3, height, width), np.float32)
    arguments = {"model": model, "noisy": noisy, "piece": piece, "threads": 1}
    found = rule("engine", build=str(builds / "relaxed"), **arguments)
    expected = through(engine, noisy)
    np.testing.assert_array_equal(unpacked(found["image"], "<f4", expected.shape), expected)


def test_the_monitor_ends_the_work(rule: Any, builds: Path, model: dict[str, Any]) -> None:
    arguments = {"build": str(builds / "simd"), "model": model, "piece": 16, "threads": 1}
    noisy = np.zeros((3, 64, 64), np.float32)
    with pytest.raises(AssertionError, match="Stopped: stopped"):
        rule("engine", noisy=noisy, stopAfter=3, **arguments)


def test_damaged_weights_are_refused(rule: Any, builds: Path, model: dict[str, Any]) -> None:
    short = {**model, "weights": model["weights"][:-1]}
    arguments = {"build": str(builds / "simd"), "model": short, "piece": 16, "threads": 1}
    with pytest.raises(AssertionError, match="weights are missing"):
        rule("engine", noisy=np.zeros((3, 64, 64), np.float32), **arguments)


def test_a_picture_larger_than_the_memory_is_refused(
    rule: Any, builds: Path, model: dict[str, Any]
) -> None:
    arguments = {"build": str(builds / "simd"), "model": model, "piece": 4, "threads": 1}
    larger = [4096, 200_000, 64]  # height, width, piece
    with pytest.raises(AssertionError, match="OutOfMemory: out of memory"):
        rule("engine", noisy=np.zeros((3, 4, 4), np.float32), larger=larger, **arguments)


def test_node_knows_the_builds(node: str, builds: Path) -> None:
    """A module without SIMD would be refused: support.js asks for what the engine uses."""
    script = "import('./src/browser/support.js').then((m) => console.log(m.support().simd))"
    done = subprocess.run(
        [node, "-e", script], capture_output=True, text=True, cwd=Path(__file__).parents[2]
    )
    assert done.stdout.strip() == "true", done.stderr
