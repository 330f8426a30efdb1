"""Whether darktable should lift shadows before the model: ``python -m benchmarks.shadow_boost``.

Clean photographs are darkened, given a sensor's noise in linear light and rounded to 16 bits, then
treated as darktable does, with and without ``shadow_boost``. PSNR is that of the photograph pushed
back to its brightness, as its developer will look at it; ``shadows`` is the mean luminance of its
darkest quarter beside the clean one's (1: kept; below: crushed).
"""

import argparse
import json
import statistics
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from invdn.photo.read import read_photo
from invdn.weights.dtmodel import FILE_NAME, export_darktable
from invdn.weights.network import load_network
from support.darktable_host import FROM_SRGB, TO_SRGB, Model, decode_srgb, encode_srgb, restore

_LUMINANCE = np.array([0.2126, 0.7152, 0.0722])
_SHOT, _READ = 5e-4, 1e-6  # variance a unit of linear light, and in the dark


def main() -> None:
    """Measure, and write a table of JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("photographs", nargs="+", type=Path)
    parser.add_argument("-o", "--output", type=Path, required=True)
    parser.add_argument("--crop", type=int, default=256)
    choices = parser.parse_args()
    rows = []
    with TemporaryDirectory() as folder:
        export_darktable(load_network("default"), Path(folder), licence="Apache-2.0")
        model = Model(Path(folder) / FILE_NAME)
        for stops in (0, 2, 4):
            found: dict[bool, list[tuple[float, float, float]]] = {False: [], True: []}
            for number, path in enumerate(choices.photographs):
                measured = _measure(model, path, choices.crop, stops, number)
                for boost, values in measured.items():
                    found[boost].append(values)
            for boost, values in found.items():
                before, after, shadows = (
                    statistics.median(column) for column in zip(*values, strict=True)
                )
                rows.append(
                    {
                        "stops": stops,
                        "shadow_boost": boost,
                        "noisy_db": round(before, 2),
                        "denoised_db": round(after, 2),
                        "shadows": round(shadows, 3),
                        "shadows_worst": round(min(column[2] for column in values), 3),
                    }
                )
                print(rows[-1], flush=True)
    choices.output.write_text(json.dumps(rows, indent=2) + "\n")


def _measure(
    model: Model, path: Path, crop: int, stops: int, seed: int
) -> dict[bool, tuple[float, float, float]]:
    pixels = read_photo(path).pixels
    top, left = ((edge - crop) // 2 for edge in pixels.shape[:2])
    shown = pixels[top : top + crop, left : left + crop, :3].astype(np.float32) / 255
    clean = decode_srgb(shown) * 2.0**-stops
    noise = np.random.default_rng(seed).normal(size=clean.shape)
    noisy = np.clip(clean + noise * np.sqrt(_SHOT * clean + _READ), 0, 1)
    noisy = np.round(noisy * 65535) / 65535
    working = (noisy @ FROM_SRGB.T).astype(np.float32)
    luminance = clean @ _LUMINANCE
    dark = luminance <= np.quantile(luminance, 0.25)
    results = {}
    for boost in (False, True):
        made = restore(model, working, tile=crop + 128, shadow_boost=boost) @ TO_SRGB.T
        kept = float((made @ _LUMINANCE)[dark].mean() / luminance[dark].mean())
        results[boost] = (_psnr(noisy, shown, stops), _psnr(made, shown, stops), kept)
    return results


def _psnr(linear: np.ndarray, shown: np.ndarray, stops: int) -> float:
    pushed = encode_srgb(np.clip(linear * 2.0**stops, 0, 1))
    return float(-10 * np.log10(np.mean((pushed - shown) ** 2)))


if __name__ == "__main__":
    main()
