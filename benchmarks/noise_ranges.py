"""What the ready-made camera ranges do to clean photographs, and how fast: a table (JSON).

python benchmarks/noise_ranges.py ../shared/data docs/noise/noise-ranges.json
"""

import json
import sys
import time
from pathlib import Path
from statistics import median

import torch
from torch import Tensor

from invdn.data.camera import DSLR, MIXED, PHONE, CameraDistribution, sample_cameras
from invdn.data.noise import add_camera_noise
from invdn.image.dtype import to_float
from invdn.photo.read import read_photo

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
from support.noise_statistics import measure_noise

CROP = 96
SHARES = (0.05, 0.5, 0.95)


def middles(folder: Path) -> Tensor:
    """The middle of every fourth photograph, four times: (n, 3, 96, 96)."""
    crops = []
    for path in sorted(folder.iterdir())[::4]:
        pixels = to_float(read_photo(path).pixels)
        top, left = (pixels.shape[0] - CROP) // 2, (pixels.shape[1] - CROP) // 2
        crop = pixels[top : top + CROP, left : left + CROP]
        crops.append(torch.from_numpy(crop).permute(2, 0, 1))
    return torch.stack([crop for crop in crops for _ in range(4)])


def describe(clean: Tensor, ranges: CameraDistribution) -> dict[str, list[float]]:
    """The 5, 50 and 95 % quantiles over photographs of what their noise measures."""
    generator = torch.Generator().manual_seed(3)
    made = add_camera_noise(clean, sample_cameras(len(clean), generator, ranges), generator)
    each = [measure_noise(n[None], c[None]) for n, c in zip(*made, strict=True)]
    spread = torch.stack([noise.total_spread for noise in each])
    error = (made.noisy - made.clean).square().mean((1, 2, 3)).clamp(min=1e-9)
    columns = {
        "spread of 255": spread.mean(1) * 255,
        "PSNR in dB": -10 * error.log10(),
        "red to green": spread[:, 0] / spread[:, 1],
        "blue to green": spread[:, 2] / spread[:, 1],
        "green at 1 px": torch.stack([noise.horizontal[1, 0] for noise in each]),
        "green at 2 px": torch.stack([noise.horizontal[1, 1] for noise in each]),
        "green with red": torch.stack([noise.colours[1, 0] for noise in each]),
        "green with blue": torch.stack([noise.colours[1, 2] for noise in each]),
    }
    levels = torch.tensor(SHARES, dtype=torch.float64)
    return {
        name: [round(float(x), 2) for x in values.double().nanquantile(levels)]
        for name, values in columns.items()
    }


def crops_per_second(count: int, size: int) -> float:
    """Median over 15 batches, the drawing of cameras included; by the time of one processor."""
    generator = torch.Generator().manual_seed(4)
    clean = torch.rand(count, 3, size, size, generator=generator)
    seconds = []
    for _ in range(15):
        start = time.process_time()
        add_camera_noise(clean, sample_cameras(count, generator, MIXED), generator)
        seconds.append(time.process_time() - start)
    return round(count / median(seconds), 1)


def main(data: Path, target: Path) -> None:
    """Measure, and write the table."""
    torch.set_num_threads(1)
    clean = middles(data / "clean")
    report = {
        "quantiles": SHARES,
        "phone": describe(clean, PHONE),
        "dslr": describe(clean, DSLR),
        "crops per second of a processor": {
            "8 of 64x64": crops_per_second(8, 64),
            "14 of 144x144": crops_per_second(14, 144),
        },
    }
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(json.dumps(report, indent=1) + "\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
