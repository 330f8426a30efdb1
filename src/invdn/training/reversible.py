"""Both passes of the network without keeping activations: they are rebuilt from the outputs."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd import grad

from ..network import AffineCoupling, HaarDownsampling, InvDN

Gradients = dict[nn.Parameter, Tensor]


class ReversibleBackprop:
    """``encode`` and ``decode`` of a network, with memory that does not grow with its blocks.

    ::

        ordinary   x ── block ── block ── block ── y   each block keeps what its gradient needs
        here       x ── block ── block ── block ── y   only y is kept; going back, each block is
                   x ←─ block ←─ block ←─ block ←─ y   inverted, its subnets run once more

    A step takes four thirds of the work and the memory of one block. Gradients are those of
    ordinary autograd up to rounding, in distributed training as well: parameters enter the pass as
    inputs, so their gradients leave it like any others.

    In float32 only. A trained decoder amplifies an error of its input several hundred times, and so
    does the inversion that rebuilds activations: in bfloat16 these have little to do with the true
    ones (cosine of the shipped network's gradient to float64: 0.12 under autocast, 0.68 in mixed
    precision, 0.999999 in float32), which random networks do not show. So an autocast around it
    has no effect, and recipes refuse the pair.

    Args:
        network: whose parameters are trained; they stay where they are.

    Reference:
        Gomez et al., The Reversible Residual Network: Backpropagation Without Storing Activations,
        NeurIPS 2017 (arXiv 1707.04585).

    Example:
        >>> network, noisy = InvDN(), torch.rand(1, 3, 8, 8)
        >>> low, latent = ReversibleBackprop(network).encode(noisy)
        >>> torch.equal(low, network.encode(noisy)[0])
        True
    """

    def __init__(self, network: InvDN) -> None:
        self._network = network

    def encode(self, noisy: Tensor) -> tuple[Tensor, Tensor]:
        """Do what ``InvDN.encode`` does."""
        steps = [_FORWARD[type(operation)](operation) for operation in self._network.operations]
        y = self._run(steps, noisy)
        channels = self._network.architecture.channels
        return y[:, :channels], y[:, channels:]

    def decode(self, low: Tensor, latent: Tensor) -> Tensor:
        """Do what ``InvDN.decode`` does, with as many low images as latents."""
        y = torch.cat((low, latent), dim=1)
        operations = reversed(list(self._network.operations))
        steps = [_INVERSE[type(operation)](operation) for operation in operations]
        return self._run(steps, y)

    def _run(self, steps: list["_Step"], x: Tensor) -> Tensor:
        # torch's own stubs leave `apply` untyped
        result: Tensor = _Pass.apply(steps, x, *self._network.parameters())  # type: ignore[no-untyped-call]
        return result


class _Pass(torch.autograd.Function):
    """A chain of steps that keeps its end alone."""

    @staticmethod
    def forward(ctx: Any, steps: Sequence["_Step"], x: Tensor, *parameters: nn.Parameter) -> Tensor:
        ctx.steps, ctx.parameters = steps, parameters
        with torch.autocast(x.device.type, enabled=False):
            for step in steps:
                x = step.run(x)
        ctx.save_for_backward(x)
        return x

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        (x,) = ctx.saved_tensors
        (gradient,) = gradients
        of_parameters: Gradients = {}
        with torch.autocast(x.device.type, enabled=False):
            for step in reversed(ctx.steps):
                x, gradient, more = step.rebuild(x, gradient)
                of_parameters |= more
        return None, gradient, *(of_parameters.get(p) for p in ctx.parameters)


class _Step:
    """One operation in one direction.

    ``run`` gives its output. ``rebuild`` takes an output and its gradient, and gives the input, its
    gradient, and those of the operation's parameters.
    """

    def run(self, x: Tensor) -> Tensor:
        raise NotImplementedError

    def rebuild(self, y: Tensor, gradient: Tensor) -> tuple[Tensor, Tensor, Gradients]:
        raise NotImplementedError


class _Haar(_Step):
    def __init__(self, operation: HaarDownsampling) -> None:
        self._operation = operation

    def run(self, x: Tensor) -> Tensor:
        bands: Tensor = self._operation(x)
        return bands

    def rebuild(self, y: Tensor, gradient: Tensor) -> tuple[Tensor, Tensor, Gradients]:
        # Rows of the analysis are orthogonal, of squared length 4 / 16: its transpose is the
        # synthesis divided by 4.
        return self._operation.inverse(y), self._operation.inverse(gradient) / 4, {}


class _InverseHaar(_Step):
    def __init__(self, operation: HaarDownsampling) -> None:
        self._operation = operation

    def run(self, x: Tensor) -> Tensor:
        return self._operation.inverse(x)

    def rebuild(self, y: Tensor, gradient: Tensor) -> tuple[Tensor, Tensor, Gradients]:
        return self._operation(y), self._operation(gradient) * 4, {}


class _Coupling(_Step):
    """``y1 = x1 + F(x2)``, then ``y2 = x2 e^s + G(y1)``: undone from the last to the first."""

    def __init__(self, block: AffineCoupling) -> None:
        self._block = block

    def run(self, x: Tensor) -> Tensor:
        y: Tensor = self._block(x)
        return y

    def rebuild(self, y: Tensor, gradient: Tensor) -> tuple[Tensor, Tensor, Gradients]:
        block = self._block
        (y1, y2), (of_y1, of_y2) = (torch.split(t, block.sizes, dim=1) for t in (y, gradient))
        y1, shift, scale, log_scale = _shift_and_scale(block, y1)
        x2 = (y2 - shift.detach()) / scale
        more, of_gh = _chain(
            (log_scale, shift), y1, (block.H, block.G), (of_y2 * x2 * scale, of_y2)
        )
        of_x1 = of_y1 + more
        change, x2, of_x2, of_f = _first_part(block, x2, of_x1)
        x = torch.cat((y1.detach() - change, x2), dim=1)
        return x, torch.cat((of_x1, of_y2 * scale + of_x2), dim=1), {**of_gh, **of_f}


class _InverseCoupling(_Step):
    """``x2 = (y2 - G(y1)) e^-s``, then ``x1 = y1 - F(x2)``: undone from the last to the first."""

    def __init__(self, block: AffineCoupling) -> None:
        self._block = block

    def run(self, y: Tensor) -> Tensor:
        return self._block.inverse(y)

    def rebuild(self, x: Tensor, gradient: Tensor) -> tuple[Tensor, Tensor, Gradients]:
        block = self._block
        (x1, x2), (of_x1, of_x2) = (torch.split(t, block.sizes, dim=1) for t in (x, gradient))
        change, x2, more, of_f = _first_part(block, x2, -of_x1)
        of_x2 = of_x2 + more
        y1, shift, scale, log_scale = _shift_and_scale(block, x1 + change)
        of_y2 = of_x2 / scale
        more, of_gh = _chain((log_scale, shift), y1, (block.H, block.G), (-of_x2 * x2, -of_y2))
        y = torch.cat((y1.detach(), x2 * scale + shift.detach()), dim=1)
        return y, torch.cat((of_x1 + more, of_y2), dim=1), {**of_f, **of_gh}


_FORWARD: dict[type, Any] = {HaarDownsampling: _Haar, AffineCoupling: _Coupling}
_INVERSE: dict[type, Any] = {HaarDownsampling: _InverseHaar, AffineCoupling: _InverseCoupling}


def _shift_and_scale(block: AffineCoupling, y1: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Return ``y1`` as a leaf; G(y1) and s with their graphs, and e^s without one, between them."""
    y1 = y1.detach().requires_grad_()
    with torch.enable_grad():
        shift, log_scale = block.G(y1), block.log_scale(y1)
    return y1, shift, torch.exp(log_scale.detach()), log_scale


def _first_part(
    block: AffineCoupling, x2: Tensor, gradient: Tensor
) -> tuple[Tensor, Tensor, Tensor, Gradients]:
    """Return F(x2), ``x2`` without a graph, and what turns F(x2)'s gradient into the others."""
    x2 = x2.detach().requires_grad_()
    with torch.enable_grad():
        change = block.F(x2)
    of_x2, of_parameters = _chain((change,), x2, (block.F,), (gradient,))
    return change.detach(), x2.detach(), of_x2, of_parameters


def _chain(
    outputs: Sequence[Tensor],
    x: Tensor,
    modules: Sequence[nn.Module],
    gradients: Sequence[Tensor],
) -> tuple[Tensor, Gradients]:
    """Compute from the gradients of outputs those of input and parameters."""
    parameters = [parameter for module in modules for parameter in module.parameters()]
    typed = [gradient.to(out.dtype) for gradient, out in zip(gradients, outputs, strict=True)]
    of_x, *of_parameters = grad(outputs, (x, *parameters), typed)
    return of_x, dict(zip(parameters, of_parameters, strict=True))
