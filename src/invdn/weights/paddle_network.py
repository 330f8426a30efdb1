"""The network in Paddle, for export only: the same operations under the same names.

Paddle keeps convolution kernels as torch does, so the parameters need no conversion.
"""

from typing import Any

import paddle
from paddle import nn
from paddle.nn import functional

from ..architecture import Architecture
from .parameters import Parameters, haar_matrix

_SLOPE = 0.2  # of the LeakyReLU; paper, section 3.2


class PaddleDenoiser(nn.Layer):  # type: ignore[misc]
    """Denoise with one forward pass: encode, put a latent in, decode.

    Args:
        parameters: of the network, which are copied.
        noise_input: take one input (B, 48, H, W): the image and 45 channels of noise at its size,
            which are averaged over squares of the scale, as the reproduction's
            ``InvDN_model_oneForward`` does. Averaging divides the noise's standard deviation by the
            scale. Otherwise take the image (B, 3, H, W) and the latent (B, 45, H/4, W/4).
    """

    def __init__(self, parameters: Parameters, *, noise_input: bool = False) -> None:
        super().__init__()
        self._architecture = parameters.architecture
        self._noise_input = noise_input
        self.operations = nn.LayerList(_operations(parameters.architecture))
        own = self.state_dict()
        for name, values in parameters.tensors.items():
            own[name].set_value(values)

    def forward(self, noisy: Any, latent: Any = None) -> Any:
        """Denoise a batch."""
        colours, scale = self._architecture.channels, self._architecture.scale
        if self._noise_input:
            latent = functional.avg_pool2d(noisy[:, colours:], scale, scale)
            noisy = noisy[:, :colours]
        value = noisy
        for operation in self.operations:
            value = operation(value)
        value = paddle.concat([value[:, :colours], latent], axis=1)
        for operation in reversed(self.operations):
            value = operation.inverse(value)
        return value


def _operations(architecture: Architecture) -> list[Any]:
    operations: list[Any] = []
    channels = architecture.channels
    for blocks in architecture.blocks:
        operations.append(_Haar(channels))
        channels *= 4
        operations.extend(
            _Coupling(channels, architecture.channels, architecture.features) for _ in range(blocks)
        )
    return operations


class _Haar(nn.Layer):  # type: ignore[misc]
    """Haar downsampling as one convolution of stride 2, and its inverse."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        kernels = paddle.to_tensor(haar_matrix(channels))
        self.register_buffer("kernels", kernels, persistable=True)

    def forward(self, x: Any) -> Any:
        return functional.conv2d(x, self.kernels / 4, stride=2)

    def inverse(self, y: Any) -> Any:
        return functional.conv2d_transpose(y, self.kernels, stride=2)


class _Coupling(nn.Layer):  # type: ignore[misc]
    """As in network/coupling.py."""

    def __init__(self, channels: int, first: int, features: int) -> None:
        super().__init__()
        rest = channels - first
        self._first = first
        self.F = _Subnet(rest, first, features)
        self.G = _Subnet(first, rest, features)
        self.H = _Subnet(first, rest, features)

    def forward(self, x: Any) -> Any:
        x1, x2 = x[:, : self._first], x[:, self._first :]
        y1 = x1 + self.F(x2)
        return paddle.concat([y1, x2 * paddle.exp(self._log_scale(y1)) + self.G(y1)], axis=1)

    def inverse(self, y: Any) -> Any:
        y1, y2 = y[:, : self._first], y[:, self._first :]
        x2 = (y2 - self.G(y1)) * paddle.exp(-self._log_scale(y1))
        return paddle.concat([y1 - self.F(x2), x2], axis=1)

    def _log_scale(self, y1: Any) -> Any:
        return 2 * functional.sigmoid(self.H(y1)) - 1


class _Subnet(nn.Layer):  # type: ignore[misc]
    """As in network/subnet.py."""

    def __init__(self, inputs: int, outputs: int, features: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2D(inputs, features, 3, padding=1)
        self.conv2 = nn.Conv2D(features, features, 3, padding=1)
        self.conv3 = nn.Conv2D(inputs + features, outputs, 3, padding=1)

    def forward(self, x: Any) -> Any:
        features = _leaky_relu(self.conv1(x))
        features = _leaky_relu(self.conv2(features))
        return self.conv3(paddle.concat([x, features], axis=1))


def _leaky_relu(x: Any) -> Any:
    """Apply a leaky ReLU, in two parts.

    Paddle Inference 3.3 crashes where it joins a single one to a convolution for oneDNN, its
    default on a CPU.
    """
    return functional.relu(x) - _SLOPE * functional.relu(-x)


def input_specs(architecture: Architecture, *, noise_input: bool) -> list[Any]:
    """Return names and shapes of the inputs; batch, height and width are free."""
    colours, latent = architecture.channels, architecture.latent_channels
    inputs = (
        {"noisy_and_noise": colours + latent}
        if noise_input
        else {"noisy": colours, "latent": latent}
    )
    return [
        paddle.static.InputSpec([None, channels, None, None], "float32", name)
        for name, channels in inputs.items()
    ]
