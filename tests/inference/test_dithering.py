"""Skies without bands: rounding by a pattern, where there was noise and nowhere else."""

import numpy as np
import pytest

from invdn.denoiser import Denoiser
from invdn.inference import DenoiseOptions
from invdn.inference.blending import dithered, written_out
from invdn.options import options_with


def _sky(rows: int, columns: int) -> tuple[np.ndarray, np.ndarray]:
    """A noisy sky that rises by five steps of 8 bits, and the sky itself."""
    sky = np.linspace(100, 105, columns, dtype=np.float32) / 255
    clean = np.broadcast_to(sky[None, :, None], (rows, columns, 3)).copy()
    noise = np.random.default_rng(1).normal(0, 4 / 255, clean.shape).astype(np.float32)
    return clean + noise, clean


def _whole(clean: np.ndarray, noisy: np.ndarray, denoised: np.ndarray) -> np.ndarray:
    inner = slice(0, clean.shape[0]), slice(0, clean.shape[1])
    return dithered(clean, noisy, denoised, inner, (0, 0))


def test_a_sky_keeps_its_slope_between_the_steps() -> None:
    noisy, clean = _sky(96, 240)
    levels = 255 * _whole(clean, noisy, clean)
    assert np.allclose(levels, np.rint(levels), atol=1e-3)
    blocks = levels.reshape(96, 20, 12, 3).mean(axis=(0, 2))
    truth = (255 * clean).reshape(96, 20, 12, 3).mean(axis=(0, 2))
    assert np.abs(blocks - truth).max() < 0.16  # rounding alone is wrong by up to half a step
    assert (levels[..., 0] == levels[..., 2]).all(), "grey stays grey"


def test_parts_give_what_the_whole_gives() -> None:
    noisy, clean = _sky(64, 80)
    whole = _whole(clean, noisy, clean)
    rows, columns = slice(20, 50), slice(30, 71)
    window = np.s_[16:54, 26:75]
    part = dithered(clean[rows, columns], noisy[window], clean[window], np.s_[4:34, 4:45], (20, 30))
    assert np.array_equal(part, whole[rows, columns])


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("size", [(1, 1), (3, 2), (2, 40), (37, 61)])
def test_the_compiled_module_does_what_is_written_out(size: tuple[int, int], channels: int) -> None:
    pixels = pytest.importorskip("invdn.inference._pixels", reason="it was not built")
    noisy, clean = (side[..., :channels] for side in _sky(*size))
    generator = np.random.default_rng(5)
    rough = clean + generator.normal(0, 0.001, clean.shape).astype(np.float32)
    rough[:, size[1] // 2 :] += np.float32(0.57)  # up to white and beyond
    rows, columns = (slice(side // 7, side - side // 5) for side in size)
    core = np.float32(0.3) * noisy[rows, columns] + np.float32(0.7) * rough[rows, columns]
    wanted = written_out(core, noisy, rough, (rows, columns), (1000, 70_000), core)
    found = dithered(core, noisy, rough, (rows, columns), (1000, 70_000))
    assert np.array_equal(found, wanted)
    for instructions in pixels.instruction_sets():
        to = np.empty(core.shape, np.float32)
        windows = (np.ascontiguousarray(side) for side in (core, core, noisy, rough))
        place = rows.start, columns.start, 1000, 70_000
        count = pixels.dither(*windows, *place, to, instructions)
        assert np.array_equal(to, wanted), instructions
        assert count or np.array_equal(wanted, core)


def test_texture_unchanged_places_and_ends_are_not_dithered() -> None:
    noisy, clean = _sky(32, 32)
    assert _whole(noisy, noisy, clean) is noisy, "nothing was removed"
    rough = clean + np.where(np.arange(32)[:, None, None] % 2, 2 / 255, 0).astype(np.float32)
    assert _whole(rough, noisy, rough) is rough
    for end in (0.0, 1.0):
        flat = np.full((16, 16, 3), abs(end - 0.001), np.float32)
        assert _whole(flat, flat + np.float32(0.02), flat) is flat
    exact = np.full((16, 16, 3), 100 / 255, np.float32)
    assert np.array_equal(np.rint(255 * _whole(exact, noisy[:16, :16], exact)), 255 * exact)


@pytest.mark.parametrize(
    ("choices", "expected"),
    [({}, True), ({"dither": False}, False), ({"strength": 1}, False)],
)
def test_when_results_are_dithered(choices: dict[str, object], expected: bool) -> None:
    assert options_with(DenoiseOptions(), choices).dithers is expected


def test_a_result_of_8_bits_is_smoother_with_it() -> None:
    noisy, _ = _sky(160, 320)
    pixels = np.rint(255 * noisy).astype(np.uint8)
    prediction = Denoiser().predict(pixels)
    with_it, without = prediction.blend(), prediction.blend(dither=False)
    assert np.abs(with_it.astype(int) - without).max() == 1

    def slow(result: np.ndarray) -> float:
        """How far means of columns of 16 pixels lie from a straight rise, in steps."""
        means = result[:, 32:-32, 1].astype(float).mean(axis=0).reshape(-1, 16).mean(axis=1)
        place = np.arange(len(means))
        return float(np.abs(means - np.polyval(np.polyfit(place, means, 1), place)).mean())

    assert slow(with_it) < slow(without)
    exact = prediction.blend(dither=True, strength=1)
    assert np.array_equal(exact, prediction.blend(dither=False, strength=1))
