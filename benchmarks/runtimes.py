"""What every exported form costs beside the native engine: ``python -m benchmarks runtimes``.

One noisy picture, one pass there and back at latent 0, one thread. Seconds are the median of the
processor's, not the clock's, so that other work on the machine counts little; the differences are
from torch. What is not installed is left out, and named. VapourSynth takes part where
``INVDN_VAPOURSYNTH`` names a Python that has vs-mlrt, FFmpeg where ``INVDN_FFMPEG`` names one whose
``dnn_processing`` has a backend for ONNX files.
"""

import argparse
import json
import os
import resource
import subprocess
import sys
import time
import warnings
import zipfile
from collections.abc import Callable, Iterator
from contextlib import redirect_stdout, suppress
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import onnxruntime
import torch
from numpy.typing import NDArray

from invdn.engines import open_engine
from invdn.errors import EngineError, MissingDependencyError
from invdn.evaluation.machine import describe_machine
from invdn.network import DenoisingModule, InvDN
from invdn.photo.demo_photo import demo_photo
from invdn.weights import read_parameters, write_parameters
from invdn.weights.checks import Comparison
from invdn.weights.dtmodel import export_darktable
from invdn.weights.network import load_network
from invdn.weights.onnx_export import export_onnx

Array = NDArray[np.float32]
#: An image (1, 3, H, W) in, its result and the seconds of a processor out.
Run = Callable[[Array], tuple[Array, float]]

_SMALL = 64  # of the picture that warms a form up
_VAPOURSYNTH = """
import sys, time
import numpy as np
import vapoursynth as vs

image = np.load("image.npy")[0]
height, width = image.shape[1:]

def filled(n, f):
    frame = f.copy()
    for plane in range(3):
        np.copyto(np.asarray(frame[plane]), image[plane])
    return frame

clip = vs.core.std.BlankClip(width=width, height=height, format=vs.RGBS, length=2)
clip = vs.core.std.ModifyFrame(clip, clip, filled)
clip = vs.core.ort.Model(clip, network_path=sys.argv[1], num_streams=1)
clip.get_frame(0)
start = time.process_time()
frame = clip.get_frame(1)
print(time.process_time() - start)
np.save("result.npy", np.stack([np.asarray(frame[plane]) for plane in range(3)])[None])
"""


@dataclass(frozen=True)
class Form:
    """One way to run the model.

    Attributes:
        name: of the runtime and of what it runs.
        files: all that it needs of the model.
        run: as above.
        fixed: takes images of the full size alone.
        eight_bits: gives whole steps of 8 bits, and is compared with torch's so rounded.
    """

    name: str
    files: tuple[Path, ...]
    run: Run
    fixed: bool = False
    eight_bits: bool = False


