"""The torch engine: any architecture, on a GPU or on the CPU.

Passes of the network on an NVIDIA GPU without the price of starting its thousand kernels.

A tile's pass is many small kernels, and starting each from Python takes longer than a fast GPU
needs to do it. So a pass is recorded as a CUDA graph when its shape is met for the second time, and
from then on replayed as one. Arrays travel through page-locked memory, which the GPU reads by
itself.
"""

import threading
from collections import OrderedDict
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ..architecture import Architecture
from ..errors import EngineError
from ..inference.engine import Array
from ..network import InvDN
from ..weights.checks import HALF_TOLERANCE as TOLERANCE

Act = Callable[..., Tensor]

_KEPT = 4  # graphs: of a photograph's inner, right, lower and corner tiles
_WARM_UP = 3  # passes in which cuDNN chooses its algorithms and memory is reserved


class CudaGraphCache:
    """A pass as arrays in, array out; recorded where its shape comes again.

    Args:
        act: takes float32 tensors on the device and gives one.
        device: a CUDA device.
        pool: of ``torch.cuda.graph_pool_handle``. All passes of an engine may share one, since they
            do not overlap and each result is fetched before the next pass.
    """

    def __init__(self, act: Act, device: torch.device, pool: Any) -> None:
        self._act = act
        self._device = device
        self._pool = pool
        self._proved = False
        self._refused: set[tuple[tuple[int, ...], ...]] = set()
        self._graphs: OrderedDict[tuple[tuple[int, ...], ...], _Graph | None] = OrderedDict()

    def __call__(self, *arrays: Array) -> Array:
        """Return the pass of these arrays."""
        shapes = tuple(array.shape for array in arrays)
        if shapes in self._refused:
            return self._directly(*arrays)
        if shapes not in self._graphs:
            self._remember(shapes, None)
            return self._directly(*arrays)
        graph = self._graphs.pop(shapes)
        if graph is None:
            try:
                graph = _Graph(self._act, shapes, self._device, self._pool)
            except RuntimeError:  # too little memory, for one
                if not self._proved:
                    raise
                self._graphs.clear()
                self._refused.add(shapes)
                torch.cuda.synchronize(self._device)
                torch.cuda.empty_cache()
                return self._directly(*arrays)
            self._proved = True
        self._remember(shapes, graph)
        return graph(*arrays)

    def _directly(self, *arrays: Array) -> Array:
        result = self._act(*(torch.from_numpy(array).to(self._device) for array in arrays))
        return np.asarray(result.cpu().numpy(), np.float32)

    def _remember(self, shapes: tuple[tuple[int, ...], ...], graph: "_Graph | None") -> None:
        self._graphs[shapes] = graph
        if len(self._graphs) > _KEPT:
            self._graphs.popitem(last=False)


class _Graph:
    """One recorded pass, with the memory that it reads and writes."""

    def __init__(
        self, act: Act, shapes: tuple[tuple[int, ...], ...], device: torch.device, pool: Any
    ) -> None:
        self._device = device
        self._sent = [torch.zeros(shape, pin_memory=True) for shape in shapes]
        self._given = [sent.to(device) for sent in self._sent]
        with torch.cuda.device(device):
            aside = torch.cuda.Stream()  # type: ignore[no-untyped-call]
            aside.wait_stream(torch.cuda.current_stream())
            with torch.cuda.stream(aside):
                for _ in range(_WARM_UP):
                    act(*self._given)
            torch.cuda.current_stream().wait_stream(aside)
            self._graph = torch.cuda.CUDAGraph()
            # the stream of now is that of afterwards, whatever happens to the recording
            with (
                torch.cuda.stream(torch.cuda.current_stream()),
                torch.cuda.graph(self._graph, pool=pool, stream=aside),
            ):
                self._made = act(*self._given)
        self._fetched = torch.empty(self._made.shape, pin_memory=True)

    def __call__(self, *arrays: Array) -> Array:
        with torch.cuda.device(self._device):
            for sent, given, array in zip(self._sent, self._given, arrays, strict=True):
                sent.copy_(torch.from_numpy(array))
                given.copy_(sent, non_blocking=True)
            self._graph.replay()
            self._fetched.copy_(self._made, non_blocking=True)
            torch.cuda.current_stream().synchronize()
        return self._fetched.numpy().copy()


PRECISIONS = ("float32", "float16", "bfloat16")
_MARGIN = 64  # pixels around a tile: together windows need no more memory than one such tile

# Recorded passes read and write memory of their own, and what cuDNN may round is a setting of the
# process: on a GPU there is one pass at a time.
_TURN = threading.Lock()


