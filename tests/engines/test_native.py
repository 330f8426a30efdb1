"""The native engine: torch's numbers, the same bits however it is run, and clear errors."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from invdn.architecture import Architecture
from invdn.engines import open_engine, why_native_unavailable
from invdn.engines.torch_engine import TorchEngine
from invdn.errors import EngineError
from invdn.image.orientation import apply_symmetry
from invdn.inference import DenoiseOptions, denoise_pixels
from invdn.inference.engine import Array
from invdn.network import InvDN
from invdn.photo.read import read_photo
from invdn.weights import Parameters, read_parameters
from invdn.weights.network import parameters_of

pytest.importorskip("invdn.engines._native", reason="the native engine was not built")
from invdn.engines import _native
from invdn.engines.native_engine import NativeEngine

PHOTOGRAPHS = ("real-noisy/Dog.png", "real-noisy/dnd_05.png", "sidd-mini-val/Noisy/0_3.PNG")
SMALL = Architecture(blocks=(1, 2), features=6)


def _network(architecture: Architecture, seed: int = 0) -> InvDN:
    torch.manual_seed(seed)
    return InvDN(architecture)


@pytest.fixture(scope="module")
def small() -> Parameters:
    return parameters_of(_network(SMALL))


@pytest.fixture(scope="module")
def published() -> Parameters:
    return read_parameters("default")


def _inputs(architecture: Architecture, height: int, width: int, draws: int) -> tuple[Array, Array]:
    """A noisy picture and latents for it."""
    generator = np.random.default_rng(height * 1000 + width)
    scale = architecture.scale
    latent = (draws, architecture.latent_channels, height // scale, width // scale)
    noisy = generator.random((1, architecture.channels, height, width), np.float32)
    return noisy, generator.standard_normal(latent, np.float32)


@pytest.mark.parametrize("photograph", PHOTOGRAPHS)
def test_it_agrees_with_torch_on_real_photographs(shared_data: Path, photograph: str) -> None:
    noisy = read_photo(shared_data / photograph).pixels[:96, :128] / np.float32(255)
    options = DenoiseOptions(num_samples=2, seed=3, strength=1)
    native = denoise_pixels(open_engine(backend="native"), noisy, options)
    heavy = denoise_pixels(open_engine(backend="torch", device="cpu"), noisy, options)
    assert np.abs(native - heavy).max() < 1e-4


@settings(max_examples=25)
@given(
    rows=st.integers(1, 32),
    columns=st.integers(1, 32),
    blocks=st.sampled_from([(1,), (2, 1), (1, 3), (1, 1, 1)]),
    features=st.integers(1, 20),
    draws=st.integers(1, 3),
    threads=st.integers(1, 3),
    instructions=st.sampled_from(_native.instruction_sets()),
)
def test_any_size_and_architecture_agrees_with_torch(
    rows: int,
    columns: int,
    blocks: tuple[int, ...],
    features: int,
    draws: int,
    threads: int,
    instructions: str,
) -> None:
    architecture = Architecture(blocks=blocks, features=features)
    network = _network(architecture)
    scale = max(4, architecture.scale)
    sides = (max(4, side * 4 // scale * scale) or scale for side in (rows, columns))
    height, width = (max(side, scale) for side in sides)
    noisy, latent = _inputs(architecture, height, width, draws)
    native = NativeEngine(parameters_of(network), threads=threads, instructions=instructions)
    reference = TorchEngine(network)
    low = reference.encode(noisy)
    assert np.abs(native.encode(noisy) - low).max() < 1e-5
    every = np.repeat(low, draws, axis=0)
    expected = reference.decode(every, latent)
    bound = 1e-5 * np.abs(expected).max()
    assert np.abs(native.decode(low, latent) - expected).max() < bound
    assert np.array_equal(native.decode(every, latent), native.decode(low, latent))


@settings(max_examples=20)
@given(
    rows=st.integers(1, 33),
    columns=st.integers(1, 33),
    piece=st.integers(1, 33),
    threads=st.integers(1, 4),
    draws=st.integers(1, 2),
)
def test_the_same_bits_for_any_pieces_and_threads(
    small: Parameters, rows: int, columns: int, piece: int, threads: int, draws: int
) -> None:
    noisy, latent = _inputs(SMALL, 4 * rows, 4 * columns, draws)
    whole = NativeEngine(small, threads=1)
    cut = NativeEngine(small, threads=threads)
    low = whole.encode(noisy)
    encoder = cut.encode_rows(4 * rows, 4 * columns, 4 * piece)
    decoder = cut.decode_rows(4 * rows, 4 * columns, draws, piece)
    starts = range(0, rows, piece)
    lows = [encoder.push(noisy[0][:, 4 * row : 4 * (row + piece)]) for row in starts]
    assert np.array_equal(np.concatenate(lows, axis=1), low[0])
    images = [
        decoder.push(low[0][:, row : row + piece], latent[:, :, row : row + piece])
        for row in starts
    ]
    assert np.array_equal(np.concatenate(images, axis=2), whole.decode(low, latent))


def test_instruction_sets_with_fused_sums_give_the_same_bits(published: Parameters) -> None:
    noisy, latent = _inputs(published.architecture, 36, 44, 1)
    fused = [name for name in _native.instruction_sets() if name != "plain"]
    results = [
        NativeEngine(published, instructions=name).decode(noisy[:, :, ::4, ::4], latent)
        for name in fused
    ]
    assert all(np.array_equal(result, results[0]) for result in results)


def test_no_drift_over_many_draws(published: Parameters) -> None:
    noisy, latent = _inputs(published.architecture, 32, 40, 16)
    native, heavy = NativeEngine(published), open_engine(backend="torch", device="cpu")
    low = heavy.encode(noisy)
    expected = heavy.decode(np.repeat(low, 16, axis=0), latent)
    difference = native.decode(low, latent) - expected
    assert np.abs(difference).max() < 1e-4
    assert np.abs(difference.mean(axis=0)).max() < 1e-5


def test_turned_pictures_need_no_copy(small: Parameters) -> None:
    engine = NativeEngine(small)
    noisy, _ = _inputs(SMALL, 24, 40, 1)
    for symmetry in range(8):
        turned = apply_symmetry(noisy, symmetry)
        assert np.array_equal(engine.encode(turned), engine.encode(np.ascontiguousarray(turned)))


def test_several_python_threads_take_turns(small: Parameters) -> None:
    engine = NativeEngine(small, threads=2)
    pictures = [_inputs(SMALL, 16 + 4 * index, 64, 1)[0] for index in range(12)]
    expected = [engine.encode(picture) for picture in pictures]
    with ThreadPoolExecutor(4) as several:
        for result, alone in zip(several.map(engine.encode, pictures), expected, strict=True):
            assert np.array_equal(result, alone)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
def test_it_works_in_a_forked_process(small: Parameters) -> None:
    engine = NativeEngine(small, threads=2)
    noisy, _ = _inputs(SMALL, 64, 64, 1)
    expected = engine.encode(noisy)
    child = os.fork()
    if child == 0:
        os._exit(0 if np.array_equal(engine.encode(noisy), expected) else 1)
    assert os.waitpid(child, 0)[1] == 0
    assert np.array_equal(engine.encode(noisy), expected)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
def test_it_works_in_a_process_forked_while_another_thread_has_its_turn() -> None:
    """In a process of its own, which may fork though it has threads."""
    script = """
