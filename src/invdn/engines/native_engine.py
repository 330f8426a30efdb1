"""The native engine: compiled for the processor, on a CPU several times as fast as the others."""

import hashlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cached_property

import numpy as np

from ..architecture import Architecture
from ..errors import EngineError
from ..inference.engine import Array
from ..weights.parameters import Parameters
from . import _native


class NativeEngine:
    """Runs any network with Winograd convolutions whose wide maps stay in the cache.

    Every number depends on its place in the picture only: the same bits come out for any number of
    threads and, through :meth:`encode_rows` and :meth:`decode_rows`, for any way of cutting the
    picture into rows. Calls from several threads take turns; Ctrl-C ends a call at once.

    Args:
        parameters: of a network of any architecture.
        threads: threads that work.
        instructions: ``"avx512"``, ``"avx2"``, ``"neon"`` or ``"plain"``; with bfloat16 ``"amx"``,
            ``"avx512_bf16"`` or ``"neon_bf16"``; ``"auto"`` takes the first that has the precision.
        precision: what convolutions multiply, while sums and couplings stay float32:
            ``"float32"``; ``"bfloat16"``, both factors rounded; ``"bfloat16x3"``, three products
            of bfloat16 for one, as exact as float32 within 1e-4; ``"mixed"``, bfloat16 between
            the wide maps and bfloat16x3 elsewhere; ``"mixed_inputs"``, bfloat16x3 of what the
            subnets read and bfloat16 elsewhere. Only AMX knows bfloat16x3; the others take
            float32 in its place, and with ``"mixed"`` behind the first level, too.

    Raises:
        EngineError: the processor does not know the instructions, or there is no memory.

    Reference:
        Lavin and Gray, Fast Algorithms for Convolutional Neural Networks, CVPR 2016
        (arXiv 1509.09308).
    """

    # From: docs/native.md; of a picture that goes through in one piece, and of rows in flight, with
    # the arrays that go in and out.
    bytes_per_pixel = 160
    bytes_per_column = 108_000

    def __init__(
        self,
        parameters: Parameters,
        *,
        threads: int = 1,
        instructions: str = "auto",
        precision: str = "float32",
    ) -> None:
        self._parameters = parameters
        self._instructions = instructions
        self.precision = precision
        self.architecture: Architecture = parameters.architecture
        #: Before any picture; each thread has its share of the bands between the layers. 35 MB are
        #: what glibc's arenas keep where work goes on beside the network.
        self.process_bytes = 150_000_000 + 7_000_000 * threads
        with _clear_errors():
            self._model = _native.Model(
                list(self.architecture.blocks),
                self.architecture.features,
                self.architecture.channels,
                _in_order(parameters),
                threads,
                instructions,
                precision,
            )
        detail = "" if precision == "float32" else f", {precision}"
        self.description = f"the native engine ({self._model.instructions}{detail}) on the CPU"

    @cached_property
    def exact(self) -> "NativeEngine":
        """The same network in float32, for photographs of more than 8 bits; made when asked for."""
        if self.precision == "float32":
            return self
        asked = self._instructions
        instructions = asked if asked in _native.instruction_sets() else "auto"
        return NativeEngine(
            self._parameters, threads=self._model.threads, instructions=instructions
        )

    def encode(self, noisy: Array) -> Array:
        """Return ``(B, 3, H, W)`` to ``(B, 3, h, w)``."""
        _, _, height, width = noisy.shape
        return np.stack([self.encode_rows(height, width, height).push(image) for image in noisy])

    def decode(self, low: Array, latent: Array) -> Array:
        """Return ``(1 or B, 3, h, w)`` and ``(B, 45, h, w)`` to ``(B, 3, H, W)``.

        With one ``low`` for all, what does not depend on the latent is computed once.
        """
        _, _, height, width = low.shape
        scale = self.architecture.scale
        size = height * scale, width * scale
        if len(low) == 1:
            return self.decode_rows(*size, len(latent), height).push(low[0], latent)
        if len(low) != len(latent):
            raise EngineError(f"{len(low)} images cannot take {len(latent)} latents")
        return np.concatenate(
            [
                self.decode_rows(*size, 1, height).push(image, sample[None])
                for image, sample in zip(low, latent, strict=True)
            ]
        )

    def encode_rows(self, height: int, width: int, piece: int) -> "RowEncoder":
        """Return an encoder for a picture whose rows come one piece after the other.

        Args:
            height: of the picture, divisible by the scale.
            width: of the picture, divisible by the scale.
            piece: most rows in one piece, divisible by the scale; ``height`` for all at once.
        """
        return RowEncoder(self._model, self.architecture, height, width, piece)

    def decode_rows(self, height: int, width: int, draws: int, piece: int) -> "RowDecoder":
        """Return a decoder for ``draws`` latents of a picture whose rows come piece by piece.

        Args:
            height: of the picture, divisible by the scale.
            width: of the picture, divisible by the scale.
            draws: latents for each ``low``.
            piece: most rows of ``low`` in one piece; all of them for all at once.
        """
        return RowDecoder(self._model, self.architecture, height, width, draws, piece)


class RowEncoder:
    """Noisy rows in, rows of ``low`` out as soon as all that they depend on is in."""

    def __init__(
        self,
        model: "_native.Model",
        architecture: Architecture,
        height: int,
        width: int,
        piece: int,
    ) -> None:
        self._low = architecture.channels, width // architecture.scale
        self._pushed = 0
        with _clear_errors():
            self._rows = _native.Encoding(model, height, width, piece)

    def push(self, noisy: Array) -> Array:
        """Return the next ``(3, n, W)`` rows of the picture, to the ``(3, m, w)`` that they finish.

        Any layout in memory will do; nothing is copied.
        """
        with _clear_errors():
            rows = self._rows
            after = self._pushed + noisy.shape[1]
            count = rows.finished(after) - rows.finished(self._pushed)
            low: Array = np.empty((self._low[0], count, self._low[1]), np.float32)
            rows.push(noisy, low)
        self._pushed = after
        return low


