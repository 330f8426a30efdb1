"""bfloat16 in the native engine: as exact as it promises, the same bits however it is cut."""

import numpy as np
import pytest

pytest.importorskip("invdn.engines._native", reason="the native engine was not built")
from invdn.engines import (
    _native,
    in_float32,
    native_engine,
    open_engine,
    why_native_unavailable,
)
from invdn.engines.native_engine import NativeEngine
from invdn.errors import EngineError
from invdn.inference import DenoiseOptions, denoise_pixels
from invdn.weights import read_parameters, shipped_models

HALVES = _native.instruction_sets("bfloat16")
TILES = _native.instruction_sets("bfloat16x3")
PAIRS = [name for name in HALVES if name not in TILES]
MODES = [
    (name, mode) for mode in native_engine.CANDIDATES for name in _native.instruction_sets(mode)
]
needs_halves = pytest.mark.skipif(not HALVES, reason="this processor multiplies no bfloat16")
needs_tiles = pytest.mark.skipif(not TILES, reason="this processor multiplies no bfloat16 tiles")
needs_pairs = pytest.mark.skipif(not PAIRS, reason="this processor multiplies no bfloat16 pairs")
LATENT = 45


def through(engine: NativeEngine, picture: np.ndarray, piece: int = 0) -> np.ndarray:
    """There and back at latent 0, in pieces of so many rows of ``low``."""
    _, height, width = picture.shape
    piece = piece or height // 4
    encoder = engine.encode_rows(height, width, 4 * piece)
    decoder = engine.decode_rows(height, width, 1, piece)
    parts = []
    latent = np.zeros((1, LATENT, height // 4, width // 4), np.float32)
    done = 0
    for y in range(0, height, 4 * piece):
        low = encoder.push(picture[:, y : y + 4 * piece])
        while low.shape[1]:
            some, low = low[:, :piece], low[:, piece:]
            parts.append(decoder.push(some, latent[:, :, done : done + some.shape[1]])[0])
            done += some.shape[1]
    return np.concatenate(parts, axis=1)


@pytest.fixture(scope="module")
def picture() -> np.ndarray:
    return np.random.default_rng(5).random((3, 76, 84), np.float32)


@needs_halves
@pytest.mark.parametrize("name", shipped_models())
@pytest.mark.parametrize("instructions", HALVES)
def test_the_shipped_weights_are_proven_anew(name: str, instructions: str) -> None:
    parameters = read_parameters(name)
    found = native_engine.find_faithful(parameters, instructions)
    key = native_engine.fingerprint(parameters)
    proven = native_engine.PROVEN.get(instructions)
    if proven is not None:
        known = proven.get(key)
        assert known == found, f'PROVEN must hold "{key}": "{found}" for {name}, {instructions}'


@needs_halves
@pytest.mark.parametrize(("instructions", "mode"), MODES)
@pytest.mark.parametrize("model", ["default", "fast"])
def test_rows_and_threads_change_no_bit(
    model: str, instructions: str, mode: str, picture: np.ndarray
) -> None:
    parameters = read_parameters(model)

    def engine(threads: int) -> NativeEngine:
        return NativeEngine(parameters, threads=threads, instructions=instructions, precision=mode)

    whole = through(engine(1), picture)
    for threads, piece in ((1, 1), (2, 3), (3, 19)):
        np.testing.assert_array_equal(through(engine(threads), picture, piece), whole)


@needs_tiles
def test_three_products_are_as_exact_as_float32(picture: np.ndarray) -> None:
    parameters = read_parameters("default")
    exact = through(NativeEngine(parameters), picture)
    apart = {
        mode: float(
            np.abs(
                through(NativeEngine(parameters, instructions="amx", precision=mode), picture)
                - exact
            ).max()
        )
        for mode in native_engine.CANDIDATES
    }
    assert 0 < apart["bfloat16x3"] < 1e-4
    for mode in ("mixed", "mixed_inputs"):
        assert apart["bfloat16x3"] < apart[mode] < apart["bfloat16"] < 0.02


@needs_pairs
@pytest.mark.parametrize("instructions", PAIRS)
def test_pairs_round_what_they_promise(instructions: str, picture: np.ndarray) -> None:
    parameters = read_parameters("default")
    exact = through(NativeEngine(parameters), picture)
    apart = [
        float(
            np.abs(
                through(
                    NativeEngine(parameters, instructions=instructions, precision=mode), picture
                )
                - exact
            ).max()
        )
        for mode in ("mixed", "mixed_inputs", "bfloat16")
    ]
    assert 1e-5 < apart[0] < apart[1] < apart[2] < 0.05


@pytest.mark.parametrize(("name", "default"), [("avx512_bf16", "mixed"), ("neon_bf16", "float32")])
def test_without_tiles_halves_are_taken_by_name(
    name: str, default: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One machine gives the same bits at any load, so no rate is measured."""
    exact = _native.instruction_sets()
    known = {"float32": exact, "bfloat16": [name]}
    monkeypatch.setattr(
        _native, "instruction_sets", lambda precision="float32": known.get(precision, [])
    )
    assert native_engine.choose_precision(read_parameters("default")) == default
    assert native_engine.choose_precision(read_parameters("fast")) == "float32"


@pytest.mark.parametrize("instructions", [*HALVES, *_native.instruction_sets()])
def test_the_environment_names_the_instructions(
    instructions: str, monkeypatch: pytest.MonkeyPatch, picture: np.ndarray
) -> None:
    monkeypatch.setenv("INVDN_INSTRUCTIONS", instructions)
    engine = open_engine(device="cpu")
    assert isinstance(engine, NativeEngine)
    assert f"({instructions}" in engine.description
    assert np.isfinite(through(engine.exact, picture)).all()


def test_instructions_that_are_not_there_are_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("INVDN_INSTRUCTIONS", "sse2")
    with pytest.raises(EngineError, match=r"INVDN_INSTRUCTIONS=sse2.*plain"):
        open_engine(device="cpu")


@needs_tiles
def test_auto_takes_what_is_proven_and_says_so() -> None:
    parameters = read_parameters("default")
    mode = native_engine.PROVEN["amx"][native_engine.fingerprint(parameters)]
    assert f"(amx, {mode})" in open_engine(device="cpu").description
    assert "amx" not in open_engine(device="cpu", dtype="float32").description
    assert "(amx, bfloat16)" in open_engine(device="cpu", dtype="bfloat16").description


def test_without_tiles_auto_is_float32(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_native, "instruction_sets", lambda precision="float32": [])
    assert native_engine.choose_precision(read_parameters("fast")) == "float32"
    with pytest.raises(EngineError, match="does not multiply bfloat16x3"):
        open_engine("fast", device="cpu", backend="native", dtype="bfloat16x3")


def test_a_module_older_than_its_python_files_is_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown(precision: str = "float32") -> list[str]:
        raise ValueError("there is no such precision")

    monkeypatch.setattr(_native, "instruction_sets", unknown)
    assert "older" in (why_native_unavailable() or "")
    assert "native" not in open_engine("fast", device="cpu").description


@needs_halves
def test_what_is_not_faithful_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    parameters = read_parameters("fast")
    monkeypatch.setattr(native_engine, "TOLERANCE", 0.0)
    for instructions in HALVES:
        assert native_engine.find_faithful(parameters, instructions) == "float32"


def test_one_pixel_two_steps_off_is_not_faithful() -> None:
    expected = np.full((3, 64, 64), 100 / 255, np.float32)
    found = expected.copy()
    found[0, 5, 7] += 1 / 255
    assert native_engine.is_faithful(found, expected)
    found[0, 5, 7] += 1 / 255
    assert not native_engine.is_faithful(found, expected)
    found[0, 5, 7] = np.nan
    assert not native_engine.is_faithful(found, expected)


@needs_tiles
def test_sixteen_bits_are_computed_in_float32() -> None:
    fast = NativeEngine(read_parameters("default"), precision="mixed")
    exact = NativeEngine(read_parameters("default"))
    options = DenoiseOptions(strength=1)
    generator = np.random.default_rng(0)
    deep = generator.integers(0, 65536, (48, 48, 3)).astype(np.uint16)
    np.testing.assert_array_equal(
        denoise_pixels(fast, deep, options), denoise_pixels(exact, deep, options)
    )
    shallow = (deep >> 8).astype(np.uint8)
    one, other = (denoise_pixels(engine, shallow, options) for engine in (fast, exact))
    apart = np.abs(one.astype(int) - other)
    assert 0 < apart.max() <= 1


def test_measurements_stay_in_float32_unless_asked() -> None:
    assert in_float32({"model": "x", "dtype": "auto"}) == {"model": "x", "dtype": "float32"}
    assert in_float32({"model": "x", "dtype": "bfloat16"})["dtype"] == "bfloat16"
    with pytest.raises(EngineError, match="native does not compute in float16"):
        open_engine("fast", device="cpu", backend="native", dtype="float16")


@pytest.mark.parametrize("mode", ["float32", "mixed", "mixed_inputs"])
def test_strips_of_wide_pictures_change_no_bit(mode: str) -> None:
    if not _native.instruction_sets(mode):
        pytest.skip("this processor multiplies no bfloat16")
    parameters = read_parameters("fast")
    wide = np.random.default_rng(0).random((3, 32, 1600), np.float32)
    strips, whole = (
        through(NativeEngine(parameters, threads=threads, precision=mode), wide)
        for threads in (1, 4)  # with four threads a strip is as wide as the band
    )
    np.testing.assert_array_equal(strips, whole)