def main() -> None:
    """Measure every runtime that is there, and write a table of JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--size", type=int, default=512)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--model", default="default", help="shipped, or a weights file")
    choices = parser.parse_args()
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[-1:])  # of the programs, too
    torch.set_num_threads(1)
    warnings.simplefilter("ignore")
    image = _picture(choices.size)
    rows: list[dict[str, Any]] = []
    with TemporaryDirectory() as name, torch.inference_mode():
        network = load_network(choices.model)
        expected = DenoisingModule(network)(torch.from_numpy(image)).numpy()
        for form in _forms(network, choices.model, Path(name), choices.size):
            rows.append(_measure(form, image, expected, choices.repeats))
            print(rows[-1], file=sys.stderr)
    native = next(row["seconds"] for row in rows if row["form"].startswith("native engine"))
    for row in rows:
        row["times_native"] = round(row["seconds"] / native, 2)
    facts = {"size": choices.size, "repeats": choices.repeats, "model": choices.model}
    versions = {name: found for name in _PACKAGES if (found := _version(name))}
    report = {"machine": describe_machine() | versions, **facts, "rows": rows}
    print(json.dumps(report, indent=2, allow_nan=False))


def table(report: dict[str, Any]) -> str:
    """Return the rows of a result as the document shows them."""
    lines = [
        "| runtime | seconds | times native | MB | largest difference |",
        "|---|---|---|---|---|",
    ]
    for row in report["rows"]:
        decibels = f"{row['decibels']:.0f} dB" if row["decibels"] else "none"
        steps = f" ({row['steps_of_8_bits']:.1g} steps of 8 bits)" if row["decibels"] else ""
        cells = (row["form"], f"{row['seconds']:.2f}", f"{row['times_native']:.1f}")
        cells += (f"{row['megabytes']:.1f}", decibels + steps)
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


_PACKAGES = ("openvino", "paddlepaddle", "huggingface_hub")


def _version(package: str) -> str | None:
    with suppress(PackageNotFoundError):
        return version(package)
    return None


def _picture(size: int) -> Array:
    """Draw the scene of the demonstration with noise of 12 levels, (1, 3, size, size)."""
    clean = demo_photo(size)
    noisy = clean + np.random.default_rng(0).normal(0, 12, clean.shape)
    image = np.clip(np.round(noisy), 0, 255).astype(np.float32) / 255
    return np.ascontiguousarray(image.transpose(2, 0, 1)[None])


def _measure(form: Form, image: Array, expected: Array, repeats: int) -> dict[str, Any]:
    if not form.fixed:
        form.run(np.ascontiguousarray(image[..., :_SMALL, :_SMALL]))
    results = [form.run(image) for _ in range(repeats)]
    if form.eight_bits:
        expected = np.round(np.clip(expected, 0, 1) * 255) / 255
    apart = results[0][0].astype(np.float64) - expected
    difference, error = float(np.abs(apart).max()), float(np.sqrt(np.mean(np.square(apart))))
    comparison = Comparison(form.name, (1, *image.shape[2:]), difference, error)
    return {
        "form": form.name,
        "megabytes": round(sum(path.stat().st_size for path in form.files) / 1e6, 2),
        "seconds": round(median(seconds for _, seconds in results), 2),
        "steps_of_8_bits": float(f"{comparison.steps:.2g}"),
        "decibels": round(comparison.decibels, 1) if error else None,
    }


def _timed(run: Callable[[Array], Any]) -> Run:
    """Measure what runs in this process."""

    def timed(image: Array) -> tuple[Array, float]:
        start = time.process_time()
        result = np.asarray(run(image), np.float32)
        return result, time.process_time() - start

    return timed


def _bordered(run: Callable[[Array], Array], border: int) -> Callable[[Array], Array]:
    """Run it on images that are mirrored all around, as the others do by themselves."""
    inner = np.s_[..., border:-border, border:-border]
    sides = ((0, 0), (0, 0), (border, border), (border, border))
    return lambda image: np.asarray(run(np.pad(image, sides, mode="reflect"))[inner])


def _forms(network: InvDN, model: str, folder: Path, size: int) -> Iterator[Form]:
    """Give torch first, then the native engine, then every exported form that runs here."""
    border = network.architecture.border
    latent: Callable[[Array], Array] = lambda image: np.zeros(  # noqa: E731
        (1, network.architecture.latent_channels, image.shape[2] // 4, image.shape[3] // 4),
        np.float32,
    )
    weights = folder / "weights.safetensors"
    write_parameters(read_parameters(model), weights)

    def by_torch(module: Callable[[torch.Tensor], torch.Tensor]) -> Run:
        return _timed(lambda image: module(torch.from_numpy(image)).numpy())

    yield Form(f"torch {torch.__version__}", (weights,), by_torch(DenoisingModule(network)))
    for dtype in ("auto", "float32"):
        engine = open_engine(model, "cpu", "native", dtype=dtype)
        whole = _bordered(lambda x, e=engine: e.decode(e.encode(x), latent(x)), border)
        name = engine.description.removeprefix("the ").removesuffix(" on the CPU")
        yield Form(name, (weights,), _timed(whole))

    export_onnx(network, folder / "onnx", size=(size, size))
    export_onnx(network, folder / "half", half=True)
    half = folder / "half" / "plain-float16.onnx"
    fixed = folder / "onnx" / f"plain-{size}x{size}.onnx"
    export_onnx(network, folder / "any")
    plain = folder / "any" / "plain.onnx"
    pair = tuple(folder / "any" / f"{name}.onnx" for name in ("encode", "decode"))
    runtime = f"ONNX Runtime {onnxruntime.__version__}"
    yield Form(f"{runtime}, plain.onnx", (plain,), _timed(_onnx(plain)))
    yield Form(f"{runtime}, --size {size}x{size}", (fixed,), _timed(_onnx(fixed)), fixed=True)
    yield Form(f"{runtime}, --dtype float16", (half,), _timed(_onnx(half)))
    denoise = folder / "any" / "denoise.onnx"
    run = _onnx(denoise)
    both = _bordered(lambda image: run(image, latent(image)), border)
    yield Form(f"{runtime}, denoise.onnx", (denoise,), _timed(both))
    encode, decode = map(_onnx, pair)
    apart = _bordered(lambda image: decode(encode(image), latent(image)), border)
    files = (*pair, folder / "any" / "weights.safetensors")
    yield Form(f"{runtime}, encode.onnx and decode.onnx", files, _timed(apart))
    for form, dtype in (("denoise-invdn.dtmodel", False), ("the same, float16", True)):
        export_darktable(network, folder / form, licence="Apache-2.0", half=dtype)
        package = folder / form / "denoise-invdn.dtmodel"
        with zipfile.ZipFile(package) as archive:
            archive.extract("denoise-invdn/model.onnx", folder / form)
        inside = _timed(_onnx(folder / form / "denoise-invdn" / "model.onnx"))
        yield Form(f"{runtime}, {form}", (package,), inside)
    for name, more in _OTHERS.items():
        try:
            yield from more(network, folder, plain)
        except (ImportError, MissingDependencyError, EngineError, KeyError) as error:
            print(f"without {name}: {error}", file=sys.stderr)


def _onnx(path: Path) -> Callable[..., Array]:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    names = [value.name for value in session.get_inputs()]
    return lambda *inputs: np.asarray(
        session.run(None, dict(zip(names, map(np.ascontiguousarray, inputs), strict=True)))[0]
    )


def _openvino(network: InvDN, folder: Path, plain: Path) -> Iterator[Form]:
    import openvino

    for kind in ("f32", "bf16"):
        settings = {"INFERENCE_PRECISION_HINT": kind, "INFERENCE_NUM_THREADS": 1}
        compiled = openvino.Core().compile_model(plain, "CPU", settings)
        run = _timed(lambda image, run=compiled: np.array(run({"input": image})["output"]))
        yield Form(f"OpenVINO {version('openvino')}, plain.onnx, {kind}", (plain,), run)


def _paddle(network: InvDN, folder: Path, plain: Path) -> Iterator[Form]:
    from invdn.weights.paddle_export import export_paddle
    from invdn.weights.paddle_runtime import MANIFEST, open_predictor, run_predictor

    scale, channels = network.architecture.scale, network.architecture.latent_channels
    for joined in (False, True):
        place = folder / f"paddle-{joined}"
        export_paddle(network, place, noise_input=joined)
        predictor = open_predictor(place, threads=1)

        def run(image: Array, predictor: Any = predictor, joined: bool = joined) -> Array:
            side = 1 if joined else scale
            height, width = (edge // side for edge in image.shape[2:])
            noise = np.zeros((1, channels, height, width), np.float32)
            inputs = (np.concatenate([image, noise], 1),) if joined else (image, noise)
            return run_predictor(predictor, *inputs)

        files = tuple(path for path in place.iterdir() if path.name != MANIFEST)
        name = f"Paddle Inference {version('paddlepaddle')}" + (", --noise-input" if joined else "")
        yield Form(name, files, _timed(_bordered(run, network.architecture.border)))


def _hugging_face(network: InvDN, folder: Path, plain: Path) -> Iterator[Form]:
    from invdn.weights.hub_export import export_hub

    place = folder / "hub"
    export_hub(network, place, licence="Apache-2.0")
    with redirect_stdout(sys.stderr):  # where it says what it loads
        module = DenoisingModule(InvDN.from_pretrained(place).eval())
    run = _timed(lambda image: module(torch.from_numpy(image)).numpy())
    name = f"huggingface_hub {version('huggingface_hub')}, InvDN.from_pretrained"
    yield Form(name, tuple(place.iterdir()), run)


def _vapoursynth(network: InvDN, folder: Path, plain: Path) -> Iterator[Form]:
    python = os.environ["INVDN_VAPOURSYNTH"]

    def run(image: Array) -> tuple[Array, float]:
        np.save(folder / "image.npy", image)
        command = [python, "-c", _VAPOURSYNTH, str(plain)]
        ended = subprocess.run(command, cwd=folder, check=True, capture_output=True, text=True)
        return np.load(folder / "result.npy"), float(ended.stdout)

    ask = "import vapoursynth; print(vapoursynth.__version__)"
    found = subprocess.run([python, "-c", ask], check=True, capture_output=True, text=True).stdout
    yield Form(f"VapourSynth {found.strip()} with vs-mlrt, plain.onnx", (plain,), run)


def _ffmpeg(network: InvDN, folder: Path, plain: Path) -> Iterator[Form]:
    program = os.environ["INVDN_FFMPEG"]
    found = subprocess.run([program, "-version"], check=True, capture_output=True, text=True)
    asked = [program, "-hide_banner", "-h", "filter=dnn_processing"]
    known = subprocess.run(asked, check=True, capture_output=True, text=True).stdout
    for backend in ("onnx", "openvino"):
        if f" {backend} " not in known:
            print(f"without FFmpeg's {backend}", file=sys.stderr)
            continue

        def run(image: Array, backend: str = backend) -> tuple[Array, float]:
            """Take the time of two frames off that of one: the rest is its start."""
            pixels = np.round(image[0].transpose(1, 2, 0) * 255).astype(np.uint8)
            size = f"{pixels.shape[1]}x{pixels.shape[0]}"
            threads = ":threads_per_operation=1" if backend == "onnx" else ""
            chain = f"dnn_processing=dnn_backend={backend}:model={plain}{threads}"
            chain += ":input=input:output=output"
            raw = ["-f", "rawvideo", "-pix_fmt", "rgb24"]
            command = [program, "-v", "error", *raw, "-s", size, "-i", "pipe:", "-vf", chain]
            seconds = []
            for frames in (1, 2):
                before = _of_children()
                ended = subprocess.run(
                    [*command, *raw, "pipe:"],
                    input=pixels.tobytes() * frames,
                    check=True,
                    capture_output=True,
                )
                seconds.append(_of_children() - before)
            last = np.frombuffer(ended.stdout, np.uint8)[-pixels.size :].reshape(pixels.shape)
            result = np.float32(last.transpose(2, 0, 1)[None]) / np.float32(255)
            return result, seconds[1] - seconds[0]

        name = f"FFmpeg {found.stdout.split()[2]}, {backend}, plain.onnx"
        yield Form(name, (plain,), run, eight_bits=True)


def _of_children() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


_OTHERS: dict[str, Callable[[InvDN, Path, Path], Iterator[Form]]] = {
    "OpenVINO": _openvino,
    "Paddle": _paddle,
    "huggingface_hub": _hugging_face,
    "VapourSynth": _vapoursynth,
    "FFmpeg": _ffmpeg,
}

if __name__ == "__main__":
    main()
