"""Between parameters and a torch network; torch stands at the top of this file, not of others."""

from collections.abc import Mapping
from pathlib import Path

import torch

from ..architecture import Architecture
from ..network import InvDN
from .convert import read_parameters
from .parameters import Parameters


def load_network(source: str | Path) -> InvDN:
    """Read a weights file and build its network, in evaluation mode, on the CPU.

    Args:
        source: a shipped model's name, or a ``.safetensors``, official ``.pth`` or Paddle
            ``.pdparams`` file.

    Raises:
        WeightsError: the file is missing, damaged, unsafe, or belongs to another network.
    """
    return build_network(read_parameters(source))


def build_network(parameters: Parameters) -> InvDN:
    """Return a network in evaluation mode with copies of these parameters."""
    with torch.device("meta"):  # no memory and no random numbers for values that are replaced
        network = InvDN(parameters.architecture)
    tensors = {name: torch.tensor(values) for name, values in parameters.tensors.items()}
    network.load_state_dict(tensors, assign=True)
    return network.eval()


def parameters_of(network: InvDN, metadata: Mapping[str, str] | None = None) -> Parameters:
    """Return the parameters of a network, copied from whatever device it is on.

    Args:
        network: the network.
        metadata: what a file of them shall say: ``provenance``, ``licence`` and the like.

    Raises:
        WeightsError: a parameter is not finite: the training has failed.

    Example:
        >>> parameters_of(InvDN()).count
        2640960
    """
    state = network.state_dict()
    return Parameters.from_tensors(
        {name: tensor.detach().float().cpu().numpy() for name, tensor in state.items()}, metadata
    )


def initial_parameters(architecture: Architecture = Architecture(), seed: int = 0) -> Parameters:
    """Return the random parameters that training begins with, PyTorch's: Kaiming uniform.

    Example:
        >>> initial_parameters(seed=1).count
        2640960
    """
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        network = InvDN(architecture)
    provenance = f"random initial parameters of PyTorch {torch.__version__}, seed {seed}"
    return parameters_of(network, {"provenance": provenance})
