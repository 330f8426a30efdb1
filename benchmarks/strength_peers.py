"""Measure non-local means and RawTherapee on the pictures that `benchmarks/strength.py` measures.

    python benchmarks/strength_peers.py PREDICTIONS/WEIGHTS peers.json

PREDICTIONS/WEIGHTS is the folder that `strength.py` filled. PSNR of 8-bit results: non-local means
(OpenCV, colours, the best of five strengths for each picture) and RawTherapee's noise reduction
(Debian's `rawtherapee-cli`, the best of four strengths of luma and colour). Nothing that is clean
is measured. One crop of each camera JPEG and every second picture of the larger sets come first;
the file is added to, so broken work goes on.
"""

import argparse
import json
import subprocess
import tempfile
from pathlib import Path
from shutil import which
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

NLM = (2, 4, 7, 12, 18)
RAWTHERAPEE = (15, 30, 50, 75)
PROFILE = """[Version]
AppVersion=5.9
Version=347

[Color Management]
InputProfile=(embedded)
OutputProfile=RTv4_sRGB

[Exposure]
Auto=false

[Directional Pyramid Denoising]
Enabled=true
Enhance=false
Median=false
Luma={0}
Ldetail=0
Chroma={0}
Method=Lab
LMethod=SLI
CMethod=MAN
C2Method=MANU
SMethod=shal
Gamma=1.7
Passes=1
"""


def psnr(result: NDArray[Any], clean: NDArray[Any]) -> float:
    """Of 8 bits."""
    error = np.square(result.astype(np.float64) - clean).mean()
    return round(min(100.0, 10 * float(np.log10(255**2 / max(error, 1e-9)))), 2)


def chosen(names: list[str]) -> list[str]:
    """What is measured, in the order in which it is."""
    title = {name: name.split("__")[0] for name in names}
    kept = [name for name in names if title[name] in ("hard", "sidd-mini-val")]
    kept += [name for name in names if title[name].startswith("polyu") and name.endswith("_0")]
    for kind in ("sidd-val-more", "syn"):
        kept += [name for name in names if title[name] == kind][::2]
    kept += [name for name in names if title[name] != "clean" and name not in kept]
    return [name for name in kept if not name.endswith("_mended")]


def rawtherapee(noisy: NDArray[np.uint8], folder: Path, strength: int) -> NDArray[np.uint8]:
    """Denoise by the command line."""
    (folder / "a.pp3").write_text(PROFILE.format(strength))
    Image.fromarray(noisy).save(folder / "a.png")
    words = ("-o", folder / "b.png", "-p", folder / "a.pp3", "-n", "-b8", "-Y", "-a", "-c")
    subprocess.run(
        [which("rawtherapee-cli") or "rawtherapee-cli", *words, folder / "a.png"],
        check=True,
        capture_output=True,
    )
    return np.asarray(Image.open(folder / "b.png").convert("RGB"))


def main() -> None:
    """Write one JSON object."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("predictions", type=Path)
    parser.add_argument("target", type=Path)
    given = parser.parse_args()
    found = json.loads(given.target.read_text()) if given.target.exists() else {}
    names = sorted(path.stem for path in given.predictions.glob("*.npz"))
    with tempfile.TemporaryDirectory() as folder:
        for name in chosen(names):
            if "RawTherapee" in found.get(name, {}):
                continue
            pair = np.load(given.predictions / f"{name}.npz")
            noisy, clean = pair["noisy"], pair["ref"]
            reversed_ = np.ascontiguousarray(noisy[..., ::-1])
            made = [cv2.fastNlMeansDenoisingColored(reversed_, None, h, h, 7, 21) for h in NLM]
            developed = [rawtherapee(noisy, Path(folder), strength) for strength in RAWTHERAPEE]
            found.setdefault(name, {}).update(
                {
                    "non-local means": max(psnr(one[..., ::-1], clean) for one in made),
                    "RawTherapee": max(psnr(one, clean) for one in developed),
                }
            )
            print(name, found[name], flush=True)
            given.target.write_text(json.dumps(found, indent=1))


if __name__ == "__main__":
    main()
