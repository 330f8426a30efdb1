"""``invdn noise``: what it writes, what it keeps, what it refuses."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from click.testing import CliRunner, Result

from invdn.cli.noise import command
from invdn.data.camera_range import DSLR, PHONE
from invdn.data.noisy_photographs import add_noise, resample_noise
from invdn.errors import InputError, WeightsError
from invdn.network import InvDN
from invdn.photo.photo import Metadata, Photo
from invdn.photo.read import read_photo
from invdn.photo.write import write_photo


@pytest.fixture
def clean(tmp_path: Path) -> Path:
    ramp = np.linspace(20, 230, 40).astype(np.uint8)  # 40 rows of 30 pixels
    path = tmp_path / "clean.png"
    write_photo(Photo(np.tile(ramp[:, None, None], (1, 30, 3))), path)
    return path


def noise(*arguments: object) -> Result:
    return CliRunner().invoke(command, [str(argument) for argument in arguments])


def test_adds_noise_beside_the_photograph(clean: Path) -> None:
    result = noise(clean)
    assert result.exit_code == 0, result.output
    noisy = read_photo(clean.with_name("clean_noisy.png"))
    before = read_photo(clean)
    assert noisy.pixels.shape == before.pixels.shape and noisy.pixels.dtype == np.uint8
    assert not np.array_equal(noisy.pixels, before.pixels)


def test_same_seed_same_file(clean: Path, tmp_path: Path) -> None:
    for name, seed in (("a", 3), ("b", 3), ("c", 4)):
        assert noise(clean, "-o", tmp_path / f"{name}.png", "--seed", seed).exit_code == 0
    first, again, other = (read_photo(tmp_path / f"{name}.png").pixels for name in "abc")
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


def test_photographs_of_a_folder_get_different_noise(tmp_path: Path) -> None:
    source, target = tmp_path / "in", tmp_path / "out"
    source.mkdir()
    for name in ("a.png", "b.png"):
        write_photo(Photo(np.full((20, 20, 3), 128, np.uint8)), source / name)
    assert noise(source, "-o", target).exit_code == 0
    first, second = (read_photo(target / f"{name}_noisy.png").pixels for name in "ab")
    assert not np.array_equal(first, second)


def test_higher_iso_is_noisier(clean: Path, tmp_path: Path) -> None:
    spread = []
    for iso in (100, 6400):
        target = tmp_path / f"{iso}.png"
        assert noise(clean, "-o", target, "--iso", iso, "--camera", "phone").exit_code == 0
        difference = read_photo(target).pixels.astype(float) - read_photo(clean).pixels
        spread.append(difference.std())
    assert spread[1] > 2 * spread[0] > 2


def test_depth_alpha_and_metadata_are_kept(tmp_path: Path) -> None:
    pixels = np.full((9, 11, 3), 30_000, np.uint16)
    alpha = np.arange(99, dtype=np.uint16).reshape(9, 11)
    source, target = tmp_path / "deep.png", tmp_path / "deep_noisy.png"
    write_photo(Photo(pixels, alpha, Metadata(xmp=b"<x/>")), source)
    assert noise(source, "--iso", 1600).exit_code == 0
    noisy = read_photo(target)
    assert noisy.pixels.dtype == np.uint16
    assert noisy.alpha is not None and np.array_equal(noisy.alpha, alpha)
    assert noisy.metadata.xmp == b"<x/>"
    assert (noisy.pixels % 257 != 0).any()  # finer than 8 bits


@pytest.mark.parametrize("shape", [(1, 1), (1, 1, 3), (3, 5, 3), (17, 2)])
def test_tiny_and_grey_photographs(tmp_path: Path, shape: tuple[int, ...]) -> None:
    source = tmp_path / "tiny.png"
    write_photo(Photo(np.full(shape, 120, np.uint8)), source)
    assert noise(source, "--iso", 6400, "--camera", "phone").exit_code == 0
    assert read_photo(tmp_path / "tiny_noisy.png").pixels.shape == shape


def test_never_overwrites_unasked(clean: Path, tmp_path: Path) -> None:
    target = tmp_path / "there.png"
    target.write_bytes(b"mine")
    result = noise(clean, "-o", target)
    assert result.exit_code == 1 and "exists already" in result.output
    assert target.read_bytes() == b"mine"
    assert noise(clean, "-o", target, "--overwrite").exit_code == 0
    assert read_photo(target).height == 40


def test_one_bad_file_does_not_stop_the_others(clean: Path, tmp_path: Path) -> None:
    bad = tmp_path / "bad.png"
    bad.write_bytes(clean.read_bytes()[:50])
    result = noise(bad, clean, "-o", tmp_path / "out", "--json")
    assert result.exit_code == 1
    report = json.loads(result.stdout)
    assert "error" in report["photographs"][0] and not (tmp_path / "out" / "bad_noisy.png").exists()
    assert (tmp_path / "out" / "clean_noisy.png").exists()
    assert report["photographs"][1]["camera"]["exposure"] == 1.0


def test_png_keeps_the_noise_of_a_jpeg(tmp_path: Path) -> None:
    source = tmp_path / "photo.jpg"
    write_photo(Photo(np.full((20, 20, 3), 90, np.uint8)), source)
    assert noise(source, "-o", tmp_path / "out", "--png").exit_code == 0
    assert read_photo(tmp_path / "out" / "photo_noisy.png").format == "png"


def test_png_of_two_photographs_with_one_name_is_refused(tmp_path: Path) -> None:
    for name in ("photo.jpg", "photo.png"):
        write_photo(Photo(np.full((20, 20, 3), 90, np.uint8)), tmp_path / name)
    result = noise(tmp_path, "-o", tmp_path / "out", "--png")
    assert isinstance(result.exception, InputError)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    "arguments",
    [("--perturb", 0.1, "--iso", 100), ("--model", "x"), ("--seed", -1), ("--camera", "toaster")],
)
def test_contradictions_are_usage_errors(clean: Path, arguments: tuple[object, ...]) -> None:
    assert noise(clean, *arguments).exit_code == 2


def test_impossible_iso_and_unknown_model_are_typed_errors(clean: Path) -> None:
    assert isinstance(noise(clean, "--iso", 0).exception, InputError)
    result = noise(clean, "--perturb", 0.1, "--model", clean.with_name("none.pth"))
    assert isinstance(result.exception, WeightsError)


def test_perturb_makes_new_noise(clean: Path, tmp_path: Path) -> None:
    torch.manual_seed(0)
    model = tmp_path / "network.pth"
    torch.save(InvDN().state_dict(), model)
    target = tmp_path / "again.png"
    result = noise(clean, "-o", target, "--perturb", 0.05, "--model", model)
    assert result.exit_code == 0, result.output
    before, after = read_photo(clean).pixels, read_photo(target).pixels
    assert before.shape == after.shape and not np.array_equal(before, after)


def test_strips_leave_no_seam(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without noise the strips give the photograph back; with it they are all equally noisy."""
    monkeypatch.setattr("invdn.data.noisy_photographs._STRIP_PIXELS", 32 * 70)
    torch.manual_seed(0)
    network = InvDN()
    pixels = np.random.default_rng(0).integers(60, 200, (150, 70, 3)).astype(np.uint8)
    done: list[tuple[int, int]] = []
    kept = resample_noise(
        Photo(pixels), network, scale=0.0, progress=lambda *rows: done.append(rows)
    )
    assert np.array_equal(kept.pixels, pixels)
    assert done == [(32, 150), (64, 150), (96, 150), (128, 150), (150, 150)]
    flat = Photo(np.full((160, 70, 3), 128, np.uint8))
    noisy = add_noise(flat, PHONE.at_iso(1600)).photo.pixels.astype(float)
    strips = (noisy - 128).reshape(5, -1).std(1)
    assert strips.min() > 0.85 * strips.max()


def test_seeds_and_depth_of_the_function() -> None:
    photo = Photo(np.full((20, 20, 3), 0.5, np.float32))
    made = add_noise(photo, DSLR.at_iso(3200), seed=2)
    assert made.photo.pixels.dtype == np.float32
    assert float(made.camera.jpeg_quality[0]) == 0
    with pytest.raises(InputError, match="seed"):
        add_noise(photo, seed=-1)