class TorchEngine:
    """Runs a network with torch.

    On an NVIDIA GPU tensors lie channels last and passes are replayed as CUDA graphs. Whatever
    of this the machine cannot do is left out, and ``description`` says so. Calls from several
    threads take turns on a GPU.

    Args:
        network: the network; it is moved to the device and put in evaluation mode.
        device: as torch names it: ``"cpu"``, ``"cuda"``, ``"cuda:1"``, ``"mps"``.
        precision: of the convolutions; couplings are in float32. Half precision is taken if it
            changes a drawn picture by :data:`TOLERANCE` at most, and float32 if not.

    Raises:
        EngineError: the device is not there, or the precision is none.
    """

    # From: benchmarks/memory.py, on the CPU.
    process_bytes = 300_000_000
    bytes_per_pixel = 1200

    def __init__(self, network: InvDN, device: str = "cpu", precision: str = "float32") -> None:
        if precision not in PRECISIONS:
            raise EngineError(f"the precision must be one of {', '.join(PRECISIONS)}")
        try:
            self._device = torch.device(device)
            self._network = network.to(self._device).eval()
            if self._device.type == "cuda":
                self._network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        except (RuntimeError, AssertionError) as error:
            raise EngineError(f"torch cannot use the device {device!r}: {error}") from error
        self.architecture: Architecture = network.architecture
        self.description = f"torch {torch.__version__} on {self._device}"
        #: Edge of the tiles that suit the device: small ones leave a GPU idle.
        self.tile = 512 if self._device.type == "cpu" else 2048
        #: Pixels of equal windows that go through together; none alone leaves a GPU idle.
        self.batch_pixels = 0 if self._device.type == "cpu" else (self.tile + 2 * _MARGIN) ** 2
        self._turn: AbstractContextManager[object] = (
            nullcontext() if self._device.type == "cpu" else _TURN
        )
        self._set("float32", replay=False)
        if precision != "float32" or self._device.type == "cuda":
            self._enable_fast_paths(precision)

    def encode(self, noisy: Array) -> Array:
        """Return ``(B, 3, H, W)`` to ``(B, 3, h, w)``."""
        return self._run(self._encode, noisy)

    def decode(self, low: Array, latent: Array) -> Array:
        """Return ``(1 or B, 3, h, w)`` and ``(B, 45, h, w)`` to ``(B, 3, H, W)``."""
        return self._run(self._decode, low, latent)

    def _run(self, act: Callable[..., Array], *arrays: Array) -> Array:
        try:
            with self._turn, torch.inference_mode():
                return act(*arrays)
        except torch.OutOfMemoryError as error:
            raise EngineError(
                f"{self._device} has too little memory free for {arrays[0].shape[-1]} columns: "
                "use a smaller tile (--tile-size 512), or --device cpu"
            ) from error

    def _set(self, precision: str, *, replay: bool) -> None:
        """Compute like this from now on."""

        def encode(noisy: Tensor) -> Tensor:
            with _mode(self._device, precision):
                return self._network.encode(self._to_channels_last(noisy))[0].float().contiguous()

        def decode(low: Tensor, latent: Tensor) -> Tensor:
            with _mode(self._device, precision):
                return (
                    self._network.decode(
                        self._to_channels_last(low), self._to_channels_last(latent)
                    )
                    .float()
                    .contiguous()
                )

        pool = torch.cuda.graph_pool_handle() if replay else None
        self._encode, self._decode = (
            CudaGraphCache(act, self._device, pool) if replay else _direct(act, self._device)
            for act in (encode, decode)
        )

    def _enable_fast_paths(self, precision: str) -> None:
        """Take the fast ways that give the same picture here."""
        expected = self._self_test()
        replay = self._device.type == "cuda"
        reasons = []
        for way in dict.fromkeys([(precision, replay), ("float32", replay), (precision, False)]):
            self._set(way[0], replay=way[1])
            try:
                # the first pass is direct, the second records a graph, the third replays it
                apart = [np.mean(np.square(self._self_test() - expected)) for _ in range(3)]
                found = float(np.sqrt(np.max(apart)))  # NaN stays NaN
            except (EngineError, RuntimeError) as error:
                reasons.append(f"{_describe(way)} fails ({str(error).splitlines()[0]})")
                continue
            if found <= TOLERANCE:
                self.description += f", {_describe(way)}"
                break
            reasons.append(f"{_describe(way)} is {found:.1e} off")
        else:
            self._set("float32", replay=False)
        if reasons:
            self.description += f" ({'; '.join(reasons)})"

    def _self_test(self) -> Array:
        """Return a drawn picture, there and back; noise of half of the range meets every value."""
        generator = np.random.default_rng(0)
        edge = 32 * self.architecture.scale
        noisy = generator.random((1, self.architecture.channels, edge, edge), np.float32)
        low = self.encode(noisy)
        channels = self.architecture.latent_channels
        return self.decode(low, np.zeros((1, channels, *low.shape[2:]), np.float32))

    def _to_channels_last(self, tensor: Tensor) -> Tensor:
        if self._device.type == "cuda":
            return tensor.contiguous(memory_format=torch.channels_last)
        return tensor


def _describe(way: tuple[str, bool]) -> str:
    return way[0] + (" as CUDA graphs" if way[1] else "")


def _direct(act: Callable[..., Tensor], device: torch.device) -> Callable[..., Array]:
    """Return the pass of tensors as one of arrays."""

    def run(*arrays: Array) -> Array:
        made = act(*(torch.from_numpy(array).to(device) for array in arrays))
        return np.asarray(made.cpu().numpy(), np.float32)

    return run


def _mode(device: torch.device, precision: str) -> AbstractContextManager[object]:
    """Choose half precision for convolutions, or float32 where GPUs would round to TF32."""
    if precision == "float32" and device.type == "cpu":
        return nullcontext()
    if precision == "float32":
        return torch.backends.cudnn.flags(enabled=True, allow_tf32=False)
    # A cache of converted weights would lie in memory that a recorded graph does not know of.
    return torch.autocast(device.type, getattr(torch, precision), cache_enabled=False)
