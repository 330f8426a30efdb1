"""Add a term to the recipe's loss, choose an optimiser, and follow the training by a callback."""

import tempfile

import torch
from own_dataset import pairs

from invdn.training.fit import Callback, Term, fit


def mean_colour(image, clean):  # (B, C, H, W) each, to (B,)
    return (image.mean(dim=(2, 3)) - clean.mean(dim=(2, 3))).square().sum(dim=1)


class StopWhenGood(Callback):
    def on_validation_end(self, state, scores):
        print(f"step {state.step}: {scores['mine'].psnr:.2f} dB")
        self.should_stop = scores["mine"].psnr > 20


fit(
    "smoke",
    tempfile.mkdtemp(),
    overrides=["phases.0.steps=80", "validation.every=20", "log.checkpoint_every=20"],
    dataset=pairs,
    validation={"mine": [pairs[0], pairs[1]]},
    terms={"mean_colour": Term(weight=1.0, function=mean_colour)},
    optimiser=torch.optim.AdamW,
    callbacks=[StopWhenGood()],
)
