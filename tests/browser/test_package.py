"""The npm package in node: the ten lines of its README, and what it refuses."""

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

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
