"""The native engine beside other programs' engines, on the same weights and photograph.

    python benchmarks/peers.py [--sizes 256 512 1024] [--threads 1 2] [--repeats 5] \
        [--only native openvino] > benchmarks/results/peers.json

Peers are ONNX Runtime, torch (eager, and compiled), OpenVINO (float32, and bfloat16 by its hint),
MNN and ncnn, from their wheels: `pip install openvino MNN ncnn pnnx`. One that is not installed, or
cannot take the network, is told with the reason and left out.

A photograph with camera noise is encoded and decoded by one engine after the other, over and over,
so that whatever else the machine does meets them all. Printed are the smallest and the median time,
the smallest processor time, and the ratio to native's default: of processor time on one thread,
which other programs hardly disturb, else of the smallest time. Errors are against torch in float64,
at the smallest size, of white.
"""

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from invdn.engines import _native
from invdn.engines.factory import PUBLISHED_GRAPHS
from invdn.engines.native_engine import CANDIDATES, NativeEngine, choose_precision
from invdn.engines.onnx_runtime import OnnxRuntimeEngine
from invdn.evaluation.machine import describe_machine
from invdn.inference.engine import Array
from invdn.photo.demo_photo import camera_noise, demo_photo
from invdn.weights import read_parameters
from invdn.weights.network import build_network

Pass = Callable[[Array, Array], Array]
MEASURE = "native"


def through(engine: Any) -> Pass:
    """Return encode and decode of one of the project's engines as one function."""

    def run(noisy: Array, latent: Array) -> Array:
        image: Array = engine.decode(engine.encode(noisy), latent)
        return image

    return run


def native(threads: int, _: Path, __: int) -> Iterator[tuple[str, Pass]]:
    """Yield the default, and every precision that this processor has."""
    parameters = read_parameters("default")
    chosen = choose_precision(parameters)
    yield MEASURE, through(NativeEngine(parameters, threads=threads, precision=chosen))
    for precision in ("float32", *reversed(CANDIDATES)):
        if _native.instruction_sets(precision) and precision != chosen:
            engine = NativeEngine(parameters, threads=threads, precision=precision)
            yield f"native {precision}", through(engine)


def onnxruntime(threads: int, _: Path, __: int) -> Iterator[tuple[str, Pass]]:
    """Yield the package's other engine."""
    parameters = read_parameters("default")
    yield (
        "ONNX Runtime",
        through(OnnxRuntimeEngine(PUBLISHED_GRAPHS, parameters, threads=threads)),
    )


def torch(threads: int, _: Path, __: int) -> Iterator[tuple[str, Pass]]:
    """Yield torch eager and compiled, channels last."""
    import torch

    torch.set_num_threads(threads)
    network = build_network(read_parameters("default")).eval()

    def passes(encode: Any, decode: Any) -> Pass:
        def run(noisy: Array, latent: Array) -> Array:
            with torch.inference_mode():
                low = encode(torch.from_numpy(noisy))[0]
                image: Array = decode(low, torch.from_numpy(latent)).numpy()
            return image

        return run

    yield "torch eager", passes(network.encode, network.decode)
    yield "torch compiled", passes(torch.compile(network.encode), torch.compile(network.decode))


def openvino(threads: int, graph: Path, _: int) -> Iterator[tuple[str, Pass]]:
    """Yield OpenVINO in float32 and with the hint to take bfloat16."""
    import openvino

    for kind, name in (("f32", "OpenVINO float32"), ("bf16", "OpenVINO bfloat16")):
        core = openvino.Core()
        settings = {"INFERENCE_PRECISION_HINT": kind, "INFERENCE_NUM_THREADS": threads}
        compiled = core.compile_model(core.read_model(graph), "CPU", settings)

        def run(noisy: Array, latent: Array, compiled: Any = compiled) -> Array:
            image: Array = compiled([noisy, latent])[compiled.output(0)]
            return image

        yield name, run


def mnn(threads: int, graph: Path, _: int) -> Iterator[tuple[str, Pass]]:
    """Yield MNN in float32."""
    import MNN

    model = graph.with_suffix(".mnn")
    program = shutil.which("mnnconvert")
    if program is None:
        raise RuntimeError("mnnconvert is not on the path")
    command = [program, "-f", "ONNX", "--bizCode", "x", "--modelFile", str(graph)]
    subprocess.run([*command, "--MNNModel", str(model)], check=True, capture_output=True)
    runtime = MNN.nn.create_runtime_manager(({"backend": "CPU", "numThread": threads},))
    inputs, outputs = _names(graph)
    module = MNN.nn.load_module_from_file(str(model), inputs, outputs, runtime_manager=runtime)
    expr = MNN.expr

    def run(noisy: Array, latent: Array) -> Array:
        arrays = [expr.const(a, list(a.shape), expr.NCHW) for a in (noisy, latent)]
        return np.array(expr.convert(module.forward(arrays)[0], expr.NCHW).read())

    yield "MNN float32", run


