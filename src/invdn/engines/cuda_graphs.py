"""Passes of the network on an NVIDIA GPU without the price of starting its thousand kernels.

A tile's pass is many small kernels, and starting each from Python takes longer than a fast GPU
needs to do it. So a pass is recorded as a CUDA graph when its shape is met for the second time, and
from then on replayed as one. Arrays travel through page-locked memory, which the GPU reads by
itself.
"""

from collections import OrderedDict
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ..inference.engine import Array

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
