"""The npm package in node: the ten lines of its README, and what it refuses."""

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from scipy.ndimage import gaussian_filter

from invdn.engines.native_engine import NativeEngine
from invdn.inference.pipeline import denoise_pixels
from invdn.options import DenoiseOptions
from invdn.weights import read_parameters

_REPOSITORY = Path(__file__).parents[2]
_SCRIPT = """
import { readFile, writeFile } from "node:fs/promises";
const { Denoiser } = await import(process.argv[1]);
const denoiser = await Denoiser.open({ model: "fast" });
const told = [];
const answer = async (work) => {
  try { return await work(); } catch (error) { return `${error.name}: ${error.message}`; }
};
const bytes = await readFile(process.argv[2]);
const done = await denoiser.denoise(bytes, { onProgress: (share) => told.push(share) });
await writeFile(process.argv[3], new Uint8Array(await done.blob.arrayBuffer()));
const aborted = AbortSignal.abort();
process.stdout.write(JSON.stringify({
  told, type: done.blob.type, width: done.width, level: done.noise.level,
  range: await answer(() => denoiser.denoise(bytes, { strength: 2 })),
  unknown: await answer(() => denoiser.denoise(bytes, { sharpness: 1 })),
  damaged: await answer(() => denoiser.denoise(bytes.subarray(0, 900))),
  aborted: await answer(() => denoiser.denoise(bytes, { signal: aborted })),
}), () => process.exit());
"""


_LOOKS = """
import { readFile, writeFile } from "node:fs/promises";
const { Denoiser } = await import(process.argv[1]);
const denoiser = await Denoiser.open({ model: "fast" });
const [, , file, to, looks] = process.argv;
const remarks = [];
for (const [name, look] of Object.entries(JSON.parse(looks))) {
  const done = await denoiser.denoise(await readFile(file), look);
  remarks.push(...done.remarks);
  await writeFile(`${to}/${name}.png`, new Uint8Array(await done.blob.arrayBuffer()));
}
const bytes = await readFile(file);
const wrong = await denoiser.denoise(bytes, { look: "wild" }).catch((error) => error);
process.stdout.write(JSON.stringify({ remarks, wrong: `${wrong}` }), () => process.exit());
"""


@pytest.fixture(scope="session")
def package() -> Path:
    """The built package; without it the tests are skipped."""
    folder = Path(os.environ.get("INVDN_NPM", _REPOSITORY / "build/browser-npm"))
    if not (folder / "dist").exists():
        pytest.skip("needs the npm package: .ci/wasm builds it")
    return folder


def test_a_jpeg_through_node(node: str, package: Path, tmp_path: Path) -> None:
    noise = np.random.default_rng(0).normal(120, 25, (72, 88, 3)).clip(0, 255).astype(np.uint8)
    noisy, clean = tmp_path / "noisy.jpg", tmp_path / "clean.jpg"
    Image.fromarray(noise).save(noisy, quality=95)
    command = [node, "--input-type=module", "-e", _SCRIPT, str(package / "index.js")]
    done = subprocess.run([*command, str(noisy), str(clean)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    answer: dict[str, Any] = json.loads(done.stdout)
    assert answer["told"] == sorted(answer["told"])
    assert answer["told"][-1] == 1
    assert (answer["type"], answer["width"]) == ("image/jpeg", 88)
    assert 15 < answer["level"] < 35
    assert answer["range"].startswith("RangeError: strength must be 'auto', or from 0 to 1")
    assert answer["unknown"] == "TypeError: there is no option 'sharpness'"
    assert answer["damaged"].startswith("FormatError: The file is damaged or cut short")
    assert answer["aborted"].startswith("AbortError")
    with Image.open(noisy) as before, Image.open(clean) as after:
        assert np.asarray(after).std() < 0.6 * np.asarray(before).std()


def test_looks_are_the_commands(node: str, package: Path, tmp_path: Path) -> None:
    """Pixels, from the file to the encoder, are Python's but for single rounded samples."""
    generator = np.random.default_rng(3)
    scene = np.linspace(60, 170, 230)[None, :, None] + np.zeros((205, 230, 3))
    waves = gaussian_filter(generator.normal(size=scene.shape), (5, 5, 0))
    waves -= waves.mean(axis=2, keepdims=True)
    scene += 5 * waves / waves.std() + generator.normal(0, 4, scene.shape)
    noisy = scene.round().clip(0, 255).astype(np.uint8)
    Image.fromarray(noisy).save(tmp_path / "noisy.png")
    looks: dict[str, dict[str, Any]] = {
        "natural": {},
        "gentle": {"look": "gentle"},
        "strong": {"look": "strong", "detail": 0.3},
        "own": {"strength": 0.7, "chroma": 0.5, "luminance": 0.9},
    }
    arguments = [str(package / "index.js"), str(tmp_path / "noisy.png"), str(tmp_path)]
    command = [node, "--input-type=module", "-e", _LOOKS, *arguments, json.dumps(looks)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    answer = json.loads(done.stdout)
    assert "blotches of colour were taken off" in answer["remarks"][0]
    assert answer["wrong"].startswith("RangeError: look must be one of gentle, natural, strong")
    weights = read_parameters(package / "dist/models/fast.safetensors")
    engine = NativeEngine(weights, threads=1, instructions="plain")
    results = []
    for name, look in looks.items():
        expected = denoise_pixels(engine, noisy, DenoiseOptions(**look))
        with Image.open(tmp_path / f"{name}.png") as image:
            difference = np.abs(np.asarray(image).astype(int) - expected)
        assert difference.max() <= 1
        assert (difference > 0).mean() < 5e-4, name
        results.append(expected)
    assert all((results[0] != other).mean() > 1e-3 for other in results[1:])
