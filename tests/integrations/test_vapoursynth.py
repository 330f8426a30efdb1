"""VapourSynth: the plain graph as a filter of vs-mlrt's ONNX Runtime plug-in.

The plug-in's wheel is for Python 3.12 and later: ``INVDN_VAPOURSYNTH`` names an interpreter that
has vapoursynth, vapoursynth-mlrt-ort and numpy, where the tests' own has not.
"""

import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from invdn.network import DenoisingModule
from invdn.weights.network import load_network
from invdn.weights.onnx_export import write_plain_graph

PYTHON = os.environ.get("INVDN_VAPOURSYNTH", sys.executable)
DOCUMENT = Path(__file__).parents[2] / "docs" / "export.md"
FILTER = """
import numpy as np
import vapoursynth as vs

core = vs.core
image = np.load("image.npy")

def filled(n, f):
    frame = f.copy()
    for plane in range(3):
        np.copyto(np.asarray(frame[plane]), image[plane])
    return frame

def first_frame(clip):
    frame = clip.get_frame(0)
    return np.stack([np.asarray(frame[plane]) for plane in range(3)])

height, width = image.shape[1:]
clip = core.std.BlankClip(width=width, height=height, format=vs.RGBS, length=1)
clip = core.std.ModifyFrame(clip, clip, filled)
np.save("whole.npy", first_frame(core.ort.Model(clip, network_path="plain.onnx")))
tiled = core.ort.Model(clip, network_path="plain.onnx", overlap=[32, 32], tilesize=[96, 96])
np.save("tiled.npy", first_frame(tiled))

colour = [120, 110, 140]
clip = core.std.BlankClip(width=320, height=272, format=vs.YUV420P8, length=1, color=colour)
DOCUMENT
np.save("document.npy", first_frame(clip))
"""


def test_a_frame_goes_through_the_filter(tmp_path: Path) -> None:
    look = [PYTHON, "-c", "import numpy, vapoursynth; vapoursynth.core.ort"]
    if subprocess.run(look, capture_output=True, check=False).returncode:
        pytest.skip("needs vapoursynth and vapoursynth-mlrt-ort, from Python 3.12 on")
    network = load_network("default")
    write_plain_graph(network, tmp_path / "plain.onnx", metadata={})
    image = np.random.default_rng(0).random((3, 136, 152), np.float32)
    np.save(tmp_path / "image.npy", image)
    example = re.search(r"```py\n(clip = core\.resize.*?)```", DOCUMENT.read_text(), re.DOTALL)
    assert example
    script = FILTER.replace("DOCUMENT", example[1])
    subprocess.run([PYTHON, "-c", script], cwd=tmp_path, check=True, timeout=300)
    with torch.inference_mode():
        expected = DenoisingModule(network)(torch.from_numpy(image)[None])[0].numpy()
    assert np.abs(np.load(tmp_path / "whole.npy") - expected).max() < 1e-4
    assert np.abs(np.load(tmp_path / "tiled.npy") - expected).mean() < 0.01
    plain = np.load(tmp_path / "document.npy")  # a clip of one colour, which stays
    assert plain.shape == (3, 272, 320) and np.ptp(plain, axis=(1, 2)).max() < 0.01
