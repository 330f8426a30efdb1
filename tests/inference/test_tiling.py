"""Tiles cover every pixel once and see enough around it."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from invdn.errors import InputError
from invdn.inference.blocks import read_window, tiles

sizes = st.integers(1, 2000)
cuts = {
    "tile": st.none() | st.integers(0, 700),
    "overlap": st.integers(0, 100),
    "multiple": st.sampled_from([1, 2, 4, 8]),
}


@given(size=sizes, **cuts)
def test_along_an_axis(size: int, tile: int | None, overlap: int, multiple: int) -> None:
    spans = [(t.left, t.left + t.width, t.core[1]) for t in tiles(1, size, tile, overlap, multiple)]
    padded = -(-size // multiple) * multiple
    limit = max(multiple, tile // multiple * multiple) if tile else padded
    at = 0
    for start, stop, core in spans:
        assert core.start == at < core.stop <= size  # cores touch, and none is empty
        at = core.stop
        assert start % multiple == stop % multiple == core.start % multiple == 0
        assert start <= max(0, core.start - overlap) and stop >= min(size, core.stop + overlap)
        assert 0 <= start < stop <= padded
        assert core.stop - core.start <= limit
        assert stop - start <= limit + 2 * -(-overlap // multiple) * multiple
    assert at == size
    assert spans[0][0] == 0 and spans[-1][1] == padded
    lengths = [core.stop - core.start for _, _, core in spans[:-1]]
    lengths.append(padded - spans[-1][2].start)
    assert max(lengths) - min(lengths) <= multiple  # no sliver


@given(height=st.integers(1, 60), width=st.integers(1, 60), **cuts)
def test_pasted_cores_give_the_picture(
    height: int, width: int, tile: int | None, overlap: int, multiple: int
) -> None:
    picture = np.random.default_rng(height).random((height, width, 3), np.float32)
    padded = np.pad(picture, [(0, -n % multiple) for n in picture.shape[:2]] + [(0, 0)], "reflect")
    pasted = np.zeros((height, width, 3), int)
    for piece in tiles(height, width, tile, overlap, multiple):
        window = read_window(picture, piece)
        assert np.array_equal(window[piece.inner], picture[piece.core])
        whole = padded[piece.top :, piece.left :][: piece.height, : piece.width]
        assert np.array_equal(window, whole)  # the same mirror whatever the tiling
        pasted[piece.core] += 1
    assert (pasted == 1).all()


@given(height=st.integers(1, 60), width=st.integers(1, 60), border=st.sampled_from([4, 8]), **cuts)
def test_with_a_border_the_picture_is_mirrored_all_around(
    height: int, width: int, border: int, tile: int | None, overlap: int, multiple: int
) -> None:
    picture = np.random.default_rng(height).random((height, width), np.float32)
    around = [(border, border + -side % multiple) for side in picture.shape]
    framed = np.pad(picture, around, "reflect")
    plain = tiles(height, width, tile, overlap, multiple)
    framed_tiles = tiles(height, width, tile, overlap, multiple, border=border)
    for piece, same in zip(framed_tiles, plain, strict=True):
        at_edges = [piece.top < 0, piece.left < 0]
        assert at_edges == [same.top == 0, same.left == 0] and piece.core == same.core
        window = read_window(picture, piece)
        assert np.array_equal(window[piece.inner], picture[piece.core])
        whole = framed[piece.top + border :, piece.left + border :]
        assert np.array_equal(window, whole[: piece.height, : piece.width])
        inside = piece.within(height, width)
        cut = picture[inside.top :, inside.left :][: inside.height, : inside.width]
        assert np.array_equal(window[piece.inside(height, width)], cut)


def test_a_single_pixel_is_repeated() -> None:
    (piece,) = tiles(1, 1, None, 16, 4)
    window = read_window(np.full((1, 1, 3), 255, np.uint8), piece)
    assert window.shape == (4, 4, 3) and window.dtype == np.float32 and (window == 1).all()


def test_grey_windows_have_two_axes() -> None:
    (piece,) = tiles(3, 5, None, 0, 4)
    assert read_window(np.zeros((3, 5), np.uint16), piece).shape == (4, 8)


def test_memory_is_bounded_by_the_tile() -> None:
    pieces = tiles(10_000, 30_000, tile=512, overlap=32, multiple=4)
    assert max(p.height * p.width for p in pieces) <= (512 + 64) ** 2


@pytest.mark.parametrize(
    "wrong", [(0, 5, None, 0, 4), (5, 5, -1, 0, 4), (5, 5, 8, -1, 4), (5, 5, 8, 0, 0)]
)
def test_impossible_numbers_are_refused(wrong: tuple[int, int, int | None, int, int]) -> None:
    with pytest.raises(InputError, match="cannot cut"):
        tiles(*wrong)


def test_a_part_is_partitioned_and_its_windows_reach_around_it() -> None:
    for part in ((slice(5, 6), slice(0, 70)), (slice(13, 61), slice(22, 67)), (slice(59, 61),) * 2):
        seen = np.zeros((61, 70), int)
        for tile in tiles(61, 70, 16, 8, 4, part):
            seen[tile.core] += 1
            assert tile.top % 4 == tile.left % 4 == tile.height % 4 == tile.width % 4 == 0
            rows, columns = tile.core
            assert tile.top <= max(0, rows.start - 8)
            assert tile.left <= max(0, columns.start - 8)
            assert tile.top + tile.height >= min(61, rows.stop + 8)
            assert tile.left + tile.width >= min(70, columns.stop + 8)
        expected = np.zeros_like(seen)
        expected[part] = 1
        assert np.array_equal(seen, expected)
    for wrong in ((slice(0, 62), slice(0, 70)), (slice(3, 3), slice(0, 70))):
        with pytest.raises(InputError, match="have no part"):
            tiles(61, 70, 16, 8, 4, wrong)
