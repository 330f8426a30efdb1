"""How long the network alone takes as WebAssembly, beside the native engine and onnxruntime-web.

    npm install onnxruntime-web
    python benchmarks/browser_network.py --onnxruntime-web node_modules/onnxruntime-web/dist \\
        > benchmarks/results/browser_network.json

It needs the built page and npm package (`.ci/wasm`), node, Chromium and playwright; for
onnxruntime-web torch as well, which writes its graph. Pictures go whole through encoder and
decoder at latent 0, in node, in Chromium and in Python (AVX2), on one thread and on two. Engines
take turns: a round runs each of them once in a fresh process, where the smallest picture has gone
through before, since browsers compile better what runs often. The best of the rounds is told: of
wall time, and of processor time, which a busy machine changes less; and how often the native
engine's it is. `load` is the machine's average of a minute in each round, the measured process in
it. Results of the engine in WebAssembly are compared with those of the native one.

Whether onnxruntime-web takes twelve megapixels is asked by `--only onnxruntime-web --sizes 256x256
3000x4000`; where it does not, what it says is its row.
"""

import argparse
import base64
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

import numpy as np
from playwright.sync_api import sync_playwright

from invdn.engines.native_engine import NativeEngine
from invdn.evaluation.machine import describe_machine
from invdn.weights import read_parameters
from support.chromium import NAMES
from support.renderers import cpu, renderers
from support.static_host import ISOLATION, served

BUILD = Path(__file__).parents[1] / "build"
#: WebGPU on SwiftShader, which is a processor's: for the differences, not for the time.
_WEBGPU = ("--enable-unsafe-webgpu", "--use-webgpu-adapter=swiftshader", "--enable-features=Vulkan")
# The runs of both places: `load` gives a function from planes to planes.
_RUNS = """
const timed = async ({ height, width, planes }, run, cpu) => {
  const values = planes === null
    ? Float32Array.from({ length: 3 * height * width }, Math.random)
    : new Float32Array(Uint8Array.from(atob(planes), (c) => c.charCodeAt(0)).buffer);
  const [begun, before] = [performance.now(), await cpu()];
  let image;
  try {
    image = await run(values, height, width);
  } catch (error) {
    return { error: `${error.message ?? error}` };
  }
  const [seconds, processor] = [(performance.now() - begun) / 1000, (await cpu()) - before];
  if (planes === null) return { seconds, processor_seconds: processor };
  let text = "";
  const bytes = new Uint8Array(image.buffer, image.byteOffset, image.byteLength);
  for (let at = 0; at < bytes.length; at += 8192) {
    text += String.fromCharCode(...bytes.subarray(at, at + 8192));
  }
  return { seconds, processor_seconds: processor, image: btoa(text) };
};
const through = (session) => async (planes, height, width) => {
  const [{ planes: image }] = await (await session(height, width)).push(planes);
  return image;
};
const onnx = (ort, session) => async (planes, height, width) => {
  const input = new ort.Tensor("float32", planes, [1, 3, height, width]);
  return (await session.run({ input })).output.data;
};
"""
_NODE = (
    """
import { readFileSync } from "node:fs";
const { engine, package: folder, ort: ortFolder, model, graph, threads, pictures }
  = JSON.parse(readFileSync(0, "utf8"));
"""
    + _RUNS
    + """
let run;
if (engine === "invdn") {
  const load = (name) => import(`${folder}/${name}`);
  const [{ Engine }, { readModel }, { factoryOf }] =
    await Promise.all(["engine.js", "model.js", "node.js"].map(load));
  const build = threads > 1 ? "simd-threads" : "simd";
  const file = readFileSync(model);
  const weights = readModel(file.buffer.slice(file.byteOffset, file.byteOffset + file.byteLength));
  const script = `${folder}/dist/engine/${build}/invdn.js`;
  const opened = await Engine.open(await factoryOf(script), weights, { threads });
  run = through((height, width) => opened.session(height, width, height));
} else {
  const ort = await import(`${ortFolder}/ort.node.min.mjs`);
  ort.env.wasm.numThreads = threads;
  run = onnx(ort, await ort.InferenceSession.create(graph, { executionProviders: ["wasm"] }));
}
const cpu = () => { const { user, system } = process.cpuUsage(); return (user + system) / 1e6; };
await timed(pictures[0], run, cpu);
const found = [];
for (const picture of pictures) found.push(await timed(picture, run, cpu));
process.stdout.write(JSON.stringify(found), () => process.exit());
"""
)
_CHROMIUM = (
    "async ({ engine, model, threads, pictures }) => {"
    + _RUNS
    + """
let run;
if (engine === "invdn") {
  const { RemoteEngine } = await import("./site/invdn/remote_engine.js");
  const build = threads > 1 ? "simd-threads" : "simd";
  const opened = await RemoteEngine.open(new Worker("./site/invdn/engine_worker.js"), {
    folder: new URL(`site/engine/${build}/`, location).href,
    model: new URL(`site/models/${model}.safetensors`, location).href, threads,
  });
  run = through((height, width) => opened.session(height, width, height));
} else if (engine === "invdn, WebGPU") {
  const [{ GpuEngine }, { readModel }] =
    await Promise.all(["gpu_engine", "model"].map((name) => import(`./site/invdn/${name}.js`)));
  const file = await (await fetch(`site/models/${model}.safetensors`)).arrayBuffer();
  const opened = await GpuEngine.open(readModel(file), { scale: 4, channels: 3, threads });
  run = through((height, width) => opened.session(height, width));
} else {
  const ort = await import("./ort/ort.wasm.bundle.min.mjs");
  ort.env.wasm.numThreads = threads;
  ort.env.wasm.wasmPaths = new URL("ort/", location).href;
  const how = { executionProviders: ["wasm"] };
  run = onnx(ort, await ort.InferenceSession.create("plain.onnx", how));
}
await timed(pictures[0], run, processorSeconds);
const found = [];
for (const picture of pictures) found.push(await timed(picture, run, processorSeconds));
return found;
}"""
)


