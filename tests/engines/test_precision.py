"""Half precision: only where it costs next to nothing, and never silently.

Small networks: processors without bfloat16 take a hundred times as long in it.
"""

import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch

from invdn.architecture import Architecture
from invdn.engines import open_engine, torch_engine
from invdn.engines.torch_engine import PRECISIONS, TOLERANCE, CudaGraphCache, TorchEngine
from invdn.errors import EngineError
from invdn.network import InvDN
from invdn.weights import read_parameters
from invdn.weights.network import build_network


def _passed(engine: TorchEngine) -> np.ndarray:
    noisy = np.random.default_rng(1).random((1, 3, 32, 40), np.float32)
    return engine.decode(engine.encode(noisy), np.zeros((1, 45, 8, 10), np.float32))


def _off(engine: TorchEngine, exact: TorchEngine) -> float:
    return float(np.sqrt(np.mean(np.square(_passed(engine) - _passed(exact)))))


def test_it_is_taken_where_it_is_exact_enough() -> None:
    torch.manual_seed(0)
    network = InvDN(Architecture(blocks=(2, 2), features=8))
    with torch.no_grad():  # subnets that hardly change anything: there is little to round
        for name, parameter in network.named_parameters():
            if "conv3" in name:
                parameter.mul_(0.01)
    exact, half = TorchEngine(network), TorchEngine(network, precision="bfloat16")
    assert half.description.endswith("bfloat16")
    assert 0 < _off(half, exact) < TOLERANCE


def test_it_is_refused_where_it_costs_too_much() -> None:
    network = build_network(read_parameters("fast"))
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.mul_(1.3)
    exact, half = TorchEngine(network), TorchEngine(network, precision="bfloat16")
    assert "float32 (bfloat16 is " in half.description
    assert np.array_equal(_passed(half), _passed(exact))


@pytest.mark.parametrize(  # float16 takes minutes on a CPU
    ("model", "precision"), [("default", "float32"), ("fast", "bfloat16")]
)
def test_the_shipped_models_stay_within_the_tolerance(model: str, precision: str) -> None:
    network = build_network(read_parameters(model))
    assert _off(TorchEngine(network, precision=precision), TorchEngine(network)) <= TOLERANCE


@pytest.mark.parametrize("runtime", ["native", "onnxruntime"])
def test_the_others_compute_in_float32(runtime: str) -> None:
    with pytest.raises(EngineError, match="float16 choose torch"):
        open_engine(backend=runtime, device="cpu", dtype="float16")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("device", "expected"),
    [("cuda", "float16"), ("cuda:1", "float16"), ("mps", "float32"), ("cpu", "float32")],
)
def test_auto_is_half_on_nvidia_only(
    monkeypatch: pytest.MonkeyPatch, device: str, expected: str
) -> None:
    opened = []

    def record(_: InvDN, device: str, precision: str) -> None:
        opened.append((device, precision))

    monkeypatch.setattr(torch_engine, "TorchEngine", record)
    open_engine(device=device, backend="torch", dtype="auto")
    assert opened == [(device, expected)]


def test_none_is_refused() -> None:
    with pytest.raises(EngineError, match="one of float32, float16, bfloat16"):
        TorchEngine(InvDN(), precision="int8")


def test_several_threads_take_turns_where_passes_share_memory() -> None:
    engine = TorchEngine(InvDN(Architecture(blocks=(1,), features=4)))
    shared = np.zeros((1, 3, 8, 8), np.float32)

    def act(image: np.ndarray) -> np.ndarray:
        shared[:] = image
        time.sleep(0.01)
        return shared.copy()

    engine._encode, engine._turn = act, torch_engine._TURN
    images = [np.full(shared.shape, number, np.float32) for number in range(8)]
    with ThreadPoolExecutor(4) as several:
        for image, result in zip(images, several.map(engine.encode, images), strict=True):
            assert np.array_equal(result, image)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs an NVIDIA GPU")
def test_several_threads_share_a_gpu() -> None:
    engine = TorchEngine(build_network(read_parameters("default")), "cuda")
    images = list(np.random.default_rng(0).random((8, 1, 3, 64, 64), np.float32))
    expected = [engine.encode(image) for image in images]
    with ThreadPoolExecutor(4) as several:
        for alone, result in zip(expected, several.map(engine.encode, images), strict=True):
            assert np.allclose(result, alone, atol=1e-5)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs an NVIDIA GPU")
def test_recorded_passes_are_the_direct_ones() -> None:
    device = torch.device("cuda")

    def act(image: torch.Tensor, shift: torch.Tensor) -> torch.Tensor:
        return image * 2 + shift

    replayed = CudaGraphCache(act, device, torch.cuda.graph_pool_handle())
    generator = np.random.default_rng(0)
    with torch.inference_mode():
        for edge in (8, 16, 8, 8, 24, 16, 16):
            image, shift = (generator.random((1, 3, edge, edge), np.float32) for _ in range(2))
            assert np.allclose(replayed(image, shift), image * 2 + shift)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs an NVIDIA GPU")
@pytest.mark.parametrize("precision", PRECISIONS)
def test_a_gpu_gives_the_picture_of_the_cpu(precision: str) -> None:
    network = build_network(read_parameters("default"))
    exact = TorchEngine(network)
    expected = _passed(exact)
    engine = TorchEngine(network, "cuda", precision)
    for _ in range(3):
        off = float(np.sqrt(np.mean(np.square(_passed(engine) - expected))))
        assert off <= (1e-4 if "float32" in engine.description else TOLERANCE)
