"""A network in a folder or repository of the Hugging Face hub: ``config.json`` and safetensors."""

import json
from dataclasses import asdict
from functools import cache
from pathlib import Path
from typing import Any

from ..architecture import Architecture
from ..errors import MissingDependencyError, WeightsError
from .invdn import InvDN

_CONFIG = "config.json"
#: What a model card says in every case; licence, data and figures are the weights' own.
CARD = {
    "library_name": "invdn",
    "pipeline_tag": "image-to-image",
    "tags": ["denoising", "image-restoration", "invertible-network"],
    "repo_url": "https://arxiv.org/abs/2104.10546",
}


@cache
def hub_class() -> type[Any]:
    """Return the class of networks that come from and go to the hub: an :class:`InvDN` as well.

    Raises:
        MissingDependencyError: huggingface_hub is not installed.
    """
    try:
        from huggingface_hub import PyTorchModelHubMixin  # late: only hubs need it
    except ModuleNotFoundError as error:
        raise MissingDependencyError(
            f"this needs {error.name}: pip install 'invdn[hub]'"
        ) from error

    class HubInvDN(PyTorchModelHubMixin, InvDN, **CARD):  # type: ignore[misc]
        """An :class:`InvDN` with the methods of ``PyTorchModelHubMixin``."""

        def __init__(self, architecture: Architecture = Architecture()) -> None:
            super().__init__(architecture)

    return HubInvDN


def check_folder(folder: Path) -> None:
    """Refuse a folder that is not one of an InvDN for the hub.

    Raises:
        WeightsError: a file is missing, or the configuration is of another network.
    """
    for name in (_CONFIG, "model.safetensors"):
        if not (folder / name).is_file():
            raise WeightsError(
                f"{folder} has no {name}, and so is no folder of an InvDN for Hugging Face: write "
                "one with 'invdn export MODEL FOLDER --format hugging-face'"
            )
    try:
        Architecture(**json.loads((folder / _CONFIG).read_text(encoding="utf-8"))["architecture"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise WeightsError(f"{folder / _CONFIG} describes no InvDN: {error!r}") from error


def config_of(architecture: Architecture) -> dict[str, Any]:
    """Return the content of ``config.json``."""
    return {"architecture": asdict(architecture)}


def to_hub_class(network: InvDN) -> Any:
    """Return the network as one of :func:`hub_class`, with copies of its parameters."""
    made = hub_class()(network.architecture)
    made.load_state_dict(network.state_dict())
    return made.eval()
