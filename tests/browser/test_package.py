"""The npm package in node and Chromium: the ten lines of its README, its types, what it refuses."""

import json
import os
import re
import shutil
import subprocess
import tomllib
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
from support.chromium import browser
from support.static_host import ISOLATION, served

__all__ = ["browser"]

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
  stars: await answer(() => denoiser.denoise(bytes, { stars: 1 })),
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
    assert answer["stars"] == "TypeError: stars must be true or false, not 1"
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
    down, along = np.mgrid[-2:3, -2:3]
    star = 90 * np.exp(-(down**2 + along**2) / (2 * 0.7**2))[..., None]
    for row, column in (
        (64, 40),
        (150, 60),
    ):  # the first lies on the border of rows that are encoded together
        scene[row - 2 : row + 3, column - 2 : column + 3] += star
    noisy = scene.round().clip(0, 255).astype(np.uint8)
    Image.fromarray(noisy).save(tmp_path / "noisy.png")
    looks: dict[str, dict[str, Any]] = {
        "natural": {},
        "gentle": {"look": "gentle"},
        "strong": {"look": "strong", "detail": 0.3},
        "own": {"strength": 0.7, "chroma": 0.5, "luminance": 0.9},
        "full": {"strength": 1},
        "stars": {"strength": 1, "stars": True},
    }
    arguments = [str(package / "index.js"), str(tmp_path / "noisy.png"), str(tmp_path)]
    command = [node, "--input-type=module", "-e", _LOOKS, *arguments, json.dumps(looks)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    answer = json.loads(done.stdout)
    unlike, blotches, *_ = answer["remarks"]
    assert "unlike that of a camera" in unlike
    assert "blotches of colour were taken off" in blotches
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
    assert (results[-1] != results[-2]).any(axis=2).sum() == 18  # two stars of nine pixels


_WRONG = """
// @ts-expect-error
await denoiser.denoise(new Blob(), { strenght: 1 });
// @ts-expect-error
await denoiser.denoise(new Blob(), { look: "wild" });
// @ts-expect-error
await Denoiser.open({ model: "slow" });
"""
_PAGE = """<!doctype html>
<script type="importmap">{ "imports": { "invdn": "./invdn/index.js" } }</script>
<script type="module">
import { denoised } from "./example.js";
globalThis.denoised = denoised;
</script>"""


@pytest.fixture
def example(package: Path) -> str:
    """The example of the README."""
    (found,) = re.findall(r"```js\n(.*?)```", (package / "README.md").read_text(), re.S)
    assert len([line for line in found.splitlines() if line]) <= 12
    return str(found)


def test_types_of_the_readmes_example(package: Path, example: str, tmp_path: Path) -> None:
    compiler = shutil.which("tsc")
    if compiler is None:
        pytest.skip("needs TypeScript's compiler, tsc")
    (tmp_path / "node_modules").mkdir()
    (tmp_path / "node_modules/invdn").symlink_to(package)
    (tmp_path / "package.json").write_text('{ "type": "module" }')
    (tmp_path / "example.js").write_text(example + _WRONG)
    options = ["--noEmit", "--strict", "--allowJs", "--checkJs", "--target", "es2022"]
    options += ["--module", "nodenext", "--moduleResolution", "nodenext", "--lib", "es2022,dom"]
    command = [compiler, *options, "example.js"]
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path)
    assert done.returncode == 0, done.stdout


def test_what_npm_packs(package: Path, example: str, tmp_path: Path) -> None:
    """And the packed file, installed, runs in node."""
    npm = shutil.which("npm")
    if npm is None:
        pytest.skip("needs npm")
    command = [npm, "pack", "--json", "--pack-destination", str(tmp_path), str(package)]
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    (packed,) = json.loads(done.stdout)
    project = tomllib.loads((_REPOSITORY / "pyproject.toml").read_text())["project"]
    assert packed["version"] == project["version"]
    names = {file["path"] for file in packed["files"]}
    engine = {"dist/engine/simd/invdn.wasm", "dist/engine/simd-threads/invdn.wasm"}
    codecs = {"dist/engine/jpeg/jpeg.wasm", "dist/engine/pixels/pixels.wasm"}
    weights = {"dist/models/default.safetensors", "dist/models/fast.safetensors"}
    papers = {"README.md", "LICENSE", "NOTICE", "index.js", "index.d.ts", "package.json"}
    assert engine | codecs | weights | papers <= names
    assert not [name for name in names if name.endswith((".c", ".html", ".map", "sw.js"))]
    assert packed["size"] < 8e6
    install = [npm, "install", "--offline", "--no-audit", "--no-fund"]
    subprocess.run(
        [*install, str(tmp_path / packed["filename"])],
        check=True,
        cwd=tmp_path,
        capture_output=True,
    )
    noise = np.random.default_rng(0).normal(120, 25, (72, 88, 3)).clip(0, 255).astype(np.uint8)
    Image.fromarray(noise).save(tmp_path / "noisy.png")
    (tmp_path / "example.mjs").write_text(example)
    script = """import { readFile, writeFile } from "node:fs/promises";
    const { denoised } = await import("./example.mjs");
    const blob = await denoised(new Blob([await readFile("noisy.png")]));
    await writeFile("clean.png", new Uint8Array(await blob.arrayBuffer()));
    process.exit();"""
    (tmp_path / "run.mjs").write_text(script)
    subprocess.run(["node", "run.mjs"], check=True, cwd=tmp_path, capture_output=True)
    with Image.open(tmp_path / "clean.png") as clean:
        assert np.asarray(clean).std() < 0.6 * noise.std()


@pytest.mark.slow
@pytest.mark.parametrize("isolated", [True, False], ids=["threads", "one thread"])
def test_the_example_in_a_page(
    browser: Any, package: Path, example: str, tmp_path: Path, isolated: bool
) -> None:
    noise = np.random.default_rng(0).normal(120, 25, (72, 88, 3)).clip(0, 255).astype(np.uint8)
    Image.fromarray(noise).save(tmp_path / "noisy.png")
    shutil.copytree(package, tmp_path / "invdn")
    (tmp_path / "example.js").write_text(example)
    (tmp_path / "index.html").write_text(_PAGE)
    with served(tmp_path, ISOLATION if isolated else {}) as (address, _):
        page = browser.new_page()
        page.goto(address)
        page.wait_for_function("Boolean(globalThis.denoised)", timeout=60_000)
        found = page.evaluate(
            """async () => {
              const noisy = await (await fetch("noisy.png")).blob();
              const clean = await denoised(noisy);
              return [clean.type, [...new Uint8Array(await clean.arrayBuffer())]];
            }"""
        )
        page.close()
    assert found[0] == "image/png"
    (tmp_path / "clean.png").write_bytes(bytes(found[1]))
    with Image.open(tmp_path / "clean.png") as clean:
        assert np.asarray(clean).std() < 0.6 * noise.std()
