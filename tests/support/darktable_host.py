"""darktable's treatment of a model, imitated.

What the host does, from darktable's ``src/common/ai/restore.c`` and ``restore_rgb.c`` (5.6):
linear light of the working profile (Rec. 2020) goes to linear sRGB, may be lifted by a square root
(``shadow_boost``), is cut at 1, encoded with sRGB's curve, and given to the model in square tiles
of 2048 to 256 pixels that overlap by 64 on each side and are mirrored at the edges; the cores are
laid side by side, decoded (what is below 0 becomes 0), squared again, and sent back. Written anew
from that description.
"""

import json
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
from numpy.typing import NDArray

Array = NDArray[np.float32]

TILES = (2048, 1536, 1024, 768, 512, 384, 256)
OVERLAP = 64
# Rec. 2020 (D65) to sRGB (D65), linear; from: ITU-R BT.2087, table 2.
TO_SRGB = np.array(
    [[1.6605, -0.5876, -0.0728], [-0.1246, 1.1329, -0.0083], [-0.0182, -0.1006, 1.1187]]
)
FROM_SRGB = np.linalg.inv(TO_SRGB)


class Model:
    """A ``.dtmodel`` as darktable has loaded it."""

    def __init__(self, path: Path) -> None:
        with zipfile.ZipFile(path) as archive:
            (folder,) = {name.partition("/")[0] for name in archive.namelist()}
            self.config: dict[str, Any] = json.loads(archive.read(f"{folder}/config.json"))
            content = archive.read(f"{folder}/model.onnx")
        self._session = onnxruntime.InferenceSession(content, providers=["CPUExecutionProvider"])

    def __call__(self, tile: Array) -> Array:
        """Denoise (H, W, 3), sRGB-encoded."""
        planes = np.ascontiguousarray(tile.transpose(2, 0, 1)[None])
        (result,) = self._session.run(["output"], {"input": planes})
        return np.asarray(result[0].transpose(1, 2, 0))


def restore(
    model: Callable[[Array], Array], linear: Array, *, tile: int = 512, shadow_boost: bool = False
) -> Array:
    """Denoise (H, W, 3) linear Rec. 2020 as darktable's neural restore does."""
    height, width = linear.shape[:2]
    step = tile - 2 * OVERLAP
    result = np.empty_like(linear)
    for top in range(0, height, step):
        rows = _mirrored(np.arange(top - OVERLAP, top - OVERLAP + tile), height)
        for left in range(0, width, step):
            columns = _mirrored(np.arange(left - OVERLAP, left - OVERLAP + tile), width)
            made = _patch(model, linear[np.ix_(rows, columns)], shadow_boost)
            core = result[top : top + step, left : left + step]
            core[:] = made[OVERLAP : OVERLAP + core.shape[0], OVERLAP : OVERLAP + core.shape[1]]
    return result


def encode_srgb(linear: NDArray[Any]) -> Array:
    """Apply sRGB's curve."""
    values = np.maximum(linear, 0)
    curved = np.where(values <= 0.0031308, 12.92 * values, 1.055 * values ** (1 / 2.4) - 0.055)
    return np.asarray(curved, np.float32)


def decode_srgb(encoded: NDArray[Any]) -> Array:
    """Undo sRGB's curve."""
    values = np.maximum(encoded, 0)
    linear = np.where(values <= 0.04045, values / 12.92, ((values + 0.055) / 1.055) ** 2.4)
    return np.asarray(linear, np.float32)


def _patch(model: Callable[[Array], Array], patch: Array, shadow_boost: bool) -> Array:
    srgb = patch @ TO_SRGB.T
    if shadow_boost:
        srgb = np.sqrt(np.maximum(srgb, 0))
    light = decode_srgb(model(encode_srgb(np.minimum(srgb, 1))))
    return ((light * light if shadow_boost else light) @ FROM_SRGB.T).astype(np.float32)


def _mirrored(index: NDArray[np.int64], length: int) -> NDArray[np.int64]:
    index = np.abs(index)
    index = np.where(index >= length, 2 * length - 2 - index, index)
    return np.clip(index, 0, length - 1)
