"""What strength, luminance, chroma and detail cost and give, and the pictures that show them.

    python benchmarks/control.py ../shared/data > benchmarks/results/control.json
    python benchmarks/control.py --pictures docs/control

The figures: PSNR on the ten pairs of sidd-mini-val, and on squares of clean photographs with the
noise of `invdn.data.noise` (phone and DSLR at several sensitivities), with white Gaussian noise,
and without any. Noise is estimated on 512 pixels square, of which the middle is denoised. The
pictures are parts of the demonstration, each square twice as large as it is.
"""

import argparse
import json
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from scipy.ndimage import gaussian_filter

from invdn.engines import open_engine
from invdn.image.dtype import from_float, to_float
from invdn.image.metrics import psnr
from invdn.image.noise_estimation import estimate_noise
from invdn.inference import QUALITIES, DenoiseOptions, Pipeline, Region, blend
from invdn.photo.demo_photo import camera_noise, demo_photo
from invdn.photo.photo import Photo, WriteOptions
from invdn.photo.read import read_photo
from invdn.photo.write import write_photo

SMALL = WriteOptions(quality=82)
SETTINGS: dict[str, dict[str, Any]] = {
    "strength 0 (noisy)": {"strength": 0.0},
    "strength 0.5": {"strength": 0.5},
    "strength 1": {},
    "strength auto": {"strength": "auto"},
    "luminance 0.8": {"luminance": 0.8},
    "chroma 0": {"chroma": 0.0},
    "detail 0.25": {"detail": 0.25},
    "detail 0.5": {"detail": 0.5},
    "detail 0.75": {"detail": 0.75},
    "detail 1": {"detail": 1.0},
    "auto, detail 0.5": {"strength": "auto", "detail": 0.5},
}
SQUARE, PART = 512, 160
PHOTOGRAPHS = 8
# Ten places of the demonstration, 96 pixels square, and the noise that they are shown with.
TEN = {
    "stars, strong noise": (250, 20, {}),
    "sunset, strong": (290, 170, {}),
    "snow, strong": (180, 160, {}),
    "sail, strong": (205, 275, {}),
    "lamp, moderate": (40, 110, {"shot": 0.0015, "read": 0.0001}),
    "stripes, moderate": (50, 260, {"shot": 0.0015, "read": 0.0001}),
    "letters, moderate": (300, 395, {"shot": 0.0015, "read": 0.0001}),
    "colours, light": (380, 416, {"shot": 0.0003, "read": 0.00002}),
    "grass, light": (100, 410, {"shot": 0.0003, "read": 0.00002}),
    "boat, blotches": (385, 260, {"shot": 0.0003, "read": 0.00002}),
}
PLACES = {"board": (286, 408), "grass": (100, 408), "lamp": (40, 120)}


def options_of(choices: dict[str, object]) -> DenoiseOptions:
    """The network's full result, but for what was chosen."""
    return DenoiseOptions(**{"strength": 1, **choices})


def pairs(data: Path):
    """(set, noisy, clean) as float32; what lies in a square of its own is a set of its own."""
    folder = data / "sidd-mini-val"
    for path in sorted((folder / "Noisy").iterdir()):
        yield (
            "SIDD validation",
            *(to_float(read_photo(p).pixels) for p in (path, folder / "GT" / path.name)),
        )
    import torch

    from invdn.data.camera import DSLR, PHONE, sample_cameras
    from invdn.data.noise import add_camera_noise

    files = sorted((data / "clean").iterdir())
    rng, generator = np.random.default_rng(5), torch.Generator().manual_seed(3)
    cameras = {f"phone ISO {iso}": PHONE.at_iso(iso) for iso in (100, 400, 1600)}
    exposed = replace(DSLR, exposure=(1.0, 1.0))
    cameras |= {f"DSLR ISO {iso}": exposed.at_iso(iso) for iso in (400, 3200, 12800)}
    for index in rng.choice(len(files), PHOTOGRAPHS, replace=False):
        pixels = read_photo(files[index]).pixels
        top, left = (int(rng.integers(0, side - SQUARE + 1)) for side in pixels.shape[:2])
        clean = to_float(pixels[top : top + SQUARE, left : left + SQUARE])
        yield "clean", clean, clean
        batch = torch.from_numpy(clean.transpose(2, 0, 1).copy())[None]
        for name, camera in cameras.items():
            pair = add_camera_noise(batch, sample_cameras(1, generator, camera), generator)
            yield name, *(side[0].permute(1, 2, 0).numpy().copy() for side in pair)
        for level in (5, 15, 25):
            noisy = np.clip(clean + rng.normal(0, level / 255, clean.shape), 0, 1)
            yield f"Gaussian {level}", to_float(from_float(noisy, np.uint8)), clean


