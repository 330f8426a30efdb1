"""Denoise a folder of photographs with one model, and go on after a damaged one.

    python examples/denoise_folder.py [SOURCE TARGET]

For more than a script, ``invdn denoise SOURCE -o TARGET`` does this with progress, several workers
and resumption.
"""

import sys
import tempfile
from pathlib import Path

import numpy as np
from PIL import Image

from invdn import Denoiser, InvDNError


def denoise_folder(source: Path, target: Path) -> int:
    """Denoise every file of a folder; return how many failed."""
    target.mkdir(parents=True, exist_ok=True)
    denoiser = Denoiser(device="cpu")
    failed = 0
    for photo in sorted(path for path in source.iterdir() if path.is_file()):
        try:
            denoiser.denoise_file(photo, target / photo.name)
            print(f"{photo.name}: done")
        except InvDNError as error:  # says what was wrong and what to do
            print(f"{photo.name}: {error}")
            failed += 1
    return failed


def draw(folder: Path) -> None:
    """Write two noisy pictures and a damaged one."""
    folder.mkdir()
    for seed in (1, 2):
        noisy = np.random.default_rng(seed).normal(90 + 20 * seed, 12, (64, 80, 3))
        Image.fromarray(noisy.clip(0, 255).astype(np.uint8)).save(folder / f"{seed}.png")
    (folder / "damaged.png").write_bytes((folder / "1.png").read_bytes()[:200])


def main() -> None:
    """Take the folders given, or drawn ones."""
    if len(sys.argv) == 3:
        raise SystemExit(1 if denoise_folder(Path(sys.argv[1]), Path(sys.argv[2])) else 0)
    folder = Path(tempfile.mkdtemp())
    draw(folder / "noisy")
    failed = denoise_folder(folder / "noisy", folder / "clean")
    print(f"{failed} failed, as drawn" if failed == 1 else f"{failed} failed")
    raise SystemExit(failed != 1)


if __name__ == "__main__":
    main()
