"""Prove that a faster precision of the native engine gives the same photographs."""

import hashlib
from collections.abc import Iterator

import numpy as np

from ..inference.engine import Array
from ..weights.parameters import Parameters
from . import _native
from .native_engine import NativeEngine

#: Faster first; float32 is what is left where none is faithful.
CANDIDATES = ("bfloat16", "mixed", "bfloat16x3")
#: Largest root mean square, of white: an independent error of this size takes 0.01 dB from a
#: result of 40 dB, 10 log10(1 + 4.8e-4**2 / 1e-4).
TOLERANCE = 4.8e-4

#: What :func:`find_faithful` found for the shipped weights, by :func:`fingerprint`: what AMX
#: computes is fixed to the last bit, so it holds on every processor that has it.
#: tests/engines/test_native_precision.py proves it anew.
PROVEN = {
    # default, seventh edition; fast, second
    "fcfd22bed108c028296481d809d822e9c7369588ee35403db14d1f63d208691c": "mixed",
    "7dfea9000cca96c47eeb3c3cc30bae025a1c38187d2cafdd00b42b81eaaf794f": "mixed",
}


def choose_precision(parameters: Parameters) -> str:
    """Return the fastest precision of the native engine that is faithful to float32.

    Args:
        parameters: of the network. For shipped weights the proof is not repeated.

    Returns:
        ``"float32"`` where the processor has no tiles of bfloat16, or nothing faster is faithful.

    Example:
        >>> from invdn.weights import read_parameters
        >>> choose_precision(read_parameters("default")) in (*CANDIDATES, "float32")
        True
    """
    if not _native.instruction_sets("bfloat16"):
        return "float32"
    return PROVEN.get(fingerprint(parameters)) or find_faithful(parameters)


def find_faithful(parameters: Parameters) -> str:
    """Return the first of :data:`CANDIDATES` that gives the proof's pictures, else ``"float32"``.

    A picture is given if its root mean square error against float32 is :data:`TOLERANCE` at most
    and no value is off by more than one step of 8 bits.
    """
    exact = NativeEngine(parameters)
    pictures = list(proof_pictures(parameters.architecture.channels, exact.architecture.scale))
    expected = [_denoised(exact, picture) for picture in pictures]
    for precision in CANDIDATES:
        engine = NativeEngine(parameters, precision=precision)
        pairs = zip(pictures, expected, strict=True)
        if all(is_faithful(_denoised(engine, picture), wanted) for picture, wanted in pairs):
            return precision
    return "float32"


def is_faithful(found: Array, expected: Array) -> bool:
    """Return whether a result in [0, 1] is float32's, for all that 8 bits show.

    Example:
        >>> grey = np.full((3, 8, 8), 0.5, np.float32)
        >>> is_faithful(grey + 1e-4, grey), is_faithful(grey + 1e-3, grey)
        (True, False)
    """
    if not np.isfinite(found).all():
        return False
    found, expected = np.clip(found, 0, 1), np.clip(expected, 0, 1)
    error = float(np.sqrt(np.mean(np.square(found - expected, dtype=np.float64))))
    steps = np.abs(np.rint(found * 255) - np.rint(expected * 255))
    return error <= TOLERANCE and float(steps.max()) <= 1


def proof_pictures(channels: int, scale: int) -> Iterator[Array]:
    """Yield pictures (C, H, W) in [0, 1]: saturated, dark and light ones, clean to very noisy.

    Args:
        channels: of a picture.
        scale: that divides its sides.
    """
    edge = -(-64 // scale) * scale
    generator = np.random.default_rng(0)
    down, across = np.mgrid[0:edge, 0:edge].astype(np.float32) / edge
    ramps = np.stack([(across, down, 1 - across)[c % 3] for c in range(channels)])
    patches = generator.integers(0, 2, (channels, 4, 4)).astype(np.float32)
    saturated = patches.repeat(edge // 4, axis=1).repeat(edge // 4, axis=2)
    halves = np.zeros_like(ramps)
    halves[0::2, :, : edge // 2] = 1  # of three colours magenta beside green
    halves[1::2, :, edge // 2 :] = 1
    for clean, deviation in (
        (saturated, 0),
        (halves, 0),
        (saturated, 0.1),
        (saturated, 0.3),
        (ramps, 0.02),
        (ramps, 0.3),
        (ramps * 0.1, 0.05),
    ):
        noise = deviation * generator.standard_normal(clean.shape, np.float32)
        yield np.clip(clean + noise, 0, 1).astype(np.float32)
    yield generator.random(ramps.shape, np.float32)


def fingerprint(parameters: Parameters) -> str:
    """Return a hash of the numbers of a network."""
    digest = hashlib.sha256(repr(parameters.architecture).encode())
    for name in sorted(parameters.tensors):
        digest.update(name.encode())
        digest.update(np.ascontiguousarray(parameters.tensors[name]).data)
    return digest.hexdigest()


def _denoised(engine: NativeEngine, picture: Array) -> Array:
    """Return a picture there and back, at latent 0."""
    low = engine.encode(picture[None])
    channels = engine.architecture.latent_channels
    denoised: Array = engine.decode(low, np.zeros((1, channels, *low.shape[2:]), np.float32))[0]
    return denoised
