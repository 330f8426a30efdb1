"""Bursts of 1, 2, 4 and 8 photographs: which order of averaging and denoising is best.

    python benchmarks/bursts.py PHOTOGRAPH... > benchmarks/results/bursts.json

From the middle of every clean photograph, bursts are taken with one synthetic camera, standing
still and shifted by whole pixels. PSNR in dB over RGB, without the border that a shift may leave.
"""

import json
import sys
from pathlib import Path

import numpy as np
import torch

from invdn.bursts.alignment import find_shift, shifted
from invdn.bursts.merging import Merge
from invdn.data.camera import sample_cameras
from invdn.data.camera_range import PHONE
from invdn.data.noise import add_camera_noise
from invdn.engines import open_engine
from invdn.image.dtype import to_float
from invdn.image.metrics import psnr
from invdn.inference import denoise_pixels
from invdn.photo.read import read_photo

SIDE = 112
BORDER = 12
SENSITIVITIES = (400, 3200)
COUNTS = (1, 2, 4, 8)
SHIFTS = ((0, 0), (3, -2), (-4, 1), (2, 5), (-1, -3), (5, 0), (0, 4), (-3, -5))


def burst(clean, iso, seed, moving):
    """Frames (t, SIDE, SIDE, 3) and what the mean of many would be."""
    generator = torch.Generator().manual_seed(seed)
    camera = sample_cameras(1, generator, {PHONE.at_iso(iso): 1.0})
    frames, reference = [], None
    for rows, columns in SHIFTS if moving else ((0, 0),) * len(SHIFTS):
        top, left = 8 - rows, 8 - columns
        cut = np.ascontiguousarray(clean[top : top + SIDE, left : left + SIDE].transpose(2, 0, 1))
        pair = add_camera_noise(torch.from_numpy(cut)[None], camera, generator)
        frames.append(pair.noisy[0].permute(1, 2, 0).numpy())
        if reference is None:
            reference = pair.clean[0].permute(1, 2, 0).numpy()
    return np.stack(frames), reference


def ours(engine, frames):
    merge = Merge(frames[0])
    for frame in frames[1:]:
        shift = find_shift(frames[0].mean(axis=2), frame.mean(axis=2))
        merge.add(*shifted(frame, shift.rows, shift.columns))
    denoised = denoise_pixels(engine, merge.mean.clip(0, 1))
    return {
        "merged": merge.mean,
        "merged, denoised": denoised,
        "ours": merge.restore_detail(denoised),
    }


def main(paths):
    engine = open_engine()
    inner = (slice(BORDER, -BORDER), slice(BORDER, -BORDER))
    scores = {}
    for number, path in enumerate(paths):
        whole = to_float(read_photo(path).pixels)
        top, left = ((side - SIDE - 16) // 2 for side in whole.shape[:2])
        clean = whole[top : top + SIDE + 16, left : left + SIDE + 16]
        for iso in SENSITIVITIES:
            for moving in (False, True):
                frames, reference = burst(clean, iso, number, moving)
                each = [] if moving else [denoise_pixels(engine, frame) for frame in frames]
                for count in COUNTS:
                    ways = ours(engine, frames[:count])
                    if each:
                        ways["denoised, averaged"] = np.mean(each[:count], axis=0)
                    key = f"ISO {iso}, {'shifted' if moving else 'still'}, {count}"
                    for way, picture in ways.items():
                        value = psnr(picture.clip(0, 1)[inner], reference[inner])
                        scores.setdefault(key, {}).setdefault(way, []).append(value)
        print(path, file=sys.stderr)
    result = {
        "engine": engine.description,
        "photographs": [Path(path).name for path in paths],
        "unit": "dB, mean over photographs",
        "psnr": {
            key: {way: float(np.mean(values)) for way, values in ways.items()}
            for key, ways in scores.items()
        },
    }
    json.dump(result, sys.stdout, indent=1)
    sys.stdout.write("\n")


if __name__ == "__main__":
    main(sys.argv[1:])
