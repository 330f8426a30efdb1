"""Denoise an array, and say how much was changed.

python examples/denoise_array.py
"""

import numpy as np

from invdn import Denoiser


def main() -> None:
    """Draw a noisy gradient, denoise it and compare."""
    rows, columns = np.mgrid[0:96, 0:128]
    clean = np.stack([rows / 96, columns / 128, (rows + columns) / 224], axis=2)
    noise = np.random.default_rng(0).normal(0, 0.06, clean.shape)
    noisy = np.round((clean + noise).clip(0, 1) * 255).astype(np.uint8)

    with Denoiser.from_pretrained("default", device="cpu") as denoiser:
        result = denoiser(noisy, strength=1.0)

    for name, image in (("noisy", noisy), ("denoised", result)):
        error = np.sqrt(np.mean((image / 255 - clean) ** 2))
        print(f"{name}: {-20 * np.log10(error):.1f} dB")


if __name__ == "__main__":
    main()