def main() -> None:
    """Measure what the arguments ask for and print it as JSON; progress goes to standard error."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    squares = [f"{side}x{side}" for side in (256, 512, 1024)]
    parser.add_argument("--sizes", nargs="*", default=squares, metavar="HEIGHTxWIDTH")
    parser.add_argument("--models", nargs="*", default=["fast", "default"])
    parser.add_argument("--threads", type=int, nargs="*", default=[1, 2])
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--webgpu", action="store_true", help="the trial as well, in software")
    parser.add_argument("--graphs", type=Path, help="kept between runs: an export takes a minute")
    parser.add_argument("--onnxruntime-web", type=Path, help="its folder dist, to compare with")
    parser.add_argument(
        "--only", choices=["invdn", "onnxruntime-web"], help="beside the native one"
    )
    options = parser.parse_args()
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        for row in measured(options, Path(folder)):
            rows.append(row)
            sys.stderr.write(f"{row}\n")
    json.dump({"machine": describe_machine(), "runs": rows}, sys.stdout, indent=1)
    sys.stdout.write("\n")


def measured(options: argparse.Namespace, folder: Path) -> Iterator[dict[str, Any]]:
    """Send the pictures through every engine, in every place."""
    ort = options.onnxruntime_web and options.onnxruntime_web.resolve()
    (folder / "site").symlink_to(BUILD / "browser")
    (folder / "index.html").write_text("<title>network</title>")
    if ort:
        (folder / "ort").symlink_to(ort)
    generator = np.random.default_rng(0)
    sizes = sorted(tuple(int(edge) for edge in size.split("x")) for size in options.sizes)
    images = [generator.random((3, *size), np.float32) for size in sizes]
    pictures = {
        name: [
            {
                **dict(zip(("height", "width"), size, strict=True)),
                "planes": base64.b64encode(image.tobytes()).decode() if name == "invdn" else None,
            }
            for size, image in zip(sizes, images, strict=True)
        ]
        for name in ("invdn", "onnxruntime-web")
    }
    engines = [name for name in ("invdn", "onnxruntime-web") if options.only in (None, name)]
    if not ort:
        engines.remove("onnxruntime-web")
    for model in options.models:
        weights = BUILD / f"browser/models/{model}.safetensors"
        if ort:
            graphs = (options.graphs or folder) / model
            if not (graphs / "plain.onnx").exists():
                command = [sys.executable, "-m", "invdn", "export", str(weights), str(graphs)]
                subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
            shutil.copy(graphs / "plain.onnx", folder / "plain.onnx")
        for threads in options.threads:
            request = {"model": model, "threads": threads, "pictures": pictures["invdn"]}
            runs: dict[tuple[str, str], list[list[dict[str, Any]]]] = {}
            for _ in range(options.rounds):
                answers = list(native(weights, threads, images))
                runs.setdefault(("Python", "native AVX2"), []).append(loaded(answers))
                if options.webgpu:
                    answers = in_chromium({**request, "engine": "invdn, WebGPU"}, folder)
                    runs.setdefault(("Chromium", "invdn, WebGPU"), []).append(loaded(answers))
                for engine in engines:
                    how = {**request, "engine": engine, "pictures": pictures[engine]}
                    answers = in_node({**how, "model": str(weights), "ort": str(ort)}, folder)
                    runs.setdefault(("node", engine), []).append(loaded(answers))
                    runs.setdefault(("Chromium", engine), []).append(
                        loaded(in_chromium(how, folder))
                    )
            yield from best(runs, sizes, {"model": model, "threads": threads})


def loaded(answers: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return answers with the load of the machine as they came."""
    return [{**answer, "load": os.getloadavg()[0]} for answer in answers]


