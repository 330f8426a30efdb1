"""The node for ComfyUI, found and called as ComfyUI does it."""

import asyncio
import importlib.util
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from invdn import Denoiser

PACKAGE = Path(__file__).parents[2] / "integrations" / "comfyui"


@pytest.fixture
def node(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Load the folder from its path, ask its entry point for the nodes, and take the only one."""
    if importlib.util.find_spec("comfy_api") is None:
        from support import comfy_api
        from support.comfy_api import latest

        monkeypatch.setitem(sys.modules, "comfy_api", comfy_api)
        monkeypatch.setitem(sys.modules, "comfy_api.latest", latest)
    spec = importlib.util.spec_from_file_location(
        "custom_nodes_invdn", PACKAGE / "__init__.py", submodule_search_locations=[str(PACKAGE)]
    )
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, spec.name, module)
    spec.loader.exec_module(module)
    monkeypatch.delitem(sys.modules, f"{spec.name}.nodes", raising=False)
    extension = asyncio.run(module.comfy_entrypoint())
    (found,) = asyncio.run(extension.get_node_list())
    return found


def test_a_batch_goes_through_as_through_the_denoiser(node: Any) -> None:
    schema = node.define_schema()
    defaults = {value["id"]: value["default"] for value in schema.inputs if "default" in value}
    assert {value["id"] for value in schema.inputs} == {"image", *defaults}
    batch = torch.from_numpy(np.random.default_rng(0).random((2, 18, 25, 3), np.float32))
    (found,) = node.execute(image=batch, **defaults).args
    assert found.shape == batch.shape
    assert found.dtype == batch.dtype
    denoiser = Denoiser()
    for frame, clean in zip(batch.numpy(), found.numpy(), strict=True):
        assert np.array_equal(clean, denoiser(frame))
    (same,) = node.execute(image=batch, automatic=False, strength=0.0, model="default").args
    assert torch.equal(same, batch)
