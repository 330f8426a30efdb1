"""Train on pairs of your own: here smooth pictures with noise, made on the spot."""

import tempfile

import torch

from invdn.training.fit import fit


class Pairs(torch.utils.data.Dataset):
    def __len__(self):
        return 8

    def __getitem__(self, index):
        generator = torch.Generator().manual_seed(index)
        clean = torch.rand(3, 6, 6, generator=generator)
        clean = torch.nn.functional.interpolate(clean[None], size=48, mode="bicubic")[0].clamp(0, 1)
        return clean + 0.1 * torch.randn(clean.shape, generator=generator), clean


pairs = Pairs()
if __name__ == "__main__":
    weights = fit(
        "smoke",
        tempfile.mkdtemp(),
        overrides=["phases.0.steps=80"],
        dataset=pairs,
        validation={"mine": [pairs[0], pairs[1]]},
    )
    print(weights)
