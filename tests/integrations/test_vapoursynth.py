"""VapourSynth: the plain graph as a filter of vs-mlrt's ONNX Runtime plug-in."""

from pathlib import Path

import numpy as np
import pytest
import torch

from invdn.network import DenoisingModule
from invdn.weights.network import load_network
from invdn.weights.onnx_export import write_plain_graph


def test_a_frame_goes_through_the_filter(tmp_path: Path) -> None:
    vapoursynth = pytest.importorskip(
        "vapoursynth", reason="needs vapoursynth and vapoursynth-mlrt-ort, from Python 3.12 on"
    )
    core = vapoursynth.core
    if not hasattr(core, "ort"):
        pytest.skip("needs vapoursynth-mlrt-ort, from Python 3.12 on")
    network = load_network("default")
    write_plain_graph(network, tmp_path / "plain.onnx", metadata={})
    image = np.random.default_rng(0).random((3, 72, 104), np.float32)

    def fill(n: int, f: "vapoursynth.VideoFrame") -> "vapoursynth.VideoFrame":  # type: ignore[name-defined]
        frame = f.copy()
        for plane in range(3):
            np.copyto(np.asarray(frame[plane]), image[plane])
        return frame

    clip = core.std.BlankClip(width=104, height=72, format=vapoursynth.RGBS, length=1)
    clip = core.std.ModifyFrame(clip, clip, fill)
    made = core.ort.Model(clip, network_path=str(tmp_path / "plain.onnx")).get_frame(0)
    found = np.stack([np.asarray(made[plane]) for plane in range(3)])
    with torch.inference_mode():
        expected = DenoisingModule(network)(torch.from_numpy(image)[None])[0].numpy()
    assert np.abs(found - expected).max() < 1e-4
