"""A training loop of your own around the network and the recipe's loss."""

import torch
from own_dataset import pairs

from invdn import Architecture, InvDN
from invdn.training.fit import RecipeLoss
from invdn.training.recipe_files import load_recipe

network = InvDN(Architecture(blocks=(1, 1), features=8))
loss = RecipeLoss(load_recipe("paper").losses)
optimiser = torch.optim.Adam(network.parameters(), lr=1e-3)
for step in range(20):
    noisy, clean = (torch.stack(images) for images in zip(pairs[step % 8], pairs[step % 7]))
    low, latent = network.encode(noisy)
    image = network.decode(low, torch.randn_like(latent))
    target = torch.nn.functional.avg_pool2d(clean, network.architecture.scale)
    losses = loss(low, image, target, clean)
    optimiser.zero_grad()
    losses["loss"].backward()
    optimiser.step()
print(f"{losses['loss'].item():.1f}")
