"""Pairs from clean crops: colours, drawn pictures and levels of noise, keyed by the sample."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from invdn.data.camera_range import PHONE
from invdn.data.colors import ColorOptions, draw_color_matrix
from invdn.data.drawings import KINDS, Drawing, draw_color, render, sketch
from invdn.data.synthesis import SynthesisOptions, SyntheticPair, synthesize
from support.cameras import random

CPU = torch.device("cpu")
EVERYTHING = ColorOptions(
    share=1.0, saturation=(0.5, 5), hue_share=0.5, permutation_share=0.5, gains=(0.5, 1.8)
)


def generator(*key: int) -> np.random.Generator:
    return np.random.default_rng(key)


def made(
    numbers: list[int], options: SynthesisOptions, size: int = 32, seed: int = 0
) -> SyntheticPair:
    photographs = torch.rand(len(numbers), 3, 8, 8, generator=random(1))
    photographs = torch.nn.functional.interpolate(photographs, size=size, mode="bilinear")
    return synthesize(photographs, numbers, options, seed, random(2))


@pytest.mark.parametrize("name", KINDS)
def test_every_kind_is_drawn_again_alike_at_any_size(name: str) -> None:
    for size in (16, 100):
        drawings = [KINDS[name](size, generator(3, index)) for index in range(6)]
        again = [KINDS[name](size, generator(3, index)) for index in range(6)]
        pictures = render(drawings, size, CPU)
        assert torch.equal(pictures, render(again, size, CPU))
        assert pictures.shape == (6, 3, size, size) and pictures.isfinite().all()
        assert pictures.min() >= 0 and pictures.max() <= 1
        assert len({tuple(picture.mean((1, 2)).tolist()) for picture in pictures}) == 6


def test_drawn_colours_fill_the_cube() -> None:
    colors = np.array([draw_color(generator(4, index)) for index in range(4000)])
    at_bound = ((colors == 0) | (colors == 1)).sum(1)
    assert len({tuple(color) for color in colors[at_bound == 3]}) == 8  # every corner
    for bounds in range(4):  # inside, faces, edges, corners
        assert (at_bound == bounds).mean() > 0.02, bounds
    inside = np.histogramdd(colors, bins=4, range=[(0, 1)] * 3)[0]
    assert (inside > 0).all()


def test_a_shape_covers_what_it_should() -> None:
    drawing = Drawing((0, 0, 0))
    drawing.add((8, 8), (4, 2), (1, 0, 0))  # 8 x 4 pixels
    drawing.add((8, 8), (1.5, 1.5), (0, 0, 1), radius=1.5)  # a disc above it
    picture = render([drawing], 16, CPU)[0]
    disc = np.pi * 1.5**2
    assert picture[2].sum() == pytest.approx(disc, rel=0.05)
    assert picture[0].sum() == pytest.approx(32 - disc, rel=0.02)
    assert picture[:, 8, 8].tolist() == [0, 0, 1]


def test_lights_keep_their_brightness() -> None:
    """A light's sum is that of a Gaussian, wherever it lies between the pixels."""
    for place in (10.0, 10.3, 10.5):
        drawing = Drawing((0, 0, 0))
        drawing.shine((place, 9.7), 0.8, (1, 1, 1), by=0.9)
        total = render([drawing], 20, CPU)[0, 0].sum()
        assert total == pytest.approx(0.9 * 2 * np.pi * 0.8**2, rel=0.02)


def test_edges_and_stripes_do_not_alias() -> None:
    """Moved by a third of a pixel, a picture changes by the colour times the moved edge."""
    sums = []
    for shift in (0, 1 / 3, 2 / 3):
        drawing = Drawing((0, 0, 0))
        drawing.add((20 + shift, 20.2), (7, 7), (1, 1, 1), angle=0.5)
        drawing.cover(40, (0, 0, 0), (1, 1, 1), opacity=0.5, mixture=2, period=2.7, sharpness=4)
        sums.append(float(render([drawing], 40, CPU)[0, 0].sum()))
    assert max(sums) - min(sums) < 0.01 * max(sums)


def test_color_matrices_permute_and_turn_and_keep_greys() -> None:
    turned = draw_color_matrix(replace(EVERYTHING, permutation_share=0, gains=(1, 1)), generator(1))
    assert np.allclose(turned.sum(1), 1)  # hue and saturation leave greys alone
    swapped = draw_color_matrix(ColorOptions(permutation_share=1.0), generator(2))
    assert np.allclose(np.sort(swapped, 1), [[0, 0, 1]] * 3)
    assert np.allclose(swapped.sum(0), 1)


def test_what_happens_belongs_to_the_sample() -> None:
    options = SynthesisOptions(
        colors=EVERYTHING, drawn_share=0.4, unchanged_share=1.0, full_exposure_share=1.0
    )
    same = torch.full((6, 3, 32, 32), 0.4)
    together = synthesize(same, [1, 2, 3, 4, 5, 6], options, 0, random())
    apart = synthesize(same[:3], [4, 5, 6], options, 0, random())
    # without noise and with a fixed exposure nothing is left to the generator of the batch
    assert torch.allclose(together.clean[3:], apart.clean, atol=1e-3)
    other = synthesize(same, [1, 2, 3, 4, 5, 6], options, 1, random())
    assert not torch.allclose(together.clean, other.clean, atol=0.05)


def test_drawn_pictures_are_marked() -> None:
    options = SynthesisOptions(drawn_share=0.5, unchanged_share=1.0, full_exposure_share=1.0)
    pair = synthesize(torch.full((40, 3, 32, 32), 0.4), range(40), options, 0, random())
    grey = pair.clean.amax((1, 2, 3)) - pair.clean.amin((1, 2, 3)) < 0.02  # at any exposure
    assert torch.equal(pair.drawn, ~grey) and 10 < pair.drawn.sum() < 30