import os, signal, threading
import numpy as np
from invdn.engines.native_engine import NativeEngine
from invdn.weights import read_parameters

engine = NativeEngine(read_parameters("default"), threads=2)
noisy = np.random.default_rng(0).random((1, 3, 64, 64), np.float32)
expected = engine.encode(noisy)
over = threading.Event()

def work():
    while not over.is_set():
        engine.encode(noisy)

busy = threading.Thread(target=work)
busy.start()
ends = []
for _ in range(4):
    child = os.fork()
    if child == 0:
        signal.alarm(20)
        os._exit(0 if np.array_equal(engine.encode(noisy), expected) else 1)
    ends.append(os.waitpid(child, 0)[1])
over.set()
busy.join()
print(ends)
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert done.stdout.split("\n")[0] == "[0, 0, 0, 0]", done.stderr


def test_what_cannot_be_done_is_an_error(small: Parameters) -> None:
    engine = NativeEngine(small)
    noisy, latent = _inputs(SMALL, 16, 16, 1)
    low = engine.encode(noisy)
    with pytest.raises(EngineError, match="multiples"):
        engine.encode(noisy[:, :, :-1])
    with pytest.raises(EngineError, match="noisy must be"):
        engine.encode(noisy[:, :2])
    with pytest.raises(EngineError, match="latent must be"):
        engine.decode(low, latent[:, 1:])
    with pytest.raises(EngineError, match="cannot take"):
        engine.decode(np.repeat(low, 2, axis=0), np.repeat(latent, 3, axis=0))
    with pytest.raises(EngineError, match="cannot do that"):
        engine.encode_rows(16, 16, 16).push(np.full((3, 16, 16), "a"))  # type: ignore[arg-type]
    with pytest.raises(EngineError, match="instructions"):
        NativeEngine(small, instructions="sse9")
    encoder = engine.encode_rows(16, 16, 8)
    with pytest.raises(EngineError, match="as were agreed on"):
        encoder.push(noisy[0][:, :12])
    encoder.push(noisy[0][:, :8])
    encoder.push(noisy[0][:, 8:])
    with pytest.raises(EngineError, match="not so many rows"):
        encoder.push(noisy[0][:, :8])


