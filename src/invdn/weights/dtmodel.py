"""darktable: the plain graph as a ``.dtmodel``, which darktable 5.6 and later import.

The format is a zip archive of one folder, ``denoise-invdn/``, with ``config.json`` and
``model.onnx``. From: darktable's ``src/ai/README.md`` and its darktable-ai-sdk 0.1.1a1.
"""

import json
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ..errors import InputError
from ..network import InvDN
from .checks import Comparison
from .hub_export import licence_of
from .onnx_export import fill_folder, write_plain_graph

MODEL_ID = "denoise-invdn"
FILE_NAME = f"{MODEL_ID}.dtmodel"

#: darktable can take the square root of linear light before a model and undo it after, for those
#: that crush shadows. Ours keeps them better without: docs/export.md has the measurement.
SHADOW_BOOST = False

_SOURCE = "https://arxiv.org/abs/2104.10546"
_OLDEST_TIME = (1980, 1, 1, 0, 0, 0)  # so that equal models give equal files


def export_darktable(
    network: InvDN,
    folder: Path,
    *,
    metadata: Mapping[str, str] | None = None,
    licence: str | None = None,
    half: bool = False,
    overwrite: bool = False,
) -> tuple[Comparison, ...]:
    """Write ``denoise-invdn.dtmodel``, and compare the graph in it with torch.

    Args:
        network: what to export, in float32.
        folder: where; made if absent.
        metadata: provenance and licence of the weights, shown in darktable's list of models.
        licence: of the weights, over the one in ``metadata``.
        half: convolve in float16: half the size.
        overwrite: replace an earlier file.

    Raises:
        InputError: the network is not for colour images, or no licence is known.
        OutputError: the file exists, or cannot be written.
        EngineError: the graph differs from torch; nothing is written.
    """
    if network.architecture.channels != 3:
        raise InputError(
            f"darktable wants a network of 3 colours, not {network.architecture.channels}"
        )
    facts = dict(metadata or {})
    config = _config(facts, licence_of(facts, licence))

    def write(workshop: Path) -> tuple[Comparison, ...]:
        graph = workshop / "model.onnx"
        comparisons = write_plain_graph(network, graph, metadata=facts, half=half)
        with zipfile.ZipFile(workshop / FILE_NAME, "w", zipfile.ZIP_DEFLATED) as archive:
            text = json.dumps(config, indent=4, ensure_ascii=False) + "\n"
            for name, content in (("config.json", text.encode()), (graph.name, graph.read_bytes())):
                entry = zipfile.ZipInfo(f"{MODEL_ID}/{name}", _OLDEST_TIME)
                entry.compress_type = zipfile.ZIP_DEFLATED
                entry.external_attr = 0o644 << 16
                archive.writestr(entry, content)
        return comparisons

    return fill_folder(folder, (FILE_NAME,), write, overwrite=overwrite)


def _config(metadata: Mapping[str, str], licence: str) -> dict[str, Any]:
    """Return the text that darktable reads about the model."""
    card = {
        "scope": "single-image denoising",
        "author": metadata.get("author", "the InvDN project"),
        "source": metadata.get("source", _SOURCE),
        "paper": _SOURCE,
        "license": licence,
        "training_data": metadata.get("training_data", ""),
        "training_data_license": metadata.get("training_data_licence", ""),
        "notes": metadata.get("provenance", ""),
    }
    return {
        "id": MODEL_ID,
        "name": "denoise invdn",
        "description": "Invertible Denoising Network for the noise of phones and cameras",
        "task": "denoise",
        "arch": "invdn",
        "backend": "onnx",
        "version": metadata.get("version", "1.0"),
        "tiling": True,
        "model_card": {name: text for name, text in card.items() if text},
        "attributes": {"shadow_boost": SHADOW_BOOST},
    }