def test_unchanged_crops_have_no_noise_and_faint_ones_little() -> None:
    numbers = list(range(40))
    errors = {}
    for name, changes in {
        "plain": {},
        "faint": {"faint_share": 1.0},
        "unchanged": {"unchanged_share": 1.0},
    }.items():
        options = replace(SynthesisOptions(drawn_share=0.5), **changes)
        pair = made(numbers, options)
        errors[name] = (pair.noisy - pair.clean).square().mean((1, 2, 3)).sqrt() * 255
    assert errors["unchanged"].max() < 0.5  # of rounding alone
    assert errors["faint"].median() < 0.4 * errors["plain"].median()
    assert errors["plain"].min() > 0.5


def test_added_noise_moves_no_colour() -> None:
    """Cameras' noise moves the means of dark places; added noise leaves them, and its target."""
    grey = torch.full((60, 3, 32, 32), 0.35)
    means = {}
    for added_share in (0.0, 1.0):
        options = SynthesisOptions(added_share=added_share, full_exposure_share=1.0)
        pair = synthesize(grey, range(60), options, 0, random())
        means[added_share] = (pair.noisy - pair.clean).mean((1, 2, 3)).abs() * 255
        if added_share:
            spread = (pair.noisy - pair.clean).std((1, 2, 3)) * 255
            assert torch.allclose(pair.clean, torch.tensor(round(0.35 * 255) / 255))
            assert 0.8 < spread.min() < 3 and 30 < spread.max() < 77
    assert means[1.0].median() < min(0.2, 0.3 * means[0.0].median())


def test_a_share_of_the_crops_has_added_noise_and_untouched_ones_none() -> None:
    grey = torch.full((300, 3, 16, 16), 0.5)
    options = SynthesisOptions(added_share=0.4, unchanged_share=0.25)
    pair = synthesize(grey, range(300), options, 0, random())
    kept = ((pair.clean - round(0.5 * 255) / 255).abs().amax((1, 2, 3)) < 1e-6).float()
    assert kept.mean() == pytest.approx(0.75 * 0.4, abs=0.08)  # a camera's exposure darkens
    same = (pair.noisy - pair.clean).abs().amax((1, 2, 3)) < 0.51 / 255
    assert same.float().mean() == pytest.approx(0.25, abs=0.08)


def test_averaged_colours_are_those_of_the_noisy_picture() -> None:
    """The target of drawn pictures is the mean of photographs, where a perfect one is darker."""
    bias = {}
    for averaged_share in (0.0, 1.0):
        options = SynthesisOptions(
            cameras={replace(PHONE, shot=(0.02, 0.02), hot_share=0.0, lift=(0.0, 0.0)): 1.0},
            drawn_share=1.0,
            full_exposure_share=1.0,
            averaged_share=averaged_share,
        )
        pair = made(list(range(120)), options)
        bias[averaged_share] = float((pair.clean - pair.noisy).mean() * 255)
    assert abs(bias[1.0]) < 1 and bias[0.0] < bias[1.0] - 3


def test_colours_stay_without_noise_more_often() -> None:
    untouched = {}
    for drawn_share in (0.0, 1.0):
        options = SynthesisOptions(drawn_share=drawn_share, unchanged_share=0.2)
        pair = made(list(range(200)), options, size=16)
        error = (pair.noisy - pair.clean).abs().amax((1, 2, 3))
        untouched[drawn_share] = float((error < 0.51 / 255).float().mean())
    assert untouched[0.0] == pytest.approx(0.2, abs=0.08)
    assert untouched[1.0] == pytest.approx(0.6, abs=0.1)


def test_shares_are_kept() -> None:
    """Of 300 crops of one grey, the recoloured keep a single colour and the drawn do not."""
    grey = torch.full((300, 3, 16, 16), 0.5)
    options = SynthesisOptions(
        colors=replace(EVERYTHING, share=0.5, gains=(0.5, 0.5)),
        drawn_share=0.3,
        full_exposure_share=1.0,
        unchanged_share=1.0,
    )
    clean = synthesize(grey, range(300), options, 0, random()).clean
    flat = clean.std((2, 3)).amax(1) < 1e-3
    halved = flat & ((clean.mean((1, 2, 3)) - 0.25).abs() < 0.002)
    assert halved.float().mean() == pytest.approx(0.7 * 0.5, abs=0.09)
    assert 0.12 < (~flat).float().mean() < 0.36  # some drawings are flat as well


def test_bright_corners_come_up() -> None:
    options = SynthesisOptions(drawn_share=1.0, full_exposure_share=0.5, unchanged_share=1.0)
    pair = made(list(range(256)), options, size=32)
    for corner in ([0, 1, 0], [0, 0, 1], [1, 0, 0], [1, 1, 0], [0, 1, 1], [1, 0, 1], [1, 1, 1]):
        color = torch.tensor(corner, dtype=torch.float).view(1, 3, 1, 1)
        near = ((pair.clean - color).abs().amax(1) < 0.01).flatten(1).float().mean(1)
        assert near.max() > 0.05, corner


def test_sketches_of_all_kinds_come_up() -> None:
    drawings = [sketch(48, generator(9, index)) for index in range(80)]
    assert any(drawing.text is not None for drawing in drawings)
    assert any(len(drawing.lights) > 9 for drawing in drawings)
    assert any(not drawing.shapes and not drawing.lights for drawing in drawings)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_a_gpu_draws_the_same() -> None:
    drawings = [sketch(64, generator(9, index)) for index in range(24)]
    there = render(drawings, 64, torch.device("cuda")).cpu()
    assert (there - render(drawings, 64, CPU)).abs().max() < 2e-3
