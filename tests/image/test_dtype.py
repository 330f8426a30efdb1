"""Stored pixels and their float form are the same thing."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from invdn.errors import InputError
from invdn.image.dtype import from_float, is_finite, to_float, white


@pytest.mark.parametrize("kind", [np.uint8, np.uint16])
def test_every_stored_value_comes_back(kind: type) -> None:
    every: NDArray[np.unsignedinteger] = np.arange(np.iinfo(kind).max + 1).astype(kind)
    floats = to_float(every)
    assert floats.dtype == np.float32
    assert floats[0] == 0 and floats[-1] == 1
    assert np.array_equal(from_float(floats, kind), every)


@given(st.lists(st.floats(width=32, allow_nan=False, allow_infinity=False)))
def test_floats_are_left_alone(values: list[float]) -> None:
    stored = np.array(values, np.float32)
    assert np.array_equal(from_float(to_float(stored), np.float32), stored)
    assert np.shares_memory(to_float(stored), stored) or stored.size == 0


def test_whole_numbers_are_clipped_and_rounded_to_the_nearest() -> None:
    values = np.array([-3, -0.001, 0.4 / 255, 0.6 / 255, 254.4 / 255, 1.2, 99], np.float32)
    before = values.copy()
    assert from_float(values, np.uint8).tolist() == [0, 0, 0, 1, 254, 255, 255]
    assert np.array_equal(values, before)


@pytest.mark.parametrize("kind", [np.int16, np.uint32, np.bool_, np.complex64])
def test_other_types_are_refused(kind: type) -> None:
    with pytest.raises(InputError, match="uint8, uint16"):
        to_float(np.zeros(3, kind))
    with pytest.raises(InputError, match="uint8, uint16"):
        white(kind)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_one_bad_value_is_found_anywhere(bad: float) -> None:
    picture = np.zeros((700, 900, 3), np.float32)
    assert is_finite(picture)
    picture[-1, -1, -1] = bad
    assert not is_finite(picture)
