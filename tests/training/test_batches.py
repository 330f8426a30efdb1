"""From samples to batches: exact targets, keyed randomness, real pairs left alone."""

import numpy as np
import pytest
import torch

from invdn.data.crops import Sample
from invdn.data.synthesis import SynthesisOptions
from invdn.image.resize import downscaling_matrix
from invdn.training.batches import Batch, downscale, enlarge, keyed_generator, prepare

PLAIN = SynthesisOptions()
CPU = torch.device("cpu")


def samples(numbers: list[int], paired: list[bool], low: bool = False) -> Sample:
    count = len(numbers)
    random = torch.Generator().manual_seed(1)
    picture = torch.randint(0, 256, (count, 3, 16, 16), generator=random, dtype=torch.uint8)
    return Sample(
        noisy=picture.flip(3),
        clean=picture,
        low=torch.full((count, 3, 4, 4), 51, dtype=torch.uint8),
        paired=torch.tensor(paired),
        has_low=torch.tensor([low] * count),
        zoom=torch.ones(count),
        number=torch.tensor(numbers),
    )


def prepared(*arguments: object, **options: object) -> Batch:
    return prepare(samples(*arguments, **options), PLAIN, 0, CPU)  # type: ignore[arg-type]


def test_real_pairs_pass_unchanged() -> None:
    given = samples([0, 1], [True, True])
    batch = prepare(given, PLAIN, 0, CPU)
    assert torch.equal(batch.noisy, given.noisy / 255)
    assert torch.equal(batch.clean, given.clean / 255)


def test_only_clean_photographs_get_noise() -> None:
    given = samples([4, 5, 6], [True, False, True])
    batch = prepare(given, PLAIN, 0, CPU)
    assert torch.equal(batch.noisy[[0, 2]], given.noisy[[0, 2]] / 255)
    assert not torch.equal(batch.noisy[1], given.noisy[1] / 255)
    assert batch.noisy.min() >= 0 and batch.noisy.max() <= 1


def test_target_is_matlabs_downscaling() -> None:
    batch = prepared([0], [False])
    matrix = downscaling_matrix(16, 4).astype(np.float64)
    expected = matrix @ batch.clean[0, 1].double().numpy() @ matrix.T
    assert np.allclose(batch.target[0, 1].numpy(), expected, atol=1e-6)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_a_gpu_does_not_round_the_target() -> None:
    image = torch.rand(2, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    before = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision("high")  # as tf32 and bf16 have it
    try:
        there = downscale(image.cuda()).cpu()
    finally:
        torch.set_float32_matmul_precision(before)
    assert torch.allclose(there, downscale(image), atol=1e-6)


def test_target_of_the_data_set_is_used() -> None:
    assert torch.equal(prepared([0], [True], low=True).target, torch.full((1, 3, 4, 4), 0.2))


def test_latents_belong_to_samples_not_to_batches() -> None:
    together = prepared([7, 8, 9, 10], [True] * 4)
    first, second = prepared([7, 8], [True] * 2), prepared([9, 10], [True] * 2)
    assert torch.equal(together.latent, torch.cat((first.latent, second.latent)))
    assert not torch.equal(together.latent[0], together.latent[1])
    assert abs(float(together.latent.std()) - 1) < 0.05


def test_noise_is_reproducible_and_fresh() -> None:
    first, again, later = (prepared([n, n + 1], [False] * 2).noisy for n in (0, 0, 2))
    assert torch.equal(first, again) and not torch.equal(first, later)


def test_enlarging() -> None:
    ramp = torch.linspace(0.2, 0.8, 32).expand(2, 3, 32, 32)
    one, two = enlarge(ramp, torch.tensor([1.0, 2.0]))
    assert torch.equal(one, ramp[0])
    slope = float(ramp[0, 0, 0, 1] - ramp[0, 0, 0, 0])
    inner = two[0, 16, 4:-4]
    # torch's cubic (a = -0.75) ripples between pixels, but keeps the slope from pixel to pixel
    assert torch.allclose(inner[2:] - inner[:-2], torch.full((22,), slope), atol=1e-4)
    assert float(inner.mean()) == pytest.approx(0.5, abs=1e-4)  # the middle stays in the middle


def test_downscaling_ignores_autocast() -> None:
    image = torch.rand(1, 3, 16, 16)
    with torch.autocast("cpu", torch.bfloat16):
        inside = downscale(image)
    assert inside.dtype == torch.float32 and torch.equal(inside, downscale(image))


def test_generators_by_key() -> None:
    draws = {torch.rand(1, generator=keyed_generator(CPU, *key)).item() for key in
             ((0,), (0, 0, 1), (0, 1), (1, 0), (1, 0, 5))}  # fmt: skip
    assert len(draws) == 5
