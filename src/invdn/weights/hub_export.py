"""Hugging Face: a folder that ``InvDN.from_pretrained`` reads and a hub shows with its card."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import EngineError, InputError
from ..network import InvDN
from ..network.hub import CARD, config_of
from .checks import Comparison
from .convert import read_parameters, write_parameters
from .network import parameters_of
from .onnx_export import fill_folder

CONFIG, WEIGHTS, README = "config.json", "model.safetensors", "README.md"


@dataclass(frozen=True)
class Result:
    """A figure of a model card.

    Attributes:
        dataset: what was measured on.
        metric: such as ``psnr``.
        value: the figure.

    Example:
        >>> Result.parse("SIDD validation:psnr=39.28")
        Result(dataset='SIDD validation', metric='psnr', value=39.28)
    """

    dataset: str
    metric: str
    value: float

    @classmethod
    def parse(cls, text: str) -> "Result":
        """Read ``DATASET:METRIC=VALUE``.

        Raises:
            InputError: it is nothing of the kind.
        """
        named, _, value = text.rpartition("=")
        dataset, _, metric = named.rpartition(":")
        try:
            return cls(_required(dataset), _required(metric), float(value))
        except ValueError:
            raise InputError(
                f"a result is written DATASET:METRIC=VALUE, such as 'SIDD:psnr=39.28', not {text!r}"
            ) from None


def export_hub(
    network: InvDN,
    folder: Path,
    *,
    metadata: Mapping[str, str] | None = None,
    licence: str | None = None,
    datasets: Sequence[str] = (),
    results: Sequence[Result] = (),
    overwrite: bool = False,
) -> tuple[Comparison, ...]:
    """Write ``config.json``, ``model.safetensors`` and a model card, and read the weights back.

    Args:
        network: what to export.
        folder: where; made if absent.
        metadata: of the weights, kept in their file and named in the card.
        licence: of the weights, over the one in ``metadata``.
        datasets: that it was trained on.
        results: figures for the card.
        overwrite: replace files of these names.

    Raises:
        InputError: no licence is known.
        OutputError: a file exists, or cannot be written.
        EngineError: what was written is not what was meant.
    """
    facts = dict(metadata or {})
    licence = licence_of(facts, licence)
    parameters = parameters_of(network, {**facts, "licence": licence})

    def write(workshop: Path) -> tuple[Comparison, ...]:
        config = json.dumps(config_of(network.architecture), indent=2)
        (workshop / CONFIG).write_text(config + "\n")
        write_parameters(parameters, workshop / WEIGHTS)
        (workshop / README).write_text(_card(facts, licence, datasets, results))
        found = read_parameters(workshop / WEIGHTS)
        apart = max(
            float(np.abs(found.tensors[name] - values).max())
            for name, values in parameters.tensors.items()
        )
        if apart:
            raise EngineError(f"{WEIGHTS} holds other values than the network, by {apart:.1e}")
        return (Comparison(WEIGHTS, (1, 1, 1), apart, apart),)

    return fill_folder(folder, (CONFIG, WEIGHTS, README), write, overwrite=overwrite)


def card_metadata(
    licence: str, datasets: Sequence[str], results: Sequence[Result]
) -> dict[str, Any]:
    """Return what stands between the lines of dashes of a model card."""
    data: dict[str, Any] = {
        "library_name": CARD["library_name"],
        "pipeline_tag": CARD["pipeline_tag"],
        "license": licence.lower(),  # the hub's identifiers are SPDX's in small letters
        "tags": CARD["tags"],
    }
    if datasets:
        data["datasets"] = list(datasets)
    if results:
        data["model-index"] = [
            {
                "name": "InvDN",
                "results": [
                    {
                        "task": {"type": CARD["pipeline_tag"]},
                        "dataset": {"name": result.dataset, "type": result.dataset.lower()},
                        "metrics": [{"type": result.metric, "value": result.value}],
                    }
                    for result in results
                ],
            }
        ]
    return data


def _card(
    metadata: Mapping[str, str], licence: str, datasets: Sequence[str], results: Sequence[Result]
) -> str:
    # JSON is YAML, and needs no library to be written.
    data = card_metadata(licence, datasets, results)
    front = "\n".join(f"{name}: {json.dumps(value)}" for name, value in data.items())
    provenance = metadata.get("provenance", "not named in the weights' file")
    return f"""---
{front}
---
# InvDN

Removes real noise from photographs: the Invertible Denoising Network (Liu et al., CVPR 2021).

- Weights: {provenance}
- Licence: {licence}

```python
from invdn import InvDN

network = InvDN.from_pretrained("THIS REPOSITORY")
```

For photographs: `invdn denoise photo.jpg --model model.safetensors`.
"""


def _required(text: str) -> str:
    if not text.strip():
        raise ValueError
    return text.strip()


def licence_of(metadata: Mapping[str, str], chosen: str | None = None) -> str:
    """Return the licence of weights that are to be published: the chosen one, or their own.

    Args:
        metadata: what the weights file says of itself; ``licence`` or ``license`` is looked for.
        chosen: the user's word, which goes first.

    Raises:
        InputError: neither says one. Nobody may pass such weights on, so it is asked for.

    Example:
        >>> licence_of({"licence": "Apache-2.0"})
        'Apache-2.0'
    """
    for licence in (chosen, metadata.get("licence"), metadata.get("license")):
        if licence and licence.strip():
            return licence.strip()
    raise InputError(
        "the weights name no licence, and this format is for passing them on: "
        "say theirs with --licence, such as --licence Apache-2.0"
    )
