"""What every exported form costs beside the native engine: ``python -m benchmarks runtimes``.

One image, one pass there and back at latent 0. Processor time of all threads, not the clock's,
so that other work on the machine counts little; the differences are from torch. Forms whose runtime
is not installed are left out.
"""

import argparse
import json
import sys
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import onnxruntime
import torch

from invdn.engines import open_engine
from invdn.evaluation.machine import describe_machine
from invdn.network import DenoisingModule
from invdn.weights.checks import Comparison, compare
from invdn.weights.dtmodel import export_darktable
from invdn.weights.network import load_network
from invdn.weights.onnx_export import export_onnx

Run = Callable[[np.ndarray], np.ndarray]


def main() -> None:
    """Measure every runtime that is there, and write a table of JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--size", type=int, default=512)
    choices = parser.parse_args()
    torch.set_num_threads(1)
    warnings.simplefilter("ignore")
    network = load_network("default")
    image = _picture(choices.size)
    with TemporaryDirectory() as name, torch.inference_mode():
        folder = Path(name)
        runs = _forms(network, folder, choices.size)
        rows = []
        small = image[..., :64, :64]
        expected = None
        for form, (file, run) in runs.items():
            if "fixed" not in form:
                run(small)
            start = time.process_time()
            found = run(image)
            seconds = time.process_time() - start
            expected = found if expected is None else expected
            apart = compare(form, (1, *image.shape[2:]), found, expected, half=True)
            rows.append(
                _row(form, file, seconds, rows[1]["seconds"] if len(rows) > 1 else 0, apart)
            )
            print(rows[-1], file=sys.stderr)
    for row in rows:
        row["times_native"] = round(row["seconds"] / rows[1]["seconds"], 2)
    report = {"machine": describe_machine(), "size": choices.size, "rows": rows}
    print(json.dumps(report, indent=2))


def _row(
    form: str, file: Path | None, seconds: float, native: float, apart: Comparison
) -> dict[str, Any]:
    return {
        "form": form,
        "megabytes": round(sum(p.stat().st_size for p in _files(file)) / 1e6, 2) if file else None,
        "seconds": round(seconds, 2),
        "times_native": round(seconds / native, 2) if native else None,
        "steps_of_8_bits": float(f"{apart.steps:.2g}"),
        "decibels": round(apart.decibels, 1),
    }


def _files(path: Path) -> list[Path]:
    return [path] if path.is_file() else [p for p in path.iterdir() if p.is_file()]


def _bordered(run: Run, border: int) -> Run:
    """Run it on images that are mirrored all around, as the others do by themselves."""
    inner = np.s_[..., border : -border or None, border : -border or None]
    sides = ((0, 0), (0, 0), (border, border), (border, border))
    return lambda x: run(np.pad(x, sides, mode="reflect"))[inner]


def _forms(network: Any, folder: Path, size: int) -> dict[str, tuple[Path | None, Run]]:
    """Torch first, whose result the others are compared with; the native engine second."""
    module = DenoisingModule(network)
    native = open_engine("default", "cpu", "native")
    zeros: Run = lambda x: np.zeros((1, 45, x.shape[2] // 4, x.shape[3] // 4), np.float32)  # noqa: E731
    forms: dict[str, tuple[Path | None, Run]] = {
        "torch": (None, lambda x: module(torch.from_numpy(np.ascontiguousarray(x))).numpy()),
        "native engine": (
            None,
            _bordered(
                lambda x: native.decode(native.encode(x), zeros(x)), native.architecture.border
            ),
        ),
    }
    export_onnx(network, folder / "onnx")
    export_onnx(network, folder / "half", half=True)
    export_onnx(network, folder / "fixed", size=(size, size))
    export_darktable(network, folder / "darktable", licence="Apache-2.0")
    for form, path in (
        ("ONNX Runtime, plain", folder / "onnx" / "plain.onnx"),
        ("ONNX Runtime, plain, float16", folder / "half" / "plain-float16.onnx"),
        ("ONNX Runtime, plain, fixed size", folder / "fixed" / f"plain-{size}x{size}.onnx"),
    ):
        forms[form] = (path, _onnx(path))
    try:
        from invdn.weights.paddle_export import export_paddle
        from invdn.weights.paddle_runtime import open_predictor, run_predictor

        export_paddle(network, folder / "paddle")
        predictor = open_predictor(folder / "paddle", threads=1)
        forms["Paddle Inference"] = (
            folder / "paddle",
            _bordered(lambda x: run_predictor(predictor, x, zeros(x)), native.architecture.border),
        )
    except Exception as error:  # noqa: BLE001 - told, and left out
        print("without Paddle:", error, file=sys.stderr)
    try:
        import openvino

        settings = {"INFERENCE_PRECISION_HINT": "f32", "INFERENCE_NUM_THREADS": 1}
        model = openvino.Core().compile_model(folder / "onnx" / "plain.onnx", "CPU", settings)
        forms["OpenVINO, plain"] = (
            folder / "onnx" / "plain.onnx",
            lambda x: np.array(model({"input": np.ascontiguousarray(x)})["output"]),
        )
    except ImportError as error:
        print("without OpenVINO:", error, file=sys.stderr)
    sizes = [path.stat().st_size for path in (folder / "darktable").iterdir()]
    print("darktable:", sizes, file=sys.stderr)
    return forms


def _onnx(path: Path) -> Run:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(path, options)
    return lambda x: np.asarray(session.run(None, {"input": np.ascontiguousarray(x)})[0])


def _picture(size: int) -> np.ndarray:
    """A smooth picture with noise."""
    rows, columns = np.mgrid[0:size, 0:size] / size
    clean = np.stack([0.2 + 0.5 * rows, 0.7 - 0.4 * columns, 0.3 + 0.3 * rows * columns])
    noise = np.random.default_rng(0).normal(0, 0.05, clean.shape)
    return np.clip(clean + noise, 0, 1).astype(np.float32)[None]


if __name__ == "__main__":
    main()
