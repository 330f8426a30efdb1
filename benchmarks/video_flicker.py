"""How much a still scene flickers after denoising: one latent for all frames, or one for each.

    python benchmarks/video_flicker.py PHOTOGRAPH... > benchmarks/results/video_flicker.json
    python benchmarks/video_flicker.py --blotches PHOTOGRAPH... \
        > benchmarks/results/video-blotches.json

Every clean photograph is filmed by standing still: its middle, with fresh camera noise in each
frame and one camera for all. Flicker is the standard deviation of a pixel over time, as the root of
the mean of its square over the picture, in steps of 8 bits.

With `--blotches`: every frame has coarse colour noise of its own as well, and is denoised by
automatic strength, with blotches taken off where a frame has some, and without. Coarse flicker is
that of the means of 16x16 pixels, where blotches are seen.
"""

import json
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from scipy.ndimage import gaussian_filter

from invdn.data.camera import sample_cameras
from invdn.data.camera_range import PHONE
from invdn.data.noise import add_camera_noise
from invdn.engines import open_engine
from invdn.image.defects import find_blotches
from invdn.image.dtype import to_float
from invdn.image.metrics import psnr
from invdn.inference import DenoiseOptions, denoise_pixels
from invdn.photo.read import read_photo

SIDE = 128
FRAMES = 6
SENSITIVITIES = (400, 3200)
DRAWS = (1, 4)
BLOTCHED, LEVELS = 320, (3, 6)


def film(clean, iso, seed):
    """Frames of a still scene (t, H, W, 3), and what their mean would be (H, W, 3)."""
    generator = torch.Generator().manual_seed(seed)
    camera = sample_cameras(1, generator, {PHONE.at_iso(iso): 1.0})
    picture = torch.from_numpy(np.ascontiguousarray(clean.transpose(2, 0, 1)))[None]
    pairs = [add_camera_noise(picture, camera, generator) for _ in range(FRAMES)]
    frames = np.stack([pair.noisy[0].permute(1, 2, 0).numpy() for pair in pairs])
    return frames, pairs[0].clean[0].permute(1, 2, 0).numpy()


def flicker(frames):
    return float(np.sqrt(frames.var(axis=0, ddof=1).mean()) * 255)


def quality(frames, reference):
    return float(np.mean([psnr(frame, reference) for frame in frames]))


def blotched(frames, level, seed):
    """Add colour waves of 10 to 40 pixels, other ones to every frame, of a deviation in 8 bits."""
    random = np.random.default_rng(seed)
    waves = gaussian_filter(random.normal(size=frames.shape), (0, 5, 5, 0))
    waves -= waves.mean(axis=-1, keepdims=True)
    added = frames + np.float32(level / 255) * waves / waves.std()
    return (np.rint(added.clip(0, 1) * 255) / 255).astype(np.float32)


def coarse(frames):
    """Flicker of the means of 16x16 pixels."""
    time, height, width, colours = frames.shape
    rows, columns = height // 16, width // 16
    cut = frames[:, : 16 * rows, : 16 * columns]
    return flicker(cut.reshape(time, rows, 16, columns, 16, colours).mean((2, 4)))


def blotches(paths):
    """Measure both ways of treating coarse colour noise."""
    engine, rows = open_engine(), []
    ways = {"left": DenoiseOptions(blotches=False), "taken off": DenoiseOptions()}
    for number, path in enumerate(paths):
        whole = to_float(read_photo(path).pixels)
        top, left = ((side - BLOTCHED) // 2 for side in whole.shape[:2])
        frames, reference = film(whole[top : top + BLOTCHED, left : left + BLOTCHED], 100, number)
        for level in LEVELS:
            noisy = blotched(frames, level, number)
            row = {"photograph": Path(path).name, "level": level}
            row["found"] = sum(find_blotches(frame) is not None for frame in noisy)
            made = {way: [denoise_pixels(engine, f, o) for f in noisy] for way, o in ways.items()}
            for way, result in {"noisy": noisy, **made}.items():
                found = np.stack(result)
                row[way] = {
                    "flicker": flicker(found),
                    "coarse flicker": coarse(found),
                    "psnr": quality(found, reference),
                }
            rows.append(row)
            print(row, file=sys.stderr)
    means = {
        level: {
            way: {
                key: float(np.mean([row[way][key] for row in rows if row["level"] == level]))
                for key in ("flicker", "coarse flicker", "psnr")
            }
            for way in ("noisy", *ways)
        }
        for level in LEVELS
    }
    facts = {"engine": engine.description, "side": BLOTCHED, "frames": FRAMES}
    json.dump({**facts, "mean": means, "rows": rows}, sys.stdout, indent=1)
    sys.stdout.write("\n")


def main(paths):
    if paths[:1] == ["--blotches"]:
        blotches(paths[1:])
        return
    engine = open_engine()
    rows = []
    for number, path in enumerate(paths):
        whole = to_float(read_photo(path).pixels)
        top, left = ((side - SIDE) // 2 for side in whole.shape[:2])
        for iso in SENSITIVITIES:
            noisy, reference = film(whole[top : top + SIDE, left : left + SIDE], iso, number)
            row = {
                "photograph": Path(path).name,
                "iso": iso,
                "noisy": {"flicker": flicker(noisy), "psnr": quality(noisy, reference)},
            }
            for draws in DRAWS:
                options = DenoiseOptions(num_samples=draws, strength=1)
                ways = {
                    "one latent": [denoise_pixels(engine, frame, options) for frame in noisy],
                    "a latent a frame": [
                        denoise_pixels(engine, frame, replace(options, seed=time))
                        for time, frame in enumerate(noisy)
                    ],
                }
                for way, frames in ways.items():
                    done = np.stack(frames)
                    row[f"{way}, {draws} draws"] = {
                        "flicker": flicker(done),
                        "psnr": quality(done, reference),
                    }
            rows.append(row)
            print(row, file=sys.stderr)
    names = [name for name in rows[0] if name not in ("photograph", "iso")]
    means = {
        iso: {
            name: {
                key: float(np.mean([row[name][key] for row in rows if row["iso"] == iso]))
                for key in ("flicker", "psnr")
            }
            for name in names
        }
        for iso in SENSITIVITIES
    }
    result = {
        "engine": engine.description,
        "side": SIDE,
        "frames": FRAMES,
        "unit": "steps of 8 bits; dB",
        "mean": means,
        "rows": rows,
    }
    json.dump(result, sys.stdout, indent=1)
    sys.stdout.write("\n")


if __name__ == "__main__":
    main(sys.argv[1:])
