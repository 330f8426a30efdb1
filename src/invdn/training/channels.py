"""From the data's RGB to the channels of a network: grey, RGB, or the planes of a filter array."""

import torch
from torch import Tensor

from ..image.dct import YCBCR


def to_network(images: Tensor, channels: int) -> Tensor:
    """Turn ``(..., 3, H, W)`` RGB into what a network of so many channels takes.

    Args:
        images: RGB in [0, 1]; both sides even where 4 channels are wanted.
        channels: 3, or as many as the images have: as they are; 1 for their luma (BT.601); 4 for
            the planes R, G, G, B of an RGGB filter array, each at half the size: the other colours
            of a pixel are dropped.

    Returns:
        ``(..., 1 or 3, H, W)``, or ``(..., 4, H/2, W/2)``.

    Example:
        >>> to_network(torch.rand(2, 3, 8, 12), 4).shape
        torch.Size([2, 4, 4, 6])
    """
    if images.shape[-3] == channels:
        return images
    red, green, blue = images.unbind(dim=-3)
    if channels == 1:
        weights = torch.tensor(YCBCR[0], device=images.device, dtype=images.dtype)
        return torch.stack((red, green, blue), dim=-1).matmul(weights).unsqueeze(-3)
    planes = red[..., ::2, ::2], green[..., ::2, 1::2], green[..., 1::2, ::2], blue[..., 1::2, 1::2]
    return torch.stack(planes, dim=-3)


def to_picture(images: Tensor) -> Tensor:
    """Turn ``(..., C, H, W)`` of any network into what a log shows, ``(..., 1 or 3, H, W)``.

    Example:
        >>> to_picture(torch.rand(4, 8, 8)).shape
        torch.Size([3, 8, 8])
    """
    if images.shape[-3] != 4:
        return images
    red, green, green_too, blue = images.unbind(dim=-3)
    return torch.stack((red, (green + green_too) / 2, blue), dim=-3)
