"""From samples as loaded to what the objective takes, on the device."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, fields

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import affine_grid, grid_sample

from ..architecture import Architecture
from ..data.crops import SCALE, Sample
from ..data.synthesis import SynthesisOptions, synthesize
from ..image.resize import downscaling_matrix
from .channels import to_network


@dataclass(frozen=True)
class Batch:
    """What the objective takes, values in [0, 1]; the shapes are those of the published network.

    Attributes:
        noisy: (B, 3, H, W).
        clean: (B, 3, H, W).
        target: the clean image at low resolution, (B, 3, H/4, W/4).
        latent: a sample of N(0, 1), (B, 45, H/4, W/4).
        drawn: (B,), whether it is a drawn picture.
    """

    noisy: Tensor
    clean: Tensor
    target: Tensor
    latent: Tensor
    drawn: Tensor


def prepare(
    samples: Sample,
    synthesis: SynthesisOptions,
    seed: int,
    device: torch.device,
    architecture: Architecture = Architecture(),
) -> Batch:
    """Make noise where there is none, the low-resolution target, and the latent sample.

    Latents and what happens to a crop are keyed by the number of the sample, so that they do not
    depend on how many processes share a batch; synthetic noise is keyed by the first number of the
    local batch.

    Args:
        samples: a collated batch of one process, on the host.
        synthesis: what happens to photographs without noise.
        seed: of the run.
        device: where to compute.
        architecture: of the network; decides the channels, the target's scale and the latent.
    """
    # numbers and choices are read on the host: asking the device would wait for the step before
    numbers: list[int] = samples.number.tolist()
    synthetic = (~samples.paired).nonzero().flatten()  # (S,)
    samples = Sample(*(field.to(device, non_blocking=True) for field in samples))
    noisy, clean = samples.noisy.float() / 255, samples.clean.float() / 255  # (B, 3, H, W)
    drawn = torch.zeros_like(samples.paired)
    if len(synthetic):
        keys = [numbers[index] for index in synthetic.tolist()]
        synthetic = synthetic.to(device, non_blocking=True)
        photographs = enlarge(clean[synthetic], samples.zoom[synthetic].float())
        random = keyed_generator(device, seed, 1, numbers[0])
        made = synthesize(photographs, keys, synthesis, seed, random)
        clean = clean.index_copy(0, synthetic, made.clean)
        noisy = noisy.index_copy(0, synthetic, made.noisy)
        drawn = drawn.index_copy(0, synthetic, made.drawn)
    noisy, clean = (to_network(images, architecture.channels) for images in (noisy, clean))
    target = downscale(clean, architecture.scale)  # (B, 3, H/4, W/4)
    if samples.low.shape[1:] == target.shape[1:]:  # the data's own are of the published network
        target = torch.where(samples.has_low.view(-1, 1, 1, 1), samples.low.float() / 255, target)
    shape = (architecture.latent_channels, *target.shape[2:])
    latent = torch.stack(
        [
            torch.randn(shape, generator=keyed_generator(device, seed, 2, number), device=device)
            for number in numbers
        ]
    )  # (B, 45, H/4, W/4)
    return Batch(noisy, clean, target, latent, drawn)


def prepare_beside(
    samples: Iterable[Sequence[Tensor]],
    synthesis: SynthesisOptions,
    seed: int,
    device: torch.device,
    architecture: Architecture = Architecture(),
) -> Iterator[Batch]:
    """Prepare batch after batch; on a GPU beside the step before, on a stream of their own.

    Noise and drawings are many small kernels, and some ask the host: on the stream of the steps
    each would wait until the step before is done.

    Args:
        samples: collated batches of one process; what cuts them on the GPU runs beside, too.
        synthesis: see :func:`prepare`, as all that follows.
        seed: of the run.
        device: where to compute.
        architecture: of the network.
    """
    if device.type != "cuda":
        for batch in samples:
            yield prepare(Sample(*batch), synthesis, seed, device, architecture)
        return
    beside = torch.cuda.Stream(device)  # type: ignore[no-untyped-call]
    beside.wait_stream(torch.cuda.current_stream(device))
    coming = iter(samples)
    while True:
        with torch.cuda.stream(beside):
            if (found := next(coming, None)) is None:
                return
            made = prepare(Sample(*found), synthesis, seed, device, architecture)
        steps = torch.cuda.current_stream(device)
        steps.wait_stream(beside)
        for field in fields(made):
            getattr(made, field.name).record_stream(steps)  # its memory is not taken before
        yield made


def downscale(images: Tensor, scale: int = SCALE) -> Tensor:
    """Return MATLAB's bicubic: (B, C, H, W) to (B, C, H/scale, W/scale), exact, not rounded.

    Example:
        >>> downscale(torch.ones(1, 3, 8, 16)).shape
        torch.Size([1, 3, 2, 4])
    """
    # a GPU would round the factors of float32 products to TensorFloat-32 where the recipe allows it
    kind = torch.float64 if images.is_cuda else torch.float32
    rows, columns = (
        torch.tensor(downscaling_matrix(size, scale), dtype=kind, device=images.device)
        for size in images.shape[2:]
    )
    with torch.autocast(images.device.type, enabled=False):
        return (rows @ images.to(kind) @ columns.T).float()


def enlarge(images: Tensor, zoom: Tensor) -> Tensor:
    """Enlarge the middle of each image by its own factor, bicubic, to the same size.

    Args:
        images: (B, 3, H, W) in [0, 1].
        zoom: (B,) factors of 1 or more.
    """
    theta = torch.zeros(len(images), 2, 3, device=images.device)
    theta[:, 0, 0] = theta[:, 1, 1] = 1 / zoom
    grid = affine_grid(theta, list(images.shape), align_corners=False)
    enlarged = grid_sample(images, grid, "bicubic", "reflection", align_corners=False).clamp(0, 1)
    return torch.where((zoom > 1).view(-1, 1, 1, 1), enlarged, images)


def keyed_generator(device: torch.device, *key: int) -> torch.Generator:
    """Give a random generator on the device whose state depends on the numbers of the key alone."""
    seed = int(np.random.SeedSequence(key).generate_state(1, np.uint64)[0] >> np.uint64(1))
    return torch.Generator(device).manual_seed(seed)
