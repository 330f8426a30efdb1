"""Where and how far two results differ."""

from pathlib import Path

import numpy as np
import pytest

from invdn.errors import DataError
from invdn.evaluation.comparison import compare, load_arrays, picture_of
from invdn.photo.photo import Photo
from invdn.photo.write import write_photo

PLACES = (Path("a"), Path("b"))


def test_the_largest_difference_is_found_and_comes_first() -> None:
    a = {name: np.zeros((2, 3, 8, 9), np.float32) for name in ("low", "image")}
    b = {name: array.copy() for name, array in a.items()}
    b["image"][1, 2, 7, 3] = 0.25
    b["low"][0, 0, 0, 0] = -0.125
    image, low = compare(a, b, PLACES)
    assert (image.name, image.largest, image.where) == ("image", 0.25, (1, 2, 7, 3))
    assert (image.first, image.second, image.relative) == (0.0, 0.25, 1.0)
    assert image.share == pytest.approx(1 / (2 * 3 * 8 * 9))
    assert (low.largest, low.where) == (0.125, (0, 0, 0, 0))


@pytest.mark.parametrize(("one", "other"), [(np.nan, 1.0), (np.nan, np.nan), (np.inf, 1.0)])
def test_what_is_no_number_differs_from_everything(one: float, other: float) -> None:
    (difference,) = compare({"x": np.array([0.0, one])}, {"x": np.array([0.0, other])}, PLACES)
    assert difference.largest == np.inf
    assert difference.where == (1,)


def test_equal_infinities_are_equal() -> None:
    (difference,) = compare({"x": np.array([np.inf])}, {"x": np.array([np.inf])}, PLACES)
    assert difference.largest == 0


def test_picture_marks_the_place() -> None:
    a = np.random.default_rng(0).random((1, 3, 40, 50))
    b = a.copy()
    b[0, 1, 20, 30] += 1
    (difference,) = compare({"x": a}, {"y": b}, PLACES)
    picture = picture_of(difference, a, b)
    assert picture.shape == (120, 3 * 150 + 8, 3)  # three times as large
    assert picture.dtype == np.uint8
    shown = picture[:, 308:]
    assert (shown[60:63, 90:93] == (252, 255, 164)).all()
    assert (shown[54, 84:99] == 255).all()
    assert (shown[0, 0] == (0, 0, 4)).all()


def test_picture_shows_what_is_no_number() -> None:
    a, b = np.zeros((200, 200)), np.zeros((200, 200))
    a[100, 50], a[0, 0], b[3, 3] = np.nan, np.inf, 7
    (difference,) = compare({"x": a}, {"x": b}, PLACES)
    shown = picture_of(difference, a, b)[:, 408:]
    assert (shown[100, 50] == (252, 255, 164)).all()
    assert (shown[3, 3] == (0, 0, 4)).all()


@pytest.mark.parametrize("shape", [(5,), (4, 5), (4, 5, 3), (2, 4, 5), ()])
def test_arrays_of_any_shape_have_a_picture(shape: tuple[int, ...]) -> None:
    a, b = np.zeros(shape), np.ones(shape)
    (difference,) = compare({"x": a}, {"x": b}, PLACES)
    assert picture_of(difference, a, b).ndim == 3


def test_folders_and_numpy_files_load(tmp_path: Path) -> None:
    (tmp_path / "f").mkdir()
    write_photo(Photo(np.full((4, 4, 3), 7, np.uint16)), tmp_path / "f" / "a.png")
    assert load_arrays(tmp_path / "f")["a"].dtype == np.uint16
    assert load_arrays(tmp_path / "f" / "a.png").keys() == {"a"}
    np.save(tmp_path / "x.npy", np.arange(3))
    np.savez(tmp_path / "y.npz", p=np.arange(3), q=np.arange(4))
    assert load_arrays(tmp_path / "x.npy")["x"].tolist() == [0, 1, 2]
    assert load_arrays(tmp_path / "y.npz").keys() == {"p", "q"}


def test_unusable_files_are_refused(tmp_path: Path) -> None:
    np.save(tmp_path / "object.npy", np.array([{}], dtype=object), allow_pickle=True)
    np.save(tmp_path / "words.npy", np.array(["a"]))
    np.savez(tmp_path / "nothing.npz")
    (tmp_path / "cut.npy").write_bytes((tmp_path / "words.npy").read_bytes()[:40])
    (tmp_path / "cut.npz").write_bytes(b"PK\x03\x04")
    np.savez_compressed(tmp_path / "deflated.npz", x=np.arange(300))
    content = bytearray((tmp_path / "deflated.npz").read_bytes())
    content[60:160] = bytes(100)
    (tmp_path / "deflated.npz").write_bytes(content)
    header = (tmp_path / "words.npy").read_bytes().replace(b"}", b"{")
    (tmp_path / "header.npy").write_bytes(header)
    names = ("object.npy", "words.npy", "nothing.npz", "cut.npy", "cut.npz")
    for name in (*names, "deflated.npz", "header.npy"):
        with pytest.raises(DataError, match=name):
            load_arrays(tmp_path / name)


@pytest.mark.parametrize(
    ("one", "other", "complaint"),
    [
        (np.zeros((2, 3)), np.zeros((3, 2)), "shapes"),
        (np.zeros(3, np.uint8), np.zeros(3, np.uint16), "units"),
        (np.zeros(3, np.uint8), np.zeros(3, np.float32), "units"),
        (np.zeros(0), np.zeros(0), "empty"),
    ],
)
def test_incomparable_arrays_are_refused(
    one: np.ndarray, other: np.ndarray, complaint: str
) -> None:
    with pytest.raises(DataError, match=complaint):
        compare({"x": one}, {"x": other}, PLACES)


def test_missing_partners_are_named() -> None:
    with pytest.raises(DataError, match="'b' has no partner in b"):
        compare({"a": np.ones(2), "b": np.ones(2)}, {"a": np.ones(2)}, PLACES)
