"""The plain graph in runtimes of other programs, and the documents' examples."""

import re
from pathlib import Path

import numpy as np
import pytest
import torch

from invdn import denoise_invdn
from invdn.errors import InputError
from invdn.network import DenoisingModule
from invdn.photo.demo_photo import demo_photo
from invdn.photo.photo import Photo
from invdn.photo.write import write_photo
from invdn.weights.network import load_network
from invdn.weights.onnx_export import write_plain_graph

DOCUMENT = Path(__file__).parents[2] / "docs" / "export.md"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the examples read: an exported model and a photograph whose sides are no multiples."""
    folder = tmp_path_factory.mktemp("examples")
    write_plain_graph(load_network("default"), folder / "plain.onnx", metadata={})
    clean = demo_photo(64, seed=1)[:50, :61]
    noise = np.random.default_rng(0).normal(0, 12, clean.shape)
    noisy = np.clip(clean + noise, 0, 255).astype(np.uint8)
    write_photo(Photo(noisy), folder / "photo.png")
    return folder


def _examples() -> dict[str, str]:
    """The Python programs of the document, by the heading above each."""
    parts = re.split(r"^## (.+)$", DOCUMENT.read_text(), flags=re.MULTILINE)[1:]
    programs = {
        heading: "\n".join(re.findall(r"```python\n(.*?)```", text, re.DOTALL))
        for heading, text in zip(parts[::2], parts[1::2], strict=True)
    }
    return {heading: program for heading, program in programs.items() if program}


@pytest.mark.parametrize("heading", ["ONNX Runtime", "scikit-image", "OpenCV"])
def test_the_document_s_example_runs(
    folder: Path, monkeypatch: pytest.MonkeyPatch, heading: str
) -> None:
    if heading == "OpenCV":
        pytest.importorskip("cv2", reason="needs OpenCV")
    pytest.importorskip("PIL", reason="needs Pillow")
    monkeypatch.chdir(folder)
    names: dict[str, np.ndarray] = {}
    program = _examples()[heading]
    assert heading != "ONNX Runtime" or len(program.splitlines()) <= 15
    exec(compile(program, heading, "exec"), names)  # noqa: S102 - the document's own
    noisy, clean = (names[name].astype(float) for name in ("noisy", "clean"))
    assert clean.shape == noisy.shape == (50, 61, 3)
    assert 1 < np.abs(clean - noisy).mean() < 40


def test_openvino_runs_the_plain_graph(folder: Path) -> None:
    """As FFmpeg's dnn_processing does with its backend openvino."""
    openvino = pytest.importorskip("openvino", reason="needs OpenVINO")
    image = np.random.default_rng(1).random((1, 3, 24, 36), np.float32)
    model = openvino.Core().compile_model(
        folder / "plain.onnx", "CPU", {"INFERENCE_PRECISION_HINT": "f32"}
    )
    found = model({"input": image})["output"]
    with torch.inference_mode():
        expected = DenoisingModule(load_network("default"))(torch.from_numpy(image)).numpy()
    assert np.abs(found - expected).max() < 1e-4


def test_denoise_invdn_takes_channels_anywhere() -> None:
    noisy = np.random.default_rng(2).integers(0, 256, (20, 28, 3), np.uint8)
    last = denoise_invdn(noisy, strength=1)
    first = denoise_invdn(noisy.transpose(2, 0, 1), strength=1, channel_axis=0)
    assert np.array_equal(first.transpose(1, 2, 0), last)
    assert last.dtype == noisy.dtype
    assert not np.array_equal(last, noisy)
    assert np.array_equal(denoise_invdn(noisy, strength=0), noisy)
    grey = denoise_invdn(noisy[..., 0], channel_axis=None)
    assert grey.shape == (20, 28)
    with pytest.raises(InputError, match="channel_axis"):
        denoise_invdn(noisy, channel_axis=None)
    with pytest.raises(InputError, match="no channels at 3"):
        denoise_invdn(noisy, channel_axis=3)
