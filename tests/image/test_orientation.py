"""The eight symmetries form the group of the square."""

import numpy as np
import pytest

from invdn.errors import InputError
from invdn.image.orientation import SYMMETRIES, apply_symmetry, undo_symmetry

PICTURE = np.arange(2 * 3 * 4 * 4).reshape(2, 3, 4, 4)


def which(picture: np.ndarray) -> int:
    """The one symmetry that makes this of PICTURE."""
    (found,) = [s for s in SYMMETRIES if np.array_equal(apply_symmetry(PICTURE, s), picture)]
    return found


def test_the_eight_are_different_and_zero_changes_nothing() -> None:
    assert [which(apply_symmetry(PICTURE, s)) for s in SYMMETRIES] == list(SYMMETRIES)
    assert np.array_equal(apply_symmetry(PICTURE, 0), PICTURE)


def test_two_in_a_row_are_one_again() -> None:
    table = [
        [which(apply_symmetry(apply_symmetry(PICTURE, a), b)) for b in range(8)] for a in range(8)
    ]
    for line in [*table, *zip(*table, strict=True)]:
        assert sorted(line) == list(SYMMETRIES)


@pytest.mark.parametrize("symmetry", SYMMETRIES)
@pytest.mark.parametrize("shape", [(5, 7), (1, 3, 4, 8), (2, 45, 3, 1)])
def test_undone_is_as_before(symmetry: int, shape: tuple[int, ...]) -> None:
    picture = np.random.default_rng(0).random(shape)
    there = apply_symmetry(picture, symmetry)
    assert np.shares_memory(there, picture)
    assert there.shape[-2:] == (shape[-2:] if symmetry < 4 else shape[:-3:-1])
    assert np.array_equal(undo_symmetry(there, symmetry), picture)


def test_names_in_the_table_are_right() -> None:
    picture = PICTURE[0, 0]
    assert np.array_equal(apply_symmetry(picture, 3), np.rot90(picture, 2))
    assert np.array_equal(apply_symmetry(picture, 5), np.rot90(picture))
    assert np.array_equal(apply_symmetry(picture, 6), np.rot90(picture, -1))
    assert np.array_equal(apply_symmetry(picture, 7), np.rot90(picture, 2).T)


@pytest.mark.parametrize("symmetry", [-1, 8])
def test_there_is_no_ninth(symmetry: int) -> None:
    with pytest.raises(InputError, match="0 to 7"):
        apply_symmetry(PICTURE, symmetry)


def test_a_line_is_no_picture() -> None:
    with pytest.raises(InputError, match="no picture"):
        undo_symmetry(np.zeros(4), 1)
