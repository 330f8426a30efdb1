"""Recover how SIDD developed its raw files, from a developed noisy photograph alone.

If a photograph is ``curve(M @ demosaic(raw))`` with a linear demosaicing, then the camera colours
``W @ light``, W being the inverse of M, satisfy the demosaicing equations at every pixel: they are
linear in the nine numbers of W. With the rounding to 8 bits as the only error, the smallest
generalised eigenvalue of (their Gram matrix, that of the rounding) is 1; a wrong tone curve,
Bayer phase or demosaicing gives a far larger one.
"""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import max_pool2d

from invdn.data.demosaicing import bayer_sites, demosaic, mosaic
from invdn.data.noise import unprocess

_PHASES = ((0, 0), (0, 1), (1, 0), (1, 1))
_DARKEST = 8 / 255  # below lies what was cut off at black
_BORDER = 4


@dataclass(frozen=True)
class Development:
    """What explains a photograph best.

    Attributes:
        misfit: error in units of the rounding's; 1 is a perfect explanation.
        phase: row and column of the first red pixel.
        bilinear: 0 for Malvar's demosaicing, 1 for bilinear.
        matrix: (3, 3) balanced camera RGB to linear sRGB, mean of its row sums 1.
    """

    misfit: float
    phase: tuple[int, int]
    bilinear: float
    matrix: Tensor


def recover_development(noisy: Tensor) -> list[Development] | None:
    """Explanations of one photograph (1, 3, H, W), the best first; None if it is too dark."""
    plain = torch.zeros(1)
    light = unprocess(noisy, plain).double()
    generator = torch.Generator().manual_seed(0)
    rounding = (torch.rand(noisy.shape, generator=generator) - 0.5) / 255
    rounding = unprocess(noisy + rounding, plain).double() - light
    cut = max_pool2d((noisy.amin(1, keepdim=True) <= _DARKEST).float(), 7, 1, 3) > 0
    cut[..., :_BORDER, :], cut[..., -_BORDER:, :] = True, True
    cut[..., :_BORDER], cut[..., -_BORDER:] = True, True
    if (~cut).sum() < 2000:
        return None
    found = []
    for phase in _PHASES:
        for bilinear in (0.0, 1.0):
            errors = [_gram(x, ~cut[0, 0], phase, bilinear) for x in (light, rounding)]
            factor = np.linalg.inv(np.linalg.cholesky(errors[1]))
            values, vectors = np.linalg.eigh(factor @ errors[0] @ factor.T)
            matrix = np.linalg.pinv((factor.T @ vectors[:, 0]).reshape(3, 3))
            matrix /= matrix.sum(1).mean()
            found.append(Development(values[0], phase, bilinear, torch.tensor(matrix)))
    # Half of the phases only swap red and blue; the true one has the stronger diagonal.
    return sorted(found, key=lambda it: (round(it.misfit, 1), -float(it.matrix.diagonal().sum())))


def _gram(light: Tensor, used: Tensor, phase: tuple[int, int], bilinear: float) -> np.ndarray:
    sites = bayer_sites(torch.tensor([phase]), *light.shape[2:])
    columns = []
    for camera_colour in range(3):
        for colour in range(3):
            camera = torch.zeros_like(light)
            camera[:, camera_colour] = light[:, colour]
            again = demosaic(mosaic(camera, sites), sites, torch.tensor([bilinear]))
            columns.append((camera - again)[0][:, used].flatten())
    errors = torch.stack(columns).numpy()
    return errors @ errors.T