def test_the_module_refuses_tensors_of_another_network(small: Parameters) -> None:
    tensors = [np.zeros((6, 9, 3, 3), np.float32), np.zeros(6, np.float32)]
    with pytest.raises(ValueError, match="missing"):
        _native.Model([1], 6, 3, tensors, 1, "auto")
    with pytest.raises(ValueError, match="wrong shape"):
        _native.Model([1], 6, 3, tensors[::-1], 1, "auto")
    with pytest.raises(ValueError, match="architecture"):
        _native.Model([], 6, 3, tensors, 1, "auto")
    with pytest.raises(EngineError, match="threads"):
        NativeEngine(small, threads=-1)


def test_what_is_not_a_number_stays_none_and_is_told(small: Parameters) -> None:
    engine = NativeEngine(small)
    noisy, latent = _inputs(SMALL, 16, 16, 1)
    noisy[0, 1, 7, 9] = np.nan
    low = engine.encode(noisy)
    assert np.isnan(low).any()
    assert np.isnan(engine.decode(low, latent)).any()
    tensors = {name: np.full_like(tensor, 3e38) for name, tensor in small.tensors.items()}
    wild = NativeEngine(Parameters(tensors, SMALL, {}))
    with pytest.raises(EngineError, match="check the weights"):
        denoise_pixels(wild, np.full((16, 16, 3), 200, np.uint8))


def test_no_memory_is_an_error(small: Parameters) -> None:
    engine = NativeEngine(small)
    with pytest.raises(EngineError, match="not enough memory"):
        engine.encode_rows(2**20, 2**20, 2**20)
    with pytest.raises(EngineError, match=r"2\^20"):
        engine.encode_rows(2**22, 4, 4)


@contextmanager
def _alarm(seconds: float) -> Iterator[None]:
    """A signal whose handler raises, as Ctrl-C does."""

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGALRM, interrupt)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


@pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="this system has no timers")
def test_an_interrupt_ends_the_work(published: Parameters) -> None:
    engine = NativeEngine(published, threads=2)
    noisy = np.zeros((1, 3, 1600, 1600), np.float32)  # would take many seconds
    encoder = engine.encode_rows(1600, 1600, 1600)
    with pytest.raises(KeyboardInterrupt), _alarm(0.2):
        encoder.push(noisy[0])
    with pytest.raises(EngineError, match="did not end"):
        encoder.push(noisy[0])
    assert engine.encode(noisy[:, :, :8, :8]).shape == (1, 3, 2, 2)


def test_where_it_was_not_built_another_engine_serves(monkeypatch: pytest.MonkeyPatch) -> None:
    assert why_native_unavailable() is None
    assert "native" in open_engine().description
    monkeypatch.setitem(sys.modules, "invdn.engines._native", None)
    monkeypatch.delattr("invdn.engines._native")
    reason = why_native_unavailable()
    assert reason is not None
    assert "compiler" in reason
    assert "ONNX" in open_engine(device="cpu").description
    with pytest.raises(EngineError, match="choose onnxruntime"):
        open_engine(backend="native")


def test_a_photograph_through_it_imports_neither_torch_nor_onnx_runtime(tmp_path: Path) -> None:
    script = """
import sys
import numpy as np
from invdn import Denoiser

Denoiser(device="cpu").denoise(np.full((20, 30, 3), 90, np.uint8))
print(sorted({"torch", "onnxruntime"} & set(sys.modules)))
"""
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.stdout.strip() == "[]", done.stderr
