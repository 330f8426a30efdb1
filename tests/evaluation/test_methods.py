"""Methods to stand beside the network: classical ones, ONNX files, ready-made outputs."""

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from invdn.errors import DataError, EngineError, InputError, MissingDependencyError
from invdn.evaluation import baselines
from invdn.evaluation.baselines import BASELINES, baseline, noise_level
from invdn.evaluation.methods import onnx_denoiser, precomputed_outputs
from invdn.evaluation.samples import Sample
from invdn.image.metrics import psnr
from invdn.photo.photo import Photo
from invdn.photo.write import write_photo


def noisy_sample(colours: int = 3) -> Sample:
    y, x = np.mgrid[0:48, 0:56] / 56
    clean = np.stack([0.3 + 0.3 * x, 0.5 + 0.2 * y, 0.4 + 0.2 * x * y], -1)
    noisy = clean + np.random.default_rng(0).normal(0, 0.08, clean.shape)
    stored = [np.round(np.clip(p, 0, 1) * 255).astype(np.uint8) for p in (noisy, clean)]
    return Sample("ramp", *(p if colours == 3 else p[..., 0] for p in stored))


def write_network(path: Path, channels: int = 3, extra_input: bool = False) -> None:
    """An ONNX file that takes the mean of 3x3 pixels; or one that nobody can call a denoiser."""
    kernel = np.zeros((channels, 3, 3, 3), np.float32)
    for colour in range(min(channels, 3)):
        kernel[colour, colour] = 1 / 9
    shape = ["n", 3, "h", "w"]
    inputs = [helper.make_tensor_value_info("x", TensorProto.FLOAT, shape)]
    if extra_input:
        inputs.append(helper.make_tensor_value_info("z", TensorProto.FLOAT, shape))
    graph = helper.make_graph(
        [helper.make_node("Conv", ["x", "k"], ["y"], pads=[1, 1, 1, 1])],
        "mean",
        inputs,
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["n", channels, "h", "w"])],
        [helper.make_tensor("k", TensorProto.FLOAT, kernel.shape, kernel.ravel().tolist())],
    )
    opset = [helper.make_opsetid("", 18)]
    onnx.save(helper.make_model(graph, opset_imports=opset, ir_version=9), path)


@pytest.mark.parametrize("colours", [1, 3])
@pytest.mark.parametrize("name", ["nlm", "wavelet", "tv"])
def test_classical_methods_remove_noise(name: str, colours: int) -> None:
    sample = noisy_sample(colours)
    restored = baseline(name).restore(sample).pixels
    assert restored.shape == sample.noisy.shape
    assert restored.dtype == np.float32
    assert psnr(restored, sample.clean / 255) > psnr(sample.noisy / 255, sample.clean / 255) + 2


def test_strength_is_what_it_says() -> None:
    sample = noisy_sample()
    weak, strong = (baseline("tv", s).restore(sample).pixels for s in (0.2, 8))
    assert np.diff(weak, axis=0).std() > 2 * np.diff(strong, axis=0).std()
    assert baseline("tv", 0.2).name == "tv (strength 0.2)"


def test_bm3d_is_run_where_the_user_has_it(monkeypatch: pytest.MonkeyPatch) -> None:
    class Library:
        @staticmethod
        def bm3d_rgb(noisy: np.ndarray, sigma: float) -> np.ndarray:
            return noisy * 0 + sigma

    monkeypatch.setattr(baselines, "import_module", lambda name: Library)
    sigma = noise_level((noisy_sample().noisy / 255).astype(np.float32))
    assert baseline("bm3d").restore(noisy_sample()).pixels[0, 0, 0] == pytest.approx(sigma)


def test_a_method_that_is_not_installed_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def absent(name: str) -> None:
        raise ModuleNotFoundError(name=name)

    monkeypatch.setattr(baselines, "import_module", absent)
    for name in BASELINES:
        with pytest.raises(MissingDependencyError, match="pip install"):
            baseline(name)


@pytest.mark.parametrize(
    ("name", "strength"), [("median", None), ("tv", 0.0), ("tv", float("nan"))]
)
def test_impossible_baselines_are_refused(name: str, strength: float | None) -> None:
    with pytest.raises(InputError):
        baseline(name, strength)


def test_any_onnx_denoiser_runs_on_any_size(tmp_path: Path) -> None:
    write_network(tmp_path / "mean.onnx")
    method = onnx_denoiser("mean", tmp_path / "mean.onnx")
    for colours in (1, 3):
        sample = noisy_sample(colours)
        restored = method.restore(sample).pixels
        assert restored.shape == sample.noisy.shape
        inner = np.s_[10, 20]
        around = sample.noisy[9:12, 19:22].mean(axis=(0, 1)) / 255
        assert restored[inner] == pytest.approx(around, abs=1e-6)


def test_other_onnx_files_are_refused(tmp_path: Path) -> None:
    (tmp_path / "text.onnx").write_text("hello")
    write_network(tmp_path / "two.onnx", extra_input=True)
    write_network(tmp_path / "wide.onnx", channels=5)
    for name, complaint in (("text", "no network"), ("two", "expected one float32 image")):
        with pytest.raises(EngineError, match=complaint):
            onnx_denoiser(name, tmp_path / f"{name}.onnx")
    with pytest.raises(EngineError, match="no denoiser"):
        onnx_denoiser("wide", tmp_path / "wide.onnx").restore(noisy_sample())


def test_ready_made_outputs_can_be_swapped_back(tmp_path: Path) -> None:
    sample = noisy_sample()
    write_photo(Photo(np.ascontiguousarray(sample.clean[..., ::-1])), tmp_path / "a.png")
    files = {"ramp": tmp_path / "a.png"}
    swapped = precomputed_outputs("x", files, swap_red_and_blue=True).restore(sample).pixels
    assert np.array_equal(swapped, sample.clean)
    other = Sample("ramp", sample.noisy[:10], sample.clean[:10])
    with pytest.raises(DataError, match=r"a\.png has shape"):
        precomputed_outputs("x", files, swap_red_and_blue=False).restore(other)
