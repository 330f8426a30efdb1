"""Compare synthetic camera noise with real pairs: numbers (JSON), curves and residuals (PNG).

    pip install '.[dev]'
    python benchmarks/noise_fit.py ../shared/data docs/noise

For every real pair the development is recovered (see ``sidd_development.py``), the two numbers
of its noise strength are fitted, and a scene whose reference is the clean photograph is made noisy
with them: once for references that are plain averages of clipped frames, once for ones that
estimate the light itself (``lift`` 1 and 0). Everything else (curves, clipping, correlations, bias)
is the model's prediction. The validation blocks are only checked; that ``lift`` goes
down to 0.5 is the one thing that they taught. Camera JPEGs are compared in ``camera_jpegs.py``.
"""

import json
import math
import sys
from dataclasses import replace
from pathlib import Path

import matplotlib
import torch
from camera_jpegs import compare_jpegs
from matplotlib import pyplot
from sidd_development import recover_development
from torch import Tensor

from invdn.data.camera import Cameras, sample_cameras
from invdn.data.noise import NoisyPair, add_camera_noise
from invdn.image.dtype import to_float
from invdn.photo.photo import Photo
from invdn.photo.read import read_photo
from invdn.photo.write import write_photo

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
from support.cameras import PLAIN
from support.noise_statistics import NoiseStatistics, measure_noise

SETS = {
    "training pairs": ("sidd-mini-train-a", "sidd-mini-train-b", "sidd-mini-train-c"),
    "validation pairs": ("sidd-mini-val",),
}
COLOURS = ("red", "green", "blue")
#: What is compared with the real pairs, and the share of the clipping that its references keep.
SYNTHETIC = {"synthetic": 1.0, "synthetic, robust reference": 0.0}
CROP = 256
_INVERSIONS = 12
_EXAMPLE, _EXAMPLE_SIZE = 4, 128  # the pair whose noise is shown, and how much of it
# Balance of the S6 under 3200 K: ratios of the slopes of raw noise variance over light.
GAINS = (1.75, 1.0, 2.1)


def read_pairs(data: Path, folders: tuple[str, ...]) -> list[tuple[Tensor, Tensor]]:
    """(noisy, clean) crops (1, 3, 256, 256)."""
    pairs = []
    for folder in folders:
        for clean in sorted((data / folder / "GT").iterdir()):
            photos = (read_photo(data / folder / kind / clean.name) for kind in ("Noisy", "GT"))
            noisy, clean_pixels = (
                torch.from_numpy(to_float(photo.pixels)).permute(2, 0, 1)[None, :, :CROP, :CROP]
                for photo in photos
            )
            pairs.append((noisy, clean_pixels))
    return pairs


def samsung(matrix: Tensor, shot: float, read: float, lift: float = 1.0) -> Cameras:
    """The phone of SIDD's pairs at a given noise strength."""
    plain = replace(PLAIN, shot=(shot, shot), bits=(10, 10), hot_share=0.0, lift=(lift, lift))
    camera = sample_cameras(1, torch.Generator().manual_seed(0), plain)
    gains = torch.tensor([GAINS])
    return replace(camera, read=torch.tensor([read]), matrix=matrix[None].float(), gains=gains)


def fit_strength(noisy: Tensor, clean: Tensor, matrix: Tensor) -> tuple[float, float]:
    """Shot and read noise whose spread by brightness is nearest to the real one."""
    target = measure_noise(noisy, clean)
    best, centre, step = math.inf, (math.log(1.5e-3), math.log(1e-5)), 1.2
    for _ in range(5):
        around = centre
        for i in (-1, 0, 1):
            for j in (-1, 0, 1):
                tried = (around[0] + i * step, around[1] + j * step)
                camera = samsung(matrix, *(math.exp(x) for x in tried))
                made = add_camera_noise(clean, camera, torch.Generator().manual_seed(1))
                ratio = (measure_noise(made.noisy, clean).spread / target.spread).log().square()
                valid = ratio.isfinite()
                error = float((ratio * target.pixels)[valid].sum() / target.pixels[valid].sum())
                if error < best:
                    best, centre = error, tried
        step /= 2
    return math.exp(centre[0]), math.exp(centre[1])


def photograph_again(clean: Tensor, camera: Cameras, generator: torch.Generator) -> NoisyPair:
    """A noisy photograph of the scene whose reference by this camera is ``clean``."""
    scene = clean
    for _ in range(_INVERSIONS):
        reference = add_camera_noise(scene, camera, generator).clean
        scene = (scene - 0.8 * (reference - clean)).clamp(0, 1)
    return add_camera_noise(scene, camera, generator)


