"""spandrel: InvDN among its architectures, and so in chaiNNer and ComfyUI, which load with it.

>>> from spandrel import ModelLoader                                      # doctest: +SKIP
>>> from invdn.integrations.spandrel import install                       # doctest: +SKIP
>>> install()                                                             # doctest: +SKIP
>>> model = ModelLoader().load_from_file("InvDN_ResUnit_x4.pth")          # doctest: +SKIP
"""

from typing import Any

from ..errors import MissingDependencyError
from ..network import DenoisingModule
from ..weights import Parameters
from ..weights.network import build_network

try:
    from spandrel import (
        MAIN_REGISTRY,
        Architecture,
        ArchSupport,
        ImageModelDescriptor,
        ModelTiling,
        SizeRequirements,
        StateDict,
    )
except ModuleNotFoundError as error:
    raise MissingDependencyError(
        f"this needs spandrel ({error.name} is missing): pip install spandrel"
    ) from error

ID = "InvDN"

# What no other architecture of spandrel has: a coupling's three subnets, by their official names.
_NAMES = (
    "operations.1.F.conv1.weight",
    "operations.1.G.conv2.weight",
    "operations.1.H.conv3.bias",
)


class InvDNArch(Architecture[DenoisingModule]):  # type: ignore[misc]
    """The Invertible Denoising Network, official weights and ours, of any number of blocks."""

    def __init__(self) -> None:
        super().__init__(id=ID, detect=lambda state: all(name in state for name in _NAMES))

    def load(self, state_dict: StateDict) -> Any:
        """Build the network that the tensors belong to.

        Raises:
            WeightsError: a tensor is missing, of a wrong shape, or not finite.
        """
        parameters = Parameters.from_tensors(
            {name: tensor.detach().float().cpu().numpy() for name, tensor in state_dict.items()}
        )
        architecture = parameters.architecture
        module = DenoisingModule(build_network(parameters))
        return ImageModelDescriptor(
            module,
            module.state_dict(),
            architecture=self,
            purpose="Restoration",
            tags=[f"{architecture.features}nf", f"x{architecture.scale}"],
            # The decoder amplifies rounding of the couplings several hundred times.
            supports_half=False,
            supports_bfloat16=False,
            scale=1,
            input_channels=architecture.channels,
            output_channels=architecture.channels,
            size_requirements=SizeRequirements(multiple_of=architecture.scale),
            tiling=ModelTiling.SUPPORTED,
        )


def install() -> None:
    """Add InvDN to spandrel's main registry; a second call does nothing."""
    if ID not in MAIN_REGISTRY:
        MAIN_REGISTRY.add(ArchSupport.from_architecture(InvDNArch()))
