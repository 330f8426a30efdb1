"""DND submissions from a small data set of the true form: HDF5 with references, axes reversed."""

from pathlib import Path

import h5py
import numpy as np
import pytest
from scipy.io import loadmat, savemat

from invdn.errors import DataError, OutputError
from invdn.evaluation.dnd import check_dnd, read_boxes, submit_dnd

BOXES = [
    np.array([[1, 1, 16, 12], [5, 7, 20, 18], [25, 1, 40, 12]]),
    np.array([[2, 3, 17, 14], [1, 21, 16, 32], [25, 21, 40, 32]]),
]


def build(root: Path, boxes: list[np.ndarray] = BOXES, version: str = "7.3") -> Path:
    (root / "images_srgb").mkdir(parents=True)
    random = np.random.default_rng(0)
    for number in range(1, len(boxes) + 1):
        noisy = random.random((40, 32, 3))
        path = root / "images_srgb" / f"{number:04}.mat"
        if version == "5":
            savemat(path, {"InoisySRGB": noisy})
        else:
            with h5py.File(path, "w") as file:
                file["InoisySRGB"] = noisy.T
    if version == "5":
        info = np.zeros((1, len(boxes)), dtype=[("boundingboxes", object)])
        for index, box in enumerate(boxes):
            info[0, index]["boundingboxes"] = box.astype(float)
        savemat(root / "info.mat", {"info": info})
    else:
        with h5py.File(root / "info.mat", "w") as file:
            references = []
            for index, box in enumerate(boxes):
                file[f"#refs#/{index}"] = box.T.astype(float)
                references.append(file[f"#refs#/{index}"].ref)
            group = file.create_group("info")
            shape = (1, len(boxes))
            group.create_dataset("boundingboxes", shape, dtype=h5py.ref_dtype)[0] = references
    return root


@pytest.mark.parametrize("version", ["5", "7.3"])
def test_every_box_is_in_its_cell(tmp_path: Path, version: str) -> None:
    root = build(tmp_path / "dnd", version=version)
    bundle = submit_dnd(root, tmp_path / "out", lambda box: 1 - box, {})
    assert (bundle.boxes, bundle.resumed, len(bundle.files)) == (6, 0, 2)
    noisy = np.random.default_rng(0).random((40, 32, 3))
    content = loadmat(tmp_path / "out" / "bundled" / "0001.mat")
    assert content["Idenoised"].shape == (1, 3)
    box = content["Idenoised"][0, 1]
    assert box.dtype == np.float32
    assert box == pytest.approx(1 - noisy[4:20, 6:18], abs=1e-6)
    assert content["israw"].item() == 0
    assert content["eval_version"].item() == "1.0"
    check_dnd(root, tmp_path / "out")


def test_photographs_done_are_kept_and_damaged_ones_made_again(tmp_path: Path) -> None:
    root = build(tmp_path / "dnd")
    out = tmp_path / "out"
    files = submit_dnd(root, out, lambda box: box, {}).files
    assert submit_dnd(root, out, lambda box: box * 0, {}).resumed == 2
    files[1].write_bytes(files[1].read_bytes()[:200])
    with pytest.raises(DataError):
        check_dnd(root, out)
    assert submit_dnd(root, out, lambda box: box, {}).resumed == 1
    check_dnd(root, out)
    files[0].unlink()
    with pytest.raises(DataError, match=r"0001\.mat"):
        check_dnd(root, out)
    with pytest.raises(OutputError, match="other settings"):
        submit_dnd(root, out, lambda box: box, {"model": "b"})


def test_submissions_of_another_form_are_refused(tmp_path: Path) -> None:
    root = build(tmp_path / "dnd")
    out = tmp_path / "out"
    target = submit_dnd(root, out, lambda box: box, {}).files[0]
    cell = loadmat(target)["Idenoised"]
    flags = {"israw": False, "eval_version": "1.0"}
    doubles = np.empty_like(cell)
    doubles[0] = [box.astype(float) for box in cell[0]]
    for content, complaint in (
        ({"Idenoised": cell, "israw": False}, "lacks eval_version"),
        ({"Idenoised": cell[:, :2], **flags}, "1x3 cell"),
        ({"Idenoised": doubles, **flags}, "float64, not"),
        ({"Idenoised": cell, **flags, "israw": True}, "israw"),
    ):
        savemat(target, content)
        with pytest.raises(DataError, match=complaint):
            check_dnd(root, out)


def test_incomplete_data_sets_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"info\.mat"):
        read_boxes(tmp_path)
    with h5py.File(tmp_path / "info.mat", "w") as file:
        file["other"] = 1
    with pytest.raises(DataError, match="no boxes"):
        read_boxes(tmp_path)
    zero_based = build(tmp_path / "zero", [np.array([[0, 0, 15, 11]])])
    with pytest.raises(DataError, match="counted from 1"):
        read_boxes(zero_based)
    outside = build(tmp_path / "outside", [np.array([[30, 1, 45, 12]])])
    with pytest.raises(DataError, match="reaches beyond"):
        submit_dnd(outside, tmp_path / "out1", lambda box: box, {})
    root = build(tmp_path / "dnd")
    (root / "images_srgb" / "0002.mat").unlink()
    with pytest.raises(DataError, match=r"0002\.mat is missing"):
        submit_dnd(root, tmp_path / "out2", lambda box: box, {})


def test_values_that_are_no_numbers_are_refused(tmp_path: Path) -> None:
    root = build(tmp_path / "dnd", BOXES[:1])
    with h5py.File(root / "images_srgb" / "0001.mat", "w") as file:
        file["InoisySRGB"] = np.full((3, 32, 40), np.nan)
    with pytest.raises(DataError, match="NaN"):
        submit_dnd(root, tmp_path / "out", lambda box: box, {})
