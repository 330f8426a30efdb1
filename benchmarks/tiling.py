"""What tiling costs: tiled against whole photographs, by overlap and by tile.

    python benchmarks/tiling.py PHOTOGRAPH... > benchmarks/results/tiling.json
    python benchmarks/tiling.py --picture docs/tiling.jpg

Every photograph is denoised whole, in tiles of 128 pixels (many seams) with each overlap, and in
tiles of each size with the default overlap; the results are compared as floats, and those of the
tiles as the 8 and 16 bits that a file would hold, too. The extra work is for the default tile. The
picture shows where the drawn demonstration differs.
"""

import argparse
import json
import sys
from pathlib import Path

import numpy as np

from invdn.engines import open_engine
from invdn.image.dtype import from_float, to_float
from invdn.inference import DenoiseOptions, denoise_pixels
from invdn.photo.demo_photo import camera_noise, demo_photo
from invdn.photo.photo import Photo, WriteOptions
from invdn.photo.read import read_photo
from invdn.photo.write import write_photo

OVERLAPS = (0, 8, 16, 24, 32, 48, 64, 96)
TILES = (64, 96, 128, 256, 384)
TILE = 128
LARGEST_SIDE = 768
AMPLIFIED = ((0, 20), (32, 20), (32, 1000))  # (overlap, factor) of the picture's differences


def measure(paths: list[str], strength: float | str) -> dict[str, object]:
    engine = open_engine(device="cpu")
    default = DenoiseOptions(strength=1, tile_size=512)  # what suits a CPU
    overlaps = {overlap: [] for overlap in OVERLAPS}
    tiles = {tile: [] for tile in TILES}
    for path in paths:
        noisy = to_float(read_photo(path).pixels[:LARGEST_SIDE, :LARGEST_SIDE])
        whole = denoise_pixels(engine, noisy, DenoiseOptions(tile_size=0, strength=strength))
        for overlap in OVERLAPS:
            options = DenoiseOptions(tile_size=TILE, tile_overlap=overlap, strength=strength)
            difference = np.abs(denoise_pixels(engine, noisy, options) - whole) * 255
            overlaps[overlap].append((difference.max(), difference.mean()))
            print(path, "overlap", overlap, *overlaps[overlap][-1], file=sys.stderr)
        for tile in TILES:
            tiled = denoise_pixels(engine, noisy, DenoiseOptions(tile_size=tile, strength=strength))
            steps = [
                np.abs(from_float(tiled, kind).astype(int) - from_float(whole, kind))
                for kind in (np.uint8, np.uint16)
            ]
            largest = 255 * np.abs(tiled - whole).max()
            tiles[tile].append((largest, steps[0].max(), (steps[0] > 0).mean(), steps[1].max()))
            print(path, "tile", tile, *tiles[tile][-1], file=sys.stderr)
    return {
        "photographs": [Path(path).name for path in paths],
        "engine": engine.description,
        "strength": strength,
        "tile": TILE,
        "default_tile": default.tile_size,
        "unit": "steps of 8 bits",
        "overlaps": [
            {
                "overlap": overlap,
                "largest_difference": float(max(row[0] for row in values)),
                "mean_difference": float(np.mean([row[1] for row in values])),
                "work_at_default_tile": (default.tile_size + 2 * overlap) ** 2
                / default.tile_size**2,
            }
            for overlap, values in overlaps.items()
        ],
        "tiles": [
            {
                "tile": tile,
                "overlap": default.tile_overlap,
                "largest_difference": float(max(row[0] for row in values)),
                "largest_step_of_8_bits": int(max(row[1] for row in values)),
                "share_of_values_one_step_off": float(np.mean([row[2] for row in values])),
                "largest_step_of_16_bits": int(max(row[3] for row in values)),
            }
            for tile, values in tiles.items()
        ],
    }


def picture(target: Path) -> None:
    """The whole result, and its differences from tiled ones, amplified."""
    engine = open_engine(device="cpu")
    noisy = to_float(camera_noise(demo_photo(256)))
    whole = denoise_pixels(engine, noisy, DenoiseOptions(tile_size=0, strength=1))
    panels = [whole]
    for overlap, factor in AMPLIFIED:
        tiled = denoise_pixels(
            engine, noisy, DenoiseOptions(tile_size=64, tile_overlap=overlap, strength=1)
        )
        difference = np.abs(tiled - whole)
        panels.append(np.clip(difference * factor, 0, 1))
        print(overlap, factor, 255 * difference.max(), file=sys.stderr)
    row = np.concatenate(panels, axis=1)
    write_photo(
        Photo(from_float(row, np.uint8)), target, overwrite=True, choices=WriteOptions(quality=88)
    )


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("photographs", nargs="*")
    parser.add_argument("--picture", type=Path)
    parser.add_argument("--strength", default="1", help="0 to 1, or auto")
    chosen = parser.parse_args()
    if chosen.photographs:
        strength = chosen.strength if chosen.strength == "auto" else float(chosen.strength)
        json.dump(measure(chosen.photographs, strength), sys.stdout, indent=1)
        sys.stdout.write("\n")
    if chosen.picture:
        picture(chosen.picture)


if __name__ == "__main__":
    main()