def ncnn(threads: int, graph: Path, size: int) -> Iterator[tuple[str, Pass]]:
    """Yield ncnn in float32, as pnnx converts the graph for one size."""
    import ncnn

    shapes = f"inputshape=[1,3,{size},{size}]f32,[1,45,{size // 4},{size // 4}]f32"
    folder = graph.parent / f"ncnn-{size}"
    folder.mkdir(exist_ok=True)
    copy = folder / "denoise.onnx"
    copy.write_bytes(graph.read_bytes())
    program = shutil.which("pnnx")
    if program is None:
        raise RuntimeError("pnnx is not installed")
    subprocess.run([program, str(copy), shapes], check=True, capture_output=True, cwd=folder)
    net = ncnn.Net()
    net.opt.num_threads = threads
    if net.load_param(str(folder / "denoise.ncnn.param")) or net.load_model(
        str(folder / "denoise.ncnn.bin")
    ):
        raise RuntimeError("ncnn cannot load what pnnx made")

    def run(noisy: Array, latent: Array) -> Array:
        with net.create_extractor() as extractor:
            extractor.input("in0", ncnn.Mat(noisy[0]))
            extractor.input("in1", ncnn.Mat(latent[0]))
            return np.array(extractor.extract("out0")[1])[None]

    yield "ncnn float32", run


PEERS = {peer.__name__: peer for peer in (native, onnxruntime, torch, openvino, mnn, ncnn)}


def _names(graph: Path) -> tuple[list[str], list[str]]:
    import onnx

    content = onnx.load(graph).graph
    return [one.name for one in content.input], [one.name for one in content.output]


def export(folder: Path) -> Path:
    """Return the whole network as one ONNX graph."""
    command = [sys.executable, "-m", "invdn", "export", "default", str(folder / "graphs")]
    subprocess.run(command, check=True, capture_output=True)
    return folder / "graphs" / "denoise.onnx"


def open_peers(
    names: list[str], threads: int, graph: Path | None, size: int
) -> tuple[dict[str, Pass], dict[str, str]]:
    """Return what runs, and why the rest does not."""
    noisy, latent = photograph(size)
    running: dict[str, Pass] = {}
    absent: dict[str, str] = {}
    for name in names:
        try:
            for title, run in PEERS[name](threads, graph or Path(), size):
                shape = run(noisy, latent).shape  # compiles, and proves that it takes the network
                if shape != noisy.shape:
                    absent[title] = f"gives {shape}"
                else:
                    running[title] = run
        except Exception as error:  # noqa: BLE001 - of any peer, whose reason is told
            absent[name] = f"{type(error).__name__}: {str(error).strip().splitlines()[0][:200]}"
            print(name, absent[name], file=sys.stderr)
    return running, absent


def photograph(size: int) -> tuple[Array, Array]:
    """Return a noisy photograph and a latent drawn from N(0, 1)."""
    noisy = camera_noise(demo_photo(size)).astype(np.float32) / 255
    latent = np.random.default_rng(0).standard_normal((1, 45, size // 4, size // 4), np.float32)
    return np.ascontiguousarray(noisy.transpose(2, 0, 1))[None], latent


def reference(size: int) -> Array:
    """Return the photograph by torch in float64."""
    import torch

    network = build_network(read_parameters("default")).eval().double()
    noisy, latent = (torch.from_numpy(array).double() for array in photograph(size))
    with torch.inference_mode():
        image: Array = network.decode(network.encode(noisy)[0], latent).numpy()
    return image


def compare(
    size: int, threads: int, running: dict[str, Pass], repeats: int
) -> dict[str, dict[str, float]]:
    """Return seconds of each peer, all turn about."""
    noisy, latent = photograph(size)
    times: dict[str, list[float]] = {name: [] for name in running}
    processor: dict[str, list[float]] = {name: [] for name in running}
    for _ in range(repeats):
        for name, run in running.items():
            start, begun = time.perf_counter(), time.process_time()
            run(noisy, latent)
            processor[name].append(time.process_time() - begun)
            times[name].append(time.perf_counter() - start)
    compared = processor if threads == 1 else times
    least = {name: min(taken) for name, taken in compared.items()}
    return {
        name: {
            "seconds": round(min(taken), 4),
            "median": round(statistics.median(taken), 4),
            "processor_seconds": round(min(processor[name]), 4),
            "times_native": round(least[name] / least[MEASURE], 2) if MEASURE in least else 1.0,
        }
        for name, taken in times.items()
    }


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--sizes", type=int, nargs="+", default=[256, 512, 1024])
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--only", nargs="+", choices=PEERS, default=list(PEERS))
    chosen = parser.parse_args()
    cases = []
    absent: dict[str, str] = {}
    exact = reference(min(chosen.sizes))
    with tempfile.TemporaryDirectory() as folder:
        foreign = set(chosen.only) & {"openvino", "mnn", "ncnn"}
        graph = export(Path(folder)) if foreign else None
        for threads in chosen.threads:
            if hasattr(os, "sched_setaffinity"):
                os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[-threads:])
            for size in chosen.sizes:
                running, why = open_peers(chosen.only, threads, graph, size)
                absent |= why
                rows = compare(size, threads, running, chosen.repeats)
                if size == min(chosen.sizes):
                    for name, run in running.items():
                        apart = run(*photograph(size)) - exact
                        rows[name]["largest_error"] = float(f"{np.abs(apart).max():.2g}")
                        rows[name]["rms_error"] = float(f"{np.sqrt(np.mean(apart**2)):.2g}")
                load = os.getloadavg()[0] if hasattr(os, "getloadavg") else None
                cases.append({"size": size, "threads": threads, "load": load, "engines": rows})
                print(json.dumps(cases[-1]), file=sys.stderr)
            if hasattr(os, "sched_setaffinity"):
                os.sched_setaffinity(0, range(os.cpu_count() or 1))
    machine = describe_machine()
    print(json.dumps({"machine": machine, "cases": cases, "absent": absent}, indent=1))


if __name__ == "__main__":
    main()