class RowDecoder:
    """Rows of ``low`` and of latents in, rows of pictures out as soon as they are finished."""

    def __init__(
        self,
        model: "_native.Model",
        architecture: Architecture,
        height: int,
        width: int,
        draws: int,
        piece: int,
    ) -> None:
        self._channels, self._width = architecture.channels, width
        self._pushed = 0
        with _clear_errors():
            self._rows = _native.Decoding(model, height, width, draws, piece)

    def push(self, low: Array, latent: Sequence[Array] | Array) -> Array:
        """Take ``(3, n, w)`` rows and ``(N, 45, n, w)`` latents; return ``(N, 3, m, W)``."""
        with _clear_errors():
            rows = self._rows
            after = self._pushed + low.shape[1]
            count = rows.finished(after) - rows.finished(self._pushed)
            images: Array = np.empty((len(latent), self._channels, count, self._width), np.float32)
            rows.push(low, list(latent), list(images))
        self._pushed = after
        return images


def _in_order(parameters: Parameters) -> list[Array]:
    """Return kernels and biases, block by block: F, G, H, each with its three convolutions."""
    return [
        parameters.tensors[f"operations.{operation}.{subnet}.{convolution}.{kind}"]
        for operation in _couplings(parameters.architecture)
        for subnet in "FGH"
        for convolution in ("conv1", "conv2", "conv3")
        for kind in ("weight", "bias")
    ]


def _couplings(architecture: Architecture) -> Iterator[int]:
    """Yield the coupling blocks' numbers; each level begins with a Haar step."""
    operation = 0
    for blocks in architecture.blocks:
        yield from range(operation + 1, operation + 1 + blocks)
        operation += 1 + blocks


@contextmanager
def _clear_errors() -> Iterator[None]:
    try:
        yield
    except MemoryError as error:
        raise EngineError(
            "there is not enough memory for this picture: choose a smaller tile or fewer draws"
        ) from error
    except (ValueError, TypeError) as error:
        raise EngineError(f"the native engine cannot do that: {error}") from error


#: Faster first; float32 is what is left where none is faithful.
CANDIDATES = ("bfloat16", "mixed_inputs", "mixed", "bfloat16x3")
#: Largest root mean square, of white: an independent error of this size takes 0.01 dB from a
#: result of 40 dB, 10 log10(1 + 4.8e-4**2 / 1e-4).
TOLERANCE = 4.8e-4

#: What :func:`find_faithful` found for the shipped weights, by the instructions and
#: :func:`fingerprint`: what these compute is fixed to the last bit, so it holds on every processor
#: that has them. tests/engines/test_native_precision.py proves it anew.
PROVEN = {
    # default, eighth edition; fast, third
    "amx": {
        "3dbb18bed5aab432df1b03a91907c65f5537d118a1ea378c8de36dc3b9874472": "mixed_inputs",
        "795816b60e7eac1090725932c17b66bab5da581690795b85877828a52101d410": "mixed",
    },
    "avx512_bf16": {
        "3dbb18bed5aab432df1b03a91907c65f5537d118a1ea378c8de36dc3b9874472": "mixed",
        "795816b60e7eac1090725932c17b66bab5da581690795b85877828a52101d410": "float32",
    },
}
#: Instructions that multiply bfloat16 faster than float32, the fastest first. AVX512-BF16 without
#: AMX is AMD's Zen 4 and 5 and Intel's Cooper Lake, which should do twice the products of float32's
#: multiply-add (not measured: docs/native.md). By name and not by a rate measured on the spot: one
#: machine gives the same bits at any load.
FASTER = ("amx", "avx512_bf16")


def choose_precision(parameters: Parameters, threads: int = 1, instructions: str = "auto") -> str:
    """Return the fastest precision of the native engine that is faithful to float32.

    Args:
        parameters: of the network. For shipped weights the proof is not repeated.
        threads: threads that work on a proof.
        instructions: as :class:`NativeEngine` takes them; with ``"auto"`` the first of
            :data:`FASTER` that this processor has.

    Returns:
        ``"float32"`` where the processor does not multiply bfloat16 faster, or nothing faster is
        faithful.

    Example:
        >>> from invdn.weights import read_parameters
        >>> choose_precision(read_parameters("default")) in (*CANDIDATES, "float32")
        True
    """
    if instructions == "auto":
        known = _native.instruction_sets("bfloat16")
        instructions = next((name for name in FASTER if name in known), "")
        if not instructions:
            return "float32"
    elif instructions in _native.instruction_sets():
        return "float32"
    proven = PROVEN.get(instructions, {}).get(fingerprint(parameters))
    return proven or find_faithful(parameters, instructions, threads)


def find_faithful(parameters: Parameters, instructions: str, threads: int = 1) -> str:
    """Return the first of :data:`CANDIDATES` that gives the proof's pictures, else ``"float32"``.

    A picture is given if its root mean square error against float32 is :data:`TOLERANCE` at most
    and no value is off by more than one step of 8 bits.
    """
    exact = NativeEngine(parameters, threads=threads)
    pictures = list(proof_pictures(parameters.architecture.channels, exact.architecture.scale))
    expected = [_denoised(exact, picture) for picture in pictures]
    for precision in CANDIDATES:
        if instructions not in _native.instruction_sets(precision):
            continue
        engine = NativeEngine(
            parameters, threads=threads, instructions=instructions, precision=precision
        )
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
