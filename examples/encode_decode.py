"""Use the network itself: a clean low-resolution image and a latent, and back.

pip install 'invdn[torch]'
python examples/encode_decode.py
"""

import torch

from invdn import load_network


def main() -> None:
    """Encode a noisy image, decode it exactly, and decode it with a new latent."""
    network = load_network("default")
    noisy = 0.5 + 0.08 * torch.randn(1, 3, 64, 96, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        low, latent = network.encode(noisy)  # (1, 3, 16, 24), (1, 45, 16, 24)
        exact = network.decode(low, latent)
        sample = torch.randn(latent.shape, generator=torch.Generator().manual_seed(1))
        denoised = network.decode(low, sample)
    print(f"low image {tuple(low.shape)}, latent {tuple(latent.shape)}")
    print(f"decoding its own latent is off by {(exact - noisy).abs().max():.1e}")
    print(f"standard deviation: noisy {noisy.std():.3f}, denoised {denoised.std():.3f}")


if __name__ == "__main__":
    main()
