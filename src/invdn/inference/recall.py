"""What the network said of one photograph, kept so that another look costs no second run.

Strength, luminance, chroma and detail are blended after the network. Where two runs differ in these
alone, a file of what the engine said in the first takes its place in the second: the same road
with the same numbers, so the same bytes.
"""

import errno
from collections.abc import Callable
from functools import cache
from typing import IO, Any, Protocol

import numpy as np

from ..architecture import Architecture
from ..errors import EngineError
from .engine import Array, Engine
from .options import DenoiseOptions

#: Bytes for a pixel and sample: three float32, and a third more where tiles overlap.
_PIXEL = 16
_HEAD = 256  # bytes of an array's description, at most
#: Gives an answer: by the work that is handed to it, or from the file.
_Tape = Callable[[Callable[[], Array]], Array]


def recording(engine: Engine, file: IO[bytes], room: int) -> Engine:
    """The engine; what it says is written into ``file`` as well.

    Args:
        engine: the network, ready to run.
        file: empty, to be written.
        room: bytes that it may have. Where they do not suffice, or the disk is full, the work
            goes on all the same, and the file is empty in the end.
    """
    full = False

    def tape(work: Callable[[], Array]) -> Array:
        nonlocal full
        answer = work()
        if not full:
            try:
                if file.tell() + answer.nbytes + _HEAD > room:
                    raise OSError(errno.EFBIG, "no room")
                np.save(file, answer)
            except OSError:
                full = True
                file.seek(0)
                file.truncate()
        return answer

    return _taped(engine, tape)


def recalling(engine: Engine, file: IO[bytes]) -> Engine:
    """What ``engine`` said when ``file`` was written, to one who asks for the same again.

    Its methods raise:
        EngineError: the file does not hold what is asked for.
    """

    def tape(_: Callable[[], Array]) -> Array:
        try:
            answer: Array = np.load(file, allow_pickle=False)
        except (EOFError, ValueError, OSError) as error:
            raise EngineError("what the network said is not kept whole; run it again") from error
        return answer

    return _taped(engine, tape)


def recorded_bytes(pixels: int, options: DenoiseOptions) -> int:
    """About how much :func:`recording` writes for a photograph; 0 where no network is needed.

    Example:
        >>> recorded_bytes(12_000_000, DenoiseOptions(strength=0.5)) // 10**6
        192
    """
    return 0 if options.takes_nothing else pixels * options.symmetries * options.draws * _PIXEL


def _taped(engine: Engine, tape: _Tape) -> Engine:
    return (_TapedRows if hasattr(engine, "decode_rows") else _Taped)(engine, tape)


class _Taped:
    """An engine whose answers go through a tape."""

    def __init__(self, engine: Engine, tape: _Tape) -> None:
        self._engine: Any = engine
        self._tape = tape

    def __getattr__(self, name: str) -> Any:
        """What the engine says of its memory."""
        return getattr(self._engine, name)

    @property
    def architecture(self) -> Architecture:
        """The engine's."""
        return self._engine.architecture  # type: ignore[no-any-return]

    @property
    def description(self) -> str:
        """The engine's."""
        return self._engine.description  # type: ignore[no-any-return]

    def encode(self, noisy: Array) -> Array:
        """As the engine."""
        return self._tape(lambda: self._engine.encode(noisy))

    def decode(self, low: Array, latent: Array) -> Array:
        """As the engine."""
        return self._tape(lambda: self._engine.decode(low, latent))


class _TapedRows(_Taped):
    """The same of an engine that works row by row."""

    def encode_rows(self, *size: int) -> "_TapedPushes":
        """As the engine."""
        return _TapedPushes(lambda: self._engine.encode_rows(*size), self._tape)

    def decode_rows(self, *size: int) -> "_TapedPushes":
        """As the engine."""
        return _TapedPushes(lambda: self._engine.decode_rows(*size), self._tape)


class _Pushed(Protocol):
    def push(self, *rows: Array) -> Array: ...


class _TapedPushes:
    """An encoder or decoder of rows; made only where it has to work."""

    def __init__(self, make: Callable[[], _Pushed], tape: _Tape) -> None:
        self._made = cache(make)
        self._tape = tape

    def push(self, *rows: Array) -> Array:
        """As the engine's."""
        return self._tape(lambda: self._made().push(*rows))
