"""Begin a smaller network from a larger one: fewer blocks, fewer features, both refitted."""

from collections.abc import Iterator
from typing import cast

import torch
from torch import Tensor
from torch.nn.functional import leaky_relu, unfold

from ..architecture import Architecture
from ..errors import RecipeError
from ..network import AffineCoupling, InvDN, ResidualSubnet

_SUBNETS = ("F", "G", "H")
_RIDGE = 1e-4  # of the mean square of the inputs: keeps the fit calm where inputs repeat each other
_ROWS = 4_000  # places that a fit looks at; unknowns are at most (64 + 45) * 9


@torch.no_grad()
def prune(network: InvDN, architecture: Architecture, noisy: Tensor, latent: Tensor) -> InvDN:
    """Return a smaller network that computes nearly the same, as far as it can.

    Blocks are taken out one by one, each time the one whose absence changes low-resolution and
    denoised images least. In each subnet the features stay that weigh most in the next
    convolution, which is then fitted anew by least squares to what it gave before, on the inputs
    of both passes; and so is the last one.

    Args:
        network: trained; it stays as it is.
        architecture: with no more blocks of any level, and no more features.
        noisy: photographs to look at, (B, 3, H, W).
        latent: a sample of N(0, 1) for them, (B, 45, H/4, W/4).

    Raises:
        RecipeError: the architecture is not a smaller one of the same scale.

    Reference:
        He, Zhang and Sun, Channel Pruning for Accelerating Very Deep Neural Networks, ICCV 2017
        (arXiv 1707.06168).
    """
    own = network.architecture
    fits = len(own.blocks) == len(architecture.blocks) and own.channels == architecture.channels
    if not fits or any(
        small > large
        for small, large in zip(
            (*architecture.blocks, architecture.features), (*own.blocks, own.features), strict=True
        )
    ):
        raise RecipeError(f"{architecture} is not a smaller network of the kind of {own}")
    levels = _choose_blocks(network, architecture.blocks, noisy, latent)
    blocks = Architecture(tuple(map(len, levels)), own.features, own.channels)
    shallow = _with_blocks(network, blocks, levels)
    if architecture.features == own.features:
        return shallow
    small = InvDN(architecture)
    # one block after the other, each on the inputs that it will have: those of the pruned ones
    # before it would be better still, but the two passes go through the blocks in opposite orders
    for name, inputs in _inputs(shallow, noisy, latent):
        _prune_subnet(shallow.get_submodule(name), small.get_submodule(name), inputs)  # type: ignore[arg-type]
    return small


def _choose_blocks(
    network: InvDN, counts: tuple[int, ...], noisy: Tensor, latent: Tensor
) -> list[list[int]]:
    """Return the numbers of the blocks that stay, for each level."""
    levels = [list(range(count)) for count in network.architecture.blocks]
    expected = _outputs(network, levels, noisy, latent)
    while True:
        trials = []
        for level, count in enumerate(counts):
            for block in levels[level] if len(levels[level]) > count else ():
                rest = [list(blocks) for blocks in levels]
                rest[level].remove(block)
                found = _outputs(network, rest, noisy, latent)
                change = sum(
                    float((a - b).clamp(-1, 1).square().mean())
                    for a, b in zip(expected, found, strict=True)
                )
                trials.append((change, rest))
        if not trials:
            return levels
        levels = min(trials, key=lambda trial: trial[0])[1]


def _outputs(
    network: InvDN, levels: list[list[int]], noisy: Tensor, latent: Tensor
) -> tuple[Tensor, Tensor]:
    own = network.architecture
    blocks = Architecture(tuple(map(len, levels)), own.features, own.channels)
    part = _with_blocks(network, blocks, levels)
    low, _ = part.encode(noisy)
    return low, part.decode(low, latent)


def _with_blocks(network: InvDN, architecture: Architecture, levels: list[list[int]]) -> InvDN:
    """Return a network of some of the blocks, with parameters of its own."""
    part, start, kept = InvDN(architecture), 0, []
    for count, chosen in zip(network.architecture.blocks, levels, strict=True):
        kept += [start, *(start + 1 + block for block in chosen)]
        start += 1 + count
    for target, source in zip(part.operations, kept, strict=True):
        target.load_state_dict(network.operations[source].state_dict())
    return part.requires_grad_(False)


def _inputs(network: InvDN, noisy: Tensor, latent: Tensor) -> Iterator[tuple[str, list[Tensor]]]:
    """Yield each subnet's name, and what it is given in the two passes."""
    seen: dict[str, list[Tensor]] = {}
    handles = []
    for number, operation in enumerate(network.operations):
        if isinstance(operation, AffineCoupling):
            for letter in _SUBNETS:
                found = seen[f"operations.{number}.{letter}"] = []
                handles.append(
                    getattr(operation, letter).register_forward_pre_hook(
                        lambda _, inputs, found=found: found.append(inputs[0])
                    )
                )
    low, _ = network.encode(noisy)
    network.decode(low, latent)
    for handle in handles:
        handle.remove()
    yield from seen.items()


def _prune_subnet(large: ResidualSubnet, small: ResidualSubnet, inputs: list[Tensor]) -> None:
    """Fill ``small`` so that it gives nearly what ``large`` gives for these inputs."""
    x = torch.cat(inputs)
    count = small.conv1.out_channels
    first = leaky_relu(large.conv1(x), 0.2)
    second_before = large.conv2(first)
    second = leaky_relu(second_before, 0.2)
    y = large(x)

    of_features = large.conv3.weight[:, x.shape[1] :]
    stay = _largest(
        second.std(dim=(0, 2, 3)) * of_features.square().sum(dim=(0, 2, 3)).sqrt(), count
    )
    before = _largest(
        first.std(dim=(0, 2, 3)) * large.conv2.weight[stay].square().sum(dim=(0, 2, 3)).sqrt(),
        count,
    )
    small.conv1.weight.copy_(large.conv1.weight[before])
    _bias(small.conv1).copy_(_bias(large.conv1)[before])
    _fit(small.conv2, first[:, before], second_before[:, stay])
    found = leaky_relu(small.conv2(first[:, before]), 0.2)
    _fit(small.conv3, torch.cat((x, found), dim=1), y)


def _largest(importance: Tensor, count: int) -> Tensor:
    return importance.topk(count).indices.sort().values


def _fit(convolution: torch.nn.Conv2d, x: Tensor, y: Tensor) -> None:
    """Fit by least squares a 3x3 convolution's weight and bias, on places drawn at random."""
    columns = unfold(x, 3, padding=1)  # (B, C * 9, H * W)
    columns = columns.transpose(1, 2).flatten(0, 1)  # (B * H * W, C * 9)
    values = y.flatten(2).transpose(1, 2).flatten(0, 1)  # (B * H * W, outputs)
    random = torch.Generator().manual_seed(0)
    rows = torch.randperm(len(columns), generator=random)[:_ROWS]
    a = torch.cat((columns[rows], torch.ones(len(rows), 1)), dim=1)
    b = values[rows]
    gram = (a.T @ a).double()
    gram += _RIDGE * gram.diagonal().mean() * torch.eye(len(gram), dtype=gram.dtype)
    solution = torch.linalg.solve(gram, (a.T @ b).double())  # (C * 9 + 1, outputs)
    convolution.weight.copy_(solution[:-1].T.reshape(convolution.weight.shape))
    _bias(convolution).copy_(solution[-1])


def _bias(convolution: torch.nn.Conv2d) -> Tensor:
    return cast(Tensor, convolution.bias)
