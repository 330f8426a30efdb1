"""One training step's gradient as a CUDA graph: no kernel waits for the host to launch it."""

from collections.abc import Callable

import torch
from torch import Tensor, nn

Terms = dict[str, Tensor]
Gradient = Callable[..., Terms]
_WARM_UP = 3  # passes before the recording: libraries choose their kernels in them


class GraphedGradient:
    """Compute the loss and leave its gradient in the parameters, replayed from a CUDA graph.

    A step of the published network launches thousands of small kernels, which takes a fast GPU's
    host longer than the GPU computes. They are recorded once for each shape of the batch. Whoever
    uses it must leave the parameters' ``grad`` in place: every replay overwrites it.

    Args:
        gradient: runs forwards and backwards, and gives the terms of the loss; takes tensors, or
            None where there is none.
        model: whose parameters get the gradients.
    """

    def __init__(self, gradient: Gradient, model: nn.Module) -> None:
        self._gradient, self._model = gradient, model
        self._shapes: tuple[torch.Size | None, ...] = ()

    def __call__(self, *batch: Tensor | None) -> Terms:
        """Compute the gradient of a batch; gives the terms, (), by name."""
        shapes = tuple(None if part is None else part.shape for part in batch)
        if shapes != self._shapes:
            self._record(batch)
            self._shapes = shapes
        for place, part in zip(self._batch, batch, strict=True):
            if place is not None and part is not None:
                place.copy_(part)
        self._graph.replay()
        return {name: term.clone() for name, term in self._terms.items()}

    def _record(self, batch: tuple[Tensor | None, ...]) -> None:
        self._batch = tuple(None if part is None else part.clone() for part in batch)
        aside = torch.cuda.Stream()  # type: ignore[no-untyped-call]
        aside.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(aside):
            for _ in range(_WARM_UP):
                self._model.zero_grad()
                self._gradient(*self._batch)
        torch.cuda.current_stream().wait_stream(aside)
        self._model.zero_grad()  # gradients are made anew inside, where the replays find them
        self._graph = torch.cuda.CUDAGraph()
        # only of this thread: workers' batches are pinned by another one meanwhile
        with torch.cuda.graph(self._graph, capture_error_mode="thread_local"):
            terms = self._gradient(*self._batch)
        self._terms = {name: term.detach() for name, term in terms.items()}