def best(
    runs: dict[tuple[str, str], list[list[dict[str, Any]]]],
    sizes: list[tuple[int, ...]],
    what: dict[str, Any],
) -> Iterator[dict[str, Any]]:
    """Reduce the rounds of each engine, the native one first, to a row for each size."""
    natives: list[dict[str, float]] = []
    for (place, engine), rounds in runs.items():
        for index, (size, answers) in enumerate(zip(sizes, zip(*rounds, strict=True), strict=True)):
            row: dict[str, Any] = {"place": place, "engine": engine, **what, "size": size}
            if "error" in answers[0]:
                yield {**row, "error": answers[0]["error"]}
                continue
            times = {}
            for name in ("seconds", "processor_seconds"):
                times[name] = min(answer[name] for answer in answers)
                row[name] = round(times[name], 3)
            if place == "Python":
                natives.append({**times, "image": answers[0]["image"]})
            for name, value in times.items():
                row[f"{name}_of_native"] = round(value / natives[index][name], 2)
            row["load"] = [round(answer["load"], 1) for answer in answers]
            if engine.startswith("invdn"):
                image = np.frombuffer(base64.b64decode(answers[0]["image"]), "<f4")
                reference = np.asarray(natives[index]["image"]).ravel()
                row["largest_difference"] = float(np.abs(image - reference).max())
            yield row


def native(weights: Path, threads: int, images: list[Any]) -> Iterator[dict[str, Any]]:
    """Send pictures through the native engine; yields the result and the times of each."""
    engine = NativeEngine(read_parameters(weights), threads=threads, instructions="avx2")
    for index, noisy in enumerate([images[0], *images]):
        begun, before = time.perf_counter(), time.process_time()
        low = engine.encode(noisy[None])
        shape = (1, engine.architecture.latent_channels, *low.shape[2:])
        image = engine.decode(low, np.zeros(shape, np.float32))[0]
        seconds, processor = time.perf_counter() - begun, time.process_time() - before
        if index:
            yield {"seconds": seconds, "processor_seconds": processor, "image": image}


def in_node(request: dict[str, Any], folder: Path) -> Any:
    """Send pictures through an engine in node."""
    request |= {"package": str(BUILD / "browser-npm"), "graph": str(folder / "plain.onnx")}
    script = folder / "run.mjs"  # a file, since threads of onnxruntime-web begin with it
    script.write_text(_NODE)
    command = ["node", str(script)]
    done = subprocess.run(command, input=json.dumps(request), capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(done.stderr)
    return json.loads(done.stdout)


def in_chromium(request: dict[str, Any], folder: Path) -> Any:
    """Send pictures through an engine in Chromium."""
    executable = next(filter(None, map(shutil.which, NAMES)), None)
    with sync_playwright() as driver, served(folder, ISOLATION) as (address, _):
        browser = driver.chromium.launch(
            executable_path=executable,
            args=[
                "--headless",
                "--no-sandbox",
                *(_WEBGPU if "WebGPU" in request["engine"] else []),
            ],
        )
        page = browser.new_page()
        page.set_default_timeout(0)
        page.expose_function("processorSeconds", lambda: sum(map(cpu, renderers())))
        page.goto(address)
        found = page.evaluate(_CHROMIUM, request)
        browser.close()
    return found


if __name__ == "__main__":
    main()