def figures(data: Path) -> None:
    engine = open_engine(device="cpu")
    found = {}
    for name, noisy, clean in pairs(data):
        noise = estimate_noise(noisy)
        start = max(0, (noisy.shape[0] - PART) // 2)
        part = Region(start, start, PART, PART)
        seen, target = (side[part.within(*side.shape[:2])] for side in (noisy, clean))
        denoised = Pipeline(engine, options_of({})).denoise_region(noisy, part)
        row = found.setdefault(name, {setting: [] for setting in SETTINGS})
        for setting, choices in SETTINGS.items():
            made = blend(seen, denoised, options_of(choices), noise)
            made = seen if choices.get("strength") == 0.0 else made
            row[setting].append(min(psnr(made, target), 99.0))
        print(name, noise.level, file=sys.stderr)
    means = {name: {s: float(np.mean(v)) for s, v in row.items()} for name, row in found.items()}
    counts = {name: len(row["strength 1"]) for name, row in found.items()}
    json.dump(
        {"engine": engine.description, "pairs": counts, "psnr_db": means}, sys.stdout, indent=1
    )
    sys.stdout.write("\n")


def pictures(folder: Path) -> None:
    engine = open_engine(device="cpu")
    folder.mkdir(parents=True, exist_ok=True)
    clean = demo_photo(512)
    noisy, light = camera_noise(clean), camera_noise(clean, shot=0.0003, read=0.00002)

    def panel(source, place: str, **choices):
        x, y = PLACES[place]
        return Pipeline(engine, options_of(choices)).denoise_region(source, Region(x, y, 96, 96))

    def strip(name: str, *panels) -> None:
        gap = np.full((192, 6, 3), 255, np.uint8)
        parts = [part for one in panels for part in (one.repeat(2, 0).repeat(2, 1), gap)][:-1]
        row = np.ascontiguousarray(np.concatenate(parts, axis=1))
        write_photo(Photo(row), folder / f"{name}.jpg", overwrite=True, choices=SMALL)

    strip("strength", *(panel(noisy, "board", strength=s) for s in (0.0, 0.5, 1.0, "auto")))
    amounts = ((1.0, 1.0), (0.5, 1.0), (1.0, 0.0), (0.0, 1.0))
    strip("luminance-chroma", *(panel(noisy, "board", luminance=a, chroma=b) for a, b in amounts))
    medium = camera_noise(clean, shot=0.0015, read=0.0001)
    grass = [panel(medium, "grass", detail=d) for d in (0.0, 0.5, 1.0)]
    strip("detail", panel(medium, "grass", strength=0.0), *grass)
    weak = [panel(light, "grass", strength=s) for s in (0.0, 1.0, "auto")]
    strip("auto", *weak, panel(clean, "grass", strength=0.0))
    strip("latent-scale", *(panel(noisy, "lamp", latent_std=s) for s in (0.0, 1.0, 2.0, 4.0)))
    qualities = [panel(noisy, "lamp", **quality) for quality in QUALITIES.values()]
    strip("quality", panel(noisy, "lamp", strength=0.0), *qualities)
    x, y, side = 120, 200, 160
    ten_places(engine, clean, folder)
    framed = noisy[64:448].copy()
    framed[y - 66 : y + side - 62, x - 2 : x + side + 2] = 255
    part = Pipeline(engine, options_of({})).denoise_region(noisy, Region(x, y, side, side))
    framed[y - 64 : y + side - 64, x : x + side] = part
    write_photo(Photo(framed), folder / "preview.jpg", overwrite=True, choices=SMALL)


def ten_places(engine, clean, folder: Path) -> None:
    """Ten pairs, before and after by default settings, in two columns of five."""
    rng, pairs_ = np.random.default_rng(6), []
    for name, (x, y, noise) in TEN.items():
        noisy = camera_noise(clean, **noise)
        if "blotches" in name:
            waves = gaussian_filter(rng.normal(size=clean.shape), (5, 5, 0))
            waves = waves - waves.mean(axis=2, keepdims=True)
            noisy = np.rint(noisy + 6 * waves / waves.std()).clip(0, 255).astype(np.uint8)
        after = Pipeline(engine).denoise_region(noisy, Region(x, y, 96, 96))
        sides = [side.repeat(2, 0).repeat(2, 1) for side in (noisy[y : y + 96, x : x + 96], after)]
        pairs_.append(np.pad(np.concatenate(sides, axis=1), ((0, 6), (0, 6), (0, 0)),
                             constant_values=255))  # fmt: skip
    columns = [np.concatenate(pairs_[start::2]) for start in (0, 1)]
    sheet = np.ascontiguousarray(np.concatenate(columns, axis=1)[:-6, :-6])
    write_photo(Photo(sheet), folder / "ten-places.jpg", overwrite=True, choices=SMALL)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("data", type=Path, nargs="?")
    parser.add_argument("--pictures", type=Path)
    chosen = parser.parse_args()
    if chosen.data:
        figures(chosen.data)
    if chosen.pictures:
        pictures(chosen.pictures)


if __name__ == "__main__":
    main()
