"""What tiling costs: tiled against whole photographs, by overlap.

    python benchmarks/tiling.py PHOTOGRAPH... > benchmarks/results/tiling.json

Every photograph is denoised whole and in tiles of 128 pixels (many seams) with each overlap; both
results are compared as floats. The extra work is for the default tile.
"""

import json
import sys
from pathlib import Path

import numpy as np

from invdn.denoise import DenoiseOptions, denoise_pixels
from invdn.engines import open_engine
from invdn.imaging.depth import to_float
from invdn.imaging.reading import read_photo

OVERLAPS = (0, 8, 16, 24, 32, 48, 64, 96)
TILE = 128
LARGEST_SIDE = 768


def main(paths: list[str]) -> None:
    engine = open_engine()
    tile = DenoiseOptions().tile
    rows = {overlap: [] for overlap in OVERLAPS}
    for path in paths:
        noisy = to_float(read_photo(path).pixels[:LARGEST_SIDE, :LARGEST_SIDE])
        whole = denoise_pixels(engine, noisy, DenoiseOptions(tile=0))
        for overlap in OVERLAPS:
            options = DenoiseOptions(tile=TILE, overlap=overlap)
            difference = np.abs(denoise_pixels(engine, noisy, options) - whole) * 255
            rows[overlap].append((difference.max(), difference.mean()))
            print(path, overlap, *rows[overlap][-1], file=sys.stderr)
    result = {
        "photographs": [Path(path).name for path in paths],
        "engine": engine.description,
        "tile": TILE,
        "default_tile": tile,
        "unit": "steps of 8 bits",
        "overlaps": [
            {
                "overlap": overlap,
                "largest_difference": float(max(row[0] for row in values)),
                "mean_difference": float(np.mean([row[1] for row in values])),
                "work_at_default_tile": (tile + 2 * overlap) ** 2 / tile**2,
            }
            for overlap, values in rows.items()
        ],
    }
    json.dump(result, sys.stdout, indent=1)
    sys.stdout.write("\n")


if __name__ == "__main__":
    main(sys.argv[1:])
