"""The latent field: one field of the photograph, whatever part of it is asked for."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from invdn.inference.sampling import LatentField


@settings(max_examples=50)
@given(
    row=st.integers(0, 90),
    column=st.integers(0, 90),
    height=st.integers(1, 40),
    width=st.integers(1, 40),
)
def test_a_window_is_a_part_of_the_field(row: int, column: int, height: int, width: int) -> None:
    field = LatentField(channels=2, seed=3, draw=1, symmetry=5)
    whole = field.window(0, 0, 130, 130)
    window = field.window(row, column, height, width)
    assert np.array_equal(window, whole[:, row : row + height, column : column + width])


def test_values_are_standard_normal_and_independent() -> None:
    values = LatentField(channels=8, seed=0).window(0, 0, 256, 256).astype(np.float64)
    assert abs(values.mean()) < 5 / np.sqrt(values.size)
    assert abs(values.std() - 1) < 0.01
    assert abs((values[:, 1:] * values[:, :-1]).mean()) < 0.01
    assert abs((values[:, :, 1:] * values[:, :, :-1]).mean()) < 0.01
    assert abs((values[1:] * values[:-1]).mean()) < 0.01


def test_every_key_has_a_field_of_its_own() -> None:
    keys = [(0, 0, 0), (1, 0, 0), (2**64 - 1, 0, 0), (0, 1, 0), (0, 0, 1), (0, 0, 7), (0, 7, 0)]
    fields = [
        LatentField(3, seed, draw, symmetry).window(0, 0, 64, 64).ravel()
        for seed, draw, symmetry in keys
    ]
    correlation = np.corrcoef(fields) - np.eye(len(keys))
    assert np.abs(correlation).max() < 0.05


def test_values_are_these_for_ever() -> None:
    """A photograph denoised again years later is the same: the field is part of the format."""
    window = LatentField(channels=1, seed=42, draw=1, symmetry=2).window(31, 63, 2, 2)
    assert window.tolist() == [
        [[2.1481528282165527, -0.006993132643401623], [0.7135261297225952, -1.5315269231796265]]
    ]
