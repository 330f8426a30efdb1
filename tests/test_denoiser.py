"""The public class: arrays, Pillow images, files."""

import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from invdn import DenoiseOptions, Denoiser, FileOptions, Region, open_engine
from invdn.errors import EngineError, InputError, OutputError
from invdn.options import model_of_quality

PIXELS = np.random.default_rng(0).integers(50, 110, (22, 35, 4), np.uint8)


@pytest.fixture(scope="module")
def denoiser() -> Denoiser:
    return Denoiser(options=DenoiseOptions(seed=2, strength=1))


@pytest.mark.parametrize(("mode", "channels"), [("L", 1), ("LA", 2), ("RGB", 3), ("RGBA", 4)])
def test_a_pillow_image_is_its_array(denoiser: Denoiser, mode: str, channels: int) -> None:
    array = PIXELS[..., 0] if channels == 1 else np.ascontiguousarray(PIXELS[..., :channels])
    image = Image.fromarray(array)
    image.info["icc_profile"] = b"a profile"
    clean = denoiser(image)
    assert (clean.mode, clean.size) == (mode, (35, 22))
    assert clean.info["icc_profile"] == b"a profile"
    assert np.array_equal(np.asarray(clean), denoiser.denoise(array))
    assert np.array_equal(np.asarray(image), array), "the input was changed"


@pytest.mark.parametrize("mode", ["P", "CMYK", "I;16", "F", "1", "LAB"])
def test_other_modes_are_refused_with_advice(denoiser: Denoiser, mode: str) -> None:
    with pytest.raises(InputError, match="convert it"):
        denoiser(Image.new(mode, (8, 8)))


def test_a_file_is_its_array(denoiser: Denoiser, tmp_path: Path) -> None:
    source, target = tmp_path / "noisy.png", tmp_path / "clean.png"
    Image.fromarray(PIXELS).save(source)
    result = denoiser.denoise_file(str(source), target)
    assert (result.width, result.height) == (35, 22)
    assert np.array_equal(np.asarray(Image.open(target)), denoiser.denoise(PIXELS))


def test_a_clean_photograph_stays_unless_the_network_is_asked_for() -> None:
    ramp = np.linspace(60, 200, 96).astype(np.uint8)
    clean = np.broadcast_to(ramp[None, :, None], (64, 96, 3)).copy()
    network, usual = (denoiser.denoise(clean) for denoiser in (Denoiser(strength=1), Denoiser()))
    change = [np.abs(result.astype(int) - clean).mean() for result in (network, usual)]
    assert change[1] < 0.01 < change[0]


def test_options_reach_the_work(denoiser: Denoiser) -> None:
    other = Denoiser(options=DenoiseOptions(latent_std=1, seed=3, strength=1))
    assert not np.array_equal(denoiser.denoise(PIXELS), other.denoise(PIXELS))
    clean, spread = Denoiser(options=DenoiseOptions(num_samples=2, strength=1)).denoise_with_std(
        PIXELS
    )
    assert clean.shape == PIXELS.shape
    assert spread.shape == (22, 35, 3)


def test_single_choices_go_over_the_options() -> None:
    denoiser = Denoiser(
        options=DenoiseOptions(seed=2, num_samples=3, strength=1), num_samples=1, strength=0.0
    )
    assert denoiser.options == DenoiseOptions(seed=2, strength=0.0)
    assert np.array_equal(denoiser.denoise(PIXELS), PIXELS)
    with pytest.raises(InputError, match="did you mean 'strength'"):
        Denoiser(strenght=0.5)  # type: ignore[call-arg]
    with pytest.raises(InputError, match="strength must be"):
        Denoiser(strength=7.5)


def test_a_region_is_its_part(denoiser: Denoiser, tmp_path: Path) -> None:
    region = Region(x=8, y=4, width=20, height=12)
    part = denoiser.denoise_region(PIXELS, region)
    whole = denoiser.denoise(PIXELS)[4:16, 8:28]
    assert np.abs(part.astype(int) - whole).max() <= 1
    Image.fromarray(PIXELS).save(tmp_path / "noisy.png")
    denoiser.denoise_file(
        tmp_path / "noisy.png", tmp_path / "part.png", files=FileOptions(region=region)
    )
    assert np.array_equal(np.asarray(Image.open(tmp_path / "part.png")), part)


def test_calls_return_the_kind_that_they_were_given(denoiser: Denoiser, tmp_path: Path) -> None:
    rgb = np.ascontiguousarray(PIXELS[..., :3])
    wanted = denoiser.denoise(rgb)
    assert np.array_equal(denoiser(rgb), wanted)
    assert [type(one) for one in denoiser([rgb, Image.fromarray(rgb)])] == [
        np.ndarray,
        Image.Image,
    ]
    Image.fromarray(rgb).save(tmp_path / "noisy.png")
    content = denoiser((tmp_path / "noisy.png").read_bytes())
    assert np.array_equal(np.asarray(Image.open(io.BytesIO(content))), wanted)
    tensor = torch.from_numpy(rgb).permute(2, 0, 1)
    assert np.array_equal(denoiser(tensor).permute(1, 2, 0).numpy(), wanted)
    batch = torch.stack((tensor, tensor.flip(-1))).float() / 255
    clean = denoiser(batch)
    assert (clean.shape, clean.dtype) == (batch.shape, batch.dtype)
    assert torch.allclose(clean[0] * 255, torch.from_numpy(wanted).permute(2, 0, 1).float(), atol=1)