def compare(pairs: list[tuple[Tensor, Tensor]], fallback: Tensor | None) -> dict:
    """Fit every pair, make the synthetic ones, and measure both."""
    strengths, misfits, matrices = [], [], []
    generator = torch.Generator().manual_seed(2)
    for noisy, _ in pairs:
        found = recover_development(noisy)
        if found and found[0].bilinear == 0:
            misfits.append((found[0].misfit, min(it.misfit for it in found if it.bilinear)))
            matrices.append(found[0].matrix)
    matrix = torch.stack(matrices).median(0).values if matrices else fallback
    strengths = [fit_strength(noisy, clean, matrix) for noisy, clean in pairs]
    made = {
        name: [
            photograph_again(clean, samsung(matrix, *strength, lift), generator)
            for (_, clean), strength in zip(pairs, strengths, strict=True)
        ]
        for name, lift in SYNTHETIC.items()
    }
    noisy, clean = (torch.cat(x) for x in zip(*pairs, strict=True))
    example = made["synthetic"][_EXAMPLE]
    noises = (pairs[_EXAMPLE][0] - pairs[_EXAMPLE][1], example.noisy - example.clean)
    return {
        "example": [noise[0, :, :_EXAMPLE_SIZE, -_EXAMPLE_SIZE:] for noise in noises],
        "misfits": misfits,
        "matrix": matrix,
        "strengths": strengths,
        "real": measure_noise(noisy, clean),
        **{
            name: measure_noise(
                torch.cat([it.noisy for it in again]), torch.cat([it.clean for it in again])
            )
            for name, again in made.items()
        },
    }


def plot(results: dict[str, dict], target: Path) -> None:
    """Real (dots) and synthetic (lines) statistics by brightness and distance."""
    matplotlib.use("Agg")
    figure, axes = pyplot.subplots(len(results), 4, figsize=(15, 3.4 * len(results)))
    for row, (name, result) in zip(axes, results.items(), strict=True):
        for kind, style in (("real", "o"), *zip(SYNTHETIC, ("-", ":"), strict=True)):
            noise: NoiseStatistics = result[kind]
            for index, colour in enumerate(COLOURS):
                look = {"color": f"tab:{colour}", "label": f"{colour}, {kind}", "markersize": 4}
                for axis, values in zip(row, (noise.spread, noise.bias, noise.black), strict=False):
                    scale = 100 if values is noise.black else 255
                    axis.plot(noise.brightness * 255, values[index] * scale, style, **look)
                row[3].plot(range(1, 5), noise.horizontal[index], style, **look)
        for axis, title in zip(
            row,
            ("spread (of 255)", "bias (of 255)", "exactly black (%)", "correlation"),
            strict=True,
        ):
            axis.set_title(f"{name}: {title}", fontsize=9)
            axis.set_xlabel("distance in a row (px)" if axis is row[3] else "clean value")
            axis.grid(alpha=0.3)
    axes[0][0].legend(fontsize=7)
    figure.tight_layout()
    figure.savefig(target, dpi=80)


def residuals(results: dict[str, dict], target: Path) -> None:
    """Real noise on the left, synthetic on the right, amplified around grey; no photograph."""
    rows = []
    for result in results.values():
        scale = 0.12 / float(result["real"].total_spread.mean())
        rows.append(torch.cat([noise * scale + 0.5 for noise in result["example"]], 2))
    picture = torch.cat(rows, 1).clamp(0, 1).permute(1, 2, 0).repeat_interleave(2, 0)
    pixels = (picture.repeat_interleave(2, 1) * 255).round().byte().numpy()
    write_photo(Photo(pixels), target, overwrite=True)


def main(data: Path, output: Path) -> None:
    """Measure, and write the numbers and pictures into ``output``."""
    torch.set_num_threads(1)  # small pictures: more threads only wait for each other
    output.mkdir(parents=True, exist_ok=True)
    results: dict[str, dict] = {}
    for name, folders in SETS.items():
        fallback = results["training pairs"]["matrix"] if results else None
        results[name] = compare(read_pairs(data, folders), fallback)
    plot(results, output / "noise-fit.png")
    residuals(results, output / "noise-residuals.png")
    rounded = {
        name: {key: _plain(value) for key, value in result.items() if key != "example"}
        for name, result in results.items()
    }
    rounded["camera JPEGs"] = compare_jpegs(data / "polyu-full", output / "noise-spectra.png")
    (output / "noise-fit.json").write_text(json.dumps(rounded, indent=1) + "\n")


def _plain(value: object) -> object:
    """Tensors and statistics as rounded lists, NaN as None."""
    if isinstance(value, NoiseStatistics):
        return {key: _plain(entry) for key, entry in vars(value).items()}
    if isinstance(value, Tensor):
        return _plain(value.tolist())
    if isinstance(value, list | tuple):
        return [_plain(entry) for entry in value]
    return None if math.isnan(value) else float(f"{value:.4g}")


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