@pytest.mark.parametrize("wrong", ["photo.jpg", 7, None, torch.zeros(4), {"a": 1}])
def test_other_kinds_are_refused(denoiser: Denoiser, wrong: object) -> None:
    with pytest.raises(InputError, match="must be"):
        denoiser(wrong)  # type: ignore[type-var]


def test_options_for_one_call_do_not_stay(denoiser: Denoiser) -> None:
    assert np.array_equal(denoiser(PIXELS, strength=0), PIXELS)
    assert not np.array_equal(denoiser(PIXELS), PIXELS)
    best = Denoiser(options=denoiser.options, quality="best")
    assert np.array_equal(denoiser(PIXELS, quality="best"), best(PIXELS))
    assert np.array_equal(denoiser(PIXELS, strength=60), denoiser(PIXELS, strength="60%"))


def test_a_prediction_is_blended_without_the_network(denoiser: Denoiser) -> None:
    prediction = denoiser.predict(PIXELS, num_samples=2)
    assert np.array_equal(
        prediction.blend(strength=0.5), denoiser(PIXELS, num_samples=2, strength=0.5)
    )
    assert prediction.std is not None
    assert prediction.std.shape == (22, 35, 3)


@pytest.mark.parametrize(
    ("name", "new"),
    [
        ("draws", "num_samples"),
        ("symmetries", "self_ensemble"),
        ("latent_scale", "latent_std"),
        ("tile", "tile_size"),
        ("overlap", "tile_overlap"),
        ("precision", "dtype"),
        ("runtime", "backend"),
    ],
)
def test_names_of_old_are_told_their_new_ones(denoiser: Denoiser, name: str, new: str) -> None:
    given: dict[str, Any] = {name: 1}
    for refuse in (lambda: Denoiser(**given), lambda: denoiser(PIXELS, **given)):
        with pytest.raises(InputError, match=new):
            refuse()
    with pytest.raises(InputError, match="callback"):
        denoiser.denoise(PIXELS, progress=print)  # type: ignore[call-arg]
    with pytest.raises(AttributeError, match="denoise_with_std"):
        denoiser.denoise_with_spread(PIXELS)


def test_a_closed_denoiser_says_so() -> None:
    with Denoiser() as denoiser:
        assert denoiser(PIXELS).shape == PIXELS.shape
    with pytest.raises(EngineError, match="closed"):
        denoiser(PIXELS)


def test_python_and_the_command_choose_the_same_dtype() -> None:
    import inspect

    from invdn.cli.denoise import command

    defaults = {option.name: option.default for option in command.params}
    for function in (open_engine, Denoiser, Denoiser.from_pretrained):
        parameters = inspect.signature(function).parameters
        for name in ("device", "backend", "dtype"):
            assert parameters[name].default == defaults[name]
    assert model_of_quality(defaults["quality"]) == defaults["model"]


def test_a_draft_is_another_model() -> None:
    draft = Denoiser(quality="draft")
    assert draft.engine.architecture == Denoiser("fast").engine.architecture
    assert draft.engine.architecture != Denoiser().engine.architecture
    assert np.array_equal(draft(PIXELS), draft(PIXELS, quality="draft"))
    assert np.array_equal(draft(PIXELS), Denoiser("fast")(PIXELS))
    with pytest.raises(InputError, match="a draft takes another model"):
        Denoiser()(PIXELS, quality="draft")
    assert Denoiser("default", quality="draft").engine.architecture.features == 64


def test_a_callback_hears_of_every_pass(tmp_path: Path) -> None:
    denoiser = Denoiser(options=DenoiseOptions(strength=1, num_samples=2, latent_std=1))
    array = PIXELS[..., :3]
    Image.fromarray(array).save(tmp_path / "a.png")
    region = Region(x=4, y=4, width=8, height=8)
    for run in (
        lambda heard: denoiser(array, callback=heard),
        lambda heard: denoiser.predict(array, callback=heard),
        lambda heard: denoiser.denoise(array, callback=heard),
        lambda heard: denoiser.denoise_region(array, region, callback=heard),
        lambda heard: denoiser.denoise_with_std(array, callback=heard),
        lambda heard: denoiser.denoise_file(tmp_path / "a.png", tmp_path / "b.png", callback=heard),
    ):
        calls: list[tuple[int, int]] = []
        run(lambda done, total, calls=calls: calls.append((done, total)))
        assert calls == [(number + 1, len(calls)) for number in range(len(calls))] != []


def test_a_target_is_replaced_when_asked_only(denoiser: Denoiser, tmp_path: Path) -> None:
    source, target = tmp_path / "noisy.png", tmp_path / "clean.png"
    Image.fromarray(PIXELS).save(source)
    target.write_bytes(b"precious")
    with pytest.raises(OutputError, match="exists already"):
        denoiser.denoise_file(source, target)
    assert target.read_bytes() == b"precious"
    denoiser.denoise_file(source, target, overwrite=True)
    denoiser.denoise_file(source, target, files=FileOptions(overwrite=True))
    assert np.array_equal(np.asarray(Image.open(target)), denoiser.denoise(PIXELS))
